"""Tests of `pingmon.probes.poll`: when the looks that are missing can change nothing any more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock

from pingmon.core.look import Look
from pingmon.core.site import Round, verdict
from pingmon.probes.poll import GRACE_S, Poll, certain
from pingmon.testing import bad, good, result

LOOKS = {"good": good(), "bad": bad(), "void": Look(fault="void")}
KINDS = st.sampled_from(sorted(LOOKS))


class Asked:
    """A poll of `count`, whose calls the test fires. `patience` is whether somebody is to be waited for."""

    def __init__(self, count: int, quorum: int, *, patience: bool = False) -> None:
        self.clock = Clock()
        self.patience = patience
        self.missing: list[Sequence[int]] = []
        self.calls: list[Deferred[Look]] = [Deferred() for _ in range(count)]
        self.poll = Poll(self.calls, quorum, self.clock, patient=self._patient, left_out=left)

    def _patient(self, missing: Sequence[int]) -> bool:
        self.missing.append(tuple(missing))
        return self.patience

    def say(self, number: int, kind: str) -> None:
        self.calls[number].callback(look(number, kind))


def look(number: int, kind: str) -> Look:
    return {"good": good(f"v{number}"), "bad": bad(f"v{number}"), "void": Look(f"v{number}", fault="void")}[kind]


def left(number: int) -> Look:
    return Look(f"v{number}", fault="void", detail="left out")


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
    asked = Asked(4, 2, patience=True)
    for number in (3, 0, 2):
        asked.say(number, "bad")
    asked.clock.advance(10 * GRACE_S)
    assert not asked.poll.done.called
    assert asked.missing == [(1, 2)]
    asked.say(1, "void")
    assert result(asked.poll.done)[1] == look(1, "void")


def test_who_is_called_off_is_cancelled_and_what_it_says_then_is_dropped() -> None:
    clock = Clock()
    stubborn: Deferred[Look] = Deferred(lambda call: call.callback(good("late")))
    poll = Poll([succeed(good()), stubborn, succeed(good())], 2, clock, patient=lambda _: False, left_out=left)
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
        assert verdict(Round((bad(), *seen, *more), asked, quorum)) == verdict(Round((bad(), *seen), asked, quorum))


@given(st.lists(KINDS, max_size=5), st.integers(0, 3))
def test_without_a_quorum_all_are_waited_for(kinds: list[str], missing: int) -> None:
    seen = tuple(LOOKS[kind] for kind in kinds)
    assert certain(seen, len(seen) + missing, 0) is (missing == 0)
