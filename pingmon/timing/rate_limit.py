"""How often one may ask: each API key, each site that users have probed, each check that is pinged.

A bucket of tokens for each, kept as one number: the time at which it will be full again (the generic cell rate
algorithm). A full bucket is no bucket, so memory is bounded by those who asked within the time that fills one;
strangers cannot add any, because only what exists gets here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

SWEEP_AT: Final = 1024
"""Buckets from which on the full ones are looked for."""


class RateLimit:
    """`burst` at once, `per_second` on the average (0: no limit). `steady`: seconds on a clock that is never set."""

    def __init__(self, per_second: float, burst: float, steady: Callable[[], float]) -> None:
        self._step = 1 / per_second if per_second else 0.0
        self._depth = max(1.0, burst) * self._step
        self._steady = steady
        self._full_at: dict[str, float] = {}
        self._sweep_at = SWEEP_AT

    def wait_s(self, who: str) -> int:
        """Take one token: 0 if there was one, else the whole seconds after which there will be."""
        if not self._step:
            return 0
        now = self._steady()
        full_at = max(self._full_at.get(who, now), now) + self._step
        excess = full_at - now - self._depth
        if excess > 1e-6:  # less is rounding
            return math.ceil(excess)
        self._full_at[who] = full_at
        if len(self._full_at) > self._sweep_at:
            self._forget_full(now)
        return 0

    def __len__(self) -> int:
        return len(self._full_at)

    def _forget_full(self, now: float) -> None:
        """Drop full buckets; the next sweep comes when as many again are there, so that asking costs the same."""
        self._full_at = {who: at for who, at in self._full_at.items() if at > now}
        self._sweep_at = max(SWEEP_AT, 2 * len(self._full_at))
