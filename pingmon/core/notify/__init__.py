"""Who is told what: channels, messages, and what became of each."""
