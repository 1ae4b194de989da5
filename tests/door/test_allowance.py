"""What one client may send that brings nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.door.allowance import Allowance


def test_it_is_full_at_first_fills_with_time_and_with_what_is_earned() -> None:
    """Never beyond its size."""
    allowance = Allowance(10, 2.0, 100.0)
    assert allowance.take(10, 100.0)
    assert not allowance.take(1, 100.0)
    assert allowance.take(1, 101.0)  # two came, and one was owed
    assert not allowance.take(1, 101.0)
    allowance.give(4)
    assert allowance.take(3, 101.0)
    assert allowance.take(10, 1000.0)
    assert not allowance.take(1, 1000.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), max_size=60))
def test_nobody_gets_more_than_what_there_was_and_came_since(wishes: list[tuple[float, int]]) -> None:
    """As long as it has not been refused once: then the connection is closed."""
    allowance, now, taken = Allowance(50, 3.0, 0.0), 0.0, 0
    for after, cost in wishes:
        now += after
        if not allowance.take(cost, now):
            break
        taken += cost
        assert taken <= 50 + 3.0 * now + 1e-6
