"""What entries about projects and API keys do to the world. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from msgspec.structs import replace

from pingmon.core.changes import applied
from pingmon.core.units import DAEMON
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome, Result
from pingmon.core.world.project import Key, Project
from pingmon.core.world.world import World

Change: TypeAlias = events.ProjectRenamed | events.PingKeyRotated | events.ProjectDefaultsChanged


def project_event(world: World, entry: Entry, event: events.AnyProjectEvent) -> Outcome:
    """What an entry about a project or a key does."""
    match event:
        case events.ProjectCreated():
            return _project_created(world, entry, event)
        case events.PingKeyRotated() if world.ping_keys.get(event.ping_key, entry.stream) != entry.stream:
            return Outcome("exists", world.ping_keys[event.ping_key])
        case events.ProjectRenamed() | events.PingKeyRotated() | events.ProjectDefaultsChanged():
            return _changed(world, entry, event)
        case events.ProjectAlertRulesChanged():
            return _alert_rules_changed(world, entry, event)
        case events.ProjectDeleted():
            return _project_deleted(world, entry)
        case events.KeyCreated():
            return _key_created(world, entry, event)
        case events.KeyRevoked() | events.KeyRetired() | events.KeyUsed():
            return _key_changed(world, entry, event)
        case _:
            assert_never(event)


def _project_created(world: World, entry: Entry, event: events.ProjectCreated) -> Outcome:
    known = world.projects.get(entry.stream)
    if known is not None:
        return Outcome("exists", known.id, project=known)
    return _kept(world, Project(entry.stream, event.name, event.ping_key, entry.seq, entry.at), "created")


def _project_deleted(world: World, entry: Entry) -> Outcome:
    project = world.projects.get(entry.stream)
    if project is None:
        return Outcome("unknown", entry.stream)
    if not world.members[project.id].empty():
        return Outcome("exists", project.id, project=project)
    for key in [key for key in world.keys.values() if key.project == project.id]:
        world.drop_key(key)
    world.drop_project(project)
    return Outcome("done", project.id, project=project)


def _changed(world: World, entry: Entry, event: Change) -> Outcome:
    project = world.projects.get(entry.stream)
    return Outcome("unknown", entry.stream) if project is None else _kept(world, applied(event, project))


def _alert_rules_changed(world: World, entry: Entry, event: events.ProjectAlertRulesChanged) -> Outcome:
    project = world.projects.get(entry.stream)
    if project is None:
        return Outcome("unknown", entry.stream)
    return _kept(world, replace(project, alerts=applied(event, project.alerts)))


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


def _key_changed(world: World, entry: Entry, event: events.KeyRevoked | events.KeyRetired | events.KeyUsed) -> Outcome:
    key = world.keys.get(event.key)
    if key is None or (key.project or DAEMON) != entry.stream:
        return Outcome("unknown", event.key)
    match event:
        case events.KeyRevoked():
            world.drop_key(key)
        case events.KeyRetired():
            key = replace(key, until=event.until if key.until is None else min(key.until, event.until))
            world.put_key(key)
        case events.KeyUsed():
            key = replace(key, last_used=entry.at)
            world.put_key(key)
        case _:
            assert_never(event)
    return Outcome("done", key.id, key=key)
