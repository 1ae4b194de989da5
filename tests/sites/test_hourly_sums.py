"""Tests of `pingmon.sites.hourly_sums`: what an hour's looks add up to."""

from __future__ import annotations

from array import array
from statistics import median_low
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed

from pingmon.core.site.probe_result import Fault, ProbeResult
from pingmon.core.units import HOUR, MINUTE
from pingmon.core.world.events import Hour
from pingmon.sites.hourly_sums import BATCH, Hours, summed
from pingmon.testing import result

T = TypeVar("T")


def look(at: int, ms: int = 5, fault: Fault = "") -> ProbeResult:
    return ProbeResult("", at, 200, fault, ms)


def noted(into: list[T], what: T) -> Deferred[None]:
    into.append(what)
    return succeed(None)


def test_an_hour_is_written_at_the_first_look_of_the_next_one() -> None:
    written: list[tuple[str, Hour]] = []
    hours = Hours(lambda site, hour: noted(written, (site, hour)))
    for minute, ms in enumerate((30, 10, 20)):
        hours.add("a", look(7 * HOUR + minute * MINUTE, ms))
    hours.add("a", look(7 * HOUR + 10 * MINUTE, fault="status"))
    hours.add("a", look(7 * HOUR + 11 * MINUTE, fault="void"))
    assert written == []
    hours.add("a", look(8 * HOUR))
    whole = Hour(7 * HOUR, probes=4, bad=1, void=1, fastest=10, median=20, p95=30, slowest=30)
    assert written == [("a", whole)]


def test_each_site_has_hours_of_its_own() -> None:
    written: list[tuple[str, int]] = []
    hours = Hours(lambda site, hour: noted(written, (site, hour.probes)))
    for site, count in (("a", 1), ("b", 2), ("c", 3)):
        for _ in range(count):
            hours.add(site, look(HOUR))
    hours.forget("b")
    hours.close("a")
    hours.close("a")
    result(Deferred.fromCoroutine(hours.close_all()))
    assert written == [("a", 1), ("c", 3)]


def test_thousands_of_hours_are_written_some_at_a_time() -> None:
    """The log's buffer has an end."""
    under_way: list[Deferred[None]] = []

    def write(site: str, hour: Hour) -> Deferred[None]:
        under_way.append(Deferred())
        return under_way[-1]

    hours = Hours(write)
    for number in range(BATCH + 1):
        hours.add(str(number), look(HOUR))
    closed = Deferred.fromCoroutine(hours.close_all())
    assert len(under_way) == BATCH
    for written in under_way[:BATCH]:
        written.callback(None)
    assert len(under_way) == BATCH + 1
    under_way[-1].callback(None)
    assert closed.called


def test_an_hour_in_which_nothing_answered_has_no_times() -> None:
    assert summed(HOUR, array("i"), 2, 1) == Hour(HOUR, probes=2, bad=2, void=1)


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=70))
def test_quantiles_are_times_that_were_measured_and_stand_in_order(took: list[int]) -> None:
    hour = summed(0, array("i", took), 0, 0)
    assert (hour.fastest, hour.slowest) == (min(took), max(took))
    assert hour.median == median_low(took)
    assert hour.p95 in took
    assert hour.fastest <= hour.median <= hour.p95 <= hour.slowest
    assert sum(ms <= hour.p95 for ms in took) >= 0.95 * len(took)
