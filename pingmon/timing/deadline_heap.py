"""What is due when: a heap with one instant for each key, in which a newer instant replaces the older.

Whoever moves a deadline leaves its old place in the heap, where it is skipped when it comes up, or swept out with
others when such places are as many as those that count. So nothing here costs more than a heap's step, on the average.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from pingmon.core.units import Id


class DeadlineHeap:
    """Instants are whole numbers of any one clock."""

    def __init__(self) -> None:
        self._due: dict[Id, int] = {}
        self._heap: list[tuple[int, Id]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: Id) -> bool:
        return key in self._due

    def __iter__(self) -> Iterator[Id]:
        return iter(self._due)

    def get(self, key: Id) -> int | None:
        """When `key` is due; None if it is not."""
        return self._due.get(key)

    def put(self, key: Id, due: int) -> None:
        """Have `key` come up at `due`, and no more when it would have."""
        if self._due.get(key) == due:
            return
        self._due[key] = due
        heappush(self._heap, (due, key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._sweep()

    def put_earlier(self, key: Id, due: int) -> None:
        """Have `key` come up at `due`, unless it comes up before that anyway.

        For whoever looks at a key that comes up too early, and puts it back. To move a deadline later is a comparison.
        """
        known = self._due.get(key)
        if known is None or due < known:
            self.put(key, due)

    def drop(self, key: Id) -> None:
        """Have it come up no more."""
        self._due.pop(key, None)

    def refill(self, due: dict[Id, int]) -> None:
        """Forget all, and have these come up instead."""
        self._due = due
        self._sweep()

    def first(self) -> Id | None:
        """The key that comes up first; it stays. None if there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][1] if self._heap else None

    def pop(self, now: int) -> tuple[Id, int] | None:
        """Take out the first that is due by `now`, with the instant that it was due at; None if none is."""
        while self._heap and self._heap[0][0] <= now:
            due, key = heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                return key, due
        return None

    def due(self, now: int) -> Iterator[tuple[Id, int]]:
        """Take out all that is due by `now`, in order, as `pop` does."""
        while (found := self.pop(now)) is not None:
            yield found

    def _sweep(self) -> None:
        """Drop the places that count no more."""
        self._heap = list(zip(self._due.values(), self._due, strict=True))
        heapify(self._heap)
