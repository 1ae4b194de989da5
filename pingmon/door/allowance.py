"""How much that brings nothing one client may send: a purse that fills with time, and with what it does bring."""

from __future__ import annotations


class Allowance:
    """Starts full, with `most`, and gains `per_s` a second, up to `most`. All times are seconds on one clock."""

    def __init__(self, most: float, per_s: float, now: float) -> None:
        self._most = most
        self._per_s = per_s
        self._left = most
        self._at = now

    def take(self, cost: float, now: float) -> bool:
        """Take `cost`; False if there is not as much."""
        self.give((now - self._at) * self._per_s)
        self._at = now
        self._left -= cost
        return self._left >= 0

    def give(self, earned: float) -> None:
        """Add what was earned."""
        self._left = min(self._most, self._left + earned)
