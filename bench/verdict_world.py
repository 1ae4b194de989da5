"""The random world of `verdicts.py`: what a probe of a site sees, from any place, at any instant.

It never depends on who looks or how often: faults are drawn once from the seed, and what is left to chance in a probe
is a hash of (seed, place, site, millisecond). So two rules that probe at one instant from one place see the same.

Place 0 is the daemon, 1 to 4 are verifiers, of which number 1 is sick on some days. The module docstring of `verdicts`
lists the assumptions; the figures are the constants below. Seconds since the start of the world throughout.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

DAY: Final = 86_400.0
PLACES: Final = 5
DAEMON: Final = 0
SICK_VERIFIER: Final = 1
GONE_VERIFIER: Final = 3
"""The one of three that is gone where one is."""
SLACK_S: Final = 5.0
"""Beyond a probe's timeout, until nobody waits for a verifier any more."""
ANSWER_S: Final = 0.2
"""How long an answer takes when all is well; also a refusal."""
STALLS_S: Final = (7.0, 15.0, 31.0, 63.0, 127.0)
"""When TCP's repeated packet gets through after a loss: each step is half as likely as the one before."""
BLIP_S: Final = (5.0, 90.0)
OUTAGE_S: Final = (120.0, 21_600.0)
APART_S: Final = 900.0
"""Least time between two disturbances of a site itself, so that an alert belongs to one of them."""

Kind: TypeAlias = Literal["refuse", "status", "hang", "flaky", "slow", "lossy", "congested"]
Absence: TypeAlias = Literal["", "one", "hour", "day", "dark"]


class Fault(NamedTuple):
    """Something that is wrong from `start` to `end`."""

    start: float
    end: float
    kind: Kind


class Seen(NamedTuple):
    """What one probe saw; `void` if its place could not look, `status` if the site sent one. `end` is when it ended."""

    good: bool
    end: float
    void: bool = False
    status: bool = False


@dataclass(frozen=True)
class Odds:
    """How often each fault occurs: mean seconds between two of a kind, 0 for never."""

    blip: float = 2 * DAY
    outage: float = 7 * DAY
    slow: float = 3 * DAY
    lossy: float = 1_000.0
    congested: float = 10 * DAY
    regional: float = 15 * DAY
    sick_daemon: float = 5 * DAY
    sick_verifier: float = 0.6
    """Share of days, not seconds: on a third of them it says bad, on a third void, on a third anything."""


CALM: Final = Odds(0, 0, 0, 0, 0, 0, 0, 0)
"""A world without disturbances."""


def chance(*keys: int) -> float:
    """A number in [0, 1) that depends on the keys alone (splitmix64 over all of them)."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        state = (state ^ key) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
        state = state * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 29
    return state / 2**64


class Track:
    """Faults that do not overlap, in order of time."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = sorted(faults)
        self._starts = [fault.start for fault in self.faults]

    def at(self, instant: float) -> Fault | None:
        """The fault that lasts then."""
        index = bisect_right(self._starts, instant) - 1
        return self.faults[index] if index >= 0 and self.faults[index].end > instant else None


def drawn(
    rng: random.Random, end: float, mean_gap: float, length: tuple[float, float], kinds: tuple[Kind, ...]
) -> list[Fault]:
    """Faults at random until `end`, of log-uniform length."""
    faults: list[Fault] = []
    now = rng.expovariate(1 / mean_gap) if mean_gap else end
    while now < end:
        lasts = length[0] * (length[1] / length[0]) ** rng.random()
        faults.append(Fault(now, now + lasts, rng.choice(kinds)))
        now += lasts + APART_S + rng.expovariate(1 / mean_gap)
    return faults


@dataclass(frozen=True)
class World:
    """What all sites have in common."""

    seed: int
    days: float
    odds: Odds
    daemon: Track
    absence: Absence = ""

    @classmethod
    def of(cls, seed: int, days: float, odds: Odds, absence: Absence = "") -> World:
        """The world that grows from `seed`."""
        rng = random.Random(f"{seed}/daemon")
        sick = drawn(rng, days * DAY, odds.sick_daemon, (60.0, 1_800.0), ("refuse", "hang"))
        return cls(seed, days, odds, Track(sick), absence)

    @property
    def end(self) -> float:
        """When everything stops. Faults of sites begin at most until half a day earlier."""
        return self.days * DAY + DAY / 2

    def verifier_mood(self, at: float) -> float:
        """Below 1 if the sick verifier is sick on that day: in the first third bad, then void, then anything."""
        return chance(self.seed, SICK_VERIFIER, int(at / DAY), 7) / (self.odds.sick_verifier or 1e-9)

    def gone(self, place: int, at: float) -> bool:
        """Whether the daemon cannot reach the verifier: it is gone, or the daemon is cut off."""
        hour, day = at % DAY // 3_600, at // DAY
        away = {"one": place == GONE_VERIFIER, "hour": hour == 12, "day": day % 5 == 2}.get(self.absence, False)
        sick = self.daemon.at(at)
        return away or (sick is not None and sick.kind == "hang")

    def sick_days(self) -> int:
        """On how many days it is."""
        return sum(self.verifier_mood(day * DAY) < 1 for day in range(math.ceil(self.days)))


