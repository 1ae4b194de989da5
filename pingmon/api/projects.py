"""The API's projects, for the operator: list, create, read, rename, and a new ping key for one whose own has leaked."""

from __future__ import annotations

from typing import Final

from pingmon.api.api_answer import ApiAnswer, ApiError, existing, json_answer
from pingmon.api.call import Call
from pingmon.api.credentials import new_id, new_ping_key
from pingmon.core.units import Id
from pingmon.core.world.events import PingKeyRotated, ProjectCreated, ProjectRenamed
from pingmon.core.world.parts import Project
from pingmon.wire.api.projects import project_json, project_settings

MAX_PROJECTS: Final = 1000


async def list_projects(call: Call) -> ApiAnswer:
    """All projects."""
    shown = [project_json(project, call.world.members[project.id]) for project in call.world.projects.values()]
    return json_answer({"projects": shown})


async def create_project(call: Call) -> ApiAnswer:
    """A new project, with a ping key and no API keys."""
    name = project_settings(call.body, new=True)["name"]
    # Two requests at once may pass here and make one too many; that harms nobody.
    if len(call.world.projects) >= MAX_PROJECTS:
        raise ApiError(403, f"too many projects: there may be {MAX_PROJECTS}")
    event = ProjectCreated(name, new_ping_key(call.random_bytes))
    return _shown(call, existing((await call.submit(new_id(call.random_bytes), event)).project), 201)


async def read_project(call: Call, id: Id) -> ApiAnswer:
    """One project."""
    return _shown(call, call.any_project(id))


async def update_project(call: Call, id: Id) -> ApiAnswer:
    """Give a project another name."""
    project = call.any_project(id)
    name = project_settings(call.body, new=False).get("name", project.name)
    if name != project.name:
        project = existing((await call.submit(id, ProjectRenamed(name))).project)
    return _shown(call, project)


async def rotate_ping_key(call: Call, id: Id) -> ApiAnswer:
    """Give a project a new ping key. URLs with the one before name nothing from then on; those with a UUID stay."""
    call.any_project(id)
    return _shown(call, existing((await call.submit(id, PingKeyRotated(new_ping_key(call.random_bytes)))).project))


def _shown(call: Call, project: Project, status: int = 200) -> ApiAnswer:
    return json_answer(project_json(project, call.world.members[project.id]), status)
