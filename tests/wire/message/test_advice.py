"""What may be wrong, in words."""

from __future__ import annotations

import pytest

from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.units import MINUTE, SECOND
from pingmon.wire.message.advice import zone_sentence

NINE = tuple(range(9, 0, -1))


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (
            ZoneFinding("UTC", ("Europe/Bucharest",), NINE, -185 * MINUTE, -170 * MINUTE),
            "the last 9 pings came 2 h 50 min to 3 h 5 min early; "
            "they fit Europe/Bucharest, and the schedule's zone is UTC",
        ),
        (
            ZoneFinding("Europe/Berlin", ("A", "B", "C"), (3, 2, 1), 360 * MINUTE, 360 * MINUTE + 29 * SECOND),
            "the last 3 pings came 6 h late; they fit A, B, C, and the schedule's zone is Europe/Berlin",
        ),
        (
            ZoneFinding("UTC", ("A", "B", "C", "D", "E"), (3, 2, 1), 60 * MINUTE, 65 * MINUTE),
            "the last 3 pings came 1 h to 1 h 5 min late; "
            "they fit A, B, C and 2 more with the same clocks, and the schedule's zone is UTC",
        ),
    ],
)
def test_the_zone_that_fits_and_the_one_that_is_set(finding: ZoneFinding, said: str) -> None:
    """To the minute, and of many zones a few."""
    assert zone_sentence(finding) == said
