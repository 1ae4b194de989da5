"""When the next ping is expected: a period, a cron expression, or systemd's OnCalendar.

The engines are `cronsim` and `oncalendar`, the ones the reference server uses, so that schedules agree to the letter,
also at daylight-saving changes. What the engines do not know of these languages is added here (`docs/upstream.md`):
cron in zones whose clocks change by half an hour, names and zones that systemd takes, steps that it refuses. All
instants are integer microseconds since the epoch, UTC.

Time zone rules come from the `zoneinfo` database; a new edition of it can move later deadlines, never past flips,
because an expiry names the log entry that armed it and not only its instant (see `events.CheckExpired`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from msgspec.structs import replace
from oncalendar import BaseIterator, OnCalendarError

from pingmon.core.check.schedule_faults import NAMES, cron_fault, oncalendar_fault
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PROBE: Final = 946_684_800 * SECOND  # 2000-01-01
_MICROSECOND: Final = timedelta(microseconds=1)
_WEEK: Final = 7 * 86_400 * SECOND
"""No zone keeps an offset for less."""

SAME_NAMES: Final = dict.fromkeys(("semi-annually", "biannually", "bi-annually"), "semiannually")
"""Names that systemd knows, and what `oncalendar` calls them."""
NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones, which mean something else on each machine."""
_TIME: Final = ((0, 23), (0, 59), (0, 59))
_DATE_BACKWARDS: Final = ((1, 31), (1, 12), (1970, 2199))
_step: Final = re.compile(r"([0-9]+|\*)/([0-9]+)").fullmatch


class BadSchedule(ValueError):
    """The expression is neither cron nor OnCalendar, or never comes true. The message says which part and why."""


def meaning(expression: str) -> str:
    """The five fields that a name of cron such as `@daily` stands for; any other expression as it is."""
    return NAMES.get(expression.strip(), expression)


def kind_of(expression: str) -> Literal["cron", "oncalendar"]:
    """Which language `expression` is: five fields on one line and cron's names are cron, all else is OnCalendar."""
    one_line = "\n" not in expression.strip()
    return "cron" if one_line and len(meaning(expression).split()) == 5 else "oncalendar"


def validated(expression: str) -> Literal["cron", "oncalendar"]:
    """The kind of a usable expression; `BadSchedule` if it cannot be read or has no occurrence after 2000-01-01."""
    kind = kind_of(expression)
    try:
        found = next_expected(CheckSpec(kind=kind, schedule=expression), _PROBE)
    except CronSimError as error:
        raise BadSchedule(cron_fault(expression)) from error
    except OnCalendarError as error:
        raise BadSchedule(_oncalendar_fault(expression.strip().split("\n"))) from error
    if kind == "oncalendar":
        for line in expression.strip().split("\n"):
            _refuse_what_systemd_refuses(line.split())
    if found is None:
        raise BadSchedule("it never comes true, or not any more since the year 2000")
    return kind


def next_expected(spec: CheckSpec, after: int) -> int | None:
    """The first instant strictly after `after` at which a ping is expected; None if there is none any more."""
    if spec.kind == "simple":
        return after + spec.timeout * SECOND
    zone = _zone(spec.tz)
    if spec.kind == "oncalendar":
        found = [_next_oncalendar(line, after, zone) for line in spec.schedule.strip().split("\n")]
        return min((instant for instant in found if instant is not None), default=None)
    fields = meaning(spec.schedule)
    if any(field.startswith("*") for field in fields.split()[:2]):
        return _next_by_wall_clock(fields, after, zone)
    return _first(CronSim(fields, _moment(after, zone)), after)


def wall_clock(spec: CheckSpec) -> tuple[CheckSpec, str] | None:
    """The schedule as a clock on the wall shows it, which is the same in UTC, and the zone of that clock.

    None for a period, and for lines of OnCalendar that are of several zones.
    """
    if spec.kind == "simple":
        return None
    if spec.kind == "cron":
        return replace(spec, tz="UTC"), spec.tz
    lines = [(words, _own_zone(words)) for words in map(str.split, spec.schedule.strip().split("\n"))]
    zones = {spec.tz if own is None else own.key for _, own in lines}
    if len(zones) > 1:
        return None
    plain = "\n".join(" ".join(words if own is None else words[:-1]) for words, own in lines)
    return replace(spec, schedule=plain, tz="UTC"), zones.pop()


