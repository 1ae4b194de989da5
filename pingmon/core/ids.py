"""The names of things: every stream of the log is a UUID."""

from typing import Final, TypeAlias

Id: TypeAlias = str
"""A lower-case canonical UUID. Kept as text because it is read from URLs and written to JSON; 16 bytes on disk."""

DAEMON: Final[Id] = "00000000-0000-0000-0000-000000000000"
"""The stream of what concerns the daemon as a whole."""
