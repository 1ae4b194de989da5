"""Schedules that are read in another zone than their jobs run in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pingmon.core.check.schedule import next_expected, utc_offset, validated
from pingmon.core.check.settings import CheckSpec
from pingmon.core.check.zone_doctor import EARLY, LATE, LEAST, ZONES, ZoneFinding, zone_finding
from pingmon.core.units import DAY, HOUR, MINUTE, SECOND
from pingmon.core.world.events import Entry, PingReceived, Signal
from pingmon.wire.api.timezones import names
from tests.core.worlds import C1

WINTER = 1_770_000_000 * SECOND
"""2026-02-02 02:40 UTC"""
YEAR_DAYS = [WINTER + half * DAY // 2 for half in range(730)]
LEFT_OUT = {"Etc/GMT+11", "Etc/GMT+12", "Etc/GMT-14", "Pacific/Kiritimati"} | {
    f"Pacific/{place}" for place in ("Midway", "Niue", "Pago_Pago")
}


def spec(schedule: str = "0 5 * * *", tz: str = "UTC", grace: int = 3600) -> CheckSpec:
    return CheckSpec(kind=validated(schedule), schedule=schedule, tz=tz, grace=grace)


def times(schedule: str, tz: str, count: int, after: int = WINTER) -> list[int]:
    """When the job starts by a clock of `tz`, as the schedule's own engine says."""
    found = []
    for _ in range(count):
        due = next_expected(spec(schedule, tz), after)
        assert due is not None
        found.append(after := due)
    return found


def pings(instants: list[int], signal: Signal = "success") -> list[Entry]:
    """Newest first, as they are read."""
    return [Entry(seq, at, C1, PingReceived(signal)) for seq, at in enumerate(instants, 1)][::-1]


def found(schedule: str, runs_in: str, count: int = 9, *, after: int = WINTER, late: int = 0, **own: Any) -> Any:
    """What is found of a job that runs by a clock of `runs_in`, `late` microseconds after its time."""
    instants = [at + late for at in times(schedule, runs_in, count, after)]
    return zone_finding(spec(schedule, **own), pings(instants))


def test_the_commonest_complaint_is_found() -> None:
    """`0 5 * * *` in UTC, and the job runs at 05:00 in Bucharest, a few minutes more or less."""
    instants = [
        at + minutes * MINUTE
        for at, minutes in zip(
            times("0 5 * * *", "Europe/Bucharest", 9, WINTER + 150 * DAY), [0, 3, 10, -5, 1, 0, 2, 4, 1], strict=True
        )
    ]
    finding = zone_finding(spec(), pings(instants))
    assert finding is not None
    assert finding.zone == "UTC"
    assert "Europe/Bucharest" in finding.fits
    assert finding.entries == (9, 8, 7, 6, 5, 4, 3, 2, 1)
    assert (finding.least, finding.most) == (-3 * HOUR - 5 * MINUTE, -2 * HOUR - 50 * MINUTE)


def test_summer_time_tells_zones_apart_that_are_alike_in_winter() -> None:
    """Over a change of the clocks only the zones of the European Union and their like are left."""
    winter = found("0 5 * * *", "Europe/Bucharest", after=WINTER)
    assert {"Europe/Bucharest", "Africa/Johannesburg"} <= set(winter.fits)
    spring = found("0 5 * * *", "Europe/Bucharest", after=WINTER + 50 * DAY, count=14)
    assert spring.fits == ("Europe/Bucharest", "Asia/Beirut")
    assert len(spring.entries) == 14


def test_a_job_whose_time_is_left_out_in_spring_is_no_exception() -> None:
    """At 02:30 in Berlin there is no such time in one night of the year; cron then runs it half an hour later."""
    spring = found("30 2 * * *", "Europe/Berlin", after=WINTER + 50 * DAY, count=14, tz="America/New_York")
    assert spring.fits == ("Europe/Berlin",)
    assert len(spring.entries) == 13


