"""Units of time. Instants are integer microseconds since the epoch, UTC, and durations in the log are as well."""

from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
