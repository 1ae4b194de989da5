"""Projects and API keys as the API shows and takes them. A key itself is shown in one answer only, when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET

from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.notify.channel import Channel
from pingmon.core.world.events import ProjectAlertRulesChanged
from pingmon.core.world.project import Key, Members, Project
from pingmon.wire.api.check_fields import (
    FIELDS,
    PROJECT_ALERTS,
    FieldRule,
    Given,
    Invalid,
    changes,
    judged,
    remindable,
    steps,
)
from pingmon.wire.api.checks import Json, alerts_changed_json, steps_json
from pingmon.wire.time_texts import seconds_text


def _blank(name: str) -> str | None:
    return None if name.strip() else "is empty"


PROJECT_FIELDS: Final[dict[str, FieldRule]] = {
    "name": FieldRule(type="string", max_length=100, wrong=_blank),
    **PROJECT_ALERTS,
}

PING_KEY_FIELDS: Final[dict[str, FieldRule]] = {"ping_key": FieldRule(type="string", pattern="[A-Za-z0-9_-]{22}")}
"""A ping key that comes from elsewhere. The reference server's have 22 characters; older ones have all these kinds."""

KEY_FIELDS: Final[dict[str, FieldRule]] = {"name": FieldRule(type="string", max_length=100)}
"""Fields of an operator's key."""

DEFAULTS_FIELDS: Final = {name: rule for name, rule in FIELDS.items() if name not in ("name", "slug", "unique")}
"""Fields of a check that a project may have other defaults for."""

NEWEST: Final = 3
"""The version of the API whose rules hold for them."""

PROJECT_KEY_FIELDS: Final[dict[str, FieldRule]] = KEY_FIELDS | {"role": FieldRule(type="string", values=("rw", "ro"))}
"""Fields of a project's key; the role is `rw` if nothing is said."""


def project_settings(body: Mapping[str, object], *, new: bool) -> Given:
    """What a request says of a project; a `new` one must have a name. Raises `Invalid`."""
    given = judged(body, PROJECT_FIELDS)
    if new and "name" not in given:
        raise Invalid("json validation error: name is missing")
    return given


def project_alerts(given: Given, channels: Sequence[Channel]) -> ProjectAlertRulesChanged:
    """What a request says of how a project's outages are told, where checks and sites say nothing. Raises `Invalid`."""
    sets = {name: given[name] for name in PROJECT_ALERTS if name in given}
    remindable(sets.get("remind_every"))
    if "escalation" in sets:
        sets["escalation"] = steps(sets["escalation"], channels)
    return ProjectAlertRulesChanged(**sets)


def defaults_given(body: Mapping[str, object], channels: Sequence[Channel], now: int) -> CheckChanges | None:
    """What a request says of a project's `defaults`, an object with fields of a check; None if nothing.

    Name and slug are not among them: the first ping tells them. Raises `Invalid`.
    """
    if "defaults" not in body:
        return None
    told = body["defaults"]
    if not isinstance(told, dict):
        raise Invalid("json validation error: defaults is not an object")
    return changes(judged(told, DEFAULTS_FIELDS), CheckSpec(), NEWEST, channels, now)


def defaults_json(defaults: CheckChanges) -> Json:
    """The fields of a check that a project's first pings set."""
    told = {name: value for name in DEFAULTS_FIELDS if (value := getattr(defaults, name, UNSET)) is not UNSET}
    if "channels" in told:
        told["channels"] = ",".join(told["channels"])
    return told | ({} if defaults.alerts is UNSET else alerts_changed_json(defaults.alerts))


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
        "defaults": defaults_json(project.defaults),
        "remind_every": project.alerts.remind_every,
        "escalation": steps_json(project.alerts.escalation),
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
        "last_used": seconds_text(key.last_used),
        "expires": seconds_text(key.until),
    }
