"""Why a site has its status, what happens next and when, and what would change it; as `core.check.explanation`.

    kind          topic   said when
    new, up, suspect, down, unknown, paused       (the status; with the flip that led to it)
    resumed       state   it was resumed and not looked at since
    last_look     state   the daemon's own newest look
    failing       state   the first failure that is not resolved
    host          state   who hosts it
    asked         told    its host is being asked, before users are told
    said          told    what its host said last
    hushed        told    it is down, and its host's word keeps that from its users until then
    look          next    it is up: when it is looked at again; `looks` says how often, in any other status
    unwatched     next    it is paused
    patience      next    it must fail until then to be down
    unopposed     next    if it is seen well nowhere, it is down then, whoever cannot look
    hush_ends     next    its users are told then, if a fresh look finds it down
    first_look, bad_look, verdict, good_looks, resume    change, by status
    not_kept      advice  the looks of that time are gone: what is said comes from the changes of status alone

Each fact names the entries of the log that it rests on; a look that said nothing new is in none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from pingmon.core.facts import Fact
from pingmon.core.flip import Flip
from pingmon.core.partner.partner import Partner
from pingmon.core.site.escalation import silent_until
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.probe_schedule import next_probe, on_grid
from pingmon.core.site.site import RECOVERY_SUCCESSES, Site, SiteStatus, patience_ends, unopposed_ends
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, PartnerAnswered, SiteProbed

_CHANGE: Final[dict[SiteStatus, str]] = {
    "new": "first_look",
    "up": "bad_look",
    "suspect": "verdict",
    "unknown": "verdict",
    "down": "good_looks",
    "paused": "resume",
}


class SiteEvidence(Struct, frozen=True, kw_only=True):
    """What is known of a site at `now` besides its state. `turned` is its newest flip, `rounds` its newest, that first.

    `host` is the partner that hosts it, `latest` the daemon's newest look, logged or not, `answers` the newest of what
    partners answered, `hosted` the entry that says who hosts it. `kept`: the rounds that made its state are still
    there.
    """

    now: int
    turned: Flip | None
    rounds: Sequence[Entry]
    hosted: int
    host: Partner | None = None
    latest: ProbeResult | None = None
    answers: Sequence[Entry] = ()
    kept: bool = True


def site_facts(site: Site, seen: SiteEvidence) -> list[Fact]:
    """All that there is to say, but for the messages to its users."""
    if not seen.kept:
        return [_status(site, seen), Fact(topic="advice", kind="not_kept", entries=_turned(site, seen))]
    return [_status(site, seen), *_state(site, seen), *_next(site, seen), *_told(site, seen), *_change(site, seen)]


def _status(site: Site, seen: SiteEvidence) -> Fact:
    kind = "resumed" if site.status == "new" and seen.turned is not None else site.status
    return Fact(topic="state", kind=kind, entries=_turned(site, seen), at=site.since, flip=seen.turned)


def _state(site: Site, seen: SiteEvidence) -> Iterator[Fact]:
    own = None if site.last is None else site.last.own
    look = seen.latest if own is None or (seen.latest is not None and seen.latest.at >= own.at) else own
    if look is not None:
        yield Fact(topic="state", kind="last_look", entries=_round_of(seen, look.at), at=look.at, look=look)
    if site.incident is not None and site.status != "down":
        yield Fact(
            topic="state",
            kind="failing",
            entries=_round_of(seen, site.incident) or _turned(site, seen),
            at=site.incident,
        )
    if seen.host is not None:
        yield Fact(topic="state", kind="host", entries=(seen.hosted,), who=_name(seen.host))


def _next(site: Site, seen: SiteEvidence) -> Iterator[Fact]:
    now, why = seen.now, _turned(site, seen)
    silent = silent_until(site, seen.host)
    if site.status == "paused":
        yield Fact(topic="next", kind="unwatched", entries=why)
        return
    if site.status == "up":
        yield Fact(topic="next", kind="look", entries=why, at=on_grid(site, now), seconds=site.spec.interval)
        return
    pace = (next_probe(site, now) - now) // SECOND
    yield Fact(topic="next", kind="looks", entries=why, seconds=pace)
    for kind, ends in (("patience", patience_ends(site)), ("unopposed", unopposed_ends(site))):
        if site.status in ("suspect", "unknown") and now < ends:
            yield Fact(topic="next", kind=kind, entries=why, at=ends)
    if _is_hushed(site, now, silent):
        yield Fact(topic="next", kind="hush_ends", entries=_answer(seen) or why, at=silent)


def _told(site: Site, seen: SiteEvidence) -> Iterator[Fact]:
    host, inquiry, word = seen.host, site.inquiry, site.word
    who = "" if host is None else _name(host)
    if inquiry is not None:
        yield Fact(topic="told", kind="asked", entries=(inquiry.flip.seq,), at=inquiry.flip.at, who=who)
    if word is not None:
        answer = word.answer
        entries = _answer(seen) or (site.turned,)
        yield Fact(topic="told", kind="said", entries=entries, at=word.at, until=answer.until, why=answer.kind, who=who)
    silent = silent_until(site, host)
    if _is_hushed(site, seen.now, silent):
        yield Fact(topic="told", kind="hushed", entries=_answer(seen) or (site.turned,), until=silent, who=who)


def _change(site: Site, seen: SiteEvidence) -> Iterator[Fact]:
    left = max(1, RECOVERY_SUCCESSES - site.successes) if site.status == "down" else None
    yield Fact(topic="change", kind=_CHANGE[site.status], entries=_turned(site, seen), count=left)


def _name(host: Partner) -> str:
    return host.spec.name or host.spec.slug


def _is_hushed(site: Site, now: int, silent: int) -> bool:
    return site.status == "down" and not site.told and site.inquiry is None and now < silent


def _turned(site: Site, seen: SiteEvidence) -> tuple[int, ...]:
    """The entry that made its status what it is."""
    return (site.born,) if seen.turned is None else (seen.turned.seq,)


def _round_of(seen: SiteEvidence, at: int) -> tuple[int, ...]:
    """The entry with a look of this instant; none if it was not logged, because it said nothing new."""
    for entry in seen.rounds:
        if isinstance(entry.event, SiteProbed) and any(look.at == at for look in entry.event.looks):
            return (entry.seq,)
    return ()


def _answer(seen: SiteEvidence) -> tuple[int, ...]:
    return tuple(entry.seq for entry in seen.answers[:1] if isinstance(entry.event, PartnerAnswered))
