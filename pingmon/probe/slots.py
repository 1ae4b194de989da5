"""So many at a time and no more, first come, first served, for each key apart."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred


class Slots:
    """`size` places for each key. A key that nobody uses costs nothing."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[Deferred[None]]] = {}
        self._freed: deque[str] = deque()

    def take(self, key: str = "") -> bool:
        """Take a place if one is free."""
        taken = self._taken.get(key, 0)
        if taken >= self._size:
            return False
        self._taken[key] = taken + 1
        return True

    def wait(self, key: str = "") -> Deferred[None]:
        """Fires when a place has been given to the caller. Cancelling leaves the queue."""
        turn: Deferred[None] = Deferred(lambda turn: self._drop(key, turn))
        self._waiting.setdefault(key, deque()).append(turn)
        return turn

    def free(self, key: str = "") -> None:
        """Give back a place: to who has waited longest, if somebody has."""
        self._freed.append(key)
        if len(self._freed) > 1:
            return  # whoever is given a place may be done at once; thousands in a row must not nest
        while self._freed:
            self._give(self._freed[0])
            self._freed.popleft()

    @property
    def empty(self) -> bool:
        """Whether no place is taken and nobody waits."""
        return not self._taken and not self._waiting

    def _give(self, key: str) -> None:
        line = self._waiting.get(key)
        if line is not None:
            turn = line[0]
            self._drop(key, turn)
            turn.callback(None)
        elif self._taken[key] == 1:
            del self._taken[key]
        else:
            self._taken[key] -= 1

    def _drop(self, key: str, turn: Deferred[None]) -> None:
        line = self._waiting[key]
        line.remove(turn)
        if not line:
            del self._waiting[key]
