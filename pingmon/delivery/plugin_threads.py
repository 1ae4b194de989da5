"""Threads for work of others that may never return.

A thread cannot be ended from outside. So work that nobody waits for any more keeps its thread for as long as it hangs,
and there are few of them: what hangs costs its own channel first, and all others only when every thread hangs. They do
not keep the process from ending. Twisted's pool was ruled out, as it waits for its threads when it stops.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pingmon.core.units import Id

R = TypeVar("R")


class Hanging(Exception):
    """The work was not begun, because earlier work hangs."""


class CalledFromThreads(Protocol):
    """What is asked of the reactor."""

    def callFromThread(self, function: Callable[..., Any], /, *args: Any) -> object: ...


class PluginThreads:
    """At most `most` at a time; what else there is waits."""

    def __init__(self, reactor: CalledFromThreads, most: int) -> None:
        self._reactor = reactor
        self._most = most
        self._running = 0
        self._waiting: deque[Deferred[None]] = deque()
        self._hanging: Counter[Id] = Counter()

    @property
    def hanging(self) -> int:
        """How many threads hang."""
        return self._hanging.total()

    async def run(self, channel: Id, work: Callable[[], R]) -> R:
        """The result of `work`, done on a thread for `channel`. Raises what it raises, or `Hanging`.

        Cancelling ends the waiting; the work goes on.
        """
        if self._hanging[channel]:
            raise Hanging("an earlier message to this channel hangs still")
        self._refuse_if_all_hang()
        if self._running == self._most:
            turn: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(turn)
            await turn
        self._running += 1
        done: Deferred[R] = Deferred(partial(self._given_up, channel))
        Thread(target=self._work, args=(channel, work, done), name="pingmon-plugin", daemon=True).start()
        return await done

    def _work(self, channel: Id, work: Callable[[], R], done: Deferred[R]) -> None:
        result: R | Failure
        try:
            result = work()
        except Exception:  # noqa: BLE001 -- it belongs to the one who waits
            result = Failure()
        self._reactor.callFromThread(self._ended, channel, done, result)

    def _ended(self, channel: Id, done: Deferred[R], result: R | Failure) -> None:
        self._running -= 1
        if done.called:
            self._hanging -= Counter([channel])
        else:
            done.callback(result)
        if self._waiting and self._running < self._most:
            self._waiting.popleft().callback(None)

    def _given_up(self, channel: Id, done: Deferred[R]) -> None:
        self._hanging[channel] += 1
        try:
            self._refuse_if_all_hang()
        except Hanging as error:
            while self._waiting:
                self._waiting.popleft().errback(error)

    def _refuse_if_all_hang(self) -> None:
        if self.hanging == self._most:
            raise Hanging(f"all {self._most} threads for plug-ins hang")
