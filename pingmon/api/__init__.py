"""The management API: routes, keys, and one function per operation."""
