"""What entries about checks do to the world, pings among them. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from pingmon.core.check.check import (
    Check,
    expired,
    overlap,
    paused,
    pinged,
    respecified,
    resumed,
    schedule_ended,
)
from pingmon.core.flip import Flip
from pingmon.core.notify.outage import look_again
from pingmon.core.notify.owed_messages import owe, owe_beside, review, unowe
from pingmon.core.notify.silences import marked
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.project import is_full
from pingmon.core.world.world import World


def check_event(world: World, entry: Entry, event: events.AnyCheckEvent) -> Outcome:
    """What an entry about a check does, unless it is a ping."""
    if isinstance(event, events.CheckCreated):
        return _check_created(world, entry, event)
    check = world.checks.get(entry.stream)
    if check is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.CheckChanged():
            after = respecified(check, entry.seq, event.changes.applied_to(check.spec))
            outcome = _changed(world, entry, unowe(world, entry.at, check, after), None)
            if after.spec.alerts.parent != check.spec.alerts.parent:
                look_again(world, check.project, entry.at)
            return outcome
        case events.CheckDeleted():
            world.drop_check(check, entry.at)
            look_again(world, check.project, entry.at)
            return Outcome("done", check.id, check)
        case events.CheckMoved():
            return _check_moved(world, entry, event, check)
        case events.CheckPaused():
            return _changed(world, entry, *paused(check, entry.seq, entry.at))
        case events.CheckResumed():
            return _changed(world, entry, *resumed(check, entry.seq, entry.at))
        case events.CheckExpired():
            return _check_expired(world, entry, event, check)
        case events.ScheduleEnded():
            return _schedule_ended(world, entry, check)
        case _:
            assert_never(event)


def ping_received(world: World, entry: Entry, event: events.PingReceived) -> Outcome:
    """What a ping does."""
    check = world.checks.get(entry.stream)
    if check is None:
        if event.create is None:
            return Outcome("unknown", entry.stream)
        return _ping_creates(world, entry, event, event.create)
    return _changed(world, entry, *pinged(check, entry.seq, entry.at, event))


def _ping_creates(world: World, entry: Entry, event: events.PingReceived, new: events.NewCheck) -> Outcome:
    members = world.members.get(new.project)
    if members is None:
        return Outcome("unknown", entry.stream)
    namesakes = members.named(new.slug)
    if namesakes:
        return Outcome("exists" if len(namesakes) == 1 else "ambiguous", members.checks[namesakes[0]])
    if is_full(members.checks, new.most):
        return Outcome("full", entry.stream)
    spec = world.projects[new.project].first_settings(new.slug, members.channels)
    fresh = Check(entry.stream, new.project, spec, entry.seq, entry.at, entry.at)
    world.put_check(fresh)
    return replace(_changed(world, entry, *pinged(fresh, entry.seq, entry.at, event)), result="created")


def _check_created(world: World, entry: Entry, event: events.CheckCreated) -> Outcome:
    if event.project not in world.members:
        return Outcome("unknown", entry.stream)
    twin = world.checks.get(entry.stream) or world.twin(event.project, event.spec, event.unique)
    if twin is not None:
        return Outcome("exists", twin.id, twin)
    if is_full(world.members[event.project].checks, event.most):
        return Outcome("full", entry.stream)
    fresh = Check(entry.stream, event.project, event.spec, entry.seq, entry.at, entry.at)
    world.put_check(fresh)
    return Outcome("created", fresh.id, fresh)


def _check_moved(world: World, entry: Entry, event: events.CheckMoved, check: Check) -> Outcome:
    members = world.members.get(event.project)
    if members is None:
        return Outcome("unknown", event.project)
    if event.project != check.project:
        if is_full(members.checks, event.most):
            return Outcome("full", check.id, check)
        spec = replace(check.spec, channels=tuple(sorted(members.channels)))
        world.move_check(check, replace(check, project=event.project, spec=spec, relayed=()), entry.at)
        look_again(world, check.project, entry.at)
        look_again(world, event.project, entry.at)
    return Outcome("done", check.id, world.checks[check.id])


def _check_expired(world: World, entry: Entry, event: events.CheckExpired, check: Check) -> Outcome:
    after, flip = expired(check, entry.seq, event.deadline, event.armed_by)
    if flip is not None:
        deaf = overlap(world.daemon.deaf, event.deadline, check.spec.grace)
        flip = replace(flip, deaf=deaf)
    return _changed(world, entry, after, flip)


def _schedule_ended(world: World, entry: Entry, check: Check) -> Outcome:
    after, news = schedule_ended(check, entry.seq, entry.at)
    world.keep_check(after)
    return Outcome("done", check.id, after, channels=owe_beside(world, entry.at, after, news) if news else ())


def _changed(world: World, entry: Entry, after: Check, flip: Flip | None) -> Outcome:
    """Keep the check as it is now; owe what its flip makes due, or one more failure of an outage that was held."""
    world.keep_check(after)
    if flip is None:
        if after.status != "down" or after.audience is None or not after.audience.held_until:
            return Outcome("done", after.id, after)
        told = review(world, entry.at, after)
        return Outcome("done", after.id, world.checks[after.id], channels=told)
    flip = marked(world, after, flip, entry.at)
    told = owe(world, entry.at, after, flip)
    return Outcome("done", after.id, world.checks[after.id], flip=flip, channels=told)
