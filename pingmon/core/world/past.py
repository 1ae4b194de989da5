"""One check or site as it was: from the log of its stream up to then, by the same fold.

What was trimmed cannot be folded. But changes of status are kept for ever, so it begins with the last one before the
first ping or probe that is still there; what had begun before that (an open run, an incident) is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec.structs import replace

from pingmon.core.check.check import Check, Status
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.world.events import Entry
from pingmon.core.world.fold import fold
from pingmon.core.world.outcome import Subject
from pingmon.core.world.project import Project
from pingmon.core.world.world import World


def rebuilt(
    subject: Subject, channels: Iterable[Channel], entries: Iterable[Entry], before: Flip | None, first: int
) -> World:
    """A world with `subject`, as it is now, as `entries` had left it.

    `entries`, in order, are those of its birth and its settings, all of its stream from the entry `first` on, the
    daemon's, and its partners'. `before` is its last flip before `first`. `channels` are those that were there.
    """
    world = World()
    world.put_project(Project(subject.project, "", "", 0, 0))
    for channel in channels:
        world.put_channel(channel)
    entries = list(entries)
    if isinstance(subject, Check) and (not entries or entries[0].seq != subject.born):
        world.put_check(_born_by_a_ping(subject))
    for entry in entries:
        if before is not None and entry.seq >= first:
            world.keep(_left_by(world.subject(subject.id), before))
            before = None
        fold(world, entry)
    if before is not None:
        world.keep(_left_by(world.subject(subject.id), before))
    return world


def _born_by_a_ping(check: Check) -> Check:
    """The check as a ping made it that was trimmed."""
    spec = CheckSpec(name=check.spec.slug, slug=check.spec.slug, channels=check.spec.channels)
    return Check(check.id, check.project, spec, check.born, check.created, check.created)


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
