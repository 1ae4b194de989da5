"""What entries about projects and API keys do to the world. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from typing import assert_never

from pingmon.core.changes import applied
from pingmon.core.units import DAEMON
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.parts import Key, Outcome, Project, Result
from pingmon.core.world.world import World


def project_event(world: World, entry: Entry, event: events.AnyProjectEvent) -> Outcome:
    """What an entry about a project or a key does."""
    match event:
        case events.ProjectCreated():
            return _project_created(world, entry, event)
        case events.ProjectRenamed() | events.PingKeyRotated():
            return _changed(world, entry, event)
        case events.KeyCreated():
            return _key_created(world, entry, event)
        case events.KeyRevoked():
            return _key_revoked(world, entry, event)
        case _:
            assert_never(event)


def _project_created(world: World, entry: Entry, event: events.ProjectCreated) -> Outcome:
    known = world.projects.get(entry.stream)
    if known is not None:
        return Outcome("exists", known.id, project=known)
    return _kept(world, Project(entry.stream, event.name, event.ping_key, entry.seq, entry.at), "created")


def _changed(world: World, entry: Entry, event: events.ProjectRenamed | events.PingKeyRotated) -> Outcome:
    project = world.projects.get(entry.stream)
    return Outcome("unknown", entry.stream) if project is None else _kept(world, applied(event, project))


def _kept(world: World, project: Project, result: Result = "done") -> Outcome:
    world.put_project(project)
    return Outcome(result, project.id, project=project)


def _key_created(world: World, entry: Entry, event: events.KeyCreated) -> Outcome:
    """The project may not be there yet: the first start makes its keys first."""
    known = world.keys.get(event.key)
    if known is not None:
        return Outcome("exists", known.id, key=known)
    project = None if event.role == "operator" else entry.stream
    kept = (event.role, event.prefix, event.salt, event.digest, event.name)
    key = Key(event.key, project, *kept, entry.seq, entry.at)
    world.put_key(key)
    return Outcome("created", key.id, key=key)


def _key_revoked(world: World, entry: Entry, event: events.KeyRevoked) -> Outcome:
    key = world.keys.get(event.key)
    if key is None or (key.project or DAEMON) != entry.stream:
        return Outcome("unknown", event.key)
    world.drop_key(key)
    return Outcome("done", key.id, key=key)
