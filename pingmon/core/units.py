"""Names of things and units of time.

Every stream of the log is a UUID. Instants are integer microseconds since the epoch, UTC, and durations in the log are
as well.
"""

from typing import Final, TypeAlias

Id: TypeAlias = str
"""A lower-case canonical UUID. Kept as text because it is read from URLs and written to JSON; 16 bytes on disk."""

DAEMON: Final[Id] = "00000000-0000-0000-0000-000000000000"
"""The stream of what concerns the daemon as a whole."""

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
