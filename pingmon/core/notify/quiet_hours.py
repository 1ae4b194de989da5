"""Hours in which a channel is not told: `22:00-07:00`, `mon-fri 22:00-07:00; sat,sun 00:00-24:00`.

Parts are separated by semicolons. One has days (all of them if it names none), and from when to when it is quiet, by
the clock of a time zone. If it ends no later than it begins, it ends on the next day; days are those of its begin.

A clock that is set back shows some times twice: it is quiet from the first of the one to the last of the other. A time
that a clock leaves out, as it is set forward, is as much later.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from pingmon.core.units import MINUTE, SECOND

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PARTS_MAX: Final = 14

_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
_PART: Final = re.compile(r"(?:([a-z,-]+) +)?([0-9]{1,2}):([0-9]{2}) *- *([0-9]{1,2}):([0-9]{2})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadQuietHours(ValueError):
    """It says no hours. The message says why, in words for users."""


class QuietSpan(Struct, frozen=True):
    """Quiet hours that begin on each of `days` (0 is Monday), at the minute `start`, and last for some `minutes`."""

    days: tuple[int, ...]
    start: int
    minutes: int


@lru_cache(maxsize=1024)
def quiet_spans(text: str) -> tuple[QuietSpan, ...]:
    """What `text` says; nothing if it is empty. Raises `BadQuietHours`."""
    parts = [part.strip() for part in text.strip().lower().split(";")] if text.strip() else []
    if len(parts) > PARTS_MAX:
        raise BadQuietHours(f"has more than {PARTS_MAX} parts")
    spans = tuple(map(_span, parts))
    if _longest(spans) >= _WEEK:
        raise BadQuietHours("leaves no time in which anybody is told")
    return spans


def longest_quiet(text: str) -> int:
    """The longest time that is quiet without a break, by a clock that is not set, in microseconds."""
    return _longest(quiet_spans(text)) * MINUTE


def quiet_until(text: str, zone: str, now: int) -> int | None:
    """Until when it is quiet (microseconds since the epoch); None if it is not quiet at `now`.

    `text` and `zone` are known to be right.
    """
    until = None
    spans, tz = quiet_spans(text), ZoneInfo(zone)
    while (end := _end(spans, tz, now if until is None else until)) is not None:
        until = end  # it comes to an end: no hours leave a week without a break
    return until


def _end(spans: tuple[QuietSpan, ...], tz: ZoneInfo, now: int) -> int | None:
    """The latest end of those spans that `now` is in."""
    today = (_EPOCH + timedelta(microseconds=now)).astimezone(tz).date()
    ends = []
    for back in (-1, 0, 1, 2):
        day = today - timedelta(days=back)
        for span in spans:
            if day.weekday() in span.days:
                begin, end = _instant(day, span.start, tz), _last_instant(day, span.start + span.minutes, tz)
                if begin <= now < end:
                    ends.append(end)
    return max(ends, default=None)


def _instant(day: date, minute: int, tz: ZoneInfo, fold: int = 0) -> int:
    days, minute = divmod(minute, _DAY)
    local = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), tz).replace(fold=fold)
    return (local - _EPOCH) // timedelta(seconds=1) * SECOND


def _last_instant(day: date, minute: int, tz: ZoneInfo) -> int:
    return max(_instant(day, minute, tz), _instant(day, minute, tz, fold=1))


def _span(part: str) -> QuietSpan:
    found = _PART.fullmatch(part)
    if found is None:
        raise BadQuietHours(f"has a part that says no hours: {part!r}; write mon-fri 22:00-07:00")
    start, end = (_minute(found[at], found[at + 1]) for at in (2, 4))
    if start == _DAY:
        raise BadQuietHours("begins at 24:00; write 00:00")
    minutes = end - start if end > start else end - start + _DAY
    return QuietSpan(_days(found[1] or "mon-sun"), start, minutes)


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > _DAY:
        raise BadQuietHours(f"has a time that no clock shows: {hours}:{minutes}")
    return minute


def _days(text: str) -> tuple[int, ...]:
    days: set[int] = set()
    for each in text.split(","):
        first, dash, last = each.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise BadQuietHours(f"has a day that is none: {each!r}; the days are {', '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        days.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return tuple(sorted(days))


def _longest(spans: tuple[QuietSpan, ...]) -> int:
    """In minutes; a week or more if it never ends."""
    begun = sorted((day * _DAY + span.start, span.minutes) for span in spans for day in span.days)
    longest, end, since = 0, -1, 0
    for begin, minutes in [*begun, *((begin + _WEEK, minutes) for begin, minutes in begun)]:
        if begin > end:
            since, end = begin, begin + minutes
        else:
            end = max(end, begin + minutes)
        longest = max(longest, end - since)
    return longest
