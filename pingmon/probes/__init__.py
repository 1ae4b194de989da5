"""Looks at sites, from here and through others: names, HEAD probes, verifiers. Nothing here decides what it means."""
