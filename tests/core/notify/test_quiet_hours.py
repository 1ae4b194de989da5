"""When a channel is quiet, and until when, by clocks that are set twice a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.notify.quiet_hours import (
    DAYS,
    PARTS_MAX,
    BadQuietHours,
    QuietSpan,
    longest_quiet,
    quiet_spans,
    quiet_until,
)
from pingmon.core.units import DAY, HOUR, MINUTE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")


def instant(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return (local - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", ()),
        ("22:00-07:00", (QuietSpan((0, 1, 2, 3, 4, 5, 6), 1320, 540),)),
        (" MON-FRI 9:30 - 17:00 ", (QuietSpan((0, 1, 2, 3, 4), 570, 450),)),
        ("sat,sun 00:00-24:00", (QuietSpan((5, 6), 0, 1440),)),
        ("fri-mon 12:00-12:00", (QuietSpan((0, 4, 5, 6), 720, 1440),)),
        ("mon 1:00-2:00; tue 2:00-3:00", (QuietSpan((0,), 60, 60), QuietSpan((1,), 120, 60))),
    ],
)
def test_hours_are_read_from_text(text: str, spans: tuple[QuietSpan, ...]) -> None:
    assert quiet_spans(text) == spans


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("night", "has a part that says no hours: 'night'; write mon-fri 22:00-07:00"),
        ("22:00-07:00;", "has a part that says no hours: ''; write mon-fri 22:00-07:00"),
        ("25:00-07:00", "has a time that no clock shows: 25:00"),
        ("22:00-07:60", "has a time that no clock shows: 07:60"),
        ("24:00-07:00", "begins at 24:00; write 00:00"),
        ("noday 22:00-07:00", "has a day that is none: 'noday'; the days are mon, tue, wed, thu, fri, sat, sun"),
        ("mon-x 22:00-07:00", "has a day that is none: 'mon-x'; the days are mon, tue, wed, thu, fri, sat, sun"),
        ("00:00-24:00", "leaves no time in which anybody is told"),
        ("00:00-12:00; 12:00-00:00", "leaves no time in which anybody is told"),
        ("; ".join(["01:00-02:00"] * (PARTS_MAX + 1)), f"has more than {PARTS_MAX} parts"),
    ],
)
def test_what_says_no_hours_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(BadQuietHours) as refused:
        quiet_spans(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("text", "now", "until"),
    [
        ("22:00-07:00", "2026-01-05T21:59:59", None),
        ("22:00-07:00", "2026-01-05T22:00", "2026-01-06T07:00"),
        ("22:00-07:00", "2026-01-06T06:59:59", "2026-01-06T07:00"),
        ("22:00-07:00", "2026-01-06T07:00", None),
        ("fri 22:00-07:00", "2026-01-10T06:00", "2026-01-10T07:00"),
        ("fri 22:00-07:00", "2026-01-09T06:00", None),
        ("mon-fri 20:00-08:00; sat,sun 00:00-24:00", "2026-01-09T21:00", "2026-01-12T00:00"),
        ("22:00-07:00", "2026-03-28T23:00", "2026-03-29T07:00"),
        ("22:00-02:30", "2026-03-28T23:00", "2026-03-29T03:30"),
        ("02:30-04:00", "2026-03-29T03:15", None),
        ("02:30-04:00", "2026-03-29T03:45", "2026-03-29T04:00"),
    ],
)
def test_until_when_it_is_quiet_in_berlin(text: str, now: str, until: str | None) -> None:
    assert quiet_until(text, "Europe/Berlin", instant(now)) == (None if until is None else instant(until))


def test_a_night_in_which_the_clock_is_set_back_is_quiet_to_its_last_end() -> None:
    """Half past two comes twice."""
    first, last = (instant("2026-10-25T02:30", fold=fold) for fold in (0, 1))
    assert last - first == HOUR
    assert quiet_until("22:00-02:30", "Europe/Berlin", first) == last
    assert quiet_until("22:00-02:30", "Europe/Berlin", last) is None
    assert quiet_until("02:30-04:00", "Europe/Berlin", first) == instant("2026-10-25T04:00")


TIMES = st.builds(lambda minute: f"{minute // 60:02}:{minute % 60:02}", st.integers(0, 1439))
PARTS = st.builds(
    lambda days, begin, end: f"{','.join(days)} {begin}-{end}",
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=5, unique=True),
    TIMES,
    TIMES,
)
HOURS = st.lists(PARTS, min_size=1, max_size=3).map("; ".join).filter(lambda text: _is_right(text))
NOW = st.integers(instant("2009-06-01T00:00"), instant("2030-01-01T00:00"))
CHANGES = [
    instant(text) + 12 * HOUR
    for text in ("2026-03-29T00:00", "2026-10-25T00:00", "2026-03-08T00:00", "2026-04-05T00:00")
]
NEAR = st.builds(lambda change, by: change + by, st.sampled_from(CHANGES), st.integers(-2 * DAY, 2 * DAY))


def _is_right(text: str) -> bool:
    try:
        quiet_spans(text)
    except BadQuietHours:
        return False
    return True


@given(HOURS, st.sampled_from(ZONES), NOW | NEAR, st.floats(0, 0.999))
def test_it_is_quiet_until_it_is_not(text: str, zone: str, now: int, part: float) -> None:
    """So a channel is told at that instant, and not before; and it never is quiet for ever."""
    until = quiet_until(text, zone, now)
    if until is None:
        return
    assert now < until <= now + longest_quiet(text) + 26 * HOUR
    assert quiet_until(text, zone, until) is None
    assert quiet_until(text, zone, now + int((until - now) * part)) == until


@given(HOURS, st.sampled_from(ZONES), NOW | NEAR)
def test_it_is_quiet_when_the_clock_on_the_wall_says_so(text: str, zone: str, now: int) -> None:
    """But for days on which that clock is set."""
    tz = ZoneInfo(zone)
    local = (EPOCH + timedelta(microseconds=now)).astimezone(tz)
    around = [(EPOCH + timedelta(microseconds=now + by * HOUR)).astimezone(tz).utcoffset() for by in range(-50, 27)]
    if len(set(around)) > 1:
        return
    minute = local.hour * 60 + local.minute
    quiet = any(
        (local.weekday() - ago) % 7 in span.days and span.start <= minute + ago * 1440 < span.start + span.minutes
        for span in quiet_spans(text)
        for ago in (0, 1)
    )
    assert (quiet_until(text, zone, now) is not None) == quiet


def test_the_longest_quiet_is_that_of_parts_that_follow_each_other() -> None:
    assert longest_quiet("") == 0
    assert longest_quiet("22:00-07:00") == 9 * HOUR
    assert (
        longest_quiet("fri 20:00-24:00; sat,sun 00:00-24:00; mon 00:00-08:30")
        == 4 * HOUR + 2 * DAY + 8 * HOUR + 30 * MINUTE
    )
