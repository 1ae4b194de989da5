"""Pings: the hot path, from a request to an entry in the log."""
