"""For how long a site was up and down: of each day and month, in UTC, from its flips and its silences.

    up, down      what was decided about the site; a time in which it was suspect is what the decision made of it
    suppressed    down, while its host's word silenced it
    unknown       nobody could tell
    unwatched     paused, not looked at yet, or not there

Uptime is up / (up + down), and null if it was neither. Everything is counted in whole seconds since the epoch, so the
parts of a period always add up to it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from pingmon.core.flip import Flip, FlipStatus
from pingmon.core.partner.partner import Partner
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, PartnerAnswered
from pingmon.wire.api.checks import Json

State: TypeAlias = Literal["up", "down", "suppressed", "unknown", "unwatched"]
Interval: TypeAlias = tuple[int, int]
"""From a second (inclusive) to a second (exclusive)."""

STATES: Final[tuple[State, ...]] = get_args(State)
DAY_S: Final = 86_400

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Final[dict[FlipStatus, State]] = {
    "new": "unwatched",
    "up": "up",
    "down": "down",
    "paused": "unwatched",
    "unknown": "unknown",
}
_DECIDED: Final[dict[FlipStatus | None, State]] = {"up": "up", "down": "down"}
"""What a suspect time becomes by the next status."""


class Span(Struct, frozen=True, gc=False):
    """A site was in `state` from `start` until `end`, in seconds since the epoch."""

    start: int
    end: int
    state: State


class Period(Struct, frozen=True, gc=False):
    """A day or month called `name`, from `start` until `end`, in seconds since the epoch."""

    name: str
    start: int
    end: int


# --- periods ------------------------------------------------------------------------------------------------------


def days(now: int, count: int) -> list[Period]:
    """The last `count` days in UTC, newest first; the first one is today and ends `now` (microseconds)."""
    midnight = now // SECOND // DAY_S * DAY_S
    starts = [midnight - back * DAY_S for back in range(count)]
    return _periods("%Y-%m-%d", starts, now)


def months(now: int, count: int) -> list[Period]:
    """The last `count` months in UTC, newest first; the first one is the present one and ends `now` (microseconds)."""
    today = _EPOCH + timedelta(seconds=now // SECOND)
    number = today.year * 12 + today.month - 1
    firsts = [datetime((number - back) // 12, (number - back) % 12 + 1, 1, tzinfo=UTC) for back in range(count)]
    return _periods("%Y-%m", [(first - _EPOCH) // timedelta(seconds=1) for first in firsts], now)


def _periods(form: str, starts: Sequence[int], now: int) -> list[Period]:
    """One period for each of `starts`, which come newest first; each ends where the one after it begins."""
    return [
        Period((_EPOCH + timedelta(seconds=start)).strftime(form), start, end)
        for end, start in pairwise([now // SECOND, *starts])
    ]


# --- what was ----------------------------------------------------------------------------------------------------


class Past:
    """The spans of a site, from its flips, newest first. What is before them is not known here.

    A flip may be stamped with an instant before that of the one before it: an outage began with its first failure. So a
    flip says what the status was from its instant on, whatever older flips said of that time.
    """

    def __init__(self, now: int) -> None:
        self.start = now // SECOND
        """Since when (seconds since the epoch) it is known what was."""
        self._newest_first: list[Span] = []
        self._later: FlipStatus | None = None

    def take(self, flips: Iterable[Flip]) -> None:
        """Go further back."""
        for flip in flips:
            at = flip.at // SECOND
            if at < self.start:
                self._newest_first.append(Span(at, self.start, self._state(flip.new)))
                self.start = at
            self._later = flip.new

    def _state(self, status: FlipStatus) -> State:
        return _DECIDED.get(self._later, "unknown") if status == "suspect" else _STATES[status]

    def spans(self, silences: Iterable[Interval] = ()) -> list[Span]:
        """What is known, oldest first; outages that `silences` (in any order) cover become `suppressed`."""
        merged = _merged(silences)
        return [part for span in reversed(self._newest_first) for part in _parted(span, merged)]


def silences(answers: Iterable[Entry]) -> list[Interval]:
    """When a site was silent by its host's word, from the answers about it, newest first: the newer one holds."""
    found, newer = [], None
    for entry in answers:
        assert isinstance(entry.event, PartnerAnswered)
        until = entry.event.answer.until
        if until is not None:
            found.append((entry.at // SECOND, (until if newer is None else min(until, newer)) // SECOND))
            newer = entry.at
    return found


def silence_now(site: Site, host: Partner | None) -> list[Interval]:
    """The silence of all of `host`'s sites in which `site` went down and still is; none if it did not.

    The word that began it is in another site's history, so only its end is known here.
    """
    until = None if host is None else host.silent_until
    if until is None or site.status != "down" or site.told or site.inquiry is not None:
        return []
    return [(site.since // SECOND, until // SECOND)]


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same seconds, as few intervals in order that do not touch."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged


def _parted(span: Span, silent: Sequence[Interval]) -> list[Span]:
    """`span`, where it is down and `silent` covers it, as suppressed; `silent` is merged."""
    if span.state != "down":
        return [span]
    parts, at = [], span.start
    for start, end in silent[max(0, bisect_right(silent, (span.start,)) - 1) :]:
        if start >= span.end:
            break
        start, end = max(start, at), min(end, span.end)
        if start < end:
            parts += [Span(at, start, "down"), Span(start, end, "suppressed")]
            at = end
    parts.append(Span(at, span.end, "down"))
    return [part for part in parts if part.start < part.end]


# --- how much of it -----------------------------------------------------------------------------------------------


def tally(spans: Sequence[Span], period: Period, before: State = "unwatched") -> dict[str, int]:
    """Seconds that the site was in each state in `period`. `spans`: oldest first, without gaps.

    `before`: what it was before the first of them; after the last one it is unwatched.
    """
    seconds: dict[str, int] = dict.fromkeys(STATES, 0)
    first = spans[0].start if spans else period.end
    seconds[before] += max(0, min(period.end, first) - period.start)
    for span in spans[max(0, bisect_right(spans, period.start, key=lambda span: span.start) - 1) :]:
        if span.start >= period.end:
            break
        seconds[span.state] += max(0, min(span.end, period.end) - max(span.start, period.start))
    last = spans[-1].end if spans else period.end
    seconds["unwatched"] += max(0, period.end - max(period.start, last))
    return seconds


def uptime_json(seconds: dict[str, int], name: str, period: Period) -> Json:
    """One line of the answer; `name` is what the kind of period is called."""
    judged = seconds["up"] + seconds["down"]
    return {name: period.name, "uptime": seconds["up"] / judged if judged else None, **seconds}
