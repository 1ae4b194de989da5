"""The checks that jobs would need, whatever starts these: cron or systemd. Nothing is opened or asked here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from pingmon.cli.project_file import Item, completed, written
from pingmon.core.check.settings import CheckSpec
from pingmon.wire.api.check_fields import SLUG_MAX, changes, judged, slugify

_NOT_IN_SLUGS: Final = re.compile(r"[^A-Za-z0-9_-]+")
NAME_MAX: Final = 100


class JobCheck(Struct, frozen=True):
    """A check for one job. `where` says which: a line or a unit; `fields` are the API's."""

    where: str
    fields: dict[str, Any]

    @property
    def slug(self) -> str:
        """By what pings name it."""
        return str(self.fields["slug"])


Expected: TypeAlias = tuple[object, ...]
"""When a check expects pings: its schedule, zone and timeout."""


def expected(fields: Mapping[str, Any]) -> Expected:
    """When a check with these fields of the API expects pings."""
    return tuple(fields.get(name) for name in ("schedule", "tz", "timeout"))


class Names:
    """Names and slugs for checks, each given once. `host` is part of them, unless it is empty.

    `used` are taken. `there` are checks that exist: one is the job's if it expects pings when the job runs; another job
    gets another slug, for of two jobs with one check neither would be missed.
    """

    def __init__(self, host: str, used: Iterable[str] = (), there: Mapping[str, Expected] | None = None) -> None:
        self._host = host
        self._used = set(used)
        self._there = there or {}

    def fields(self, job: str, when: Expected) -> dict[str, Any]:
        """The name, slug and tags of the check of a job that is called so, and runs then."""
        dashed = _NOT_IN_SLUGS.sub("-", f"{self._host}-{job}" if self._host else job)
        stem = slugify(dashed)[: SLUG_MAX - 5] or "job"
        slug, number = stem, 1
        while slug in self._used or self._there.get(slug, when) != when:
            number += 1
            slug = f"{stem}-{number}"
        self._used.add(slug)
        name = f"{job} on {self._host}" if self._host else job
        shown = f"{name} ({number})" if number > 1 else name
        return {"name": shown[-NAME_MAX:], "slug": slug, **({"tags": self._host} if self._host else {})}


def judge(fields: dict[str, Any], now: int) -> None:
    """Raises `Invalid` if the API would refuse a check with these fields. `now` is in microseconds since the epoch."""
    changes(judged(fields), CheckSpec(), 3, (), now)


def as_file(checks: Iterable[JobCheck]) -> str:
    """The checks as a file for `pingmon apply`."""
    found = (Item("checks", each.slug, "", completed("checks", each.slug, each.fields)) for each in checks)
    return written(found, secrets=False)
