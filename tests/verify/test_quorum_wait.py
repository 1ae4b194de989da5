"""Tests of `pingmon.verify.quorum_wait`: when the looks that are missing can change nothing any more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock

from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.verdict import Round, verdict
from pingmon.testing import bad, good, result
from pingmon.verify.quorum_wait import GRACE_S, QuorumWait, certain

LOOKS = {"good": good(), "bad": bad(), "void": ProbeResult(fault="void")}
KINDS = st.sampled_from(sorted(LOOKS))


class Asked:
    """A poll of `count`, whose calls the test fires. `awaited` are waited for, `hopeful` while nobody contradicts."""

    def __init__(self, count: int, quorum: int, *, awaited: Sequence[int] = (), hopeful: Sequence[int] = ()) -> None:
        self.clock = Clock()
        self.awaited = awaited
        self.hopeful = hopeful
        self.calls: list[Deferred[ProbeResult]] = [Deferred() for _ in range(count)]
        self.poll = QuorumWait(self.calls, quorum, self.clock, awaited=self._awaited, left_out=left)

    def _awaited(self, number: int, unanimous: bool) -> bool:
        return number in self.awaited or (unanimous and number in self.hopeful)

    def say(self, number: int, kind: str) -> None:
        self.calls[number].callback(look(number, kind))


def look(number: int, kind: str) -> ProbeResult:
    return {"good": good(f"v{number}"), "bad": bad(f"v{number}"), "void": ProbeResult(f"v{number}", fault="void")}[kind]


def left(number: int) -> ProbeResult:
    return ProbeResult(f"v{number}", fault="void", detail="left out")


def test_a_quorum_of_failures_ends_it_a_moment_later() -> None:
    asked = Asked(3, 2)
    asked.say(2, "bad")
    asked.clock.advance(10 * GRACE_S)
    asked.say(0, "bad")
    asked.clock.advance(GRACE_S - 0.01)
    assert not asked.poll.done.called
    asked.clock.advance(0.01)
    assert result(asked.poll.done) == (look(0, "bad"), left(1), look(2, "bad"))
    assert asked.clock.getDelayedCalls() == []


def test_what_comes_in_that_moment_is_kept() -> None:
    asked = Asked(3, 2)
    for number in range(3):
        asked.clock.advance(GRACE_S / 2)
        asked.say(number, "bad")
    assert result(asked.poll.done) == tuple(look(number, "bad") for number in range(3))
    assert asked.clock.getDelayedCalls() == []


def test_somebody_may_be_waited_for_all_the_same() -> None:
    asked = Asked(4, 2, awaited=[1])
    for number in (3, 0):
        asked.say(number, "bad")
    asked.clock.advance(10 * GRACE_S)
    assert not asked.poll.done.called
    asked.say(1, "void")
    asked.clock.advance(GRACE_S)
    assert result(asked.poll.done)[1:3] == (look(1, "void"), left(2))


def test_who_could_contradict_a_quorum_is_waited_for_and_not_once_somebody_has() -> None:
    """A failure that all see is told at once, one that is disputed is looked at again."""
    asked = Asked(5, 2, hopeful=[1, 2])
    for number in (3, 0):
        asked.say(number, "bad")
    asked.clock.advance(10 * GRACE_S)
    assert not asked.poll.done.called
    asked.say(1, "good")
    asked.clock.advance(GRACE_S)
    assert not asked.poll.done.called, "the two that are missing could make up a majority of five"
    asked.say(4, "void")
    asked.clock.advance(GRACE_S)
    assert result(asked.poll.done)[1:3] == (look(1, "good"), left(2))


def test_who_is_called_off_is_cancelled_and_what_it_says_then_is_dropped() -> None:
    clock = Clock()
    stubborn: Deferred[ProbeResult] = Deferred(lambda call: call.callback(good("late")))
    poll = QuorumWait([succeed(good()), stubborn, succeed(good())], 2, clock, awaited=lambda *_: False, left_out=left)
    clock.advance(GRACE_S)
    assert stubborn.called
    assert result(poll.done) == (good(), left(1), good())


def test_cancelling_it_cancels_those_that_are_missing() -> None:
    asked = Asked(3, 1)
    asked.say(0, "good")
    asked.say(1, "good")
    asked.poll.done.cancel()
    with pytest.raises(CancelledError):
        result(asked.poll.done)
    assert asked.calls[2].called
    assert asked.clock.getDelayedCalls() == []


def test_a_bug_in_one_call_is_nobodys_secret() -> None:
    asked = Asked(2, 2)
    asked.calls[0].errback(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        result(asked.poll.done)
    assert asked.calls[1].called


@given(st.lists(KINDS, min_size=1, max_size=5), st.integers(0, 3), st.integers(1, 4))
def test_it_is_certain_only_if_no_answer_that_is_missing_could_change_the_verdict(
    kinds: list[str], missing: int, quorum: int
) -> None:
    """The daemon's own look being bad; when it is good, it decides alone."""
    seen = tuple(look(number, kind) for number, kind in enumerate(kinds))
    asked = len(seen) + missing
    if not certain(seen, asked, quorum):
        return
    for rest in product(LOOKS, repeat=missing):
        more = tuple(look(10 + number, kind) for number, kind in enumerate(rest))
        says = verdict(Round((bad(), *seen, *more), asked, quorum, "unsure"))
        before = verdict(Round((bad(), *seen), asked, quorum, "unsure"))
        assert says == before or (before, says) == ("down", "failing")


@given(st.lists(KINDS, max_size=5), st.integers(0, 3))
def test_without_a_quorum_all_are_waited_for(kinds: list[str], missing: int) -> None:
    seen = tuple(LOOKS[kind] for kind in kinds)
    assert certain(seen, len(seen) + missing, 0) is (missing == 0)
