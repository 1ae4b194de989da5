"""The API's answers to "why?": of a check or site, now, or as it was at an instant.

What is to be said follows from the state and from entries of the log: see `core.check.explanation`, and its twin for
sites, and `core.notify.told_facts`. Here the entries are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from pingmon.api.api_answer import ApiAnswer, ApiError, json_answer
from pingmon.api.call import Call
from pingmon.api.past import AsItWas, as_it_was
from pingmon.core.check.check import Check, shown_status
from pingmon.core.check.explanation import CheckEvidence, check_facts
from pingmon.core.check.zone_doctor import zone_finding
from pingmon.core.facts import Fact
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Delivery, matters
from pingmon.core.notify.told_facts import MOST, Message, as_of, told_facts
from pingmon.core.site.explanation import SiteEvidence, site_facts
from pingmon.core.units import DAEMON, SECOND, Id
from pingmon.core.world.events import (
    CheckChanged,
    Event,
    ListeningResumed,
    NotificationAbandoned,
    NotificationDelivered,
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
RESULTS: Final = 50
"""Entries of a channel among which the one is looked for that ended a message."""


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
    told = await _told(call, site, was.spec.channels, flips, now, settings)
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
    told = await _told(call, check, was.spec.channels, flips, now, settings)
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


# --- who was told -------------------------------------------------------------------------------------------------


async def _told(
    call: Call, subject: Subject, channels: Sequence[Id], flips: Sequence[Flip], now: int, settings: int
) -> list[Fact]:
    """The facts about the newest flip that people are told of; it has `channels` at `now`, by the entry `settings`."""
    flip = next((flip for flip in flips if matters(flip)), None)
    messages = [] if flip is None else await _messages(call, subject, flip)
    known = [message for each in messages if (message := as_of(each, now)) is not None]
    there = len(call.world.reached(channels))
    return list(told_facts(flip, known, channels=there, settings=settings, short=call.readonly))


async def _messages(call: Call, subject: Subject, flip: Flip) -> list[Message]:
    """All messages about `flip`."""
    world = call.world
    found: dict[Id, Message] = {}
    for owed in world.owed_about(subject):
        if owed.place == flip.seq:
            failing = world.channels[owed.channel].failing
            retry_at = None if failing is None else failing.retry_at
            name = _name(call, world.channels[owed.channel])
            found[owed.channel] = Message(owed, name, retry_at=retry_at)
    for row in await call.history.flips_at([flip.seq]):
        if row.stream != subject.id:
            ended = msgspec.json.decode(row.body, type=Delivery)
            name = _name(call, world.channels.get(row.stream))
            entry = await _ended_by(call, ended) if len(found) < MOST else 0
            found[row.stream] = Message(ended.owed, name, ended, entry)
    return list(found.values())


def _name(call: Call, channel: Channel | None) -> str:
    """What a channel is called. A check may have been in another project, whose channels have no names here."""
    if channel is None:
        return "a channel that is no more"
    return (channel.name or channel.kind) if channel.project == call.project else "a channel of another project"


async def _ended_by(call: Call, ended: Delivery) -> int:
    """The entry that says what became of a message; 0 if it is not of that kind, or far back."""
    kinds: dict[str, type[Event]] = {"delivered": NotificationDelivered, "given up": NotificationAbandoned}
    kind = kinds.get(ended.became)
    if kind is None:
        return 0
    id = ended.by or ended.owed.id
    found = await call.history.events(ended.owed.channel, kind, upto=call.world.seq, limit=RESULTS)
    return next((each.seq for each in found if getattr(each.event, "id", "") == id), 0)
