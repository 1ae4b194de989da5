"""Tests of `pingmon.timing.bounded_wait`: nobody waits longer than was said."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pingmon.testing import result
from pingmon.timing.bounded_wait import within


def late() -> str:
    return "late"


def test_what_ends_in_time_is_the_result() -> None:
    clock, work = Clock(), Deferred[str]()
    found = within(5, work, clock, late)
    clock.advance(4.9)
    work.callback("done")
    assert result(found) == "done"
    assert clock.getDelayedCalls() == []


def test_what_has_ended_already_is_the_result_at_once() -> None:
    work = Deferred[str]()
    work.callback("done")
    assert result(within(5, work, Clock(), late)) == "done"


def test_a_failure_is_passed_on() -> None:
    clock, work = Clock(), Deferred[str]()
    found = within(5, work, clock, late)
    work.errback(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        result(found)
    assert clock.getDelayedCalls() == []


def test_what_takes_longer_is_cancelled_and_its_result_dropped() -> None:
    clock, cancelled = Clock(), list[object]()
    work: Deferred[str] = Deferred(cancelled.append)
    found = within(5, work, clock, late)
    clock.advance(5)
    assert result(found) == "late"
    assert cancelled == [work]


def test_it_does_not_depend_on_work_that_will_not_be_cancelled() -> None:
    clock, step = Clock(), Deferred[None]()

    async def stubborn() -> str:
        try:
            await step
        except CancelledError:
            await Deferred()
        return "never"

    found = within(5, Deferred.fromCoroutine(stubborn()), clock, late)
    clock.advance(5)
    assert result(found) == "late"


def test_cancelling_cancels_the_work() -> None:
    clock, cancelled = Clock(), list[object]()
    work: Deferred[str] = Deferred(cancelled.append)
    found = within(5, work, clock, late)
    found.cancel()
    with pytest.raises(CancelledError):
        result(found)
    assert cancelled == [work]
    assert clock.getDelayedCalls() == []
