"""Who was told of the newest change of status, who is about to be, and why nobody is: read for `api.explain`.

What is to be said follows from messages and from the state: see `core.notify.told_facts` and `outage_facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from pingmon.api.call import Call
from pingmon.api.check_history import anonymous_before
from pingmon.api.past import AsItWas
from pingmon.core.facts import Fact
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Delivery, matters
from pingmon.core.notify.outage_facts import OutageEvidence, outage_facts
from pingmon.core.notify.silences import silenced
from pingmon.core.notify.told_facts import MOST, Message, as_of, newest_reminder, told_facts
from pingmon.core.site.site import Site
from pingmon.core.units import Id
from pingmon.core.world.events import (
    CheckChanged,
    Event,
    NotificationAbandoned,
    NotificationDelivered,
    OutageAcknowledged,
    OutageReviewed,
    ProjectAlertRulesChanged,
    WindowChanged,
)
from pingmon.core.world.outcome import Subject

NEAR: Final = 50
"""Entries among which the one is looked for that ended a message, or acknowledged an outage, and the like."""


class Then(Struct, frozen=True):
    """What is explained: as `past` has it at `now`, after `flips` (newest first), as the entry `settings` set it."""

    past: AsItWas
    now: int
    flips: Sequence[Flip]
    settings: int
    is_past: bool


async def told_of(call: Call, subject: Subject, then: Then) -> list[Fact]:
    """The facts about the newest flip that people are told of, and about the outage that it began."""
    world, was = then.past.world, then.past.world.subject(subject.id)
    place, flip = next(((at, flip) for at, flip in enumerate(then.flips) if matters(flip)), (0, None))
    known = await _known(call, subject, flip, then.now)
    outage = outage_facts(world, was, await _evidence(call, subject, was, then)) if then.past.kept else []
    unheard, by = None, ""
    if flip is not None and not known:
        held = any(fact.topic == "told" and fact.kind != "acknowledged" for fact in outage) or _waits_for_host(was)
        unheard, by = ("held", "") if held else await _unheard(call, subject, then, place)
    there = len(call.world.reached(was.spec.channels))
    told = told_facts(flip, known, channels=there, settings=then.settings, short=call.readonly, unheard=unheard, by=by)
    again = [] if flip is None else await _reminded(call, subject, flip, then)
    facts = [*told, *again, *outage]
    return [replace(fact, who="") for fact in facts] if call.readonly else facts


def _waits_for_host(was: Subject) -> bool:
    """Whether nobody is told of a site because its host is asked, or knows of the outage."""
    return isinstance(was, Site) and was.status == "down" and not was.told


async def _known(call: Call, subject: Subject, flip: Flip | None, now: int) -> list[Message]:
    """The messages about `flip`, as they were known at `now`."""
    messages = [] if flip is None else await _messages(call, subject, flip)
    return [message for each in messages if (message := as_of(each, now)) is not None]


async def _unheard(call: Call, subject: Subject, then: Then, place: int) -> tuple[str | None, str]:
    """Why nobody was told of the flip at `place`, and what did it; None: it had no channel for that."""
    flip = then.flips[place]
    if flip.new == "up":
        down = next((each for each in then.flips[place + 1 :] if each.new == "down"), None)
        return ("before" if down is not None and not await _known(call, subject, down, then.now) else None), ""
    (flip,) = await anonymous_before(call, subject, [flip])
    if flip.silenced is not None:
        return flip.silenced.by, flip.silenced.name
    return ("" if await _was_patient(call, subject, then, flip) else None), ""


async def _was_patient(call: Call, subject: Subject, then: Then, flip: Flip) -> bool:
    """Whether it may have wanted more than one failure at `flip`, or ever since."""
    was = then.past.world.subject(subject.id)
    changed = await call.history.events(subject.id, CheckChanged, upto=then.past.upto, limit=NEAR)
    later = [entry.event for entry in changed if entry.seq > flip.seq]
    return (
        was.spec.alerts.notify_after > 1
        or len(later) == NEAR
        or any(
            isinstance(event, CheckChanged)
            and event.changes.alerts is not UNSET
            and event.changes.alerts.notify_after is not UNSET
            for event in later
        )
    )


# --- the outage -----------------------------------------------------------------------------------------------------


async def _evidence(call: Call, subject: Subject, was: Subject, then: Then) -> OutageEvidence:
    """What the log has of the outage of `was`, if it is in one."""
    seen = OutageEvidence(now=then.now, settings=then.settings, past=then.is_past)
    audience = was.audience
    if was.status != "down" or audience is None:
        return seen
    entries = await call.history.events(subject.id, OutageAcknowledged, upto=then.past.upto, limit=NEAR)
    fits = [
        entry.seq
        for entry in entries
        if isinstance(entry.event, OutageAcknowledged)
        and entry.seq > audience.seq
        and entry.event.flip in (0, audience.seq)
    ]
    seen = replace(seen, acknowledged=fits[-1] if fits and len(entries) < NEAR else 0)
    if then.is_past:
        return seen
    rules = await call.history.events(subject.project, ProjectAlertRulesChanged, upto=call.world.seq, limit=1)
    seen = replace(seen, rules=rules[0].seq if rules else call.world.projects[subject.project].born)
    found = silenced(call.world, subject, then.now)
    if found is None:
        return seen
    why, until = found
    entry = await (_parent_down(call, why.id) if why.by == "parent" else _window_set(call, why.id))
    return replace(seen, silenced=(why, until, entry))


async def _window_set(call: Call, id: Id) -> int:
    """The entry that has made a maintenance window what it is."""
    found = await call.history.events(id, WindowChanged, upto=call.world.seq, limit=1)
    return found[0].seq if found else call.world.windows[id].born


async def _parent_down(call: Call, id: Id) -> int:
    """The entry by which a check or site went down."""
    rows = await call.history.flips(id, upto=call.world.seq, limit=1)
    return rows[0].seq


async def _reminded(call: Call, subject: Subject, flip: Flip, then: Then) -> list[Fact]:
    """The newest reminder of the outage that began with `flip`."""
    if flip.new != "down":
        return []
    reviews = await call.history.events(subject.id, OutageReviewed, upto=then.past.upto, limit=NEAR)
    places = {entry.seq for entry in reviews if entry.seq > flip.seq}
    owed = [each for each in call.world.owed_about(subject) if each.place in places]
    for row in await call.history.flips_at(places):
        if row.stream != subject.id:
            owed.append(msgspec.json.decode(row.body, type=Delivery).owed)
    return newest_reminder(flip, owed)


# --- messages -------------------------------------------------------------------------------------------------------


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
    found = await call.history.events(ended.owed.channel, kind, upto=call.world.seq, limit=NEAR)
    return next((each.seq for each in found if getattr(each.event, "id", "") == id), 0)
