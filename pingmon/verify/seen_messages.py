"""Which messages have been taken, so that none is taken twice.

An id has to be known for as long as its message could be accepted again: until its timestamp leaves the window. Then
it is forgotten. Only ids of messages that were signed by somebody who may are put here, so strangers cannot fill it;
and when it is full, new messages have to wait rather than old ones be forgotten.

It is lost with the process: whoever uses it refuses messages that were sent before its own start.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

IDS_MAX: Final = 100_000
"""Ids that are known at a time, in 22 MB: 160 messages a second, if all their timestamps are as far ahead as may be."""


class SeenMessages:
    """Ids, each with the last second (since the epoch) in which its message would be accepted."""

    def __init__(self, limit: int = IDS_MAX) -> None:
        self._limit = limit
        self._ids: set[str] = set()
        self._ends: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    @property
    def full(self) -> bool:
        """Whether nothing more can be added."""
        return len(self._ids) >= self._limit

    def add(self, id: str, last: int) -> None:
        """The message `id` has been taken. Not to be called when it is `full`, nor for an id that it has."""
        self._ids.add(id)
        heappush(self._ends, (last, id))

    def forget(self, now: int) -> None:
        """Forget what is too old to be accepted; `now`: seconds since the epoch."""
        while self._ends and self._ends[0][0] < now:
            self._ids.remove(heappop(self._ends)[1])
