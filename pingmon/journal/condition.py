"""Whether a journal's writes succeed: what its health report is made of, and what the log file is told once."""

from __future__ import annotations

from collections import deque
from typing import Final

from twisted.logger import Logger

from pingmon.core.times import SECOND
from pingmon.journal.values import JournalHealth

log = Logger()

LATENCIES: Final = 32


class Condition:
    """Told of every write's end, on the reactor's thread. Times are microseconds since the epoch."""

    def __init__(self) -> None:
        self.failing_since: int | None = None
        self._last_error: str | None = None
        self._last_commit_at: int | None = None
        self._commits = 0
        self._latencies: deque[float] = deque(maxlen=LATENCIES)

    def failed(self, now: int, error: str) -> None:
        """A write failed. The first of a row of failures is logged."""
        self._last_error = error
        if self.failing_since is None:
            self.failing_since = now
            log.error("the journal takes no writes: {error}", error=error)

    def wrote(self, now: int) -> None:
        """A write is durable."""
        if self.failing_since is not None:
            seconds = (now - self.failing_since) // SECOND
            log.info("the journal takes writes again, after {seconds} s", seconds=seconds)
            self.failing_since = None

    def committed(self, now: int, took_s: float) -> None:
        """A commit of entries is durable; it took `took_s` seconds, waiting for the writer's thread included."""
        self._last_commit_at = now
        self._commits += 1
        self._latencies.append(took_s)

    def health(self, *, buffered: int, entries_total: int) -> JournalHealth:
        """The report."""
        return JournalHealth(
            failing_since=self.failing_since,
            last_error=self._last_error,
            buffered=buffered,
            entries_total=entries_total,
            last_commit_at=self._last_commit_at,
            commits=self._commits,
            commit_s=sum(self._latencies) / len(self._latencies) if self._latencies else 0.0,
        )