@pytest.mark.parametrize("count", range(LEAST))
def test_two_pings_prove_nothing(count: int) -> None:
    """Nor do many about one time of the schedule."""
    assert found("0 5 * * *", "Asia/Tokyo", count) is None
    once = times("0 5 * * *", "Asia/Tokyo", 1)[0]
    assert zone_finding(spec(), pings([once + minute * MINUTE for minute in range(9)])) is None


def test_pings_on_time_need_no_other_zone() -> None:
    """As late as the grace allows is on time; and once the newest ping is, what was before is over."""
    assert found("0 5 * * *", "UTC") is None
    assert found("0 5 * * *", "Atlantic/Azores", grace=7200) is None
    instants = [*times("0 5 * * *", "Asia/Tokyo", 9), *times("0 5 * * *", "UTC", 1, WINTER + 12 * DAY)]
    assert zone_finding(spec(), pings(instants)) is None


def test_pings_that_keep_to_no_time_prove_nothing() -> None:
    """A job that ends whenever it is done."""
    instants = [at - hours * HOUR for at, hours in zip(times("0 5 * * *", "UTC", 5), [2, 5, 3, 9, 4], strict=True)]
    assert zone_finding(spec(), pings(instants)) is None


def test_a_job_that_takes_long_is_found_by_its_starts_only() -> None:
    """Forty minutes after the full hour fits no zone."""
    starts = times("0 5 * * *", "Asia/Tokyo", 5)
    ends = [at + 40 * MINUTE for at in starts]
    assert zone_finding(spec(), pings(ends)) is None
    both = sorted([*pings(starts, "start"), *pings(ends)], key=lambda entry: entry.at, reverse=True)
    finding = zone_finding(spec(), both)
    assert finding is not None
    assert finding.fits == ("Asia/Tokyo",)


def test_messages_and_ignored_pings_are_no_sign_of_a_run() -> None:
    """A job may say anything at any time."""
    assert zone_finding(spec(), pings(times("0 5 * * *", "Asia/Tokyo", 5), "log")) is None
    assert zone_finding(spec(), pings(times("0 5 * * *", "Asia/Tokyo", 5), "ign")) is None


def test_a_neighbours_zone_is_named_first() -> None:
    """Of those with the same clocks."""
    instants = times("0 5 * * *", "Europe/Madrid", 5)
    finding = zone_finding(spec(), pings(instants), lambda: ["Europe/Madrid", "Asia/Tokyo"])
    assert finding is not None
    assert finding.fits[:2] == ("Europe/Madrid", "Europe/Berlin")


@pytest.mark.parametrize("schedule", ["*-*-* 05:00", "*-*-* 05:00 UTC", "05:00 UTC\n06:10 UTC"])
def test_oncalendar_may_name_its_zone_itself(schedule: str) -> None:
    """Then that one counts."""
    instants = times("*-*-* 05:00", "Asia/Tokyo", 5)
    finding = zone_finding(spec(schedule, tz="UTC" if schedule == "*-*-* 05:00" else "Asia/Tokyo"), pings(instants))
    assert isinstance(finding, ZoneFinding)
    assert (finding.zone, finding.fits) == ("UTC", ("Asia/Tokyo",))


def test_lines_of_several_zones_and_periods_have_no_zone() -> None:
    """So nothing is said."""
    instants = times("0 5 * * *", "Asia/Tokyo", 5)
    assert zone_finding(spec("05:00 UTC\n06:00 Europe/Berlin"), pings(instants)) is None
    assert zone_finding(CheckSpec(timeout=86_400), pings(instants)) is None


def test_a_schedule_that_has_run_out_says_nothing_of_later_pings() -> None:
    """There is no time that they could be meant for."""
    assert zone_finding(spec("2026-02-03 05:00"), pings(times("0 5 * * *", "Asia/Tokyo", 5))) is None


@pytest.mark.parametrize("schedule", ["0 */12 * * *", "0 */6 * * *", "0 */3 * * *", "30 * * * *", "*:0/15"])
def test_a_schedule_that_looks_the_same_when_it_is_shifted_says_nothing(schedule: str) -> None:
    """Two hours early or ten hours late: who knows?"""
    assert found(schedule, "Africa/Johannesburg", tz="UTC", grace=60, late=MINUTE) is None


