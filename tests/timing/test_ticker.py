"""Tests of `pingmon.timing.ticker`: a loop that goes on."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from pingmon.timing.ticker import Ticker


class Body:
    """Counts, and fails when it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False

    def __call__(self) -> None:
        self.calls += 1
        if self.fails:
            raise ZeroDivisionError


def test_it_goes_on_after_a_failure_which_is_logged_and_shows_in_its_age() -> None:
    clock, body = Clock(), Body()
    ticker = Ticker("counting", body, 2.0, clock, clock.seconds)
    ticker.start()
    clock.advance(2)
    assert (body.calls, ticker.last) == (1, 2.0)
    body.fails = True
    with capturedLogs() as events:
        clock.advance(2)
    assert [event["doing"] for event in events] == ["counting"]
    assert (body.calls, ticker.last) == (2, 2.0)
    body.fails = False
    clock.advance(2)
    assert (body.calls, ticker.last) == (3, 6.0)


def test_a_slow_body_is_not_called_again_until_it_is_done_and_may_fail_late() -> None:
    clock, bodies = Clock(), list[Deferred[None]]()

    def body() -> Deferred[None]:
        bodies.append(Deferred())
        return bodies[-1]

    ticker = Ticker("waiting", body, 2.0, clock, clock.seconds)
    ticker.start()
    clock.pump([2, 2, 2])
    assert (len(bodies), ticker.last) == (1, 0.0)
    bodies[0].callback(None)
    assert ticker.last == 6.0
    clock.advance(2)
    with capturedLogs() as events:
        bodies[1].errback(ZeroDivisionError())
    assert [event["doing"] for event in events] == ["waiting"]
    clock.advance(2)
    assert (len(bodies), ticker.last) == (3, 6.0)


def test_a_stopped_one_leaves_nothing_in_the_reactor() -> None:
    clock, body = Clock(), Body()
    ticker = Ticker("counting", body, 2.0, clock, clock.seconds)
    ticker.stop()
    ticker.start()
    assert ticker.running
    ticker.stop()
    ticker.stop()
    assert not ticker.running
    assert clock.getDelayedCalls() == []


def test_how_late_it_is() -> None:
    """A loop that was kept busy shows it for a while; the time that a body takes on purpose is no lateness."""
    clock, bodies = Clock(), list[Deferred[None]]()

    def body() -> Deferred[None]:
        bodies.append(Deferred())
        return bodies[-1]

    ticker = Ticker("waiting", body, 2.0, clock, clock.seconds)
    ticker.start()
    clock.advance(2)
    clock.advance(3)
    bodies[0].callback(None)
    clock.advance(1)
    assert (len(bodies), ticker.lateness.worst(6)) == (2, 0)
    bodies[1].callback(None)
    clock.advance(2.5)
    assert (len(bodies), ticker.lateness.worst(8.5)) == (3, 0.5)
