"""What is known of names, for as long as it holds, and for a while after that in case nobody answers.

Bounded: what has not been asked for the longest is forgotten first.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TTL_S: Final = (5.0, 3600.0)
"""Least and most seconds for which an answer is believed, whatever its own TTL."""
NEGATIVE_S: Final = (1.0, 30.0)
"""The same for "no such name" (RFC 2308). Short: a verdict on a site must not rest on one answer that was wrong."""
STALE_S: Final = 300.0
"""Seconds for which an answer that has run out may stand in for one that cannot be had (RFC 8767)."""
CACHE_MAX: Final = 20_000
"""Entries."""


class Known(Generic[V]):
    """`value` holds until `until_s`. `stale_until_s`: it may stand in until then."""

    __slots__ = ("stale_until_s", "until_s", "value")

    def __init__(self, value: V, until_s: float, stale_until_s: float) -> None:
        self.value = value
        self.until_s = until_s
        self.stale_until_s = stale_until_s


class DnsCache(Generic[K, V]):
    """Times are those of the caller's clock, in seconds."""

    def __init__(self, most: int = CACHE_MAX) -> None:
        self._most = most
        self._known: dict[K, Known[V]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: K, now_s: float) -> Known[V] | None:
        """What is known of `key`, fresh or not; None if it must not be used at all any more."""
        known = self._known.pop(key, None)
        if known is None or (now_s >= known.until_s and now_s >= known.stale_until_s):
            return None
        self._known[key] = known  # now the last one to be forgotten
        return known

    def put(self, key: K, value: V, ttl_s: float, now_s: float, stale_s: float = STALE_S) -> None:
        """Keep `value` for `ttl_s`."""
        self._known.pop(key, None)
        self._known[key] = Known(value, now_s + ttl_s, now_s + ttl_s + stale_s if stale_s else now_s)
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]


def clamped(ttl_s: float, limits: tuple[float, float] = TTL_S) -> float:
    """`ttl_s` within `limits`."""
    return min(max(ttl_s, limits[0]), limits[1])
