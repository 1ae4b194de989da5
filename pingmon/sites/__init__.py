"""Looking after sites: when to look at them, what to make of it, whom to ask."""