def utc_offset(at: int, tz: str) -> int:
    """By how many microseconds the clocks of the zone `tz` are ahead of UTC at an instant."""
    return _offset(at, _zone(tz)) // _MICROSECOND


def _first(occurrences: Iterator[datetime], after: int) -> int | None:
    # In the hour that the autumn clock change repeats, the engines begin with occurrences of its first pass.
    for occurrence in occurrences:
        instant = (occurrence.astimezone(UTC) - _EPOCH) // _MICROSECOND
        if instant > after:
            return instant
    return None


# --- cron ---------------------------------------------------------------------------------------------------------


def _next_by_wall_clock(expression: str, after: int, zone: tzinfo) -> int | None:
    """The next occurrence of a cron job that runs whenever the wall clock shows its time, at clock changes too.

    The engine steps by whole hours over a change of half an hour and misses what it should have met, so it is only
    asked about stretches in which the clock is not changed.
    """
    stretch = after
    while True:
        found = _first(CronSim(expression, _moment(after, timezone(_offset(stretch, zone)))), after)
        changed = None if found is None else _clock_change(stretch, found, zone)
        if changed is None:
            return found
        stretch, after = changed, changed - 1


def _clock_change(after: int, until: int, zone: tzinfo) -> int | None:
    """The first whole second in (`after`, `until`] at which the zone's clock is changed; None if there is none."""
    offset = _offset(after, zone)
    while after < until:
        later = min(after + _WEEK, until)
        if _offset(later, zone) != offset:
            break
        after = later
    else:
        return None
    while later - after > SECOND:
        middle = (after + later) // 2
        after, later = (middle, later) if _offset(middle, zone) == offset else (after, middle)
    return later // SECOND * SECOND


# --- OnCalendar ---------------------------------------------------------------------------------------------------


def _next_oncalendar(line: str, after: int, zone: tzinfo) -> int | None:
    words = line.split()
    own = _own_zone(words)
    expression = " ".join(words if own is None else words[:-1])
    moment = _moment(after, own or zone)
    return _first(BaseIterator(SAME_NAMES.get(expression.lower(), expression), moment), after)


def _oncalendar_fault(lines: list[str]) -> str:
    """What is wrong with the first of `lines` that the engine refuses."""
    number, words = next((at, line.split()) for at, line in enumerate(lines, 1) if not _readable(line))
    own = _own_zone(words)
    fault = oncalendar_fault(words, None) if own is None else oncalendar_fault(words[:-1], words[-1])
    return fault if len(lines) == 1 else f"line {number}: {fault}"


def _readable(line: str) -> bool:
    try:
        _next_oncalendar(line, _PROBE, UTC)
    except OnCalendarError:
        return False
    return True


def _own_zone(words: list[str]) -> ZoneInfo | None:
    """The zone at the end of an OnCalendar expression, if there is one."""
    return _zone_named(words[-1]) if len(words) > 1 else None


def _refuse_what_systemd_refuses(words: list[str]) -> None:
    """`BadSchedule` for steps that lead nowhere (`*:0/90`, `*-*~5/5`) and for zones that are none."""
    if words and words[-1] in NO_ZONES:
        raise BadSchedule(f"{words[-1]} is no time zone")
    for word in words:
        parts = word.split(":") if ":" in word else word.replace("~", "-~").split("-")[::-1]
        for part, (least, most) in zip(parts, _TIME if ":" in word else _DATE_BACKWARDS, strict=False):
            for term in part.removeprefix("~").split(","):
                if (found := _step(term)) is None:
                    continue
                start, step = least if found[1] == "*" else int(found[1]), int(found[2])
                if (start - step < least) if part.startswith("~") else (start + step > most):
                    raise BadSchedule(f"{term} is a step that leads nowhere")


# --- time ---------------------------------------------------------------------------------------------------------


def _moment(at: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def _offset(at: int, zone: tzinfo) -> timedelta:
    return _moment(at, zone).utcoffset() or timedelta()


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def _zone_named(word: str) -> ZoneInfo | None:
    """The zone that ends an OnCalendar expression; None if `word` is something else. systemd takes UTC in any case."""
    try:
        return _zone("UTC" if word.upper() == "UTC" else word)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # a folder of the database; no path; no such zone
        return None
