"""Which site is to be probed when: a heap of instants, one for each site, in which a newer one replaces the older."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from pingmon.core.units import Id


class DeadlineHeap:
    """Instants are microseconds since the epoch. Superseded places in the heap are skipped when they come up."""

    def __init__(self) -> None:
        self._due: dict[Id, int] = {}
        self._heap: list[tuple[int, Id]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, site: Id) -> bool:
        return site in self._due

    def put(self, site: Id, due: int) -> None:
        """Have `site` come up at `due`, and no more when it would have."""
        self._due[site] = due
        heappush(self._heap, (due, site))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(due, site) for site, due in self._due.items()]
            heapify(self._heap)

    def drop(self, site: Id) -> None:
        """Have it come up no more."""
        self._due.pop(site, None)

    def clear(self) -> None:
        """Forget all."""
        self._due.clear()
        self._heap.clear()

    def due(self, now: int) -> Iterator[tuple[Id, int]]:
        """Take out what is due by `now`, in order, each with the instant that it was due at."""
        while self._heap and self._heap[0][0] <= now:
            due, site = heappop(self._heap)
            if self._due.get(site) == due:
                del self._due[site]
                yield site, due
