"""One may ask so often and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.timing.rate_limit import SWEEP_AT, RateLimit

UPTIME = 987_654.25


class Time:
    now = UPTIME

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("per_second", "burst"), [(200, 1000), (20, 20), (0.1, 6), (3, 1)])
def test_a_burst_then_a_steady_rate(per_second: float, burst: int) -> None:
    """So many pass at once, then one for each share of a second, and all of it again after a rest."""
    time = Time()
    rates = RateLimit(per_second, burst, time)
    assert [rates.wait_s("a") for _ in range(burst)] == [0] * burst
    assert rates.wait_s("a") == max(1, round(1 / per_second))
    assert rates.wait_s("b") == 0
    time.now += 1.001 / per_second
    assert rates.wait_s("a") == 0
    assert rates.wait_s("a") > 0
    time.now += 10 * burst / per_second
    assert [rates.wait_s("a") > 0 for _ in range(burst + 1)] == [False] * burst + [True]


@given(per_second=st.floats(0.05, 500), burst=st.integers(1, 2000), tries=st.integers(1, 3000))
def test_whoever_waits_as_long_as_told_gets_through(per_second: float, burst: int, tries: int) -> None:
    """A client that does what `Retry-After` says is never refused twice in a row."""
    time = Time()
    rates = RateLimit(per_second, burst, time)
    for _ in range(tries):
        if wait := rates.wait_s("a"):
            time.now += wait
            assert rates.wait_s("a") == 0


def test_memory_is_bounded() -> None:
    """Buckets that are full again are forgotten, those that are not are kept."""
    time = Time()
    rates = RateLimit(1 / 60, 1, time)
    for number in range(3 * SWEEP_AT):
        rates.wait_s(str(number))
    assert len(rates) == 3 * SWEEP_AT
    time.now += 61
    for number in range(3 * SWEEP_AT):
        time.now += 0.001
        rates.wait_s(f"new {number}")
    assert len(rates) <= 4 * SWEEP_AT
    assert rates.wait_s("new 1") > 0


def test_no_limit() -> None:
    """A rate of 0 means no limit, and nothing is remembered."""
    rates = RateLimit(0, 0, Time())
    assert [rates.wait_s("a") for _ in range(2000)] == [0] * 2000
    assert len(rates) == 0
