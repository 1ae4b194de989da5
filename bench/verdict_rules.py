"""The rules of other monitors, as told to one site of `verdict_world`: each returns what it would tell its users.

Sources: Jetmon's code (v1 and v2), Uptime Kuma's and Gatus' code, Pingdom's documents. A rule probes the daemon's place
at its interval from the same phase as all others, and the verifiers' places if it has any; its timeouts are its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from verdict_world import DAEMON, SiteWorld, chance

VERIFIERS: Final = (1, 2, 3)
TIMEOUT_S: Final = 10.0
"""Of a rule for which no other is known."""


class Notice(NamedTuple):
    """Something that users are told, or that the rule should have told and does not (`hushed`).

    `since` is when the first failing probe began.
    """

    at: float
    kind: Literal["down", "up", "hushed"]
    since: float


Rule: TypeAlias = Callable[[SiteWorld, float], list[Notice]]


def phase(site: SiteWorld, interval: float) -> float:
    """When the site is first probed."""
    return chance(site.world.seed, site.number, 99) * interval


def next_on_grid(planned: float, interval: float, now: float) -> float:
    """The first instant after `planned`, in steps of `interval`, that is not before `now`."""
    return planned + max(1, math.ceil((now - planned) / interval)) * interval


def streaks(
    bad_needed: int, good_needed: int, timeout: Callable[[float], float], waits_after_probe: bool = False
) -> Rule:
    """So many bad probes in a row are an outage, so many good ones its end; nobody else is asked.

    Uptime Kuma's timers keep to their grid; Gatus waits its interval from the end of a probe (`waits_after_probe`).
    """

    def rule(site: SiteWorld, interval: float) -> list[Notice]:
        notices: list[Notice] = []
        now, since, bad, good, down = phase(site, interval), 0.0, 0, 0, False
        while True:
            if not down and not bad:
                now = site.next_trouble(now, interval)
            if now >= site.world.end:
                return notices
            seen = site.probe(DAEMON, now, timeout(interval))
            since = now if not seen.good and not bad else since
            bad, good = (0, good + 1) if seen.good else (bad + 1, 0)
            if (good >= good_needed) if down else (bad >= bad_needed):
                down = not down
                notices.append(Notice(seen.end, "down" if down else "up", since))
            now = (seen.end if waits_after_probe else now) + interval

    return rule


def confirmed(confirm: Callable[[SiteWorld, float, float], float | None], timeout: float) -> Rule:
    """A bad probe is confirmed at once by `confirm(site, first, now)`, which returns when that was done, or None.

    The next good probe ends an outage.
    """

    def rule(site: SiteWorld, interval: float) -> list[Notice]:
        notices: list[Notice] = []
        now, since, down = phase(site, interval), 0.0, False
        while True:
            if not down:
                now = site.next_trouble(now, interval)
            if now >= site.world.end:
                return notices
            seen, ended = site.probe(DAEMON, now, timeout), now
            if down and seen.good:
                down = False
                notices.append(Notice(seen.end, "up", since))
            elif not down and not seen.good:
                told = confirm(site, now, seen.end)
                if told is not None:
                    down, since, ended = True, now, told
                    notices.append(Notice(told, "down", now))
            now = next_on_grid(now, interval, ended)

    return rule


def second_opinion(site: SiteWorld, first: float, now: float) -> float | None:
    """Pingdom: one probe from one other place. A place that cannot look is replaced by the next."""
    start = int(site.luck(DAEMON, first, 10) * len(VERIFIERS))
    for place in VERIFIERS[start:] + VERIFIERS[:start]:
        seen = site.probe(place, now, TIMEOUT_S)
        if not seen.void:
            return None if seen.good else seen.end
    return None


def jetmon_v1(places: tuple[int, ...]) -> Rule:
    """3 local failures, 30 s apart on a 5 s tick; then at least 3 verifliers must say down, however many answer."""

    def tick(instant: float) -> float:
        return math.ceil(instant / 5) * 5.0

    def confirm(site: SiteWorld, first: float, now: float) -> float | None:
        for _ in range(2):
            seen = site.probe(DAEMON, tick(now + 30), 20)
            if seen.good:
                return None
            now = seen.end
        votes = [site.probe(place, tick(now), 30) for place in places]
        against = sum(not seen.good and not seen.void for seen in votes)
        return tick(max(seen.end for seen in votes)) if against >= 3 else None

    return confirmed(confirm, 20)


def jetmon_v2(site: SiteWorld, interval: float) -> list[Notice]:
    """3 local failures, one a round; then as many verifliers as answered, at most 3; no two notices within 30 min."""
    notices: list[Notice] = []
    now, since, bad, down = phase(site, interval), 0.0, 0, False

    def tell(kind: Literal["down", "up"], at: float) -> None:
        told = [notice.at for notice in notices if notice.kind != "hushed"]
        if not told or at - told[-1] >= 1_800:
            notices.append(Notice(at, kind, since))
        elif kind == "up":
            notices.append(Notice(at, "hushed", since))

    while True:
        if not down and not bad:
            now = site.next_trouble(now, interval)
        if now >= site.world.end:
            return notices
        seen = site.probe(DAEMON, now, TIMEOUT_S)
        since = now if not bad and not down else since
        bad = 0 if seen.good else bad + 1
        if down and seen.good:
            down = False
            tell("up", seen.end)
        elif not down and bad >= 3:
            votes = [vote for place in VERIFIERS if not (vote := site.probe(place, seen.end, TIMEOUT_S)).void]
            down, bad = sum(not vote.good for vote in votes) >= max(1, len(votes)), 0
            if down:
                tell("down", max(vote.end for vote in votes))
        now += interval


OTHERS: Final[dict[str, Rule]] = {
    "Jetmon v1, 3 verifliers": jetmon_v1((1, 2, 3)),
    "Jetmon v1, 4 verifliers": jetmon_v1((1, 2, 3, 4)),
    "Jetmon v2, 3 verifliers": jetmon_v2,
    "Uptime Kuma, 0 retries": streaks(1, 1, lambda interval: 0.8 * interval),
    "Uptime Kuma, 3 retries": streaks(4, 1, lambda interval: 0.8 * interval),
    "Gatus, 3/2": streaks(3, 2, lambda interval: TIMEOUT_S, waits_after_probe=True),
    "Pingdom, second opinion": confirmed(second_opinion, TIMEOUT_S),
}
