"""Tests of `pingmon.timing.expiry`: what has arrived is read before a time is said to be over."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import Clock

from pingmon.testing import result
from pingmon.timing.expiry import TURNS, Expiry, expiry_clock


def test_an_end_comes_some_turns_after_its_time_and_once() -> None:
    clock, ended = Clock(), list[int]()
    expiry = Expiry(clock, 5, lambda: ended.append(len(turns)))
    turns: list[int] = []

    def turn() -> None:
        turns.append(1)
        if len(turns) <= TURNS:
            clock.callLater(0, turn)

    clock.callLater(5, turn)
    clock.advance(60)
    assert ended == [TURNS]
    assert not expiry.active()
    assert clock.getDelayedCalls() == []


def test_what_is_read_after_a_stall_calls_the_end_off() -> None:
    """The timer is due, the answer is in the kernel: it counts, and nothing is left behind."""
    clock, work = Clock(), Deferred[str]()
    work.addTimeout(5, expiry_clock(clock))
    clock.callLater(6, work.callback, "answer")  # due after the timer, in the same turn
    clock.advance(5)
    with pytest.raises(TimeoutError):
        result(work)
    late: Deferred[str] = Deferred()
    late.addTimeout(5, expiry_clock(clock))
    clock.callLater(5, late.callback, "answer")
    clock.advance(5)
    assert result(late) == "answer"
    assert clock.getDelayedCalls() == []
