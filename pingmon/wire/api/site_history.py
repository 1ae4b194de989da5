"""The history of a site as clients see it: its flips, who saw what in a round of probes, and the sums of its hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.world.events import Entry, Hour, SiteProbed
from pingmon.wire.api.checks import Json
from pingmon.wire.api.probe_results import look_json, witnesses
from pingmon.wire.time_texts import exact_text, seconds_text


def decision_json(flip: Flip) -> Json:
    """What the flips of sites show besides: the status before and after, and what decided it."""
    return {"old": flip.old, "new": flip.new, "code": flip.code, "looks": [look_json(look) for look in flip.looks]}


def round_json(entry: Entry) -> Json:
    """What was seen at one time. `seq` is the mark from which to ask for older rounds."""
    seen = entry.event
    assert isinstance(seen, SiteProbed)
    return {
        "seq": entry.seq,
        "at": exact_text(entry.at),
        "asked": seen.asked,
        "quorum": seen.quorum,
        "summary": witnesses(seen.looks),
        "looks": [look_json(look) for look in seen.looks],
    }


def whole_hours(hours: Iterable[tuple[int, Hour]]) -> Iterator[tuple[int, Hour]]:
    """`hours`, newest first, each with its `seq`; the parts of one hour, which a restart leaves, made one.

    Its `seq` is that of the oldest part, from which to ask for older hours.
    """
    last: tuple[int, Hour] | None = None
    for seq, hour in hours:
        if last is not None and last[1].start == hour.start:
            hour = _together(last[1], hour)
        elif last is not None:
            yield last
        last = seq, hour
    if last is not None:
        yield last


def _together(one: Hour, other: Hour) -> Hour:
    """Two parts of an hour as one. Quantiles cannot be added up: they are those of the part with more good probes."""
    larger, smaller = sorted((one, other), key=_good, reverse=True)
    return replace(
        larger,
        probes=one.probes + other.probes,
        bad=one.bad + other.bad,
        void=one.void + other.void,
        fastest=min(larger.fastest, smaller.fastest) if _good(smaller) else larger.fastest,
        slowest=max(one.slowest, other.slowest),
    )


def _good(hour: Hour) -> int:
    return hour.probes - hour.bad


def hour_json(seq: int, hour: Hour) -> Json:
    """The sum of an hour. Times are milliseconds, and null if no probe was good; `seq` as in `round_json`."""
    shown: Json = {
        "seq": seq,
        "start": seconds_text(hour.start),
        "probes": hour.probes,
        "bad": hour.bad,
        "void": hour.void,
    }
    for name in ("fastest", "median", "p95", "slowest"):
        shown[name] = getattr(hour, name) if _good(hour) else None
    return shown
