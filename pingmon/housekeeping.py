"""Saves the world and trims old pings, a little at a time and never in the way of a ping."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.journal import JournalUnavailable, Trimmed
from pingmon.monitor import Monitor

EVERY_S: Final = 1.0
SAVE_EVERY_S: Final = 600.0
"""The world is saved this often if it has changed; the monitor saves earlier when many entries have come."""
REST_S: Final = 60.0
"""How long trimming rests when a whole sweep has found nothing."""


class Trimming(Protocol):
    """The part of a journal that forgets old pings."""

    def trim(self, now: int) -> Deferred[Trimmed]: ...


class Housekeeping:
    """Runs from `start` to `stop`. A failure is logged and tried again; nothing depends on it for being right."""

    log = Logger()

    def __init__(self, monitor: Monitor, journal: Trimming, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._journal = journal
        self._loop = LoopingCall(self._guarded)
        self._loop.clock = clock
        self._saved_at = self._rested_at = monitor.time.steady()
        self._resting = False
        self._found = 0

    def start(self) -> None:
        """Begin the rounds, one a second."""
        self._loop.start(EVERY_S, now=False)

    def stop(self) -> None:
        """Begin no further round."""
        if self._loop.running:
            self._loop.stop()

    def _guarded(self) -> Deferred[None]:
        return self._round().addErrback(self._failed)

    def _round(self) -> Deferred[None]:
        now = self._monitor.time.steady()
        if self._monitor.deaf_since is not None:
            return succeed(None)
        if now - self._saved_at >= SAVE_EVERY_S:
            self._saved_at = now
            return self._monitor.save()
        if self._resting and now - self._rested_at < REST_S:
            return succeed(None)
        return self._journal.trim(self._monitor.now()).addCallback(self._trimmed, now)

    def _trimmed(self, step: Trimmed, now: float) -> None:
        self._found += step.deleted
        self._resting = step.wrapped and not self._found
        if step.wrapped:
            self._found, self._rested_at = 0, now

    def _failed(self, failure: Failure) -> None:
        if not failure.check(JournalUnavailable):
            self.log.failure("while keeping house", failure)
