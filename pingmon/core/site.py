"""The state machine of a site: what probes, verifiers and users do to it.

    status     good look              bad look                          pause      resume
    new        → up                   → suspect                         → paused   refused
    up         stays                  → suspect                         → paused   refused
    suspect    (verdict of the round) (verdict of the round)            → paused   refused
    unknown    (verdict of the round) (verdict of the round)            → paused   refused
    down       counts for recovery    counts for nothing                → paused   refused
    paused     ignored                ignored                           refused    → new

A look is one probe from one place (`core.look`). The first bad one makes a site suspect; the incident began then. A
*round* asks again at once, here and from the verifiers, and its verdict is

    down         the daemon's own look is bad, and so are those of at least `quorum` verifiers
    up           the daemon's own look is good, or those of most verifiers that were asked: a false alarm
    unknown      anything else: too few answered, or they disagree; tried again, told to nobody but the operator

Without verifiers a site is down after `LOCAL_FAILURES` bad looks in a row. A down site is up again after
`RECOVERY_SUCCESSES` good looks, one of them a verifier's if there are any. Looks that saw nothing (`void`) count for
nothing, and never against a site.

Source: the site monitoring spec. Every function is pure; instants are integer microseconds since the epoch, UTC.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.events import Id
from pingmon.core.look import Look
from pingmon.core.schedule import SECOND

SiteStatus: TypeAlias = Literal["new", "up", "suspect", "down", "unknown", "paused"]
Verdict: TypeAlias = Literal["down", "up", "unknown"]

LOCAL_FAILURES: Final = 3
"""Bad looks in a row after which a site is down where there are no verifiers to ask."""
LOCAL_PACE_S: Final = 10
"""Seconds between them."""
RECOVERY_SUCCESSES: Final = 2
DOWN_PACE_S: Final = 30
"""Seconds between probes of a site that is down."""
UNKNOWN_PACE_S: Final = (10, 30, 60, 120, 300)
"""Seconds until a round without a verdict is repeated; the last wait repeats."""


class SiteSpec(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """What a user chose for a site. `interval` and `timeout` are seconds; `host` is a partner's slug, `auto` or ""."""

    name: str = ""
    url: str
    interval: int = 300
    timeout: int = 10
    host: str = "auto"
    tags: str = ""
    channels: tuple[Id, ...] = ()
    head_only: bool = False


class Round(Struct, frozen=True, omit_defaults=True, gc=False):
    """What was seen at one time, and from how many places it was asked for.

    `looks` are the daemon's own (`node` is "") and the verifiers'; `asked` counts the verifiers that were asked and
    `quorum` how many of them must agree on a failure.
    """

    looks: tuple[Look, ...]
    asked: int = 0
    quorum: int = 0

    @property
    def own(self) -> Look | None:
        """The daemon's newest look that saw anything."""
        return next((look for look in reversed(self.looks) if look.node == "" and look.counts), None)

    @property
    def others(self) -> tuple[Look, ...]:
        """The verifiers' looks that saw anything, one for each verifier."""
        return tuple({look.node: look for look in self.looks if look.node != "" and look.counts}.values())

    @property
    def at(self) -> int:
        """When the last look of the round ended."""
        return max((look.at for look in self.looks), default=0)


class Site(Struct, frozen=True, omit_defaults=True, gc=False):
    """A site as the log has made it. `since` is when `status` began, `incident` when the first failure was seen.

    `failures` and `successes` count looks in a row that lead to a verdict, `rounds` those without one. `last` is the
    newest round that was logged.
    """

    id: Id
    project: Id
    spec: SiteSpec
    born: int
    created: int
    since: int
    status: SiteStatus = "new"
    incident: int | None = None
    failures: int = 0
    successes: int = 0
    rounds: int = 0
    last: Round | None = None


class SiteFlip(Struct, frozen=True, omit_defaults=True, gc=False):
    """A change of a site's status. A flip to down or back is stamped with the incident's first failure or its end.

    `code` is the highest HTTP status that the looks behind it agree with: of the failing ones for down, of the good
    ones for up; 0 if they had none.
    """

    seq: int
    site: Id
    at: int
    old: SiteStatus
    new: SiteStatus
    since: int = 0
    code: int = 0


def verdict(seen: Round) -> Verdict:
    """What a round of the daemon and its verifiers says about a site."""
    own, others = seen.own, seen.others
    failing = sum(not look.good for look in others)
    if own is not None and own.good:
        return "up"
    if seen.asked and len(others) - failing > seen.asked / 2:
        return "up"
    if own is not None and seen.asked and failing >= max(1, seen.quorum):
        return "down"
    return "unknown"


