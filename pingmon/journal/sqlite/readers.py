"""A journal's threads; and its readers' side: two of them, with read-only connections of their own."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue, SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from pingmon.journal.errors import JournalUnavailable, translated
from pingmon.journal.sqlite.schema import connect
from pingmon.journal.values import STOPPED
from pingmon.journal.waiters import Waiter

READERS: Final = 2

R = TypeVar("R")
A = TypeVarTuple("A")


class Reactor(Protocol):
    """What a journal needs of the reactor: `IReactorFromThreads`, and the clock of `IReactorTime`."""

    def callFromThread(self, callable: Callable[..., object], /, *args: object) -> object:
        """Call it on the reactor's thread."""

    def seconds(self) -> float:
        """The time, in seconds since the epoch."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> IDelayedCall:
        """Call it so many seconds later."""


class JournalThreads:
    """Threads of a journal's own: those of the reactor may be full of slow name look-ups. Twisted's pool was ruled out,
    as it costs 20 µs more for each commit.

    They do not keep a process from ending in which nobody stopped the journal: SQLite survives that.
    """

    def __init__(self, reactor: Reactor, count: int, name: str) -> None:
        self._reactor = reactor
        self._work: SimpleQueue[tuple[Waiter[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=name, daemon=True) for _ in range(count)]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what was asked for, and end. Blocks for that time."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def run_for(self, waiter: Waiter[R], work: Callable[[*A], R], *args: *A) -> None:
        """Do `work` on a thread; `waiter` is told its result."""
        self._work.put((waiter, work, args))

    def run(self, work: Callable[[*A], R], *args: *A) -> Deferred[R]:
        """The result of `work`, done on a thread. Cancelling drops the result; the work is done all the same."""
        done: Deferred[R] = Deferred()
        self.run_for(done, work, *args)
        return done

    def _run(self) -> None:
        tell = self._reactor.callFromThread
        while (job := self._work.get()) is not None:
            waiter, work, args = job
            try:
                result = work(*args)
            except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
                tell(waiter.errback, error)
            else:
                tell(waiter.callback, result)
                del result
            del job, waiter, work, args  # and with it what it has read, before waiting for more


class Readers:
    """Runs queries from `start` to `stop`. A connection that met an error is closed, and not used again.

    `renewals` tells how often the writer has opened the files: a connection from before may know another write-ahead
    log, and what it reads proves nothing.
    """

    def __init__(self, path: Path, reactor: Reactor, renewals: Callable[[], int]) -> None:
        self._path = path
        self._renewals = renewals
        self._threads = JournalThreads(reactor, READERS, "pingmon-journal-read")
        self._idle: LifoQueue[tuple[int, sqlite3.Connection]] = LifoQueue()
        self._running = False

    def start(self) -> None:
        """Allow queries."""
        self._threads.start()
        self._running = True

    def run(self, query: Callable[[sqlite3.Connection], R]) -> Deferred[R]:
        """The result of `query`. Errbacks with what `errors.translated` raises, JournalUnavailable when not started."""
        if not self._running:
            stopped: Deferred[R] = Deferred()
            stopped.errback(JournalUnavailable(STOPPED))
            return stopped
        return self._threads.run(self._queried, query)

    def _queried(self, query: Callable[[sqlite3.Connection], R]) -> R:
        age = self._renewals()
        with translated(self._path):
            if (kept := self._kept(age)) is not None:
                with suppress(sqlite3.Error, ValueError, TypeError, OverflowError, struct.error):  # ask a new one
                    return self._asked(query, age, kept)
            return self._asked(query, age, connect(self._path, write=False))

    def _kept(self, age: int) -> sqlite3.Connection | None:
        """An idle connection of this age; those of another are closed."""
        with suppress(Empty):
            while True:
                its_age, db = self._idle.get_nowait()
                if its_age == age:
                    return db
                db.close()
        return None

    def _asked(self, query: Callable[[sqlite3.Connection], R], age: int, db: sqlite3.Connection) -> R:
        try:
            result = query(db)
        except BaseException:
            db.close()
            raise
        self._idle.put((age, db))
        return result

    def stop(self) -> None:
        """Refuse further queries, finish those under way (each is short), close. Blocks for that time."""
        if not self._running:
            return
        self._running = False
        self._threads.stop()
        while not self._idle.empty():
            self._idle.get_nowait()[1].close()
