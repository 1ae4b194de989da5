"""When a maintenance window is open, and for whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.notify.maintenance import RUNS_MAX, WindowSpec, covers, next_opening, open_until
from pingmon.core.units import HOUR, MINUTE, SECOND


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


NIGHTLY = WindowSpec(kind="cron", schedule="0 2 * * *", tz="Europe/Berlin", duration=7200)


@pytest.mark.parametrize(
    ("spec", "covered"),
    [
        ({}, True),
        ({"subjects": ("c1",)}, True),
        ({"subjects": ("c2",)}, False),
        ({"tags": "db web"}, True),
        ({"tags": "web"}, False),
        ({"tags": "web", "subjects": ("c1",)}, True),
    ],
)
def test_a_window_is_for_those_that_it_names_for_a_tag_or_for_the_project(spec: dict[str, Any], covered: bool) -> None:
    assert covers(WindowSpec(**spec), "c1", "db prod") is covered


@given(start=st.integers(1, 10**6), lasts=st.integers(1, 10**6), now=st.integers(0, 3 * 10**6))
def test_a_window_that_opens_once_is_open_from_its_start_until_its_end(start: int, lasts: int, now: int) -> None:
    spec = WindowSpec(start=start, end=start + lasts)
    assert open_until(spec, now) == (start + lasts if start <= now < start + lasts else None)
    assert next_opening(spec, now) == (start if now < start else None)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-10T00:59:59", None),
        ("2026-01-10T01:00:00", "2026-01-10T03:00:00"),
        ("2026-01-10T02:59:59", "2026-01-10T03:00:00"),
        ("2026-01-10T03:00:00", None),
        ("2026-07-10T00:00:00", "2026-07-10T02:00:00"),
    ],
)
def test_one_that_comes_again_opens_at_each_occurrence_by_the_clocks_of_its_zone(now: str, until: str | None) -> None:
    assert open_until(NIGHTLY, at(now)) == (None if until is None else at(until))


def test_the_next_opening_is_the_next_occurrence() -> None:
    assert next_opening(NIGHTLY, at("2026-01-10T01:00:00")) == at("2026-01-11T01:00:00")
    calendar = WindowSpec(kind="oncalendar", schedule="Sat 2026-01-10 04:00", tz="UTC")
    assert next_opening(calendar, at("2026-01-10T00:00:00")) == at("2026-01-10T04:00:00")
    assert open_until(calendar, at("2026-02-10T00:00:00")) is None


def test_windows_that_overlap_are_one_as_far_as_one_looks() -> None:
    """One that never closes is looked at again and again."""
    spec = WindowSpec(kind="cron", schedule="0 1,2 * * *", duration=5400)
    assert open_until(spec, at("2026-01-10T01:10:00")) == at("2026-01-10T03:30:00")
    endless = WindowSpec(kind="cron", schedule="* * * * *", duration=3600)
    assert open_until(endless, at("2026-01-10T01:10:30")) == at("2026-01-10T01:11:00") + RUNS_MAX * MINUTE
    assert open_until(WindowSpec(kind="oncalendar", schedule="2026-01-10 01:00"), at("2026-01-10T01:30")) == at(
        "2026-01-10T02:00"
    )


@given(hours=st.integers(0, 24 * 365), lasts=st.integers(60, 20 * 3600))
def test_an_open_window_has_opened_at_most_so_long_ago_as_it_lasts(hours: int, lasts: int) -> None:
    spec = WindowSpec(kind="cron", schedule="30 3 * * *", tz="America/New_York", duration=lasts)
    now = at("2026-01-01T00:00:00") + hours * HOUR
    until = open_until(spec, now)
    opened = next_opening(spec, now - lasts * SECOND)
    assert opened is not None
    assert until == (opened + lasts * SECOND if opened <= now else None)
