"""Our rule, through `core.site` itself: this module only decides when probes are made, as the daemon would.

A first bad probe makes a site suspect; the round follows at once. `Manner` holds what the tables vary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from verdict_rules import TIMEOUT_S, VERIFIERS, Notice, next_on_grid, phase
from verdict_world import DAEMON, SiteWorld, World, chance

from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.core.site.probe_schedule import LOCAL_PACE_S, next_probe
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import LOCAL_FAILURES, Site, in_doubt, looked, remarkable, wants_round
from pingmon.core.site.verdict import Place, Round, verdict
from pingmon.core.units import SECOND
from pingmon.sites.site_watch import AGAIN_S
from pingmon.sites.stand_ins import STAND_INS

ID = "5174e000-0000-4000-8000-000000000001"
CANARIES: Final = (1_000_001, 1_000_002, 1_000_003)
"""Numbers of sites that are always well."""
OTHERS: Final = range(2_000_000, 2_000_050)
"""Numbers of sites like any other, which can be asked in place of canaries."""


@dataclass(frozen=True)
class Manner:
    """How a site is judged.

    `looks` is how many bad looks of the daemon in a row lead to a verdict, `pace_s` the time between their starts (they
    never overlap). `good_rounds` is how many good looks of the daemon in a row are needed before an outage can end;
    `core.site` decides from the last of them on. `patience` is the site's; without verifiers `core.site` then paces all
    looks, and `looks` and `pace_s` do not matter. `asks`: who says whether the daemon's own place is well, the other
    sites if nothing else is said. `before`: rounds are judged as they were before anybody was asked that.
    """

    verifiers: tuple[int, ...] = VERIFIERS
    quorum: int = 2
    looks: int = 2
    pace_s: float = 0.0
    good_rounds: int = 1
    patience: int = 0
    asks: Literal["sites", "canaries", "nobody"] = "sites"
    before: bool = False

    def __call__(self, site: SiteWorld, interval: float) -> list[Notice]:
        """What users are told about the site."""
        return Watch(self, site, interval).run()


LOCAL = Manner(verifiers=(), quorum=0, looks=LOCAL_FAILURES, pace_s=LOCAL_PACE_S)


class Watch:
    """One site under our rule."""

    def __init__(self, manner: Manner, world: SiteWorld, interval: float) -> None:
        self.manner, self.world, self.interval = manner, world, interval
        spec = SiteSpec(
            url="http://example.com/", interval=int(interval), timeout=int(TIMEOUT_S), patience=manner.patience
        )
        self.site = Site(ID, "project", spec, born=1, created=0, since=0, status="up")
        self.notices: list[Notice] = []
        self._since = 0.0
        self._good = 0
        self._place: Place = "" if manner.before else "unsure"

    def run(self) -> list[Notice]:
        """Probe until the world ends."""
        now = phase(self.world, self.interval)
        while True:
            if self.site.status == "up":
                now = self.world.next_trouble(now, self.interval)
            if now >= self.world.world.end:
                return self.notices
            planned, status = now, self.site.status
            own, ended = self._own(now)
            if self.manner.verifiers and in_doubt(self.site):
                ended = self._round(own, ended, asked_at=now)
            elif status == "up":
                if own.counts and not own.good:
                    self._since = now
                    ended = self._suspected(own, now, ended)
            elif status == "down" and not self._calm(own) and own.good:
                pass
            elif wants_round(self.site, own):
                ended = self._round(own, ended)
            elif remarkable(self.site, own):
                self._told((own,))
            due = next_probe(self.site, round(planned * SECOND)) / SECOND
            if self.site.status == "up":
                due = next_on_grid(phase(self.world, self.interval), self.interval, ended)
            now = max(ended, due if own.counts else min(due, planned + AGAIN_S))

    def _calm(self, own: ProbeResult) -> bool:
        """Whether there were enough good looks in a row for the end of an outage to be thought of."""
        self._good = self._good + 1 if own.good else self._good if not own.counts else 0
        return self._good >= self.manner.good_rounds

    def _suspected(self, own: ProbeResult, started: float, ended: float) -> float:
        """From the first bad look to a verdict; returns the end of the last look."""
        needed = self.manner.looks
        self._told((own,))
        if self.manner.patience and not self.manner.verifiers:
            return ended
        for number in range(2, needed + 1):
            started = max(ended, started + self.manner.pace_s)
            own, ended = self._own(started)
            last = number == needed
            if last and self.manner.verifiers:
                return self._round(own, ended, asked_at=started)
            if own.good or (not self.manner.verifiers and number > needed - LOCAL_FAILURES + 1):
                self._told((own,))
            if own.good:
                return ended
        return self._round(own, ended) if needed == 1 else ended

    def _round(self, own: ProbeResult, ended: float, asked_at: float | None = None) -> float:
        """Ask the verifiers, at the end of the daemon's own look or together with it."""
        at = ended if asked_at is None else asked_at
        looks = [self._look(place, at) for place in self.manner.verifiers]
        ended = max([ended, *(end for _, end in looks)])
        seen = (own, *(look for look, _ in looks))
        found = Round(seen, len(looks), self.manner.quorum, "unsure")
        if not found.unanimous and verdict(found) != "up":
            own, ended = self._believed(own, ended)
        self._told((own, *seen[1:]))
        return ended

    def _own(self, at: float) -> tuple[ProbeResult, float]:
        own, ended = self._look(DAEMON, at)
        if self.manner.asks == "canaries" or (not self.manner.verifiers and self.site.status != "down"):
            return self._believed(own, ended)
        return own, ended

    def _believed(self, own: ProbeResult, at: float) -> tuple[ProbeResult, float]:
        """The daemon's own look, once those have been asked who know how its place is; and when they were."""
        if self.manner.asks == "nobody" or self.manner.before or own.good or not own.counts:
            return own, at
        seen = [site.probe(DAEMON, at, TIMEOUT_S) for site in self._asked(at)]
        fail = sum(not each.good for each in seen) > len(seen) / 2
        self._place = "unsure" if fail else "well"
        sick = fail and own.fault != "status"
        return (ProbeResult("", own.at, fault="void") if sick else own), max(each.end for each in seen)

    def _asked(self, at: float) -> Sequence[SiteWorld]:
        world = self.world.world
        if self.manner.asks == "canaries":
            return [_canary(world, number) for number in CANARIES]
        first = int(chance(world.seed, self.world.number, int(at * 1000)) * len(OTHERS))
        return [_other(world, OTHERS[(first + step) % len(OTHERS)]) for step in range(STAND_INS)]

    def _look(self, place: int, at: float) -> tuple[ProbeResult, float]:
        seen = self.world.probe(place, at, TIMEOUT_S)
        name = "" if place == DAEMON else str(place)
        failed: Fault = "status" if seen.status else "timeout" if seen.end - at >= TIMEOUT_S else "connect"
        fault: Fault = "void" if seen.void else "" if seen.good else failed
        code = 200 if seen.good else 503 if seen.status else 0
        return ProbeResult(name, round(seen.end * SECOND), code, fault), seen.end

    def _told(self, looks: tuple[ProbeResult, ...]) -> None:
        alone = len(looks) == 1 and self.site.status == "up"
        asked = len(self.manner.verifiers) if not alone else 0
        seen = Round(looks, asked, self.manner.quorum if asked else 0, self._place)
        before = self.site.status
        self.site, flip = looked(self.site, 2, seen)
        if flip is not None:
            self._good = 0
        if flip is None or "down" not in (flip.new, before):
            return
        self.notices.append(Notice(seen.at / SECOND, "down" if flip.new == "down" else "up", self._since))


@lru_cache(maxsize=8)
def _canary(world: World, number: int) -> SiteWorld:
    return SiteWorld(world, number, ())


@lru_cache(maxsize=200)
def _other(world: World, number: int) -> SiteWorld:
    return SiteWorld(world, number)
