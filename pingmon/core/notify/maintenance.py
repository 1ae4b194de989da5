"""Maintenance windows: times in which an outage is expected, and people are told of it only if it outlasts them.

A window is for some checks and sites, for all that have one of its tags, or for its whole project. It is open once,
from `start` to `end`, or for `duration` from every occurrence of a schedule on.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from pingmon.core.changes import applied
from pingmon.core.check.schedule import next_expected
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import SECOND, Id

Recurrence: TypeAlias = Literal["once", "cron", "oncalendar"]

RUNS_MAX: Final = 8
"""Occurrences that overlap and are taken as one; where more do, what waits is looked at again in between."""


class WindowSpec(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """What a user chose. `start` and `end` are microseconds since the epoch, `duration` is in seconds.

    `subjects` are ids of checks and sites, `tags` are separated by spaces; without any of both it is for the project.
    """

    name: str = ""
    subjects: tuple[Id, ...] = ()
    tags: str = ""
    kind: Recurrence = "once"
    start: int = 0
    end: int = 0
    schedule: str = ""
    tz: str = "UTC"
    duration: int = 3600


class WindowChanges(Struct, frozen=True, omit_defaults=True, gc=False, kw_only=True):
    """The fields of a `WindowSpec` that an update sets; the others stay as they are."""

    name: str | UnsetType = UNSET
    subjects: tuple[Id, ...] | UnsetType = UNSET
    tags: str | UnsetType = UNSET
    kind: Recurrence | UnsetType = UNSET
    start: int | UnsetType = UNSET
    end: int | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    tz: str | UnsetType = UNSET
    duration: int | UnsetType = UNSET

    def applied_to(self, spec: WindowSpec) -> WindowSpec:
        """`spec` with these changes."""
        return applied(self, spec)


class MaintenanceWindow(Struct, frozen=True, omit_defaults=True, gc=False):
    """A maintenance window as the log has made it."""

    id: Id
    project: Id
    spec: WindowSpec
    born: int
    created: int


def covers(spec: WindowSpec, id: Id, tags: str) -> bool:
    """Whether the window is for the check or site with this id and these tags."""
    if not spec.subjects and not spec.tags:
        return True
    return id in spec.subjects or not set(spec.tags.split()).isdisjoint(tags.split())


def open_until(spec: WindowSpec, now: int) -> int | None:
    """When the window that is open at `now` closes; None if it is closed. Those that overlap are one."""
    if spec.kind == "once":
        return spec.end if spec.start <= now < spec.end else None
    schedule, lasts = _schedule(spec), spec.duration * SECOND
    opens = next_expected(schedule, now - lasts)
    if opens is None or opens > now:
        return None
    closes = opens + lasts
    for _ in range(RUNS_MAX):
        opens = next_expected(schedule, opens)
        if opens is None or opens > closes:
            break
        closes = opens + lasts
    return closes


def next_opening(spec: WindowSpec, now: int) -> int | None:
    """When the window opens next, after `now`; None if it does not."""
    if spec.kind == "once":
        return spec.start if now < spec.start < spec.end else None
    return next_expected(_schedule(spec), now)


def _schedule(spec: WindowSpec) -> CheckSpec:
    return CheckSpec(kind="cron" if spec.kind == "cron" else "oncalendar", schedule=spec.schedule, tz=spec.tz)