def test_twice_a_day_is_enough_if_the_times_are_uneven() -> None:
    """Five and nine o'clock cannot be taken for each other."""
    assert found("0 5,9 * * *", "Asia/Tokyo").fits == ("Asia/Tokyo",)


@given(
    runs_in=st.sampled_from(ZONES),
    own=st.sampled_from(sorted(names())),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    late=st.lists(st.integers(-EARLY, LATE), min_size=LEAST, max_size=20),
    day=st.integers(0, 365),
    weekly=st.booleans(),
)
def test_whatever_the_zones_the_one_that_the_job_runs_in_is_found(
    runs_in: str, own: str, hour: int, minute: int, late: list[int], day: int, weekly: bool
) -> None:
    """Unless the pings are on time in the zone of the schedule as well, or clocks differ by a whole day."""
    schedule = f"{minute} {hour} * * {'2' if weekly else '*'}"
    due = times(schedule, runs_in, len(late), WINTER + day * DAY)
    instants = [at + by for at, by in zip(due, late, strict=True)]
    changes = [at for at in instants if len({utc_offset(at + by, runs_in) for by in (-DAY, -HOUR, 0, HOUR)}) > 1]
    shifts = [abs(utc_offset(at, runs_in) - utc_offset(at, own)) for at in instants]
    assume(not changes and min(shifts) > HOUR + LATE + EARLY and DAY - max(shifts) > HOUR + LATE + EARLY)
    finding = zone_finding(spec(schedule, own, grace=3600), pings(instants))
    assert finding is not None
    assert runs_in in finding.fits
    assert len(finding.entries) == len(late)
    for zone in finding.fits:
        assert [utc_offset(at, zone) for at in instants] == [utc_offset(at, runs_in) for at in instants]


@given(own=st.sampled_from(sorted(names())), late=st.lists(st.integers(-EARLY, HOUR), min_size=1, max_size=20))
def test_whoever_is_on_time_hears_nothing(own: str, late: list[int]) -> None:
    """In whatever zone; half a minute past five keeps clear of the nights in which clocks are changed."""
    instants = [at + by for at, by in zip(times("0 15 * * *", own, len(late)), late, strict=True)]
    assert zone_finding(spec("0 15 * * *", own), pings(instants)) is None


@given(
    instants=st.lists(st.integers(WINTER, WINTER + 30 * DAY), max_size=30),
    schedule=st.sampled_from(["* * * * *", "*/7 * * * *", "0 * * * *", "0 */2 * * *", "hourly", "0/2:10"]),
    own=st.sampled_from(ZONES),
)
def test_of_dense_schedules_nothing_is_ever_said(instants: list[int], schedule: str, own: str) -> None:
    """Whatever the pings."""
    assert zone_finding(spec(schedule, own, grace=60), pings(sorted(instants))) is None


@given(instants=st.lists(st.integers(WINTER, WINTER + 9 * DAY), max_size=30), tz=st.sampled_from(ZONES))
def test_what_is_found_rests_on_three_times_of_the_schedule_at_least(instants: list[int], tz: str) -> None:
    """Of random pings too."""
    entries = pings(sorted(instants))
    finding = zone_finding(spec("0 5 * * *", tz, 60), entries)
    if finding is not None:
        assert len(finding.entries) >= LEAST
        assert finding.entries == tuple(sorted(finding.entries, reverse=True))


def test_each_set_of_rules_that_is_kept_today_has_one_zone() -> None:
    """If a new edition of the tz database brings another, one of its zones belongs into the table."""
    known = {tuple(utc_offset(at, zone) for at in YEAR_DAYS) for zone in ZONES}
    unknown = {name for name in names() if tuple(utc_offset(at, name) for at in YEAR_DAYS) not in known}
    assert unknown <= LEFT_OUT
    assert len(set(ZONES)) == len(ZONES)
