"""Which of the prober's own limits keep looks waiting: what the operator has to know and can raise.

A look that has to wait long for its turn comes late, and one that waits too long sees nothing at all (`void`). Neither
is a site's fault, and neither shows there: the sites of a server that is slow would only be looked at less often. So
waits are counted by the limit that caused them, for `LATE_S` and more, over the last half to whole minute. The log says
it once, and once more when it has been over for `QUIET_S`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from twisted.logger import Logger

Limit: TypeAlias = Literal["in all", "at one address"]

LATE_S: Final = 10.0
"""A wait from which on a look counts as late."""
WINDOW_S: Final = 30.0
QUIET_S: Final = 600.0

log = Logger()


class Shortage(Struct, frozen=True):
    """What one limit did to looks: how many were `late`, how many of these saw nothing (`void`), the longest wait.

    `address` is where that was; "" for the limit in all. `remedy`: what to raise.
    """

    limit: Limit
    remedy: str
    late: int = 0
    void: int = 0
    longest_s: float = 0.0
    address: str = ""

    @property
    def text(self) -> str:
        """The problem in a sentence."""
        where = f"for a place at {self.address}" if self.address else "for a place"
        lost = f", {self.void} of them in vain" if self.void else ""
        looks = "1 look at a site" if self.late == 1 else f"{self.late} looks at sites"
        return f"{looks} waited {where} for up to {self.longest_s:.0f} s{lost}"


class SlotWaits:
    """Counts. `steady`: seconds on a clock that is never set. `remedies`: what to raise, in the operator's words."""

    def __init__(self, steady: Callable[[], float], remedies: Mapping[Limit, str]) -> None:
        self.steady = steady
        self._remedies = remedies
        self._half = 0
        self._before: dict[Limit, Shortage] = {}
        self._now: dict[Limit, Shortage] = {}
        self._told: dict[Limit, float] = {}

    def note(self, limit: Limit, address: str, waited_s: float, *, void: bool = False) -> None:
        """A look has waited; `void`: in vain."""
        if waited_s < LATE_S and not void:
            return
        self._turn()
        known = self._now.get(limit) or Shortage(limit, self._remedies[limit])
        if waited_s >= known.longest_s:
            known = replace(known, longest_s=waited_s, address=address)
        self._now[limit] = replace(known, late=known.late + 1, void=known.void + void)
        self._tell(self._now[limit])

    def shortages(self) -> tuple[Shortage, ...]:
        """What the last half to whole minute was short of."""
        self._turn()
        limits = {**self._before, **self._now}
        return tuple(_sum(self._before.get(limit), self._now.get(limit)) for limit in limits)

    def _turn(self) -> None:
        half = int(self.steady() // WINDOW_S)
        if half != self._half:
            self._before = self._now if half == self._half + 1 else {}
            self._half, self._now = half, {}

    def _tell(self, shortage: Shortage) -> None:
        now, last = self.steady(), self._told.get(shortage.limit, float("-inf"))
        self._told[shortage.limit] = now
        if now - last >= QUIET_S:
            log.warn("{what}; {remedy}", what=shortage.text, remedy=shortage.remedy)


def _sum(one: Shortage | None, other: Shortage | None) -> Shortage:
    """Both halves together; at least one is there."""
    if one is None or other is None:
        only = one or other
        assert only is not None
        return only
    worst = max(one, other, key=lambda shortage: shortage.longest_s)
    return replace(worst, late=one.late + other.late, void=one.void + other.void)
