"""What entries about outages and maintenance windows do to the world. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from pingmon.core.notify.maintenance import MaintenanceWindow
from pingmon.core.notify.outage import acknowledged, is_acknowledgeable, look_again
from pingmon.core.notify.owed_messages import review
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome, Result, Subject
from pingmon.core.world.project import is_full
from pingmon.core.world.world import World


def outage_event(world: World, entry: Entry, event: events.AnyOutageEvent) -> Outcome:
    """What an entry about the outage of a check or site does."""
    subject = world.known(entry.stream)
    if subject is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.OutageReviewed():
            return Outcome("done", subject.id, channels=review(world, entry.at, subject))
        case events.OutageAcknowledged():
            return Outcome(_acknowledged(world, entry, event, subject), subject.id)
        case _:
            assert_never(event)


def _acknowledged(world: World, entry: Entry, event: events.OutageAcknowledged, subject: Subject) -> Result:
    if not is_acknowledgeable(subject, event.flip):
        return "unknown"
    if subject.audience is not None and subject.audience.acknowledged is not None:
        return "exists"
    acknowledged(world, entry.at, subject, event.by)
    return "done"


def window_event(world: World, entry: Entry, event: events.AnyWindowEvent) -> Outcome:
    """What an entry about a maintenance window does. What it held is looked at again."""
    if isinstance(event, events.WindowCreated):
        return _window_created(world, entry, event)
    window = world.windows.get(entry.stream)
    if window is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.WindowChanged():
            world.put_window(replace(window, spec=event.changes.applied_to(window.spec)))
        case events.WindowDeleted():
            world.drop_window(window)
        case _:
            assert_never(event)
    look_again(world, window.project, entry.at)
    return Outcome("done", window.id)


def _window_created(world: World, entry: Entry, event: events.WindowCreated) -> Outcome:
    members = world.members.get(event.project)
    if members is None:
        return Outcome("unknown", entry.stream)
    if entry.stream in world.windows:
        return Outcome("exists", entry.stream)
    if is_full(members.windows, event.most):
        return Outcome("full", entry.stream)
    world.put_window(MaintenanceWindow(entry.stream, event.project, event.spec, entry.seq, entry.at))
    return Outcome("created", entry.stream)
