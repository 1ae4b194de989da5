"""The API's answers to "why?": of a check or site, now, or as it was at an instant.

What is to be said follows from the state and from entries of the log: see `core.check.explanation`, and its twin for
sites. Here the entries are read; those about who was told, in `api.who_was_told`.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from pingmon.api.api_answer import ApiAnswer, ApiError, json_answer
from pingmon.api.call import Call
from pingmon.api.past import AsItWas, as_it_was
from pingmon.api.who_was_told import Then, told_of
from pingmon.core.check.check import Check, shown_status
from pingmon.core.check.explanation import CheckEvidence, check_facts
from pingmon.core.check.zone_doctor import zone_finding
from pingmon.core.flip import Flip
from pingmon.core.site.explanation import SiteEvidence, site_facts
from pingmon.core.units import DAEMON, SECOND, Id
from pingmon.core.world.events import (
    CheckChanged,
    Event,
    ListeningResumed,
    PartnerAnswered,
    PingReceived,
    SiteChanged,
    SiteHostSeen,
    SiteProbed,
)
from pingmon.core.world.outcome import Subject
from pingmon.wire import time_texts
from pingmon.wire.api.checks import Json, unique_key
from pingmon.wire.api.explanations import explanation_json
from pingmon.wire.api.query_parameters import AT
from pingmon.wire.time_texts import moment_text, seconds_text

PINGS: Final = 100
"""Pings or rounds of probes that facts are looked for in."""
FLIPS: Final = 50
"""Flips among which the newest is looked for that people are told of."""


async def explain_check(call: Call, id: Id) -> ApiAnswer:
    """Why a check has its status, what happens next, who was told, what would change it; `at` asks about the past."""
    return await _explained_check(call, call.check(id))


async def explain_check_by_unique_key(call: Call, key: str) -> ApiAnswer:
    """The same, by the name that read-only keys see."""
    return await _explained_check(call, call.check_by_unique_key(key))


async def explain_site(call: Call, id: Id) -> ApiAnswer:
    """Why a site has its status, what happens next, who was told, what would change it; `at` asks about the past."""
    site, now = call.site(id), call.monitor.now()
    instant = _instant(call, site, now)
    past = AsItWas(call.world, call.world.seq, kept=True) if instant is None else await as_it_was(call, site, instant)
    now, world, was = now if instant is None else instant, past.world, past.world.sites[id]
    latest = call.probes.latest(id) if instant is None and call.probes is not None else None
    host, upto = world.host_of(was), past.upto
    hosted = SiteChanged if host is not None and host.spec.slug == was.spec.host else SiteHostSeen
    flips = await _flips(call, id, upto)
    seen = SiteEvidence(
        now=now,
        turned=flips[0] if flips else None,
        rounds=await call.history.events(id, SiteProbed, upto=upto, limit=PINGS),
        hosted=await _entry(call, site, hosted, upto),
        host=host,
        latest=latest,
        answers=await call.history.events(id, PartnerAnswered, upto=upto, limit=1),
        kept=past.kept,
    )
    settings = await _entry(call, site, SiteChanged, upto)
    told = await told_of(call, site, Then(past, now, flips, settings, instant is not None))
    head = _head(was, was.status, now) | {"uuid": id}
    return json_answer(explanation_json(head, [*site_facts(was, seen), *told], site=True))


async def _explained_check(call: Call, check: Check) -> ApiAnswer:
    id, now = check.id, call.monitor.now()
    instant = _instant(call, check, now)
    past = AsItWas(call.world, call.world.seq, kept=True) if instant is None else await as_it_was(call, check, instant)
    now, world, was = now if instant is None else instant, past.world, past.world.checks[id]
    daemon, upto = world.daemon, past.upto
    flips = await _flips(call, id, upto)
    pings = await call.history.events(id, PingReceived, upto=upto, limit=PINGS)
    settings = await _entry(call, check, CheckChanged, upto)
    seen = CheckEvidence(
        now=now,
        turned=flips[0] if flips else None,
        pings=pings,
        settings=settings,
        deaf=daemon.deaf,
        resumed=await call.history.events(DAEMON, ListeningResumed, upto=call.world.seq),
        finding=zone_finding(was.spec, pings, lambda: call.world.zones_of(call.project)),
        kept=past.kept,
    )
    told = await told_of(call, check, Then(past, now, flips, settings, instant is not None))
    name = {"unique_key": unique_key(id)} if call.readonly else {"uuid": id}
    head = _head(was, shown_status(was, now), now) | name
    facts = check_facts(was, seen)
    if call.readonly:  # whom they name are runs, by ids that only those see who may see pings
        facts = [replace(fact, who="") for fact in facts]
    return json_answer(explanation_json(head, [*facts, *told]))


def _head(subject: Subject, status: str, now: int) -> Json:
    return {
        "name": subject.spec.name,
        "at": seconds_text(now),
        "status": status,
        "since": seconds_text(subject.since),
    }


def _instant(call: Call, subject: Subject, now: int) -> int | None:
    """The instant that is asked about; None: the present one. It may be in ISO 8601, or seconds since the epoch.

    A whole second means its end, because that is how instants are shown.
    """
    asked = call.asked(AT.name)
    if not asked:
        return None
    instant = time_texts.instant(asked[-1])
    if instant is None:
        raise ApiError(400, "at must be an instant, as in 2026-11-21T23:13:00Z, or seconds since the epoch")
    if instant > now:
        raise ApiError(400, "at must not be in the future")
    if instant % SECOND == 0:
        instant = min(instant + SECOND - 1, now)
    if instant < subject.created:
        what = type(subject).__name__.lower()
        raise ApiError(400, f"at must not be before the {what} was created, at {moment_text(subject.created)}")
    return instant


async def _flips(call: Call, id: Id, upto: int) -> list[Flip]:
    rows = await call.history.flips(id, upto=upto, limit=FLIPS)
    return [msgspec.json.decode(row.body, type=Flip) for row in rows]


async def _entry(call: Call, subject: Subject, kind: type[Event], upto: int) -> int:
    """The newest entry of its stream of a kind; that of its birth, if there is none."""
    found = await call.history.events(subject.id, kind, upto=upto, limit=1)
    return found[0].seq if found else subject.born
