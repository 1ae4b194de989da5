"""A key may ask so often and no more."""

from __future__ import annotations

from pingmon.http.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_steady_rate() -> None:
    """One second's worth passes at once; after that, one request for each share of a second."""
    clock = Clock()
    rates = Rates(20, clock)
    assert [rates.wait_s("a") for _ in range(20)] == [0.0] * 20
    assert rates.wait_s("a") == 0.05
    assert rates.wait_s("b") == 0.0
    clock.now += 0.0501
    assert rates.wait_s("a") == 0.0
    assert rates.wait_s("a") > 0.0
    clock.now += 1000
    assert [rates.wait_s("a") > 0 for _ in range(21)] == [False] * 20 + [True]


def test_less_than_one_a_second() -> None:
    """A rate below one a second still lets one request through."""
    clock = Clock()
    rates = Rates(0.5, clock)
    assert rates.wait_s("a") == 0.0
    assert rates.wait_s("a") == 2.0
    clock.now += 2
    assert rates.wait_s("a") == 0.0


def test_memory_is_bounded() -> None:
    """However many keys ask, only so many are remembered, and the one that asked last is among them."""
    rates = Rates(1, Clock(), max_buckets=3)
    for key in "abcdefgha":
        rates.wait_s(key)
    assert len(rates) == 3
    assert rates.wait_s("a") > 0.0


def test_no_limit() -> None:
    """A rate of 0 means no limit, and nothing is remembered."""
    rates = Rates(0, Clock())
    assert [rates.wait_s("a") for _ in range(1000)] == [0.0] * 1000
    assert len(rates) == 0
