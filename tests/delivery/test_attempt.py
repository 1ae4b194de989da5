"""Tests of `pingmon.delivery.attempt`: whatever a kind does, an attempt ends in time."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from pingmon.delivery.attempt import Delivered, NotDelivered, Result, attempt
from pingmon.testing import result
from pingmon.wire.message.digest import AnyMessage
from tests.delivery.letters import letter


async def at_once(_: AnyMessage) -> Result:
    return Delivered(204)


async def broken(_: AnyMessage) -> Result:
    raise ZeroDivisionError


def test_the_result_of_a_kind_is_that_of_the_attempt_and_the_timer_is_gone() -> None:
    clock = Clock()
    assert result(attempt(at_once, letter({}), clock)) == Delivered(204)
    assert clock.getDelayedCalls() == []


def test_a_kind_that_does_not_end_is_cancelled_at_the_deadline() -> None:
    clock, waiting = Clock(), Deferred[Result]()

    async def slow(_: AnyMessage) -> Result:
        return await waiting

    running = attempt(slow, letter({}), clock, 7.5)
    clock.advance(7.4)
    assert not running.called
    clock.advance(0.1)
    assert result(running) == NotDelivered("timed out after 7.5 s")
    assert waiting.called


def test_a_kind_that_ignores_being_cancelled_is_left_behind_at_the_deadline() -> None:
    clock = Clock()
    first: Deferred[None] = Deferred()
    second: Deferred[Result] = Deferred(lambda _: None)

    async def stubborn(_: AnyMessage) -> Result:
        try:
            await first
        except CancelledError:
            return await second
        return Delivered()

    running = attempt(stubborn, letter({}), clock, 5)
    clock.advance(5)
    assert result(running) == NotDelivered("timed out after 5 s")
    second.callback(Delivered(200))


def test_a_kind_that_breaks_is_reported_in_the_log_and_tried_again() -> None:
    with capturedLogs() as logged:
        found = result(attempt(broken, letter({}), Clock()))
    assert isinstance(found, NotDelivered)
    assert not found.permanent
    assert logged[0]["log_failure"].check(ZeroDivisionError)


def test_cancelling_ends_the_attempt_without_a_result() -> None:
    clock, waiting = Clock(), Deferred[Result]()

    async def slow(_: AnyMessage) -> Result:
        try:
            return await waiting
        except CancelledError:
            return NotDelivered("cancelled")

    running = attempt(slow, letter({}), clock)
    seen: list[object] = []
    running.addBoth(seen.append)
    running.cancel()
    (failure,) = seen
    assert isinstance(failure, Failure)
    assert failure.check(CancelledError)
    assert clock.getDelayedCalls() == []
