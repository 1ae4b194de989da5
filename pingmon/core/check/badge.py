"""What a badge says of one check, or of some: `up`, `late` or `down`, the worst of them.

A check that is new or paused counts as up, as nothing is known to be wrong with it. A badge of two states shows what is
late as up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from pingmon.core.check.check import Check, shown_status

BadgeStatus: TypeAlias = Literal["up", "late", "down"]


class BadgeCounts(Struct, frozen=True):
    """How many checks there are, and how many of them are late or down."""

    total: int = 0
    grace: int = 0
    down: int = 0

    def plus(self, checks: Iterable[Check], now: int) -> BadgeCounts:
        """With more checks, as they are `now` (microseconds since the epoch)."""
        shown = [shown_status(check, now) for check in checks]
        return BadgeCounts(self.total + len(shown), self.grace + shown.count("grace"), self.down + shown.count("down"))

    def status(self, *, two_states: bool) -> BadgeStatus:
        """What a badge of two or of three states says."""
        if self.down:
            return "down"
        return "late" if self.grace and not two_states else "up"
