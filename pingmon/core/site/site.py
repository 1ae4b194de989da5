"""The state machine of a site: what probes, verifiers and users do to it.

    status     good look              bad look                nothing seen   pause      resume
    new        → up                   → suspect               → unknown      → paused   refused
    up         stays                  → suspect               → unknown      → paused   refused
    suspect    (verdict of the round) (verdict of the round)  → unknown      → paused   refused
    unknown    (verdict of the round) (verdict of the round)  stays          → paused   refused
    down       counts for recovery    counts for nothing      stays          → paused   refused
    paused     ignored                ignored                 ignored        refused    → new

A look is one probe from one place (`core.site.probe_result`). The first bad one makes a site suspect; the incident
began then. A *round* asks again at once, here and from the verifiers. What it says (`core.site.verdict`) leads to

    round says   the site is
    up           up: a false alarm
    torn         up after `AGREEING` such rounds
    down         down
    failing      down after `AGREEING` such rounds
    alone        down after `LOCAL_FAILURES` bad looks in a row, if no verifier is asked
                 down after one more, if this place is known to be well, or sent an HTTP status by the site itself
                 unknown, if not
    unknown      unknown

and to nothing before there are so many. A site that is unknown is tried again, less and less often, and told to nobody
but the operator. But that ends. Once it has failed here for `UNOPPOSED_S` and nobody elsewhere has seen it well, it is
down, whoever is absent. None is down before it has failed for as long as its `patience`; until then rounds are
repeated, and one is made at the very end of it.

A down site is up again after `RECOVERY_SUCCESSES` good looks, one of them a verifier's if any of them can look; and
after `LONE_SUCCESSES` of the daemon's own, whatever others see.

Looks that saw nothing (`void`) count for nothing, and never against a site: Note [Looks that count for nothing] in
`probe_result`. A round of such looks alone, which is only logged after several in a row, makes a site unknown. No
failure was seen then, so there is no incident; if one had begun before, it stays.

Source: the site monitoring spec. Every function is pure; instants are integer microseconds since the epoch, UTC.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.flip import Cause, Flip
from pingmon.core.notify.notification import Audience, audience_shifted
from pingmon.core.partner.inquiry import PartnerAnswer, PartnerQuestion
from pingmon.core.partner.partner import Hosting
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.verdict import NOTHING_SEEN, Round, Verdict, verdict
from pingmon.core.units import SECOND, Id

SiteStatus: TypeAlias = Literal["new", "up", "suspect", "down", "unknown", "paused"]

LOCAL_FAILURES: Final = 3
"""Bad looks in a row after which a site is down where there are no verifiers to ask."""
AGREEING: Final = 2
"""Rounds of an incident that must say the same if places disagree: one place may err twice, three hardly do."""
UNOPPOSED_S: Final = 240
"""Seconds for which a site may fail here, seen well by nobody, until it is down.

Its users are told within five minutes of the first failure: the look that decides begins then, and takes up to 30 s.
"""
RECOVERY_SUCCESSES: Final = 2
LONE_SUCCESSES: Final = 10
"""Good looks here in a row, 30 s apart, that end an outage although all verifiers that can look see a failure."""


class Inquiry(Struct, frozen=True, omit_defaults=True, gc=False):
    """A question that is put to a partner before users are told of `flip`."""

    question: PartnerQuestion
    partner: Id
    flip: Flip


class Word(Struct, frozen=True, omit_defaults=True, gc=False):
    """The last that `partner` said about the site, and when (microseconds since the epoch)."""

    partner: Id
    at: int
    answer: PartnerAnswer


class PartnerSilence(Struct, frozen=True, omit_defaults=True, gc=False):
    """Until when (microseconds since the epoch) `partner` knows that the site is down."""

    partner: Id
    until: int


class Site(Struct, frozen=True, omit_defaults=True, gc=False):
    """A site as the log has made it. `since` is when `status` began, `incident` when the first failure was seen.

    `failures` and `successes` count looks in a row that lead to a verdict, `agreed` the rounds of the incident that
    said `failing`, `rounds` those in a row without a verdict. `unopposed`: since when it fails here and nobody
    elsewhere has seen it well. `last` is the newest round that was logged. `moved` is the entry that brought it to its
    present address; 0 if it was always there.

    `told`: it was decided that users hear that it is down, and not yet that it is back. `partner_told` is the partner
    that was asked about this outage, `inquiry` what it is being asked now, `silence` what it once answered (see
    `escalation`), `hushed` when the first silence of this outage began. `word` is the last of its answers, `turned` the
    entry of its newest flip. `relayed` and `audience` are as those of a check.
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
    hosting: Hosting = Hosting()
    told: bool = False
    partner_told: Id | None = None
    inquiry: Inquiry | None = None
    silence: PartnerSilence | None = None
    word: Word | None = None
    relayed: tuple[Id, ...] = ()
    moved: int = 0
    audience: Audience | None = None
    turned: int = 0
    agreed: int = 0
    unopposed: int | None = None
    hushed: int | None = None


