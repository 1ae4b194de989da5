"""How often a check has failed in a row: what it reported, and each time that it was expected and did not come.

The log has an entry for what a job reports, and for the first deadline that passes. A check that is down has no
deadline any more; but each further occurrence that passes in silence, and its grace time, is one more failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from pingmon.core.check.check import Check
from pingmon.core.check.schedule import next_expected
from pingmon.core.flip import Flip
from pingmon.core.units import SECOND


def failed_often_at(check: Check, flip: Flip, often: int, until: int | None = None) -> int | None:
    """When the check, which is down by `flip`, has failed `often` in a row if nothing comes; 0: it has already.

    None: its schedule has too few occurrences left, or too few before `until`. Instants are microseconds since the
    epoch.
    """
    if check.failures >= often:
        return 0
    return next(islice(_failures(check, flip, until), often - max(1, check.failures), None), None)


def failures_by(check: Check, flip: Flip, now: int, most: int) -> int:
    """How often in a row the check, which is down by `flip`, has failed by `now`; it is not counted beyond `most`."""
    known = max(1, check.failures)
    return known + sum(at <= now for at in islice(_failures(check, flip), 1, max(1, most - known + 1)))


def _failures(check: Check, flip: Flip, until: int | None = None) -> Iterator[int]:
    """When it has failed for the last known time, and when it fails further, before `until`, if nothing comes."""
    grace = check.spec.grace * SECOND
    expected = flip.at - grace if flip.cause == "silence" else flip.at
    expected = max(expected, check.last_ping or 0)
    while True:
        yield expected + grace
        following = next_expected(check.spec, expected)
        if following is None or (until is not None and following + grace >= until):
            return
        expected = following
