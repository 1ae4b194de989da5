"""Why nobody is told of an outage although it is one: maintenance, or what it depends on is down too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from pingmon.core.flip import Flip, Silenced
from pingmon.core.notify.maintenance import covers, open_until
from pingmon.core.notify.notification import FOREVER
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND, Id
from pingmon.core.world.outcome import Subject
from pingmon.core.world.world import World

DEPTH_MAX: Final = 16
"""Parents of parents that are looked at."""


def silenced(world: World, subject: Subject, now: int) -> tuple[Silenced, int] | None:
    """Why nobody is told of the subject's outage at `now`, and until when; `FOREVER`: until a parent is back."""
    found: tuple[Silenced, int] | None = None
    for id in world.members[subject.project].windows:
        spec = world.windows[id].spec
        until = open_until(spec, now) if covers(spec, subject.id, subject.spec.tags) else None
        if until is not None and (found is None or until > found[1]):
            found = Silenced("maintenance", id, spec.name), until
    for parent in ancestors(world, subject):
        if parent.status == "down":
            return Silenced("parent", parent.id, parent.spec.name), FOREVER
    return found


def ancestors(world: World, subject: Subject) -> Iterator[Subject]:
    """The check or site that this one depends on, the one that that depends on, and so on; those that there are."""
    for _ in range(DEPTH_MAX):
        parent = world.known(subject.spec.alerts.parent)
        if parent is None or parent.project != subject.project:
            return
        yield parent
        subject = parent


def marked(world: World, subject: Subject, flip: Flip, now: int) -> Flip:
    """`flip`, which says that nobody is told of it if that is so."""
    found = silenced(world, subject, now) if flip.new == "down" else None
    return flip if found is None else replace(flip, silenced=found[0])


def chance(subject: Subject) -> int:
    """For how long (microseconds) it is waited for a subject to come back once what it depends on is back."""
    return (subject.spec.interval if isinstance(subject, Site) else subject.spec.grace) * SECOND


def depends(world: World, subject: Subject, on: Id) -> bool:
    """Whether the subject is the one called `on`, or depends on it."""
    return subject.id == on or any(parent.id == on for parent in ancestors(world, subject))
