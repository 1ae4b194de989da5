"""What time it is, as HTTP says it. Nothing that is told outside may be taken from the reactor's clock.

That clock is for timers: it is never set, and counts from when the machine was started (`timing/clock`). How the door
counts time is another matter: Note [The door's clock] in `connection_watch`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.http import datetimeToLogString, datetimeToString  # noqa: TID251 -- they are called with the time


class Dates:
    """`wall` gives seconds since the epoch. A text is made once in a second: every answer has one."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._second: int | None = None
        self._header = b""

    def header(self) -> bytes:
        """The value of a `Date` header (RFC 9110 §5.6.7)."""
        second = int(self._wall())
        if second != self._second:
            self._second, self._header = second, datetimeToString(second)
        return self._header

    def log(self) -> str:
        """The time as the combined log format has it, in brackets."""
        text: str = datetimeToLogString(self._wall())
        return text
