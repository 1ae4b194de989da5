"""A journal in memory, for tests."""
