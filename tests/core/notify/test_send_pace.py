"""Whether what waits for a channel goes one by one, or as one digest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.notify.send_pace import FEW, GATHER, WINDOW, Pace, pace
from pingmon.core.units import SECOND
from pingmon.testing import START as T0


@pytest.mark.parametrize(
    ("sent", "waiting", "waited_s", "late", "how"),
    [
        ([], 1, 0, False, "one by one"),
        ([], 100, 0, False, "one by one"),
        ([50], 100, 0, False, "one by one"),
        ([50, 40], 1, 0, False, 30 * SECOND),
        ([60, 40], 1, 0, False, "one by one"),
        ([70, 40], 1, 20, False, 10 * SECOND),
        ([20, 10], 1, 5, False, 25 * SECOND),
        ([20, 10], 2, 30, False, "digest"),
        ([20, 10], 1, 30, False, "one by one"),
        ([], FEW, 30, False, "one by one"),
        ([], FEW + 1, 30, False, "digest"),
        ([], FEW + 1, 0, True, "digest"),
        ([], FEW, 0, True, "one by one"),
        ([20, 10], 2, 0, True, "digest"),
    ],
)
def test_two_a_minute_go_one_by_one(sent: list[int], waiting: int, waited_s: int, late: bool, how: Pace | int) -> None:
    """`sent` is how many seconds ago the last ones left; a number is when to decide anew."""
    times = [T0 - ago * SECOND for ago in sent]
    found = pace(2, times, waiting, T0 - waited_s * SECOND, T0, late=late)
    assert (found if isinstance(found, str) else found - T0) == how


@given(st.lists(st.integers(0, 59)), st.integers(1, 10_000), st.integers(0, 10**5), st.booleans())
def test_without_a_limit_all_go_one_by_one(sent: list[int], waiting: int, waited_s: int, late: bool) -> None:
    times = sorted(T0 - ago * SECOND for ago in sent)
    assert pace(0, times, waiting, T0 - waited_s * SECOND, T0, late=late) == "one by one"


@given(st.integers(1, 30), st.lists(st.integers(0, 200 * SECOND), max_size=300))
def test_whenever_messages_come_all_are_told_within_half_a_minute_and_few_one_by_one(
    over: int, come: list[int]
) -> None:
    """No more than `over` a minute go one by one, but for a single one in the place of a digest; time is in steps."""
    coming = sorted(come)
    waiting: list[int] = []
    sent: list[int] = []
    for now in range(0, 240 * SECOND, SECOND // 2):
        while coming and coming[0] <= now:
            waiting.append(coming.pop(0))
        while waiting:
            how = pace(over, sent, len(waiting), waiting[0], now)
            if isinstance(how, int):
                assert now < how == waiting[0] + GATHER
                break
            if how == "digest":
                assert len(waiting) > 1
                waiting.clear()
            else:
                assert len([at for at in sent if at > now - WINDOW]) < over or len(waiting) == 1
                sent.append(now)
                waiting.pop(0)
        assert not waiting or now - waiting[0] < GATHER
