"""The history of a site as clients see it: its flips, who saw what in a round of probes, and the sums of its hours."""

from __future__ import annotations

from collections.abc import Iterable

from pingmon.core.events import Entry, Hour, SiteProbed
from pingmon.core.flip import Flip
from pingmon.wire.checks import Json, exact_text, seconds_text
from pingmon.wire.history import flip_json
from pingmon.wire.looks import look_json, witnesses


def site_flips_json(flips: Iterable[Flip]) -> Json:
    """The answer that lists `flips`: as those of checks, with the status before and after, and what decided it."""
    return {"flips": [flip_json(flip) | _decision_json(flip) for flip in flips]}


def _decision_json(flip: Flip) -> Json:
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


def hour_json(seq: int, hour: Hour) -> Json:
    """The sum of an hour. Times are milliseconds, and null if no probe was good; `seq` as in `round_json`."""
    shown: Json = {
        "seq": seq,
        "start": seconds_text(hour.start),
        "probes": hour.probes,
        "bad": hour.bad,
        "void": hour.void,
    }
    good = hour.probes > hour.bad
    for name in ("fastest", "median", "p95", "slowest"):
        shown[name] = getattr(hour, name) if good else None
    return shown
