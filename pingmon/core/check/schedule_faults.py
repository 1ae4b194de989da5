"""Which part of an expression is no schedule, and why, in words for the person who wrote it.

The engines judge (`core/check/schedule`). What is here is only asked about an expression that they have refused, and
only looks for the part at fault: it puts each part among others that are right, and asks the engines again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import takewhile
from re import compile as pattern
from typing import Final

from cronsim import CronSim, CronSimError
from msgspec import Struct
from oncalendar import BaseIterator, OnCalendarError

NAMES: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""cron's names for a schedule, and the five fields that each stands for (crontab(5))."""

SHOWN_MAX: Final = 40
"""Characters of an expression that a sentence repeats."""
_TOO_FEW: Final = ("one field", "two fields", "three fields", "four fields")
_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MONTHS: Final = frozenset(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"])
_DAYS: Final = frozenset(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])
_LONG_DAYS: Final = frozenset(["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"])
_FOREIGN: Final = {"?": "`?` is not cron's, write `*`", "H": "`H` is Jenkins's, write a number"}
_like_cron: Final = pattern(r"[0-9*?][0-9*?,/LlWw-]*|[Ll][Ww]?|[A-Za-z]{3}([,-][A-Za-z]{3})*").fullmatch
_like_zone: Final = pattern(r"[A-Za-z]+/.+").fullmatch
_like_date: Final = pattern(r"[0-9*][0-9*,./]*[-~].*").fullmatch


class _Part(Struct, frozen=True):
    """A part of a schedule: `frame` is an expression with a gap for it, in which all else is right.

    Its values are the numbers from `least` to `most`, and `names`, which a sentence calls `named`.
    """

    name: str
    frame: str
    least: int = 0
    most: int = 0
    names: frozenset[str] = frozenset()
    named: str = ""


_CRON: Final = (
    _Part("minute", "{} * * * *", 0, 59),
    _Part("hour", "* {} * * *", 0, 23),
    _Part("day of month", "* * {} * *", 1, 31),
    _Part("month", "* * * {} *", 1, 12, _MONTHS, " or JAN to DEC"),
    _Part("day of week", "* * * * {}", 0, 7, _DAYS, " or SUN to SAT"),
)
_WEEKDAY: Final = _Part("", "{}", names=_DAYS | _LONG_DAYS)
_YEAR, _MONTH, _DAY = (
    _Part("year", "{}-*-*", 1970, 2199),
    _Part("month", "*-{}-*", 1, 12),
    _Part("day", "*-*-{}", 1, 31),
)
_FROM_LAST: Final = _Part("day before the end of the month", "*-*~{}", 1, 28)
_TIME: Final = (_Part("hour", "{}:0", 0, 23), _Part("minute", "0:{}", 0, 59), _Part("second", "0:0:{}", 0, 59))


def cron_fault(expression: str) -> str:
    """What is wrong with five fields that the engine refuses."""
    fields = zip(_CRON, expression.split(), strict=True)
    found = _first(_part_fault(part, text, "-", _cron_takes) for part, text in fields)
    return found or "day of month: no month that is meant has such a day"


def oncalendar_fault(words: list[str], zone: str | None) -> str:
    """What is wrong with a line that is not cron and that the engine for OnCalendar refuses; `zone` is taken off it."""
    if not words:
        return "it is empty"
    if words[0] in NAMES:
        return _no_zone(zone) if zone is not None else f"{words[0]} stands alone, on one line"
    if words[0].startswith("@"):
        return f"{_shown(words[0])} is none of the names: {', '.join(NAMES)}"
    if len(words) == 1 and words[0].isdigit():
        return f"{_shown(words[0])} is a number: for a period in seconds send `timeout`"
    fields = list(takewhile(_like_cron, words))
    if len(fields) > 2 or any(field == "*" or field.startswith("*/") for field in fields):
        return _count_fault(words, len(fields), zone)
    return _first(_word_faults(words)) or "the order is weekday, date, time, time zone, each at most once"