def looked(site: Site, seq: int, seen: Round) -> tuple[Site, Flip | None]:
    """The site after `seen`, and the flip it caused, if any."""
    if site.status == "paused":
        return site, None
    if seen.own is None and not seen.others:
        return _unseen(site, seq, seen)
    site = replace(site, last=seen)
    if site.status in ("new", "up"):
        return _first_look(site, seq, seen)
    if site.status == "down":
        return _recovering(site, seq, seen)
    return _judged(site, seq, seen)


def paused(site: Site, seq: int, at: int) -> tuple[Site, Flip | None]:
    """Paused: probed no more, and an outage is told to nobody any more. A paused site stays as it is.

    It may have come back before, and users wait for its partner's answer to be told so: they are told all the same.
    """
    if site.status == "paused":
        return site, None
    calm = _calm(site)
    if site.inquiry is None or site.inquiry.flip.new == "down":
        calm = replace(calm, told=False, partner_told=None, inquiry=None, hushed=None)
    return _flipped(calm, seq, "paused", at, NOTHING_SEEN)


def resumed(site: Site, seq: int, at: int) -> tuple[Site, Flip | None]:
    """As new. A site that is not paused stays as it is."""
    return _flipped(_calm(site), seq, "new", at, NOTHING_SEEN) if site.status == "paused" else (site, None)


def respecified(site: Site, seq: int, spec: SiteSpec) -> Site:
    """The site under new settings. At a new address its host is not known, and looks at the old one count no more.

    What a partner was asked and said was about the old address, and the new one does not concern that partner. So all
    of it is forgotten, an open question too (see `escalation.called_off`). Its status stays until probes say otherwise.
    """
    if spec.url == site.spec.url:
        return replace(site, spec=spec)
    fresh = replace(_uncounted(site), spec=spec, moved=seq, hosting=Hosting())
    return replace(fresh, partner_told=None, inquiry=None, silence=None, word=None, hushed=None)


def shifted(site: Site, by: int) -> Site:
    """The site after the wall clock was set by `by`: what was measured on the old clock moves along.

    A silence does not move: its end was named by a partner, whose clock was not set. Nor does a question, which stays
    the same until it is answered.
    """
    inquiry, hosting, last = site.inquiry, site.hosting, site.last
    if last is not None:
        last = replace(last, looks=tuple(replace(look, at=look.at + by) for look in last.looks))
    if inquiry is not None:
        flip = inquiry.flip
        inquiry = replace(inquiry, flip=replace(flip, at=flip.at + by, since=flip.since + by))
    return replace(
        site,
        since=site.since + by,
        incident=None if site.incident is None else site.incident + by,
        unopposed=None if site.unopposed is None else site.unopposed + by,
        hushed=None if site.hushed is None else site.hushed + by,
        last=last,
        inquiry=inquiry,
        audience=None if site.audience is None else audience_shifted(site.audience, by),
        hosting=replace(
            hosting,
            since=hosting.since and hosting.since + by,
            looked=hosting.looked and hosting.looked + by,
            candidate_at=hosting.candidate_at and hosting.candidate_at + by,
        ),
    )


def remarkable(site: Site, own: ProbeResult, *, overdue: bool = False) -> bool:
    """Whether the daemon's own look belongs into the log: not if it only says that all is as it was.

    Nor does one that saw nothing; whoever makes looks decides what several of these in a row say. `overdue`, here and
    below: the site is down, and users do not know that yet although they may (see `escalation.overdue`).
    """
    if not own.counts or site.status == "paused":
        return False
    if site.status == "down" and not own.good:
        return overdue or site.successes > 0  # it begins the recovery anew
    return not (site.status == "up" and own.good)


def wants_round(site: Site, own: ProbeResult, *, overdue: bool = False) -> bool:
    """Whether others are to be asked at once, with the daemon's own look being `own`.

    Not when it sees a site well that nobody could see: when pingmon sees again after a trouble of its own, all of its
    sites would ask at once.
    """
    if not own.counts or site.status == "paused":
        return False
    if site.status == "down":
        return own.good or overdue
    return not own.good or in_doubt(site)


def in_doubt(site: Site) -> bool:
    """Whether the site was seen failing and others are asked whatever is seen next."""
    return site.status in ("suspect", "unknown") and site.incident is not None


def unopposed_ends(site: Site) -> int:
    """When a site that fails here, and is seen well nowhere, is down; 0 if it is not such a site."""
    return 0 if site.unopposed is None else site.unopposed + UNOPPOSED_S * SECOND


def patience_ends(site: Site) -> int:
    """Until when a site must fail to be down; 0 if that does not matter."""
    return site.incident + site.spec.patience * SECOND if site.incident and site.spec.patience else 0


def code_of(looks: tuple[ProbeResult, ...], *, good: bool) -> int:
    """The highest HTTP status among the good, or the failing, looks; 0 if none of them received one."""
    return max((look.code for look in looks if look.counts and look.good == good), default=0)


