"""Ends that count only when what had arrived before them has been read.

A reactor that did not run for a while (a suspended process, a busy machine) runs the timers that are due before it
reads what has come meanwhile. So an answer that was there in time would be taken for none. Whoever waits for others has
his timer from here: when it is due the loop goes round a few times first, and what is read then may still cancel it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from twisted.internet.interfaces import IReactorTime

TURNS: Final = 3
"""Turns of the reactor between a timer and its call: one to read, the others for what follows from that."""


class Expiry:
    """A call of `expired(*args)` in `seconds` and `TURNS`."""

    def __init__(self, clock: IReactorTime, seconds: float, expired: Callable[..., object], *args: object) -> None:
        self._clock = clock
        self._expired = expired
        self._args = args
        self._next = clock.callLater(seconds, self._turn, TURNS)

    def active(self) -> bool:
        """Whether the call is still to come."""
        return bool(self._next.active())

    def cancel(self) -> None:
        """Call nothing. Not to be called when it is not `active`."""
        self._next.cancel()

    def _turn(self, left: int) -> None:
        if left:
            self._next = self._clock.callLater(0, self._turn, left - 1)
        else:
            self._expired(*self._args)


class _ExpiryClock:
    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> Expiry:
        """As `IReactorTime`."""
        return Expiry(self._clock, delay, callable, *args)


def expiry_clock(clock: IReactorTime) -> IReactorTime:
    """A clock for `Deferred.addTimeout`, whose calls are expiries."""
    return cast(IReactorTime, _ExpiryClock(clock))
