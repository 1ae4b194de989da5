"""The API's keys, for the operator: list, create, revoke. A new key is in the answer to its creation, and nowhere else.

A key that was revoked is answered 401 from the moment in which its revocation is durable.
"""

from __future__ import annotations

from typing import Final

from pingmon.api.api_answer import ApiAnswer, ApiError, existing, json_answer, not_found
from pingmon.api.call import Call
from pingmon.api.credentials import key_created, new_key
from pingmon.api.shared_operations import old_until
from pingmon.core.units import DAEMON, Id
from pingmon.core.world.events import KeyRetired, KeyRevoked, Role
from pingmon.wire.api.check_fields import judged
from pingmon.wire.api.projects import KEY_FIELDS, PROJECT_KEY_FIELDS, key_json

MAX_KEYS: Final = 10_000


async def list_keys(call: Call) -> ApiAnswer:
    """All keys there are, the operator's and those of all projects."""
    return json_answer({"keys": [key_json(key) for key in call.world.keys.values()]})


async def create_operator_key(call: Call) -> ApiAnswer:
    """A new operator's key, shown in this answer."""
    given = judged(call.body, KEY_FIELDS)
    return await _created(call, DAEMON, "operator", given.get("name", ""))


async def revoke_key(call: Call, id: Id) -> ApiAnswer:
    """Revoke a key of any kind for ever; its last state is the answer."""
    key = call.world.keys.get(id)
    if key is None:
        raise not_found()
    return json_answer(key_json(existing((await call.submit(key.project or DAEMON, KeyRevoked(id))).key)))


async def rotate_key(call: Call, id: Id) -> ApiAnswer:
    """A new key in place of this one, shown in this answer; for `overlap` seconds (a day) the old one opens, too."""
    old, until = call.world.keys.get(id), old_until(call)
    if old is None:
        raise not_found()
    stream = old.project or DAEMON
    made = await _created(call, stream, old.role, old.name)
    await call.submit(stream, KeyRetired(id, until) if until else KeyRevoked(id))
    return made


async def list_project_keys(call: Call, id: Id) -> ApiAnswer:
    """The keys of one project."""
    call.any_project(id)
    return json_answer({"keys": [key_json(key) for key in call.world.keys.values() if key.project == id]})


async def create_project_key(call: Call, id: Id) -> ApiAnswer:
    """A new key of a project, shown in this answer."""
    call.any_project(id)
    given = judged(call.body, PROJECT_KEY_FIELDS)
    return await _created(call, id, given.get("role", "rw"), given.get("name", ""))


async def _created(call: Call, stream: Id, role: Role, name: str) -> ApiAnswer:
    # Two requests at once may pass here and make one too many; that harms nobody.
    if len(call.world.keys) >= MAX_KEYS:
        raise ApiError(403, f"too many keys: there may be {MAX_KEYS}")
    text = new_key(role, call.random_bytes)
    made = existing((await call.submit(stream, key_created(text, role, call.random_bytes, name))).key)
    return json_answer(key_json(made) | {"key": text}, 201)
