"""What time it is, and whether the clock was set.

Instants in the log are wall-clock time, because they outlive the process; the wall clock can be set. A second clock
that only runs forward tells a clock that was set from time that passed. It counts time in which the machine was
suspended, where the system offers such a clock, so that a suspended machine is not taken for a set clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from pingmon.core.units import SECOND

STEP_S: Final = 5.0
"""Seconds by which the two clocks must part at once before the wall clock counts as set; less is drift."""

_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_seconds() -> float:
    """Seconds since the epoch, as the system's clock shows them; it may be set."""
    return time.time()  # noqa: TID251 -- this is where the time comes from


def steady_seconds() -> float:
    """Seconds on a clock that is never set, time of suspension included where the system can tell."""
    return time.clock_gettime(_STEADY)


def steadied(reactor: Any) -> Any:
    """`reactor`, with timers that a clock that is set does not touch. To be called before anything is scheduled.

    Twisted's run on the wall clock: set back by an hour, it would keep every timer waiting for an hour.
    """
    reactor.seconds = steady_seconds
    return reactor


def busy_seconds() -> float:
    """Seconds of processor time that the calling thread has used: a process that is kept from running uses none."""
    return time.thread_time()


class Timekeeper:
    """Reads the wall clock and notices when it was set.

    `stepped` is called with the step in microseconds before the first reading after it is returned, so whatever
    depends on older instants can be moved first. `busy`: processor time in seconds, of the thread that asks.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        steady: Callable[[], float],
        stepped: Callable[[int], object] = lambda by: None,
        busy: Callable[[], float] = busy_seconds,
    ) -> None:
        self._wall = wall
        self.busy = busy
        self._steady = steady
        self.stepped = stepped
        self._offset = wall() - steady()

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""
        wall = self._wall()
        apart = wall - self._steady() - self._offset
        if not -STEP_S < apart < STEP_S:
            self._offset += apart
            self.stepped(round(apart * SECOND))
        return round(wall * SECOND)

    def steady(self) -> float:
        """Seconds on the clock that is never set; only differences mean something."""
        return self._steady()

    def settle(self) -> None:
        """Take up drift, so that a month of it never adds up to a step. Called about once a second."""
        self.now()
        self._offset = self._wall() - self._steady()