class SiteWorld:
    """One site of a world, seen from every place. `outages` are its outages, if they are not to be drawn."""

    def __init__(self, world: World, number: int, outages: Sequence[Fault] | None = None) -> None:
        self.world, self.number = world, number
        rng = random.Random(f"{world.seed}/site/{number}")
        last, odds = world.days * DAY, world.odds
        self.outages, self.blips = self._truth(rng, last, odds) if outages is None else (list(outages), [])
        self._lossy = Track(self._losses(rng, last, odds.lossy))
        shared = [Track(self.outages + self.blips), Track(drawn(rng, last, odds.slow, (60.0, 900.0), ("slow",)))]
        self._tracks = [shared.copy() for _ in range(PLACES)]
        for tracks in self._tracks:
            tracks.append(Track(drawn(rng, last, odds.congested, (120.0, 1_200.0), ("congested",))))
            tracks.append(Track(drawn(rng, last, odds.regional, (60.0, 1_800.0), ("hang",))))
        self._tracks[DAEMON].append(world.daemon)
        self._troubles = _merged([*self._tracks[DAEMON], self._lossy])
        self._ends = [end for _, end in self._troubles]

    @staticmethod
    def _truth(rng: random.Random, last: float, odds: Odds) -> tuple[list[Fault], list[Fault]]:
        outages = drawn(
            rng, last, odds.outage, OUTAGE_S, ("refuse",) * 2 + ("status",) * 3 + ("hang",) * 4 + ("flaky",)
        )
        blips: list[Fault] = []
        for blip in drawn(rng, last, odds.blip, BLIP_S, ("refuse", "hang")):
            if all(blip.start > out.end + APART_S or blip.end < out.start - APART_S for out in outages):
                blips.append(blip)
        return outages, blips

    @staticmethod
    def _losses(rng: random.Random, last: float, mean_gap: float) -> Iterable[Fault]:
        now = rng.expovariate(1 / mean_gap) if mean_gap else last
        while now < last:
            second = float(int(now))
            yield Fault(second, second + 1, "lossy")
            now = second + 1 + rng.expovariate(1 / mean_gap)

    def next_trouble(self, at: float, step: float) -> float:
        """The first of `at`, `at + step`, … at which the daemon's own probe may see anything but good; or infinity."""
        for index in range(bisect_right(self._ends, at), len(self._troubles)):
            start, end = self._troubles[index]
            planned = at + max(0, math.ceil((start - at) / step)) * step
            if planned < end:
                return planned
        return math.inf

    def luck(self, place: int, at: float, what: int) -> float:
        """What is left to chance in one probe."""
        return chance(self.world.seed, place, self.number, int(at * 1000), what)

    def daemon_sick(self, at: float) -> bool:
        """Whether the daemon's own probes fail for every site."""
        return self.world.daemon.at(at) is not None

    def probe(self, place: int, at: float, timeout: float) -> Seen:
        """Look at the site from `place`."""
        if place != DAEMON and self.world.gone(place, at):
            return Seen(False, at + timeout + SLACK_S, void=True)
        if place != DAEMON and self.world.absence == "dark":
            return Seen(False, at + ANSWER_S)
        if place == SICK_VERIFIER and (lie := self._lie(at)) is not None:
            return lie
        waits, status = ANSWER_S, False
        for track in self._tracks[place]:
            fault = track.at(at)
            if fault is not None:
                waits = max(waits, self._delay(fault, place, at))
                status = fault.kind in ("status", "flaky") if waits == math.inf else status
        if self._loses(place, at):
            waits = max(waits, self._stall(place, at))
        if waits == math.inf:
            return Seen(False, at + ANSWER_S, status=status)
        return Seen(waits < timeout, at + min(waits, timeout))

    def _delay(self, fault: Fault, place: int, at: float) -> float:
        """Seconds until the answer comes through a fault; infinity for one that says at once that all is not well."""
        if fault.kind == "hang":
            return fault.end - at + ANSWER_S
        if fault.kind == "slow":
            first, second = max(1e-12, self.luck(place, at, 1)), self.luck(place, at, 2)
            return 7.0 * math.exp(0.35 * math.sqrt(-2 * math.log(first)) * math.cos(2 * math.pi * second))
        if fault.kind == "congested":
            return self._stall(place, at) if self.luck(place, at, 3) < 0.3 else ANSWER_S
        return math.inf if fault.kind in ("refuse", "status") or self.luck(place, at, 4) < 0.7 else ANSWER_S

    def _loses(self, place: int, at: float) -> bool:
        if place == DAEMON:
            return self._lossy.at(at) is not None
        mean_gap = self.world.odds.lossy
        return mean_gap > 0 and chance(self.world.seed, place, self.number, int(at), 5) < 1 / mean_gap

    def _stall(self, place: int, at: float) -> float:
        luck = self.luck(place, at, 6)
        return STALLS_S[min(len(STALLS_S) - 1, int(-math.log2(max(1e-12, luck))))]

    def _lie(self, at: float) -> Seen | None:
        """What the sick verifier says, if it is sick on that day."""
        mood = self.world.verifier_mood(at)
        if mood >= 1:
            return None
        if mood >= 2 / 3:
            mood = self.luck(SICK_VERIFIER, at, 8)
            if mood >= 2 / 3:
                return Seen(True, at + ANSWER_S)
        return Seen(False, at + ANSWER_S, void=mood >= 1 / 3)


def _merged(tracks: list[Track]) -> list[tuple[float, float]]:
    """When anything at all is wrong, as spans that do not overlap."""
    spans: list[tuple[float, float]] = []
    for start, end, _ in sorted(fault for track in tracks for fault in track.faults):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
