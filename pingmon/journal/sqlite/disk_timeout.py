"""How long a journal waits for a disk that does not answer.

A disk that hangs answers neither yes nor no. Nothing more is asked of it then, and in the end nobody waits for it any
more; what it was asked may still become durable, and is then taken as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from pingmon.journal.errors import HANGS, JournalUnavailable
from pingmon.journal.interface import Reactor

BEAT_S: Final = 1.0
HANGS_BEATS: Final = 5
"""Beats of a write that is under way from which nothing more is asked of the disk."""
GIVE_UP_BEATS: Final = 10
"""Beats from which nobody waits for it any more."""


class DiskTimeout:
    """Counts beats, and not seconds, since the last write ended while others are under way: a process that was stopped
    blames no disk. `given_up` is called at each beat from which nobody waits any more.
    """

    def __init__(self, reactor: Reactor, given_up: Callable[[], None]) -> None:
        self._reactor = reactor
        self._given_up = given_up
        self._under_way = self._beats = 0
        self._waiting: set[Deferred[None]] = set()
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to count."""
        self._next = self._reactor.callLater(BEAT_S, self._beat)

    def stop(self) -> None:
        """Count no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    @property
    def hangs_s(self) -> int:
        """For how many seconds the disk has not answered, once that is too long; else 0."""
        return round(self._beats * BEAT_S) if self._beats >= HANGS_BEATS else 0

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return self._beats >= GIVE_UP_BEATS

    def begun(self) -> None:
        """A write is under way."""
        self._under_way += 1

    def ended(self) -> None:
        """A write has ended, well or badly."""
        self._under_way -= 1
        self._beats = 0

    def awaited(self, write: Deferred[None]) -> Deferred[None]:
        """Fires with `write`, or fails with JournalUnavailable when nobody waits any more."""
        waiting: Deferred[None] = Deferred()
        self._waiting.add(waiting)

        def ended(result: Failure | None) -> None:
            if waiting in self._waiting:
                self._waiting.discard(waiting)
                waiting.callback(result)  # a failure takes the way of errors

        write.addBoth(ended)
        return waiting

    def _beat(self) -> None:
        self._next = self._reactor.callLater(BEAT_S, self._beat)
        self._beats = self._beats + 1 if self._under_way else 0
        if self.is_over:
            waiting, self._waiting = self._waiting, set()
            for each in waiting:
                each.errback(JournalUnavailable(HANGS, HANGS))
            self._given_up()
