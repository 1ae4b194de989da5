"""Saves the world and trims old measurements (pings, probes), a little at a time and never in the way of a ping."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from pingmon.journal import JournalDamaged, JournalUnavailable, Trimming
from pingmon.monitor import Monitor
from pingmon.timing.ticker import Ticker

EVERY_S: Final = 1.0
SAVE_EVERY_S: Final = 600.0
"""The world is saved this often if it has changed; the monitor saves earlier when many entries have come."""
REST_S: Final = 3600.0
"""How long trimming rests when a whole sweep has found nothing, and after the start."""
NEWS: Final = 5_000
"""Entries that end the rest earlier."""
SHARE_S: Final = 0.1
"""How much of each second trimming may take while there is something to trim."""
STEPS: Final = 40
"""How many steps of trimming it may take at most: 20,000 entries."""


class Housekeeping:
    """Runs from `start` to `stop`. A failure is logged and tried again; nothing depends on it for being right.

    Nothing is trimmed from a log that was found to be damaged.
    """

    def __init__(self, monitor: Monitor, journal: Trimming, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._journal = journal
        self._ticker = Ticker("keeping house", self._tick, EVERY_S, clock, monitor.time.steady)
        self._saved_at = self._rested_at = monitor.time.steady()
        self._resting = True
        self._rested_seq = 0
        self._found = 0

    def start(self) -> None:
        """Begin the rounds, one a second."""
        self._rested_seq = self._monitor.world.seq
        self._ticker.start()

    def stop(self) -> None:
        """Begin no further round."""
        self._ticker.stop()

    def _tick(self) -> Deferred[None]:
        return self._round().addErrback(self._reported)

    def _round(self) -> Deferred[None]:
        now = self._monitor.time.steady()
        if self._monitor.deafness.since is not None:
            return succeed(None)
        if now - self._saved_at >= SAVE_EVERY_S:
            self._saved_at = now
            return self._monitor.save()
        if self._monitor.journal.health().damage is not None or self._rests(now):
            return succeed(None)
        return Deferred.fromCoroutine(self._trim(now))

    def _rests(self, now: float) -> bool:
        news = self._monitor.world.seq - self._rested_seq
        return self._resting and now - self._rested_at < REST_S and news < NEWS

    async def _trim(self, began: float) -> None:
        """Trim until there is nothing more to do now, or its share of the second is used up."""
        for _ in range(STEPS):
            step = await self._journal.trim(self._monitor.now())
            self._found += step.deleted
            self._resting = step.wrapped and not self._found
            now = self._monitor.time.steady()
            if step.wrapped:
                self._found, self._rested_at, self._rested_seq = 0, now, self._monitor.world.seq
            if step.wrapped or now - began >= SHARE_S or not self._ticker.running:
                return

    def _reported(self, failure: Failure) -> None:
        failure.trap(JournalDamaged, JournalUnavailable)  # the journal itself reports them
