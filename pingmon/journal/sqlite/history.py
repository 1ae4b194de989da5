"""The history of a journal in a file: asked of the readers' threads, joined with what is not written yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from pingmon.core.units import Id
from pingmon.core.world.events import Entry, Event
from pingmon.journal.errors import STOPPED, JournalUnavailable
from pingmon.journal.health import HealthTracker
from pingmon.journal.interface import FlipRow, History, Reactor
from pingmon.journal.pending_flips import PendingFlips, Window, newest_seq, together
from pingmon.journal.sqlite.history_queries import read_entries, read_events, read_flips, read_flips_at
from pingmon.journal.sqlite.readers import Readers
from pingmon.journal.sqlite.trimming import MAX_SEQ

R = TypeVar("R")


class SqliteHistory(History):
    """Answers while its `_readers` run. `renewals`: see `Readers`."""

    def __init__(self, path: Path, reactor: Reactor, renewals: Callable[[], int]) -> None:
        self._health = HealthTracker()
        self._pending = PendingFlips()
        self._readers = Readers(path, reactor, renewals)

    def events(
        self,
        stream: Id,
        kind: type[Event],
        *,
        upto: int,
        before: int | None = None,
        skip: int = 0,
        limit: int = 100,
    ) -> Deferred[list[Entry]]:
        last = newest_seq(upto, before)
        return self._read(lambda db: read_events(db, stream, kind, last, limit, skip), last)

    def flips(
        self,
        stream: Id,
        *,
        upto: int,
        start: int | None = None,
        end: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> Deferred[list[FlipRow]]:
        window = Window(stream, newest_seq(upto, before), start, end)
        pending = self._pending.all()
        found = self._read(lambda db: read_flips(db, window, limit))
        return found.addCallback(lambda rows: window.newest([*rows, *pending], limit))

    def flips_at(self, seqs: Collection[int]) -> Deferred[list[FlipRow]]:
        pending = self._pending.at(seqs)
        return self._read(lambda db: read_flips_at(db, seqs)).addCallback(together, pending)

    def entries(self, stream: Id | None, *, after: int = 0, limit: int = 100) -> Deferred[list[Entry]]:
        return self._read(lambda db: read_entries(db, stream, after, limit), MAX_SEQ)

    def _read(self, query: Callable[[sqlite3.Connection], R], upto: int = 0) -> Deferred[R]:
        """The result of `query`, which asks for entries up to `upto`; how it ended is taken note of."""
        if not self._readers.running:
            return fail(JournalUnavailable(STOPPED))

        def well(result: R) -> R:
            self._health.read(None)
            return result

        def badly(failure: Failure) -> Failure:
            if failure.check(JournalUnavailable):
                self._health.read(failure.getErrorMessage())
            return self._health.noted(failure)

        return self._readers.run(query, upto).addCallbacks(well, badly)
