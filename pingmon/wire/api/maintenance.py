"""Maintenance windows as the API shows and takes them. Instants are ISO 8601 or Unix time, durations seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pingmon.core.check.schedule import kind_of
from pingmon.core.notify.maintenance import MaintenanceWindow, WindowChanges, WindowSpec, next_opening, open_until
from pingmon.core.units import Id
from pingmon.wire.api.check_fields import FIELDS, FieldRule, Given, Invalid, judged
from pingmon.wire.api.checks import Json
from pingmon.wire.api.timezones import canonical
from pingmon.wire.time_texts import instant, seconds_text

_INSTANT: Final = FieldRule(type="string", max_length=40, wrong=lambda text: None if instant(text) else "is no instant")

WINDOW_FIELDS: Final[dict[str, FieldRule]] = {
    "name": FieldRule(type="string", max_length=100),
    "subjects": FieldRule(type="string", max_length=37 * 1000),
    "tags": FIELDS["tags"],
    "start": _INSTANT,
    "end": _INSTANT,
    "schedule": FIELDS["schedule"],
    "tz": FIELDS["tz"],
    "duration": FieldRule(type="integer", minimum=60, maximum=2_678_400),
}
"""A window is open once (`start`, `end`), or for `duration` from each occurrence of `schedule` on."""


def window_changes(body: Mapping[str, object], spec: WindowSpec, known: Callable[[Id], bool]) -> WindowChanges:
    """What a request changes in a window that has `spec` now; `known`: whether the project has a check or site.

    Raises `Invalid`, also for what would never be open.
    """
    given = judged(body, WINDOW_FIELDS)
    sets: dict[str, Any] = {name: given[name] for name in ("name", "tags", "schedule", "duration") if name in given}
    sets |= {name: instant(given[name]) for name in ("start", "end") if name in given}
    if "tz" in given:
        sets["tz"] = canonical(given["tz"])
    if "subjects" in given:
        sets["subjects"] = _subjects(given["subjects"], known)
    if "schedule" in given:
        sets["kind"] = kind_of(given["schedule"])
    elif "start" in given or "end" in given:
        sets["kind"] = "once"
    changes = WindowChanges(**sets)
    _check(changes.applied_to(spec), given)
    return changes


def _subjects(told: str, known: Callable[[Id], bool]) -> tuple[Id, ...]:
    ids = tuple(dict.fromkeys(id.lower() for id in told.split(",") if id))
    for id in ids:
        if not known(id):
            raise Invalid(f"json validation error: subjects has an id of no check and no site: {id}")
    return ids


def _check(spec: WindowSpec, given: Given) -> None:
    if spec.kind == "once" and ("schedule" in given or spec.start >= spec.end):
        raise Invalid("json validation error: a window needs start and an end after it, or a schedule")
    if spec.kind != "once" and ("start" in given or "end" in given):
        raise Invalid("json validation error: a window has start and end or a schedule, and not both")


def window_json(window: MaintenanceWindow, now: int) -> Json:
    """The JSON object of a window; `open_until` and `opens` say how it is at `now`."""
    spec = window.spec
    once = spec.kind == "once"
    return {
        "uuid": window.id,
        "name": spec.name,
        "subjects": ",".join(spec.subjects),
        "tags": spec.tags,
        "start": seconds_text(spec.start) if once else None,
        "end": seconds_text(spec.end) if once else None,
        "schedule": None if once else spec.schedule,
        "tz": None if once else spec.tz,
        "duration": None if once else spec.duration,
        "open_until": seconds_text(open_until(spec, now)),
        "opens": seconds_text(next_opening(spec, now)),
    }
