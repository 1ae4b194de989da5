"""Periods, cron and OnCalendar, with time zones and daylight saving."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.schedule import BadSchedule, kind_of, meaning, next_expected, validated
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import SECOND


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
    ("name", "fields", "systemd"),
    [
        ("@hourly", "0 * * * *", "hourly"),
        ("@daily", "0 0 * * *", "daily"),
        ("@midnight", "0 0 * * *", "daily"),
        (" @weekly ", "0 0 * * 0", "Sun"),
        ("@monthly", "0 0 1 * *", "monthly"),
        ("@yearly", "0 0 1 1 *", "yearly"),
        ("@annually", "0 0 1 1 *", "annually"),
    ],
)
def test_names_of_cron_mean_five_fields(name: str, fields: str, systemd: str) -> None:
    """They are cron, and expected when their five fields are, and when systemd's words for the same are."""
    assert validated(name) == kind_of(name) == "cron"
    assert meaning(name) == meaning(fields) == fields
    start = "2026-03-01T12:34"
    assert (
        after(start, name, "Europe/Riga") == after(start, fields, "Europe/Riga") == after(start, systemd, "Europe/Riga")
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@reboot",
        "* * * *",
        "61 * * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
        "*-02-30",
        "1999-01-01",
        "12:00:00.5",
        "nonsense",
        "Mon 2024-02-29",
        "*:0/90",
        "05:40/20",
        "12:0/30,45/20",
        "*-*~5/5",
        "*-*-*/40",
        "*-12/1-1",
        "2198/5-1-1",
        "12:00 localtime",
        "12:00 Europe",
        "12:00 ../UTC",
        "12:00 UTC UTC",
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


CLOCK_CHANGES = {
    "Australia/Lord_Howe": ("2026-04-04T12:00", "2026-10-03T12:00"),  # by half an hour
    "Antarctica/Troll": ("2026-03-28T22:00", "2026-10-24T22:00"),  # by two hours
    "Europe/Riga": ("2026-03-28T22:00", "2026-10-24T22:00"),
    "America/St_Johns": ("2026-03-08T03:00", "2026-11-01T02:00"),
}
BY_WALL_CLOCK: dict[str, Callable[[datetime], bool]] = {
    "*/15 * * * *": lambda wall: wall.minute % 15 == 0,
    "*/10 2 * * *": lambda wall: wall.minute % 10 == 0 and wall.hour == 2,
    "5 */2 * * *": lambda wall: wall.minute == 5 and wall.hour % 2 == 0,
    "45 * * * *": lambda wall: wall.minute == 45,
    "* 3 * * *": lambda wall: wall.hour == 3,
    "*/20 1-3 * * SUN": lambda wall: wall.minute % 20 == 0 and 1 <= wall.hour <= 3 and wall.weekday() == 6,
}


@given(
    tz=st.sampled_from(sorted(CLOCK_CHANGES)),
    night=st.integers(0, 1),
    seconds=st.integers(0, 12 * 3600),
    schedule=st.sampled_from(sorted(BY_WALL_CLOCK)),
)
def test_cron_with_wildcards_runs_whenever_the_wall_clock_shows_its_time(
    tz: str, night: int, seconds: int, schedule: str
) -> None:
    """Also in zones whose clocks are changed by half an hour, and from any second of such a night."""
    after = us(CLOCK_CHANGES[tz][night]) + seconds * SECOND
    minute = datetime.fromtimestamp(after // SECOND // 60 * 60, UTC)
    while True:
        minute += timedelta(minutes=1)
        if BY_WALL_CLOCK[schedule](minute.astimezone(ZoneInfo(tz))):
            break
    spec = CheckSpec(kind="cron", schedule=schedule, tz=tz)
    assert next_expected(spec, after) == round(minute.timestamp()) * SECOND


def test_a_rare_cron_job_is_found_beyond_many_clock_changes() -> None:
    """Leap days: eight years lie between two of them around 2100, and sixteen clock changes."""
    assert after("2096-03-01T00:00", "*/30 0 29 2 *", "Europe/Riga")[0] == "2104-02-28T22:00"


@pytest.mark.parametrize("name", ["semi-annually", "biannually", "Bi-Annually", "semiannually"])
def test_half_years_have_all_the_names_that_systemd_knows(name: str) -> None:
    assert after("2026-01-01T00:00", name)[:2] == ["2026-07-01T00:00", "2027-01-01T00:00"]


@pytest.mark.parametrize("zone", ["UTC", "utc", "Utc"])
def test_utc_may_be_written_in_any_case(zone: str) -> None:
    """As systemd takes it; other zones are spelled as the database spells them."""
    assert after("2026-01-01T00:00", f"12:00 {zone}", "Europe/Riga")[0] == "2026-01-01T12:00"


@pytest.mark.parametrize("schedule", ["12:00 localtime", "*:0/90", "*-*~5/5"])
def test_a_schedule_that_an_older_version_took_still_has_occurrences(schedule: str) -> None:
    """What is refused today may stand in a log; folding it must not fail."""
    assert next_expected(CheckSpec(kind="oncalendar", schedule=schedule), us("2026-01-01T00:00")) is not None


TAKEN_OR_NOT = (
    *("*:0/15", "*:0/59", "*:0/60", "*:0/90", "*:5..20/5", "0/24:00", "22/1:00", "23/1:00", "05:40/20", "*-1/11-1"),
    *(
        "*-1/12-1",
        "*-*-29/5",
        "*-*-26/5",
        "*-*~6/5",
        "*-*~5/5",
        "*-*~28/27",
        "*~2",
        "2026/5-1-1",
        "*:*:*/70",
        "Mon-Fri",
    ),
    *("semi-annually", "bi-annually", "half-yearly", "Weekly", "12:00 utc", "12:00 europe/riga", "Sun..Tue 10:00"),
    *("12:0/30,45/20", "*-*-1~3", "*-2-30", "2026-*-1,5 11:12:13", "Sat,Sun 12:00 Europe/Riga", "*-*-* 10:00:30"),
)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="compares with systemd, which is not installed")
@pytest.mark.parametrize("schedule", TAKEN_OR_NOT)
def test_oncalendar_agrees_with_systemd(schedule: str) -> None:
    """What systemd refuses is refused, and what it takes has the same first occurrence."""
    command = ["systemd-analyze", "calendar", "--base-time=2026-01-01 00:00:00 UTC", "--", schedule]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=False, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    )
    times = re.findall(r"(?:Next elapse|\(in UTC\)): \w+ (\S+ \S+):\d\d UTC", said.stdout)
    if said.returncode:
        with pytest.raises(BadSchedule):
            validated(schedule)
    elif times:
        assert after("2026-01-01T00:00", schedule)[0] == times[-1].replace(" ", "T")
    else:
        with pytest.raises(BadSchedule):
            validated(schedule)
