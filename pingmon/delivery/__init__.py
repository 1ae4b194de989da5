"""Gets owed notifications out: the outbox, and one module per kind of channel. Nothing here decides who is told."""
