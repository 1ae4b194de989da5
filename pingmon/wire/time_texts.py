"""Instants as text, as the API, messages and webhooks write them: ISO 8601, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from pingmon.core.units import SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_text(at: int | None) -> str | None:
    """An instant (microseconds since the epoch), cut to whole seconds; None stays None."""
    return None if at is None else _second_text(at // SECOND)


def exact_text(at: int) -> str:
    """An instant (microseconds since the epoch), to the microsecond."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds")


@lru_cache(maxsize=65_536)
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat()
