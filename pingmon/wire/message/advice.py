"""What may be wrong, in a sentence for people: in messages, and where the API explains."""

from __future__ import annotations

from typing import Final

from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.units import MINUTE
from pingmon.wire.time_texts import duration_text

NAMED: Final = 3
"""Zones that are named of those with the same clocks."""


def zone_sentence(finding: ZoneFinding) -> str:
    """That the zone of a schedule is not that of its job."""
    near, far = sorted((abs(finding.least), abs(finding.most)))
    shortest, longest = (duration_text(round(instant / MINUTE) * 60) for instant in (near, far))
    by = longest if shortest == longest else f"{shortest} to {longest}"
    how = "late" if finding.least > 0 else "early"
    others = len(finding.fits) - NAMED
    zones = ", ".join(finding.fits[:NAMED]) + (f" and {others} more with the same clocks" if others > 0 else "")
    return (
        f"the last {len(finding.entries)} pings came {by} {how}; "
        f"they fit {zones}, and the schedule's zone is {finding.zone}"
    )
