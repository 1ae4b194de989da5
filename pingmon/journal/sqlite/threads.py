"""The threads of a journal's own."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred

from pingmon.journal.interface import Reactor, Waiter

R = TypeVar("R")
A = TypeVarTuple("A")


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
