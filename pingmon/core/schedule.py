"""When the next ping is expected: a period, a cron expression, or systemd's OnCalendar.

The engines are `cronsim` and `oncalendar`, the ones the reference server uses, so that schedules agree to the letter,
also at daylight-saving changes. All instants are integer microseconds since the epoch, UTC.

Time zone rules come from the `zoneinfo` database; a new edition of it can move later deadlines, never past flips,
because an expiry names the log entry that armed it and not only its instant (see `events.CheckExpired`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from oncalendar import OnCalendar, OnCalendarError

from pingmon.core.events import CheckSpec
from pingmon.core.times import SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PROBE: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class BadSchedule(ValueError):
    """The expression is neither cron nor OnCalendar, or never comes true."""


def kind_of(expression: str) -> Literal["cron", "oncalendar"]:
    """Which language `expression` is: five fields on one line are cron, all else is OnCalendar."""
    one_line = "\n" not in expression.strip()
    return "cron" if one_line and len(expression.split()) == 5 else "oncalendar"


def validated(expression: str) -> Literal["cron", "oncalendar"]:
    """The kind of a usable expression; `BadSchedule` if it cannot be read or has no occurrence after 2000-01-01."""
    kind = kind_of(expression)
    try:
        if kind == "cron":
            next(CronSim(expression, _PROBE))
        else:
            next(OnCalendar(expression, _PROBE))
    except (CronSimError, OnCalendarError, StopIteration) as error:
        raise BadSchedule(str(error) or "the schedule never comes true") from error
    return kind


def next_expected(spec: CheckSpec, after: int) -> int | None:
    """The first instant strictly after `after` at which a ping is expected; None if there is none any more."""
    if spec.kind == "simple":
        return after + spec.timeout * SECOND
    moment = (_EPOCH + timedelta(microseconds=after)).astimezone(_zone(spec.tz))
    engine = CronSim if spec.kind == "cron" else OnCalendar
    # In the hour that the autumn clock change repeats, the engines begin with occurrences of its first pass.
    for occurrence in engine(spec.schedule, moment):
        instant = (occurrence.astimezone(UTC) - _EPOCH) // _MICROSECOND
        if instant > after:
            return instant
    return None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
