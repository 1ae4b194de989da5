"""How often one key may ask: a bucket of tokens for each, filled at a steady rate.

A bucket holds one second's worth, so a burst of that size passes. The number of buckets is bounded: a full bucket says
no more than none at all, so the one that was used longest ago goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_BUCKETS: Final = 10_000


class Rates:
    """Counts requests by key. `clock` gives seconds that never go back; `per_second` 0 means no limit."""

    def __init__(self, per_second: float, clock: Callable[[], float], max_buckets: int = MAX_BUCKETS) -> None:
        self._per_second = per_second
        self._capacity = max(1.0, per_second)
        self._clock = clock
        self._max_buckets = max_buckets
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str) -> float:
        """Take one token of `key`: 0.0 if there was one, else the seconds until there will be."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        tokens, at = self._buckets.pop(key, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - at) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[key] = (tokens if wait else tokens - 1, now)  # at the end: dicts keep the order of insertion
        if len(self._buckets) > self._max_buckets:
            del self._buckets[next(iter(self._buckets))]
        return wait

    def __len__(self) -> int:
        return len(self._buckets)
