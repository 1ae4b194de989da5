"""The API's maintenance windows: list, create, read, change, delete."""

from __future__ import annotations

from typing import Final

from pingmon.api.api_answer import ApiAnswer, ApiError, json_answer, not_found
from pingmon.api.call import Call
from pingmon.api.credentials import new_id
from pingmon.core.notify.maintenance import MaintenanceWindow, WindowSpec
from pingmon.core.units import Id
from pingmon.core.world.events import WindowChanged, WindowCreated, WindowDeleted
from pingmon.wire.api.maintenance import window_changes, window_json

MAX_WINDOWS: Final = 200


async def list_windows(call: Call) -> ApiAnswer:
    """The project's maintenance windows, oldest first."""
    windows = [call.world.windows[id] for id in call.world.members[call.project].windows]
    return json_answer({"maintenance": [window_json(window, call.monitor.now()) for window in windows]})


async def create_window(call: Call) -> ApiAnswer:
    """A new maintenance window, for the whole project if neither `subjects` nor `tags` are named."""
    nothing = WindowSpec()
    spec = window_changes(call.body, nothing, lambda id: _known(call, id)).applied_to(nothing)
    id = new_id(call.random_bytes)
    outcome = await call.submit(id, WindowCreated(call.project, spec, MAX_WINDOWS))
    if outcome.result == "full":
        raise ApiError(403, f"too many maintenance windows: a project may have {MAX_WINDOWS}")
    return _shown(call, _window(call, id), 201)


async def read_window(call: Call, id: Id) -> ApiAnswer:
    """One maintenance window."""
    return _shown(call, _window(call, id))


async def update_window(call: Call, id: Id) -> ApiAnswer:
    """Set the fields that were sent; the others stay. What it kept back is looked at again."""
    window = _window(call, id)
    wanted = window_changes(call.body, window.spec, lambda id: _known(call, id) or id in window.spec.subjects)
    if wanted.applied_to(window.spec) != window.spec:
        await call.submit(id, WindowChanged(wanted))
    return _shown(call, _window(call, id))


async def delete_window(call: Call, id: Id) -> ApiAnswer:
    """Delete a maintenance window; its last state is the answer. What it kept back is told if it still lasts."""
    window = _window(call, id)
    await call.submit(id, WindowDeleted())
    return _shown(call, window)


def _window(call: Call, id: Id) -> MaintenanceWindow:
    window = call.world.windows.get(id)
    if window is None or window.project != call.project:
        raise not_found()
    return window


def _known(call: Call, id: Id) -> bool:
    subject = call.world.known(id)
    return subject is not None and subject.project == call.project


def _shown(call: Call, window: MaintenanceWindow, status: int = 200) -> ApiAnswer:
    return json_answer(window_json(window, call.monitor.now()), status)
