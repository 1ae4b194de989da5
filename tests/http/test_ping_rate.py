"""The limit of pings of one check in a minute."""

from __future__ import annotations

from pingmon.http.ping_rate import SWEEP_AT, PingRate


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_burst_and_refill() -> None:
    """A minute's worth may come at once; then one for each part of a minute; checks do not share."""
    time = Time()
    rate = PingRate(6, time)
    assert [rate.wait_s("a") for _ in range(8)] == [0] * 6 + [10, 10]
    assert rate.wait_s("b") == 0
    time.now += 10
    assert [rate.wait_s("a") for _ in range(2)] == [0, 10]
    time.now += 600
    assert [rate.wait_s("a") for _ in range(7)] == [0] * 6 + [10]


def test_memory_is_bounded() -> None:
    """Buckets that are full again are forgotten, those that are not are kept."""
    time = Time()
    rate = PingRate(1, time)
    for number in range(3 * SWEEP_AT):
        rate.wait_s(str(number))
    assert len(rate) == 3 * SWEEP_AT
    time.now += 61
    for number in range(3 * SWEEP_AT):
        time.now += 0.001
        rate.wait_s(f"new {number}")
    assert len(rate) <= 4 * SWEEP_AT
    assert rate.wait_s("new 1") > 0
