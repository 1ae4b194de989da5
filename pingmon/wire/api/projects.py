"""Projects and API keys as the API shows and takes them. A key itself is shown in one answer only, when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pingmon.core.world.parts import Key, Members, Project
from pingmon.wire.api.check_fields import FieldRule, Given, Invalid, judged
from pingmon.wire.api.checks import Json
from pingmon.wire.time_texts import seconds_text


def _blank(name: str) -> str | None:
    return None if name.strip() else "is empty"


PROJECT_FIELDS: Final[dict[str, FieldRule]] = {"name": FieldRule(type="string", max_length=100, wrong=_blank)}

KEY_FIELDS: Final[dict[str, FieldRule]] = {"name": FieldRule(type="string", max_length=100)}
"""Fields of an operator's key."""

PROJECT_KEY_FIELDS: Final[dict[str, FieldRule]] = KEY_FIELDS | {"role": FieldRule(type="string", values=("rw", "ro"))}
"""Fields of a project's key; the role is `rw` if nothing is said."""


def project_settings(body: Mapping[str, object], *, new: bool) -> Given:
    """What a request says of a project; a `new` one must have a name. Raises `Invalid`."""
    given = judged(body, PROJECT_FIELDS)
    if new and "name" not in given:
        raise Invalid("json validation error: name is missing")
    return given


def project_json(project: Project, members: Members) -> Json:
    """The JSON object of a project; `checks`, `sites` and `channels` are how many of each it has."""
    return {
        "uuid": project.id,
        "name": project.name,
        "ping_key": project.ping_key,
        "created": seconds_text(project.created),
        "checks": len(members.checks),
        "sites": len(members.sites),
        "channels": len(members.channels),
    }


def key_json(key: Key) -> Json:
    """The JSON object of a key: `prefix` is how it begins, `project` null if it is an operator's."""
    return {
        "uuid": key.id,
        "project": key.project,
        "role": key.role,
        "name": key.name,
        "prefix": key.prefix,
        "created": seconds_text(key.created),
    }
