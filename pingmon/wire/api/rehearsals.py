"""A rehearsal as clients see it: the alerts that other settings would have given, beside those of today's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from pingmon.core.check.rehearsal import Alert
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import DAY, SECOND
from pingmon.wire.api.checks import Json
from pingmon.wire.api.explanations import counted
from pingmon.wire.message.message import why_of
from pingmon.wire.time_texts import moment_text, seconds_text

ALERTS_MAX: Final = 1000
"""Alerts that are listed, the newest; all are counted."""


class Covered(Struct, frozen=True):
    """What a rehearsal has replayed: `pings` pings since `start`, until `end`; `since` was asked for.

    Instants are microseconds since the epoch. `whole`: all pings of that time are among them, from the check's first
    one on if it is younger. `guessed` counts pings of which it is not kept what their URL said.
    """

    since: int
    start: int
    end: int
    pings: int
    whole: bool
    guessed: int = 0


def rehearsal_json(
    covered: Covered, today: tuple[CheckSpec, Sequence[Alert]], changed: tuple[CheckSpec, Sequence[Alert]]
) -> Json:
    """The answer: both with the settings in which they differ."""
    return {
        "text": _text(covered, len(today[1]), len(changed[1])),
        "covers": {
            "from": seconds_text(covered.start),
            "to": seconds_text(covered.end),
            "days": round((covered.end - covered.start) / DAY, 1),
            "pings": covered.pings,
            "whole": covered.whole,
        },
        "changed": _tried(*changed, other=today[0], now=covered.end),
        "today": _tried(*today, other=changed[0], now=covered.end),
        "notes": _notes(covered),
    }


def _text(covered: Covered, today: int, changed: int) -> str:
    days = counted((covered.end - covered.since) // DAY, "day")
    when = f"since {moment_text(covered.start)}" if covered.start > covered.since else f"in the last {days}"
    return f"with this you would have had {counted(changed, 'alert')} {when}; with today's settings {today}"


def _tried(spec: CheckSpec, alerts: Sequence[Alert], other: CheckSpec, now: int) -> Json:
    differs = [name for name in CheckSpec.__struct_fields__ if getattr(spec, name) != getattr(other, name)]
    return {
        "settings": {name: getattr(spec, name) for name in differs},
        "count": len(alerts),
        "down_seconds": sum(alert.lasted(now) for alert in alerts) // SECOND,
        "alerts": [_alert_json(alert, now) for alert in alerts[: -ALERTS_MAX - 1 : -1]],
    }


def _alert_json(alert: Alert, now: int) -> Json:
    """One alert. `entry` is the last that the log had by then."""
    flip = alert.flip
    return {
        "at": seconds_text(flip.at),
        "until": seconds_text(alert.until),
        "seconds": alert.lasted(now) // SECOND,
        "reason": flip.cause,
        "why": why_of(flip),
        "exit_status": flip.exitstatus,
        "entry": flip.seq,
    }


def _notes(covered: Covered) -> list[str]:
    """What keeps the rehearsal from being exact."""
    notes = []
    if not covered.whole:
        notes.append(f"the pings before {moment_text(covered.start)} were not replayed: they are not kept, or too many")
    if covered.guessed:
        notes.append(
            f"of {counted(covered.guessed, 'ping')} it is not kept what the job meant, because the settings of then "
            "ignored it: it is taken for a success, or a failure if it had an exit status"
        )
    return notes