def flip_of(site: Site, seq: int, new: SiteStatus, at: int, seen: Round) -> Flip:
    """What becomes of `site` by what was `seen`: a change of its status, or news of the one it has."""
    code = 0 if new == "unknown" else code_of(seen.looks, good=new == "up")
    cause: Cause = "verdict" if seen.looks else ""
    place = seen.place if new == "down" and seen.asked and not seen.others else ""
    return Flip(seq, site.id, at, site.status, new, cause, site.since, code=code, looks=seen.looks, place=place)


def _unseen(site: Site, seq: int, seen: Round) -> tuple[Site, Flip | None]:
    """After a round in which nobody saw anything. (The sum of an hour has no looks at all.)"""
    if not seen.looks or site.status not in ("new", "up", "suspect"):
        return site, None
    return _flipped(replace(site, last=seen, unopposed=None), seq, "unknown", seen.at, seen)


def _first_look(site: Site, seq: int, seen: Round) -> tuple[Site, Flip | None]:
    own = seen.own
    if own is None:
        return site, None
    if own.good:
        return _flipped(_calm(site), seq, "up", seen.at, seen)
    suspect = replace(_uncounted(site), incident=own.at, failures=1, unopposed=own.at)
    return _flipped(suspect, seq, "suspect", own.at, seen)


def _judged(site: Site, seq: int, seen: Round) -> tuple[Site, Flip | None]:
    """A round about a site that is suspect or unknown."""
    says = verdict(seen)
    site = _counted(site, seen, says)
    found = _follows(site, seen, says)
    if found == "":
        return replace(site, rounds=0), None
    if found == "unknown":
        return _flipped(replace(site, rounds=site.rounds + 1), seq, "unknown", seen.at, seen)
    at = seen.at if found == "up" else (site.incident or seen.at)
    after = _calm(site) if found == "up" else replace(site, rounds=0, successes=0)
    return _flipped(after, seq, found, at, seen)


def _counted(site: Site, seen: Round, says: Verdict) -> Site:
    """The site with a round counted that `says` so."""
    own = seen.own
    if says == "torn":
        return replace(site, failures=0, successes=site.successes + 1, unopposed=None)
    if own is None or own.good:
        return site
    site = replace(site, incident=own.at if site.incident is None else site.incident)
    if seen.asked and not seen.place:
        return site
    if seen.seen_well:
        site = replace(site, failures=0, unopposed=None)
    else:
        began = own.at if site.unopposed is None else site.unopposed
        site = replace(site, failures=site.failures + 1, unopposed=began)
    return replace(site, agreed=site.agreed + (says == "failing"))


def _follows(site: Site, seen: Round, says: Verdict) -> Literal["", "up", "down", "unknown"]:
    """What follows from a round that is counted already; "" if nothing does yet."""
    own = seen.own
    if own is None or own.good or says == "up":
        enough = says == "up" or site.successes >= AGREEING
        return "unknown" if says == "unknown" else "up" if enough else ""
    # The daemon's own look counts: what a verifier calls the end of its look is the time on another clock.
    patient = own.at < patience_ends(site)
    if says == "alone":
        trusted = not seen.asked or seen.place == "well" or own.fault == "status"
        sure = trusted and site.failures >= LOCAL_FAILURES + (seen.asked > 0)
    else:
        trusted = says != "unknown"
        sure = says == "down" or (says == "failing" and site.agreed >= AGREEING)
    if sure or _told_anyway(site, seen, own.at):
        return "" if patient else "down"
    return "" if trusted else "unknown"


def _told_anyway(site: Site, seen: Round, now: int) -> bool:
    """Whether the site has failed for long enough without anybody having seen it well, whoever could not look."""
    known = site.unopposed is not None and site.failures >= LOCAL_FAILURES
    return known and bool(seen.place) and now >= unopposed_ends(site)


def _recovering(site: Site, seq: int, seen: Round) -> tuple[Site, Flip | None]:
    own = seen.own
    if own is None:
        return site, None
    if not own.good:
        return replace(site, successes=0), None
    successes = site.successes + 1 + seen.seen_well
    if seen.asked and not seen.place and not seen.seen_well:
        return replace(site, successes=RECOVERY_SUCCESSES - 1), None
    alone = seen.others and not seen.seen_well
    if successes < (LONE_SUCCESSES if alone else RECOVERY_SUCCESSES):
        return replace(site, successes=successes), None
    return _flipped(_calm(site), seq, "up", seen.at, seen)


def _calm(site: Site) -> Site:
    return replace(_uncounted(site), incident=None)


def _uncounted(site: Site) -> Site:
    return replace(site, failures=0, successes=0, rounds=0, agreed=0, unopposed=None)


def _flipped(site: Site, seq: int, new: SiteStatus, at: int, seen: Round) -> tuple[Site, Flip | None]:
    if new == site.status:
        return site, None
    at = max(at, site.since) if new != "down" else at
    flip = flip_of(site, seq, new, at, seen)
    return replace(site, status=new, since=at, turned=seq), flip
