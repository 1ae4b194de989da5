"""One check or site as it was: from the log of its stream up to then, by the same fold.

What was trimmed cannot be folded. But changes of status are kept for ever, so it begins with the last one before the
first ping or probe that is still there; what had begun before that (an open run, an incident) is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from msgspec.structs import replace

from pingmon.core.check.check import Check, Status
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.units import Id
from pingmon.core.world.events import CheckCreated, CheckMoved, Entry, PingReceived
from pingmon.core.world.fold import fold
from pingmon.core.world.outcome import Subject
from pingmon.core.world.project import Project
from pingmon.core.world.world import World


def rebuilt(
    subject: Subject, channels: Iterable[Channel], entries: Sequence[Entry], before: Flip | None, first: int
) -> World:
    """A world with `subject`, as it is now, as `entries` had left it.

    `entries`, in order, are those of its birth, its settings and its projects, all of its stream from the entry `first`
    on, the daemon's, and its partners'. `before` is its last flip before `first`. `channels` are those that were there.
    """
    world = World()
    for project in {subject.project: None} | _projects(entries):
        world.put_project(Project(project, "", project, 0, 0))
    for channel in channels:
        world.put_channel(channel)
    for entry in entries:
        if entry.seq > subject.born:
            _be_there(world, subject)
        if before is not None and entry.seq >= first:
            world.keep(_left_by(world.subject(subject.id), before))
            before = None
        fold(world, entry)
    _be_there(world, subject)
    if before is not None:
        world.keep(_left_by(world.subject(subject.id), before))
    return world


def _projects(entries: Iterable[Entry]) -> dict[Id, None]:
    """The projects that a check was in."""
    found: dict[Id, None] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, CheckCreated | CheckMoved):
            found[event.project] = None
        elif isinstance(event, PingReceived) and event.create is not None:
            found[event.create.project] = None
    return found


def _be_there(world: World, subject: Subject) -> None:
    """Let a check be there that was made by a ping, which was trimmed."""
    if isinstance(subject, Check) and subject.id not in world.checks:
        spec = world.projects[subject.project].first_settings(subject.spec.slug, subject.spec.channels)
        world.put_check(Check(subject.id, subject.project, spec, subject.born, subject.created, subject.created))


def _left_by(subject: Subject, flip: Flip) -> Subject:
    """The check or site after `flip`, as far as that tells it."""
    if isinstance(subject, Check):
        return replace(subject, status=cast(Status, flip.new), since=flip.at, runs=(), armed_by=flip.seq)
    return replace(
        subject,
        status=flip.new,
        since=flip.at,
        incident=flip.at if flip.new in ("suspect", "down") else None,
        told=flip.new == "down",
        turned=flip.seq,
    )
