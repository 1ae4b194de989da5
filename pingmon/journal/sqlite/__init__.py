"""The journal of the daemon: one SQLite file."""
