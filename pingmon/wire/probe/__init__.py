"""HTTP as probes speak it: targets, heads of answers, cookies."""