def _count_fault(words: list[str], fields: int, zone: str | None) -> str:
    """What is wrong with words of which the first `fields` look like cron's, but are not five in all."""
    if fields == 5 and zone is not None:
        return _no_zone(zone)
    if fields == 5 and len(words) == 5:
        return "cron stands alone, on one line"
    if fields == 5:
        return f"{_shown(' '.join(words[5:]))}: cron's five fields are all there is, without a command"
    if len(words) < 5:
        return f"{_TOO_FEW[len(words) - 1]}: cron has five: minute, hour, day of month, month, day of week"
    if len(words) == 6:
        return "six fields: cron has five; for seconds use OnCalendar, `09:59:59`"
    return f"{len(words)} fields: cron has five; for seconds and years use OnCalendar, `2027-01-31 09:59:59`"


def _no_zone(zone: str) -> str:
    return f"cron takes no time zone: send {_shown(zone)} as `tz`"


def _word_faults(words: list[str]) -> Iterable[str | None]:
    """What is wrong with each word of OnCalendar, judged by itself."""
    for word in words:
        if ":" in word and "-" in word:
            yield f"{_shown(word)}: a space stands between date and time"
        elif ":" in word:
            yield _time_fault(word)
        elif _like_date(word):
            yield _date_fault(word)
        elif _like_zone(word) and word.partition("/")[0].upper() not in _WEEKDAY.names:
            yield _zone_fault(word, words)
        else:
            yield _part_fault(_WEEKDAY, word.replace("-", ".."), "..", _oncalendar_takes)


def _zone_fault(word: str, words: list[str]) -> str | None:
    """Zones that there are were taken off the end, so what stands there is none."""
    if len(words) == 1:
        return f"{_shown(word)}: a weekday, date or time is missing"
    return f"{_shown(word)} is no time zone" if word == words[-1] else None


def _time_fault(word: str) -> str | None:
    parts = word.split(":")
    if len(parts) > len(_TIME):
        return f"time: {_shown(word)} is not hours:minutes or hours:minutes:seconds"
    return _first(_part_fault(part, text, "..", _oncalendar_takes) for part, text in zip(_TIME, parts, strict=False))


def _date_fault(word: str) -> str | None:
    date, reverse, last = word.partition("~")
    parts = date.split("-") if not reverse else [*date.split("-"), last]
    if len(parts) not in (2, 3):
        return f"date: {_shown(word)} is not month-day or year-month-day"
    frames = (_YEAR, _MONTH, _FROM_LAST if reverse else _DAY)[-len(parts) :]
    return _first(_part_fault(part, text, "..", _oncalendar_takes) for part, text in zip(frames, parts, strict=True))


# --- one part -----------------------------------------------------------------------------------------------------


def _part_fault(part: _Part, text: str, to: str, takes: Callable[[str], bool]) -> str | None:
    """The first term of a list in `part` that the engine refuses, and why; ranges are written with `to`."""
    if takes(part.frame.format(text)):
        return None
    terms = text.split(",")
    refused = next((term for term in terms if not takes(part.frame.format(term))), text)
    fault = _term_fault(part, refused, to)
    return f"{part.name}: {fault}" if part.name else fault


def _term_fault(part: _Part, term: str, to: str) -> str:
    base, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step)):
        return f"the step {_shown(step)} is not a whole number above 0"
    if term.upper() in _FOREIGN:
        return _FOREIGN[term.upper()]
    ends = base.split(to, 1)
    if base == "*" and to == "..":
        return f"`*` stands alone, write {part.least}/{step}"
    if (wrong := next((end for end in ends if not _known(part, end)), None)) is not None:
        return _value_fault(part, wrong)
    if len(ends) > 1:
        return f"{_shown(base)} ends before it begins"
    return f"{_shown(term)} cannot be read"


def _known(part: _Part, value: str) -> bool:
    number = value.isascii() and value.isdigit() and part.least <= int(value) <= part.most
    return number or value.upper() in part.names


def _value_fault(part: _Part, value: str) -> str:
    if not value:
        return "a value is missing"
    if part is _WEEKDAY:
        return f"{_shown(value)} is no weekday, date, time or time zone"
    fraction = part is _TIME[2] and "." in value and value.replace(".", "", 1).isdigit()
    allowed = "a whole number" if fraction else f"within {part.least} to {part.most}{part.named}"
    return f"{_shown(value)} is not {allowed}"


def _cron_takes(expression: str) -> bool:
    try:
        CronSim(expression, _MOMENT)
    except CronSimError:
        return False
    return True


def _oncalendar_takes(expression: str) -> bool:
    try:
        BaseIterator(expression, _MOMENT)
    except OnCalendarError:
        return False
    return True


def _first(faults: Iterable[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"
