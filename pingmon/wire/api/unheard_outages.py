"""Outages that reach nobody: of what has no channel, and by channels that fail for long or are not confirmed.

That is trouble of users and their receivers, while pingmon does its work. So it is a warning in `status/` and no
problem of the daemon: a load balancer that took it out of service for that would keep pings from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pingmon.core.notify.channel import Channel
from pingmon.core.units import SECOND, Id
from pingmon.core.world.world import World
from pingmon.wire.api.status import Problem
from pingmon.wire.message.message import called, kind, name, printable
from pingmon.wire.time_texts import duration_text

FAILING_LONG: Final = 600 * SECOND
"""Microseconds for which a channel may fail before that is worth a warning."""
NAMED: Final = 10
"""So many are named at most; a thousand names are no help."""


def untold(world: World, now: int, project: Id | None) -> list[Problem]:
    """What is to be warned of in `project`, or in all of them (None)."""
    return [*_without_channels(world, project), *_unconfirmed(world, project), *_failing(world, now, project)]


def _without_channels(world: World, project: Id | None) -> Iterator[Problem]:
    down = [world.subject(id) for id in world.bare]
    named = [
        f"{kind(it)} {it.id[:8]} ({printable(name(it))})" for it in down if project is None or it.project == project
    ]
    if named:
        yield Problem(f"down, and nobody is told, for want of a channel: {len(named)}", _listed(named))


def _unconfirmed(world: World, project: Id | None) -> Iterator[Problem]:
    named = [
        called(channel)
        for channel in world.channels.values()
        if channel.consent in ("asked", "unsubscribed") and project in (None, channel.project)
    ]
    if named:
        yield Problem(f"channels whose receivers have not said that they want messages: {len(named)}", _listed(named))


def _failing(world: World, now: int, project: Id | None) -> Iterator[Problem]:
    named = []
    for channel in world.channels.values():
        failing = channel.failing
        if failing is not None and now - failing.since >= FAILING_LONG and project in (None, channel.project):
            named.append(_said(channel, now, len(world.outbox.get(channel.id, {}))))
    if named:
        yield Problem(f"channels that cannot be told: {len(named)}", _listed(named))


def _said(channel: Channel, now: int, waiting: int) -> str:
    failing = channel.failing
    assert failing is not None
    lasted = duration_text((now - failing.since) // SECOND)
    return f"{called(channel)} for {lasted}: {failing.error}, {waiting} waiting"


def _listed(named: Sequence[str]) -> str:
    more = f"; and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return "; ".join(named[:NAMED]) + more
