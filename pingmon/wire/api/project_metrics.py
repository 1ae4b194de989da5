"""A project's checks and sites in Prometheus' text format.

The families `hc_…` and their labels are the reference server's. `pingmon_…` come beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from pingmon.core.check.check import Check, shown_status, watched_since
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.wire.api.checks import unique_key

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

Number: TypeAlias = int | float | None
Family: TypeAlias = tuple[str, str, str]
"""Name, type and help of what is measured."""

CHECK_FAMILIES: Final[dict[Family, Callable[[Check, int], Number]]] = {
    ("hc_check_up", "gauge", "Whether the check is up: 0 if it is down, else 1."): (
        lambda check, now: shown_status(check, now) != "down"
    ),
    ("hc_check_started", "gauge", "Whether the check's job is running."): (
        lambda check, now: watched_since(check.runs) is not None
    ),
    ("hc_check_grace", "gauge", "Whether the check is late, within its grace time."): (
        lambda check, now: shown_status(check, now) == "grace"
    ),
    ("hc_check_paused", "gauge", "Whether the check is paused."): lambda check, now: check.status == "paused",
    ("pingmon_check_pings_total", "counter", "Pings that the check has received."): lambda check, now: check.n_pings,
    ("pingmon_check_last_ping_timestamp_seconds", "gauge", "When the check was last pinged."): (
        lambda check, now: _seconds(check.last_ping)
    ),
    ("pingmon_check_last_success_timestamp_seconds", "gauge", "When the check's job last succeeded."): (
        lambda check, now: _seconds(check.last_success)
    ),
    ("pingmon_check_last_duration_seconds", "gauge", "How long the check's job ran last."): (
        lambda check, now: _seconds(check.last_duration)
    ),
}
SITE_FAMILIES: Final[dict[Family, Callable[[Site], Number]]] = {
    ("pingmon_site_up", "gauge", "Whether the site is up: 0 if it is down, else 1."): lambda site: (
        site.status != "down"
    ),
    ("pingmon_site_unknown", "gauge", "Whether nobody can tell if the site is up."): (
        lambda site: site.status == "unknown"
    ),
    ("pingmon_site_paused", "gauge", "Whether the site is paused."): lambda site: site.status == "paused",
}
TAG_UP: Final[Family] = ("hc_tag_up", "gauge", "Whether all checks with the tag are up: 0 if one is down, else 1.")
TOTAL: Final[Family] = ("hc_checks_total", "gauge", "How many checks there are.")
DOWN: Final[Family] = ("hc_checks_down_total", "gauge", "How many checks are down.")

TAGS: Final = 500
"""Tags that are told of at a time, which takes about half a millisecond."""


class ProjectMetrics:
    """Collects the measurements of a project, a few checks or sites at a time. `now`: microseconds since the epoch."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._lines: dict[Family, list[str]] = {family: [] for family in (*CHECK_FAMILIES, *SITE_FAMILIES)}
        self._total = self._down = 0
        self._tags: dict[str, bool] = {}

    def add_checks(self, checks: Iterable[Check]) -> None:
        """Measure more checks."""
        for check in checks:
            spec, down = check.spec, shown_status(check, self._now) == "down"
            labels = _labels(name=spec.name, tags=spec.tags, unique_key=unique_key(check.id))
            for family, measure in CHECK_FAMILIES.items():
                self._add(family, labels, measure(check, self._now))
            self._total += 1
            self._down += down
            for tag in filter(None, spec.tags.split(" ")):
                self._tags[tag] = self._tags.get(tag, True) and not down

    def add_sites(self, sites: Iterable[Site]) -> None:
        """Measure more sites."""
        for site in sites:
            labels = _labels(name=site.spec.name, tags=site.spec.tags, url=site.spec.url)
            for family, measure in SITE_FAMILIES.items():
                self._add(family, labels, measure(site))

    def text(self) -> Iterator[str]:
        """All that was measured: a part for each family, and one for each `TAGS` tags; a check may have thousands."""
        for family, lines in self._lines.items():
            yield f"{_head(*family)}{''.join(lines)}"
        yield _head(*TAG_UP)
        tags = list(self._tags)
        for start in range(0, len(tags), TAGS):
            found = tags[start : start + TAGS]
            yield "".join([_line(TAG_UP[0], _labels(tag=tag), self._tags[tag]) for tag in found])
        yield f"{_head(*TOTAL)}{_line(TOTAL[0], '', self._total)}{_head(*DOWN)}{_line(DOWN[0], '', self._down)}"

    def _add(self, family: Family, labels: str, value: Number) -> None:
        if value is not None:
            self._lines[family].append(_line(family[0], labels, value))


def _head(name: str, kind: str, help: str) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} {kind}\n"


def _line(name: str, labels: str, value: Number) -> str:
    return f"{name}{labels} {value + 0 if isinstance(value, bool) else value}\n"


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / SECOND
