"""Instants and durations as text: for programs in ISO 8601, for people in words; all in UTC.

The API, messages and webhooks all write them so.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from pingmon.core.units import SECOND

_UNIX_TIME: Final = re.compile(r"[0-9]{1,10}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = 60 * SECOND
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def seconds_text(at: int | None) -> str | None:
    """An instant (microseconds since the epoch), cut to whole seconds; None stays None."""
    return None if at is None else _second_text(at // SECOND)


def exact_text(at: int) -> str:
    """An instant (microseconds since the epoch), to the microsecond. With `datetime` alone it costs nine times as much,
    and a page of the history has a hundred."""
    digits = str(at % _MINUTE + 100 * SECOND)
    return f"{_minute_text(at // _MINUTE)}{digits[1:3]}.{digits[3:]}+00:00"


def moment_text(at: int) -> str:
    """An instant for people, in UTC: `2026-11-21 23:13:00 UTC`."""
    return str(seconds_text(at)).replace("T", " ").replace("+00:00", " UTC")


def duration_text(seconds: int) -> str:
    """A duration in its two largest units: `1 d 2 h`, `5 min`, `0 s`."""
    parts: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append((count, unit))
    shown = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(shown) or "0 s"


def instant(text: str) -> int | None:
    """The instant that `text` is, in microseconds since the epoch: ISO 8601, or whole seconds since then; None if none.

    Without a zone it is UTC.
    """
    text = text.strip()
    try:
        if _UNIX_TIME.fullmatch(text):
            return int(text) * SECOND
        plus = text.replace(" ", "+") if "T" in text else text  # it may not have been percent-encoded
        moment = datetime.fromisoformat(plus)
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=65_536)
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()


@lru_cache(maxsize=65_536)
def _minute_text(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).isoformat()[:17]
