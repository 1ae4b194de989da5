"""How many pings of one check are taken in a minute, if the operator sets a limit.

A bucket of tokens for each check, a minute's worth deep, kept as one number: the time at which it will be full again
(the generic cell rate algorithm). A full bucket is no bucket, so memory is bounded by the checks pinged in the last
minute; strangers cannot add any, because only pings of existing checks get here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

MINUTE_S: Final = 60.0
SWEEP_AT: Final = 1024
"""Buckets from which on the full ones are looked for."""


class PingRate:
    """`per_minute` pings of each check; `steady` gives seconds on a clock that is never set."""

    def __init__(self, per_minute: int, steady: Callable[[], float]) -> None:
        self._step = MINUTE_S / per_minute
        self._steady = steady
        self._full_at: dict[str, float] = {}
        self._sweep_at = SWEEP_AT

    def wait_s(self, check: str) -> int:
        """Take one token of `check`: 0 if there was one, else the whole seconds after which there will be."""
        now = self._steady()
        full_at = max(self._full_at.get(check, now), now) + self._step
        excess = full_at - now - MINUTE_S
        if excess > 1e-9:
            return math.ceil(excess)
        self._full_at[check] = full_at
        if len(self._full_at) > self._sweep_at:
            self._forget_full(now)
        return 0

    def __len__(self) -> int:
        return len(self._full_at)

    def _forget_full(self, now: float) -> None:
        """Drop full buckets; the next sweep comes when as many again are there, so that a ping costs the same."""
        self._full_at = {check: at for check, at in self._full_at.items() if at > now}
        self._sweep_at = max(SWEEP_AT, 2 * len(self._full_at))