def looked(site: Site, seq: int, seen: Round) -> tuple[Site, SiteFlip | None]:
    """The site after `seen`, and the flip it caused, if any."""
    if site.status == "paused" or (seen.own is None and not seen.others):
        return site, None
    site = replace(site, last=seen)
    if site.status in ("new", "up"):
        return _first_look(site, seq, seen)
    if site.status == "down":
        return _recovering(site, seq, seen)
    return _judged(site, seq, seen)


def paused(site: Site, seq: int, at: int) -> tuple[Site, SiteFlip | None]:
    """Paused: probed no more. A paused site stays as it is."""
    return (site, None) if site.status == "paused" else _flipped(_calm(site), seq, "paused", at, 0)


def resumed(site: Site, seq: int, at: int) -> tuple[Site, SiteFlip | None]:
    """As new. A site that is not paused stays as it is."""
    return _flipped(_calm(site), seq, "new", at, 0) if site.status == "paused" else (site, None)


def remarkable(site: Site, own: Look) -> bool:
    """Whether the daemon's own look belongs into the log: not if it only says that all is as it was."""
    if not own.counts or site.status == "paused":
        return False
    if site.status == "down" and not own.good:
        return site.successes > 0  # it begins the recovery anew
    return not (site.status == "up" and own.good)


def wants_round(site: Site, own: Look) -> bool:
    """Whether others are to be asked at once, with the daemon's own look being `own`."""
    if not own.counts or site.status == "paused":
        return False
    return own.good if site.status == "down" else not own.good or site.status in ("suspect", "unknown")


def next_probe(site: Site, planned: int) -> int:
    """When the site is to be probed after a probe that was planned for `planned`; both on the site's own grid."""
    if site.status == "down":
        return planned + min(DOWN_PACE_S, site.spec.interval) * SECOND
    if site.status in ("suspect", "unknown"):
        pace = LOCAL_PACE_S if site.rounds == 0 else UNKNOWN_PACE_S[min(site.rounds, len(UNKNOWN_PACE_S)) - 1]
        return planned + min(pace, site.spec.interval) * SECOND
    return planned + site.spec.interval * SECOND


def phase(site: Id, interval: int) -> int:
    """Seconds into its interval at which a site is probed, so that sites spread evenly and stay where they are."""
    return int(site.replace("-", ""), 16) % interval


def code_of(looks: tuple[Look, ...], *, good: bool) -> int:
    """The highest HTTP status among the good, or the failing, looks; 0 if none of them received one."""
    return max((look.code for look in looks if look.counts and look.good == good), default=0)


def _first_look(site: Site, seq: int, seen: Round) -> tuple[Site, SiteFlip | None]:
    own = seen.own
    if own is None or own.good:
        return _flipped(_calm(site), seq, "up", seen.at, code_of(seen.looks, good=True))
    suspect = replace(site, incident=own.at, failures=1, successes=0, rounds=0)
    return _flipped(suspect, seq, "suspect", own.at, code_of(seen.looks, good=False))


def _judged(site: Site, seq: int, seen: Round) -> tuple[Site, SiteFlip | None]:
    """A round about a site that is suspect or unknown."""
    own = seen.own
    if not seen.asked and own is not None and not own.good:
        site = replace(site, failures=site.failures + 1)
        if site.failures < LOCAL_FAILURES:
            return site, None
        return _flipped(site, seq, "down", site.incident or own.at, code_of(seen.looks, good=False))
    found = verdict(seen)
    if found == "unknown":
        return _flipped(replace(site, rounds=site.rounds + 1), seq, "unknown", seen.at, 0)
    at = seen.at if found == "up" else (site.incident or seen.at)
    after = _calm(site) if found == "up" else replace(site, rounds=0, successes=0)
    return _flipped(after, seq, found, at, code_of(seen.looks, good=found == "up"))


def _recovering(site: Site, seq: int, seen: Round) -> tuple[Site, SiteFlip | None]:
    own = seen.own
    if own is None or not own.good:
        return replace(site, successes=0), None
    confirmed = any(look.good for look in seen.others)
    successes = site.successes + 1 + confirmed
    if successes < RECOVERY_SUCCESSES or (seen.asked and not confirmed):
        return replace(site, successes=min(successes, RECOVERY_SUCCESSES - 1 if seen.asked else successes)), None
    return _flipped(_calm(site), seq, "up", seen.at, code_of(seen.looks, good=True))


def _calm(site: Site) -> Site:
    return replace(site, incident=None, failures=0, successes=0, rounds=0)


def _flipped(site: Site, seq: int, new: SiteStatus, at: int, code: int) -> tuple[Site, SiteFlip | None]:
    if new == site.status:
        return site, None
    at = max(at, site.since) if new != "down" else at
    flip = SiteFlip(seq, site.id, at, site.status, new, site.since, code)
    return replace(site, status=new, since=at), flip
