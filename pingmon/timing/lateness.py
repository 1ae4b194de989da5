"""By how much something came late of late: one number that tells an operator whether pingmon keeps up."""

from __future__ import annotations

from typing import Final

HALF_S: Final = 30


class Lateness:
    """The greatest lateness of the last half to whole minute. Instants are seconds on a clock that is never set."""

    def __init__(self) -> None:
        self._half = 0
        self._worst = (0.0, 0.0)

    def note(self, steady: float, late_s: float) -> None:
        """Something came `late_s` seconds late at `steady`."""
        before, now = self._turned(steady)
        self._worst = before, max(now, late_s)

    def worst(self, steady: float) -> float:
        """The greatest lateness, as of `steady`, in seconds; 0 if nothing was late."""
        return max(self._turned(steady))

    def _turned(self, steady: float) -> tuple[float, float]:
        half = int(steady // HALF_S)
        if half != self._half:
            self._worst = (self._worst[1] if half == self._half + 1 else 0.0), 0.0
            self._half = half
        return self._worst
