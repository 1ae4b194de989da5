"""Whether a journal can be written and read: what its health report is made of, and what the log file is told once."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.units import SECOND
from pingmon.journal.errors import JournalDamaged
from pingmon.journal.interface import CommitTimes, JournalHealth

log = Logger()

COMMIT_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class HealthTracker:
    """An engine tells it of the end of every write and read, on the reactor's thread. Times are microseconds.

    `damage`: what was found to be wrong with what is on disk; it stays. `unreadable`: why the last read failed.
    """

    def __init__(self) -> None:
        self.failing_since: int | None = None
        self.damage: str | None = None
        self.unreadable: str | None = None
        self._last_error: str | None = None
        self._gist = ""
        self._last_commit_at: int | None = None
        self._commits = 0
        self._times = [0] * (len(COMMIT_BOUNDS_S) + 1)
        self._sum_s = 0.0

    def failed(self, now: int, error: str, gist: str = "") -> None:
        """A write failed. The first of a row of failures is logged. `gist`: of `error`, what anybody may read."""
        self._last_error, self._gist = error, gist
        if self.failing_since is None:
            self.failing_since = now
            log.error("the journal takes no writes: {error}", error=error)

    def wrote(self, now: int) -> None:
        """A write is durable."""
        if self.failing_since is not None:
            seconds = (now - self.failing_since) // SECOND
            log.info("the journal takes writes again, after {seconds} s", seconds=seconds)
            self.failing_since = None

    def damaged(self, damage: str) -> None:
        """What is on disk is not what was written. The first damage is logged and kept."""
        if self.damage is None:
            self.damage = damage
            log.error(
                "the journal is damaged: {damage}; see docs/log-format.md, «When a journal is damaged»", damage=damage
            )

    def noted(self, failure: Failure) -> Failure:
        """For an errback: damage is taken note of, and the failure goes on."""
        if isinstance(failure.value, JournalDamaged):
            self.damaged(failure.value.damage)
        return failure

    def read(self, error: str | None) -> None:
        """A read succeeded (None), or failed in a way that says nothing of damage. The first of a row is logged."""
        if error is not None and self.unreadable is None:
            log.error("the journal cannot be read: {error}", error=error)
        self.unreadable = error

    def committed(self, now: int, took_s: float) -> None:
        """A commit of entries is durable; it took `took_s` seconds, waiting for the writer's thread included."""
        self._last_commit_at = now
        self._commits += 1
        self._times[bisect_left(COMMIT_BOUNDS_S, took_s)] += 1
        self._sum_s += took_s

    def health(self, *, buffered: int, entries_total: int, hangs_s: int = 0) -> JournalHealth:
        """The report."""
        return JournalHealth(
            failing_since=self.failing_since,
            last_error=self._last_error,
            gist=self._gist,
            damage=self.damage,
            unreadable=self.unreadable,
            hangs_s=hangs_s,
            buffered=buffered,
            entries_total=entries_total,
            last_commit_at=self._last_commit_at,
            commits=self._commits,
            commit_times=CommitTimes(COMMIT_BOUNDS_S, tuple(self._times), self._sum_s),
        )
