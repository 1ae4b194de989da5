"""The side of a journal that reads while it runs: two threads with read-only connections of their own."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Final, TypeVar

from twisted.internet.defer import Deferred

from pingmon.journal.interface import Reactor
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.schema import connect
from pingmon.journal.sqlite.stream_index import NewestEntries
from pingmon.journal.sqlite.threads import JournalThreads

READERS: Final = 2

R = TypeVar("R")


class Readers:
    """Runs queries from `start` to `stop`: while it is `running`.

    A connection that met an error is closed, and not used again.

    `renewals` tells how often the writer has opened the files: a connection from before may know another write-ahead
    log, and what it reads proves nothing.
    """

    def __init__(self, path: Path, reactor: Reactor, renewals: Callable[[], int]) -> None:
        self._path = path
        self._renewals = renewals
        self._threads = JournalThreads(reactor, READERS, "pingmon-journal-read")
        self._idle: LifoQueue[tuple[int, NewestEntries]] = LifoQueue()
        self.running = False

    def start(self) -> None:
        """Allow queries."""
        self._threads.start()
        self.running = True

    def run(self, query: Callable[[sqlite3.Connection], R], upto: int) -> Deferred[R]:
        """The result of `query`, while they are running. Errbacks with what `error_codes.translated` raises.

        The view `event_of` has all entries up to `upto` that were durable when this was called.
        """
        return self._threads.run(self._queried, query, upto)

    def _queried(self, query: Callable[[sqlite3.Connection], R], upto: int) -> R:
        age = self._renewals()
        with translated(self._path):
            if (kept := self._kept(age)) is not None:
                with suppress(sqlite3.Error, ValueError, TypeError, OverflowError, struct.error):  # ask a new one
                    return self._asked(query, upto, age, kept)
            return self._asked(query, upto, age, NewestEntries(connect(self._path, write=False)))

    def _kept(self, age: int) -> NewestEntries | None:
        """An idle connection of this age; those of another are closed."""
        with suppress(Empty):
            while True:
                its_age, newest = self._idle.get_nowait()
                if its_age == age:
                    return newest
                newest.db.close()
        return None

    def _asked(self, query: Callable[[sqlite3.Connection], R], upto: int, age: int, newest: NewestEntries) -> R:
        try:
            newest.catch_up(upto)
            result = query(newest.db)
        except BaseException:
            newest.db.close()
            raise
        self._idle.put((age, newest))
        return result

    def stop(self) -> None:
        """Refuse further queries, finish those under way (each is short), close. Blocks for that time."""
        if not self.running:
            return
        self.running = False
        self._threads.stop()
        while not self._idle.empty():
            self._idle.get_nowait()[1].db.close()
