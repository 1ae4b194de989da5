"""What entries about projects and API keys do to the world. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.parts import Key, Outcome, Project, Result
from pingmon.core.world.world import World


def _about_project(body: Callable[[World, Entry, Any, Project], Outcome]) -> Callable[[World, Entry, Any], Outcome]:
    """What an entry does to the project that it is about: nothing, if there is none."""

    def folded(world: World, entry: Entry, event: events.Event) -> Outcome:
        project = world.projects.get(entry.stream)
        return Outcome("unknown", entry.stream) if project is None else body(world, entry, event, project)

    return folded


def _project_created(world: World, entry: Entry, event: events.ProjectCreated) -> Outcome:
    known = world.projects.get(entry.stream)
    if known is not None:
        return Outcome("exists", known.id, project=known)
    return _kept(world, Project(entry.stream, event.name, event.ping_key, entry.seq, entry.at), "created")


def _project_renamed(world: World, entry: Entry, event: events.ProjectRenamed, project: Project) -> Outcome:
    return _kept(world, replace(project, name=event.name))


def _ping_key_rotated(world: World, entry: Entry, event: events.PingKeyRotated, project: Project) -> Outcome:
    return _kept(world, replace(project, ping_key=event.ping_key))


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
    if key is None or (key.project or events.DAEMON) != entry.stream:
        return Outcome("unknown", event.key)
    world.drop_key(key)
    return Outcome("done", key.id, key=key)


FOLDS: Final[dict[type[events.Event], Callable[[World, Entry, Any], Outcome]]] = {
    events.ProjectCreated: _project_created,
    events.ProjectRenamed: _about_project(_project_renamed),
    events.PingKeyRotated: _about_project(_ping_key_rotated),
    events.KeyCreated: _key_created,
    events.KeyRevoked: _key_revoked,
}
