"""Periods, cron and OnCalendar, with time zones and daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.events import CheckSpec
from pingmon.core.schedule import BadSchedule, kind_of, next_expected, validated
from pingmon.core.times import SECOND


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def after(text: str, schedule: str, tz: str = "UTC") -> list[str]:
    """The next three expected instants after `text`, UTC."""
    spec = CheckSpec(kind=validated(schedule), schedule=schedule, tz=tz)
    found, moment = [], us(text)
    for _ in range(3):
        found_next = next_expected(spec, moment)
        assert found_next is not None
        moment = found_next
        found.append(datetime.fromtimestamp(moment / SECOND, UTC).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("start", "schedule", "expected"),
    [
        ("2026-03-28T12:00", "30 3 * * *", ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"]),
        ("2026-03-28T23:45", "30 * * * *", ["2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30"]),
        ("2026-10-24T12:00", "30 3 * * *", ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"]),
        ("2026-10-24T23:45", "*/30 3 * * *", ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00"]),
    ],
)
def test_cron_in_a_zone_with_daylight_saving_agrees_with_the_reference_server(
    start: str, schedule: str, expected: list[str]
) -> None:
    """A time that does not exist fires once after the gap; one that exists twice fires once; wildcards follow time."""
    assert after(start, schedule, "Europe/Riga") == expected


def test_an_oncalendar_expression_may_carry_its_own_zone() -> None:
    """Its own zone wins over the check's."""
    assert after("2026-01-01T00:00", "*-*-* 12:00 Europe/Riga", "America/New_York")[0] == "2026-01-01T10:00"


def test_several_lines_of_oncalendar_are_a_union() -> None:
    """The earliest of all lines is expected."""
    assert after("2026-01-01T00:00", "12:00\n18:00")[:2] == ["2026-01-01T12:00", "2026-01-01T18:00"]


def test_an_oncalendar_expression_that_has_run_out_expects_nothing_more() -> None:
    """The check stays as it is for ever."""
    spec = CheckSpec(kind="oncalendar", schedule="2019-01-01")
    assert next_expected(spec, us("2018-01-01T00:00")) == us("2019-01-01T00:00")
    assert next_expected(spec, us("2020-01-01T00:00")) is None


@pytest.mark.parametrize("text", ["* * * * *", "0 0 * JAN 7", "0 0 L * *", "0 0 * * MON#2", " 5 4 * * * "])
def test_five_fields_on_one_line_are_cron(text: str) -> None:
    """As the reference server tells the two apart."""
    assert validated(text) == kind_of(text) == "cron"


@pytest.mark.parametrize("text", ["daily", "Mon..Fri 10:00", "*-*~1 12:00", "*:0/15", "12:34:56", "12:00\n13:00"])
def test_everything_else_is_oncalendar(text: str) -> None:
    """Also expressions of several lines."""
    assert validated(text) == kind_of(text) == "oncalendar"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@daily",
        "* * * *",
        "61 * * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
        "*-02-30",
        "1999-01-01",
        "12:00:00.5",
        "nonsense",
    ],
)
def test_what_is_neither_or_never_comes_true_is_refused(text: str) -> None:
    """A schedule without an occurrence after 2000 is a mistake."""
    with pytest.raises(BadSchedule):
        validated(text)


def test_in_the_repeated_hour_what_is_past_is_not_expected_again() -> None:
    """The engines begin with the hour's first pass; a ping in the second one has long met it."""
    assert after("2026-10-25T01:04", "30 3 * * *", "Europe/Riga") == [
        "2026-10-26T01:30",
        "2026-10-27T01:30",
        "2026-10-28T01:30",
    ]


DST_NIGHTS = {"Europe/Riga": "2026-10-25", "America/New_York": "2026-11-01", "Australia/Lord_Howe": "2026-04-04"}


@given(
    tz=st.sampled_from(sorted(DST_NIGHTS)),
    seconds=st.integers(-6 * 3600, 18 * 3600),
    schedule=st.sampled_from(["30 3 * * *", "30 1 * * *", "*/10 * * * *", "*:0/10", "03:30", "01:30", "hourly"]),
)
def test_the_next_occurrence_is_later_also_in_the_night_the_clock_is_set_back(
    tz: str, seconds: int, schedule: str
) -> None:
    """In the repeated hour, too: what is past must not be expected, or a good ping would be followed by an alarm."""
    last = us(f"{DST_NIGHTS[tz]}T00:00") + seconds * SECOND
    spec = CheckSpec(kind=validated(schedule), schedule=schedule, tz=tz)
    found = next_expected(spec, last)
    assert found is not None
    assert last < found <= last + 26 * 3600 * SECOND


@given(last=st.integers(0, 4_000_000_000), timeout=st.integers(60, 31_536_000))
def test_a_period_is_added_to_the_last_ping(last: int, timeout: int) -> None:
    """Simple schedules know no calendar."""
    assert next_expected(CheckSpec(timeout=timeout), last * SECOND) == (last + timeout) * SECOND


@given(
    last=st.integers(1_000_000_000_000_000, 3_000_000_000_000_000),
    schedule=st.sampled_from(["*/7 * * * *", "30 3 * * *", "0 0 * * 0", "hourly", "Mon 09:00"]),
    tz=st.sampled_from(["UTC", "Europe/Riga", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_the_next_occurrence_is_later_and_holds_for_every_ping_before_it(last: int, schedule: str, tz: str) -> None:
    """Strictly after the ping; and a ping anywhere before the occurrence expects the same one."""
    spec = CheckSpec(kind=validated(schedule), schedule=schedule, tz=tz)
    found = next_expected(spec, last)
    assert found is not None
    assert found > last
    assert next_expected(spec, found - 1) == found
