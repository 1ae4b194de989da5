"""The API's checks: list, create, read, change, pause, resume, delete. One function per operation.

What a request changes is decided by the fold, in the order of the log; here it is only asked for and told. A request
that would change nothing is answered without troubling the log.
"""

from __future__ import annotations

from pingmon.api import shared_operations
from pingmon.api.api_answer import ApiAnswer, ApiError, existing, json_answer
from pingmon.api.call import Call
from pingmon.api.credentials import new_id
from pingmon.core.check.check import Check, shown_status
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import Id
from pingmon.core.world.events import CheckChanged, CheckCreated, CheckDeleted, CheckPaused, CheckResumed
from pingmon.core.world.outcome import Outcome
from pingmon.wire.api.check_fields import FIELDS, Given, changes, channel_ids, ignored, judged, unique_fields, wanted_id
from pingmon.wire.api.checks import check_json, tagged
from pingmon.wire.api.query_parameters import CHECK_STATUS, SLUG, TAG


async def list_checks(call: Call) -> ApiAnswer:
    """The project's checks; `tag` (several: all of them), `status` (several: any) and `slug` narrow the list."""
    tags, statuses = call.asked_words(TAG), call.asked_words(CHECK_STATUS)
    slug = (call.asked(SLUG.name) or [""])[-1]
    view = call.view()

    def wanted(check: Check) -> bool:
        fits = not statuses or shown_status(check, view.now) in statuses
        return fits and (not tags or tagged(check, tags)) and slug in ("", check.spec.slug)

    return await call.listed("checks", call.checks(), lambda check: check_json(check, view), wanted)


async def create_check(call: Call) -> ApiAnswer:
    """A new check, or, with `unique`, changes to the one that is already there.

    A new one has all channels of the project if the request says nothing of them: an alert too many is better than one
    that reaches nobody. (The reference server gives it none.) With `uuid` in `unique` it has the UUID of the request,
    so that a job which moves here from elsewhere keeps its ping URL.
    """
    given = judged(call.body)
    id = wanted_id(call.body, given)
    there = call.world.checks.get(id or "")
    if there is not None and there.project == call.project:
        return await _changed(call, there, given)
    plain = CheckSpec(channels=channel_ids("*", call.channels()))
    spec = changes(given, plain, call.version, call.channels(), call.monitor.now()).applied_to(plain)
    shared_operations.check_parent(call, "", spec.alerts.parent)
    unique = unique_fields(given)
    twin = call.world.twin(call.project, spec, unique)
    if twin is None:
        if id is not None:
            await _must_be_new(call, id)
        most = call.settings.max_checks
        created = await call.submit(id or new_id(call.random_bytes), CheckCreated(call.project, spec, unique, most))
        if created.result == "full":
            raise ApiError(403, f"too many checks: a project may have {most}")
        if created.result == "created":
            return _taken(call, existing(created.check), 201)
        twin = existing(created.check)
        if twin.project != call.project:  # another project took the UUID at the same time
            raise _not_new()
    return await _changed(call, twin, given)


async def read_check(call: Call, id: Id) -> ApiAnswer:
    """One check."""
    return _shown(call, call.check(id))


async def read_check_by_unique_key(call: Call, key: str) -> ApiAnswer:
    """One check, by the name that read-only keys see."""
    return _shown(call, call.check_by_unique_key(key))


async def update_check(call: Call, id: Id) -> ApiAnswer:
    """Set the fields that were sent; the others stay."""
    check = call.check(id)
    return await _changed(call, check, judged(call.body))


async def delete_check(call: Call, id: Id) -> ApiAnswer:
    """Delete a check for ever; its last state is the answer."""
    return _shown(call, await shared_operations.delete(call, call.check(id), CheckDeleted(), _left))


async def pause_check(call: Call, id: Id) -> ApiAnswer:
    """Watch a check no more until it is resumed or pinged."""
    return _shown(call, await shared_operations.pause(call, call.check(id), CheckPaused(), _left))


async def resume_check(call: Call, id: Id) -> ApiAnswer:
    """Let a paused check wait for its first ping again; 409 if it is not paused."""
    return _shown(call, await shared_operations.resume(call, call.check(id), CheckResumed(), _left))


async def acknowledge_check(call: Call, id: Id) -> ApiAnswer:
    """Say that somebody (`by`) sees to a check that is down: no more reminders and steps. 409 if it is not down."""
    await shared_operations.acknowledge(call, call.check(id))
    return _shown(call, call.check(id))


async def _changed(call: Call, check: Check, given: Given) -> ApiAnswer:
    wanted = changes(given, check.spec, call.version, call.channels(), call.monitor.now())
    after = wanted.applied_to(check.spec)
    if after.alerts.parent != check.spec.alerts.parent:
        shared_operations.check_parent(call, check.id, after.alerts.parent)
    if after != check.spec:
        check = existing((await call.submit(check.id, CheckChanged(wanted))).check)
    return _taken(call, check)


async def _must_be_new(call: Call, id: Id) -> None:
    """409 for a UUID that something in the log had or has, whatever it was, and be it deleted; but for keys and runs.

    Who had a check must not hand on what its jobs still send, and what was measured of one is not another's.
    """
    if await call.history.entries(id, limit=1):
        raise _not_new()


def _not_new() -> ApiError:
    return ApiError(409, "uuid was in use here before")


def _left(outcome: Outcome) -> Check | None:
    return outcome.check


def _shown(call: Call, check: Check) -> ApiAnswer:
    return json_answer(check_json(check, call.view()))


def _taken(call: Call, check: Check, status: int = 200) -> ApiAnswer:
    """The check as the request has made it, with a warning of what was not understood."""
    shown = check_json(check, call.view())
    shown["warnings"] += ignored(call.body, FIELDS, shown)
    return json_answer(shown, status)
