"""The API's projects, for the operator: what they are called, what is in them, and their ping keys."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import gatherResults

from pingmon.api.api_answer import ApiAnswer, ApiError, existing, json_answer, not_found
from pingmon.api.call import Call
from pingmon.api.credentials import new_id, new_ping_key
from pingmon.core.changes import applied
from pingmon.core.units import Id
from pingmon.core.world.events import (
    AnyEvent,
    ChannelDeleted,
    CheckDeleted,
    CheckMoved,
    PingKeyRotated,
    ProjectAlertRulesChanged,
    ProjectCreated,
    ProjectDefaultsChanged,
    ProjectDeleted,
    ProjectRenamed,
    SiteDeleted,
    WindowDeleted,
)
from pingmon.core.world.project import Project
from pingmon.wire.api.check_fields import FieldRule, Invalid, judged
from pingmon.wire.api.checks import check_json
from pingmon.wire.api.projects import PING_KEY_FIELDS, defaults_given, project_alerts, project_json, project_settings

MAX_PROJECTS: Final = 1000
AT_ONCE: Final = 200
"""Events that are on their way into the log at once while a project is deleted."""

MOVE_FIELDS: Final[dict[str, FieldRule]] = {"check": FieldRule(type="string", max_length=36)}


async def list_projects(call: Call) -> ApiAnswer:
    """All projects."""
    shown = [project_json(project, call.world.members[project.id]) for project in call.world.projects.values()]
    return json_answer({"projects": shown})


async def create_project(call: Call) -> ApiAnswer:
    """A new project, with a ping key and no API keys."""
    given = project_settings(call.body, new=True)
    alerts = project_alerts(given, ())
    # Two requests at once may pass here and make one too many; that harms nobody.
    if len(call.world.projects) >= MAX_PROJECTS:
        raise ApiError(403, f"too many projects: there may be {MAX_PROJECTS}")
    event = ProjectCreated(given["name"], new_ping_key(call.random_bytes))
    project = existing((await call.submit(new_id(call.random_bytes), event)).project)
    return _shown(call, await _alerting(call, project, alerts), 201)


async def read_project(call: Call, id: Id) -> ApiAnswer:
    """One project."""
    return _shown(call, call.any_project(id))


async def update_project(call: Call, id: Id) -> ApiAnswer:
    """Give a project another name, other rules for telling, or other defaults for checks that a first ping makes."""
    project = call.any_project(id)
    given = project_settings(call.body, new=False)
    name = given.get("name", project.name)
    channels = [call.world.channels[channel] for channel in call.world.members[id].channels]
    alerts = project_alerts(given, channels)
    defaults = defaults_given(call.body, channels, call.monitor.now())
    if name != project.name:
        project = existing((await call.submit(id, ProjectRenamed(name))).project)
    if defaults is not None and defaults != project.defaults:
        project = existing((await call.submit(id, ProjectDefaultsChanged(defaults))).project)
    return _shown(call, await _alerting(call, project, alerts))


async def _alerting(call: Call, project: Project, alerts: ProjectAlertRulesChanged) -> Project:
    if applied(alerts, project.alerts) == project.alerts:
        return project
    return existing((await call.submit(project.id, alerts)).project)


async def delete_project(call: Call, id: Id) -> ApiAnswer:
    """Delete a project with its checks, sites, channels, windows and keys; its last state is the answer.

    What a ping or another request makes meanwhile is deleted, too.
    """
    project = call.any_project(id)
    gone = project_json(project, members := call.world.members[id])
    while id in call.world.projects:
        events: list[tuple[Id, AnyEvent]] = [(check, CheckDeleted()) for check in members.checks.values()]
        events += [(site, SiteDeleted()) for site in members.sites]
        events += [(channel, ChannelDeleted()) for channel in members.channels]
        events += [(window, WindowDeleted()) for window in members.windows]
        for start in range(0, len(events), AT_ONCE):
            await gatherResults([call.submit(*each) for each in events[start : start + AT_ONCE]], consumeErrors=True)
        await call.submit(id, ProjectDeleted())
    return json_answer(gone)


async def take_check(call: Call, id: Id) -> ApiAnswer:
    """Move a `check` of another project to this one. Its URL and history stay; it has all channels of this one."""
    call.any_project(id)
    check = str(judged(call.body, MOVE_FIELDS).get("check", "")).lower()
    if check not in call.world.checks:
        raise not_found()
    outcome = await call.submit(check, CheckMoved(id, call.settings.max_checks))
    if outcome.result == "full":
        raise ApiError(403, f"too many checks: a project may have {call.settings.max_checks}")
    return json_answer(check_json(existing(outcome.check), call.view()))


async def rotate_ping_key(call: Call, id: Id) -> ApiAnswer:
    """Give a project a new ping key, or the `ping_key` of the request, which no other project may have.

    URLs with the one before name nothing from then on; those with a UUID stay.
    """
    project = call.any_project(id)
    wanted = judged(call.body, PING_KEY_FIELDS).get("ping_key") or new_ping_key(call.random_bytes)
    if wanted == project.ping_key:
        return _shown(call, project)
    outcome = await call.submit(id, PingKeyRotated(wanted))
    if outcome.result == "exists":
        raise Invalid("json validation error: ping_key is taken")
    return _shown(call, existing(outcome.project))


def _shown(call: Call, project: Project, status: int = 200) -> ApiAnswer:
    return json_answer(project_json(project, call.world.members[project.id]), status)
