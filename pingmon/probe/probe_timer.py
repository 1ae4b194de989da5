"""The time of one probe: how long each phase took, and when it is over.

Waiting for a turn is pingmon's affair. It does not count against the site's timeout, but it has an end of its own.

What arrived while the reactor was held up (by a long computation, a suspended machine) is read before a time is over
(`timing.expiry`). What an end that comes late all the same says is up to `core.site.failed_probe`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from pingmon.core.site.probe_result import Phase, Phases
from pingmon.timing.expiry import Expiry


class ProbeTimer:
    """Runs from its making, in phase `wait`.

    `ended` is called once, when either time is used up, with by how many seconds that is late; `stop` prevents it. So
    is `insist`, when `insist_s` of the site's time are; from then on `late` is true.
    """

    def __init__(
        self,
        clock: IReactorTime,
        timeout_s: float,
        wait_s: float,
        ended: Callable[[float], object],
        insist_s: float,
        insist: Callable[[], object],
    ) -> None:
        self.late = False
        self._insist_left_s = timeout_s - insist_s
        self._insist = insist
        self.phase: Phase = "wait"
        self._clock = clock
        self._ended = ended
        self._left_s = {True: wait_s, False: timeout_s}
        self._spent_s: dict[Phase, float] = {"wait": 0.0, "dns": 0.0, "connect": 0.0, "tls": 0.0, "answer": 0.0}
        self._since = self._armed = clock.seconds()
        self._timer: Expiry | None = None

    def enter(self, phase: Phase) -> None:
        """Another phase begins."""
        now = self._clock.seconds()
        self._spent_s[self.phase] += now - self._since
        self._since = now
        waits, waited, self.phase = phase == "wait", self.phase == "wait", phase
        if self._timer is None or waits != waited:
            if self._timer is not None:
                self._timer.cancel()
                self._left_s[waited] -= now - self._armed
            self._arm(now)

    def _arm(self, now: float) -> None:
        waits = self.phase == "wait"
        left_s = self._left_s[waits] if waits or self.late else self._left_s[False] - self._insist_left_s
        self._armed = now
        self._timer = Expiry(self._clock, max(0.0, left_s), self._expire)

    def stop(self) -> None:
        """The probe is over."""
        self._spent_s[self.phase] += self._clock.seconds() - self._since
        self._since = self._clock.seconds()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    @property
    def ms(self) -> int:
        """Milliseconds in all, waiting left out."""
        return round(1000 * (sum(self._spent_s.values()) - self._spent_s["wait"]))

    @property
    def phases(self) -> Phases:
        """Milliseconds of each phase so far."""
        dns, connect, tls, answer = (round(1000 * self._spent_s[name]) for name in ("dns", "connect", "tls", "answer"))
        return Phases(dns, connect, tls, answer)

    def _expire(self) -> None:
        now, waits = self._clock.seconds(), self.phase == "wait"
        self._left_s[waits] -= now - self._armed
        if waits or self.late or self._left_s[False] <= 0:
            self._ended(-self._left_s[waits])
        else:
            self.late = True
            self._arm(now)
            self._insist()
