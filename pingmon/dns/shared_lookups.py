"""Those who want the same thing at the same time wait for one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Work(Generic[V]):
    def __init__(self) -> None:
        self.running: Deferred[None] | None = None
        self.waiting: list[Deferred[V]] = []


class SharedLookups(Generic[K, V]):
    """Work that is under way, by key."""

    def __init__(self) -> None:
        self._works: dict[K, _Work[V]] = {}

    def get(self, key: K, begin: Callable[[], Coroutine[Deferred[Any], Any, V]]) -> Deferred[V]:
        """What `begin()` comes to, or what the work that is already under way for `key` does.

        Cancelling leaves the work to the others who want it, and ends it if there are none.
        """
        work = self._works.get(key)
        wanted: Deferred[V] = Deferred(lambda wanted: self._leave(key, wanted))
        if work is not None:
            work.waiting.append(wanted)
            return wanted
        work = self._works[key] = _Work()
        work.waiting.append(wanted)
        running = Deferred.fromCoroutine(begin())
        work.running = running.addCallbacks(
            lambda value: self._tell(key, work, value), lambda failure: self._tell(key, work, failure)
        )
        return wanted

    def _tell(self, key: K, work: _Work[V], result: V | Failure) -> None:
        if self._works.get(key) is work:
            del self._works[key]
        waiting, work.waiting = work.waiting, []
        for wanted in waiting:
            wanted.callback(result)

    def _leave(self, key: K, wanted: Deferred[V]) -> None:
        work = self._works.get(key)
        if work is None or wanted not in work.waiting:
            return
        work.waiting.remove(wanted)
        if not work.waiting:
            del self._works[key]
            if work.running is not None:
                work.running.cancel()
