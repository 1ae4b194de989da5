"""What a badge says of checks."""

from __future__ import annotations

import pytest

from pingmon.core.check.badge import BadgeCounts
from pingmon.core.check.check import Check, Status
from pingmon.core.check.settings import CheckSpec
from pingmon.testing import START as NOW


def check(status: Status, expected: int | None = None) -> Check:
    return Check("c", "p", CheckSpec(), 1, 0, 0, status=status, expected=expected)


UP, LATE = check("up", NOW + 1), check("up", NOW)


@pytest.mark.parametrize(
    ("checks", "three", "two"),
    [
        ([], "up", "up"),
        ([check("new"), check("paused"), UP], "up", "up"),
        ([UP, LATE], "late", "up"),
        ([LATE, check("down"), UP], "down", "down"),
    ],
)
def test_the_worst_of_them(checks: list[Check], three: str, two: str) -> None:
    """Down before late before up; what is new or paused is up, and so is what is late where there are two states."""
    counts = BadgeCounts().plus(checks, NOW)
    assert (counts.status(two_states=False), counts.status(two_states=True)) == (three, two)


def test_counts_add_up() -> None:
    """Checks may be counted a few at a time."""
    assert BadgeCounts().plus([UP, LATE], NOW).plus([check("down"), LATE], NOW) == BadgeCounts(total=4, grace=2, down=1)
