"""Turns of the loop: nobody gets more of one than a share, and none lasts long."""

from __future__ import annotations

import pytest

from pingmon.door.loop_turns import SHARE_S, TURN_S, LoopTurns
from tests.door.stage import Loop

STEP_S = SHARE_S / 2


class Guest:
    """Has so many steps to take, each of which lasts."""

    def __init__(self, clock: Loop, steps: int, step_s: float = STEP_S) -> None:
        self.clock = clock
        self.steps = steps
        self.step_s = step_s
        self.in_line = False

    def go_on(self, until: float) -> bool:
        while self.steps:
            self.steps -= 1
            self.clock.rightNow += self.step_s
            if self.clock.rightNow >= until:
                break
        return self.steps > 0


def test_who_has_little_is_served_at_once() -> None:
    """No timer is needed for it."""
    clock = Loop()
    turns = LoopTurns(clock)
    guest = Guest(clock, 1)
    turns.come(guest)
    assert guest.steps == 0
    assert clock.getDelayedCalls() == []


def test_who_has_much_gets_a_share_of_each_turn() -> None:
    """And others who come meanwhile are served before it is done."""
    clock = Loop()
    turns = LoopTurns(clock)
    greedy = Guest(clock, 100)
    turns.come(greedy)
    assert greedy.steps == 98
    clock.turn()
    assert greedy.steps == 96
    modest = Guest(clock, 1)
    turns.come(modest)
    assert modest.steps == 0
    for _ in range(50):
        clock.turn()
    assert greedy.steps == 0
    assert clock.getDelayedCalls() == []


def test_a_turn_ends_however_many_wait() -> None:
    """The line is taken up in the next one where it was left, so all get the same."""
    clock = Loop()
    turns = LoopTurns(clock)
    crowd = [Guest(clock, 10) for _ in range(100)]
    for guest in crowd:
        turns.wait(guest)
        turns.wait(guest)  # nobody is in line twice
    longest = 0.0
    while any(guest.steps for guest in crowd):
        began = clock.seconds()
        clock.turn()
        longest = max(longest, clock.seconds() - began)
        assert max(guest.steps for guest in crowd) - min(guest.steps for guest in crowd) <= 2
    assert longest <= TURN_S + SHARE_S


def test_so_many_that_come_at_once_do_not_fit_into_one_turn() -> None:
    """Those who come too late wait for the next, and then all is as before."""
    clock = Loop()
    turns = LoopTurns(clock)
    crowd = [Guest(clock, 1) for _ in range(100)]
    for guest in crowd:
        turns.come(guest)
        turns.come(guest)
    assert clock.seconds() <= TURN_S + SHARE_S
    assert [guest.steps for guest in crowd] == sorted(guest.steps for guest in crowd)
    while any(guest.steps for guest in crowd):
        clock.turn()
    clock.turn()
    late = Guest(clock, 1)
    turns.come(late)
    assert late.steps == 0


def test_a_turn_that_was_used_up_by_those_who_were_served_ends_too() -> None:
    """Who comes in the next one is served at once."""
    clock = Loop()
    turns = LoopTurns(clock)
    slow = Guest(clock, 1, TURN_S)
    turns.come(slow)
    waiting = Guest(clock, 1)
    turns.come(waiting)
    assert waiting.steps == 1
    clock.turn()
    assert waiting.steps == 0
    assert clock.getDelayedCalls() == []


def test_who_comes_goes_before_those_who_want_another_share() -> None:
    """But not so that the others never get one."""
    clock = Loop()
    turns = LoopTurns(clock)
    greedy = [Guest(clock, 1000) for _ in range(50)]
    for guest in greedy:
        turns.wait(guest)
    for _ in range(20):
        before = sum(guest.steps for guest in greedy)
        turns.spend(TURN_S)  # by something else
        crowd = [Guest(clock, 1) for _ in range(20)]
        for guest in crowd:
            turns.come(guest)
        for _ in range(4):
            clock.turn()
        assert sum(guest.steps for guest in crowd) == 0
        assert 4 <= before - sum(guest.steps for guest in greedy) <= 20


def test_it_ends() -> None:
    """Nothing is left in the reactor."""
    clock = Loop()
    turns = LoopTurns(clock)
    turns.wait(Guest(clock, 10))
    turns.stop()
    turns.stop()
    assert clock.getDelayedCalls() == []


def test_a_guest_that_fails_keeps_nobody_waiting() -> None:
    """The others have their turn all the same, though nobody else has come."""
    clock = Loop()
    turns = LoopTurns(clock)
    failing, waiting = Guest(clock, 1), Guest(clock, 1)
    failing.go_on = lambda until: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    turns.wait(failing)
    turns.wait(waiting)
    with pytest.raises(ZeroDivisionError):
        clock.turn()
    clock.turn()
    assert waiting.steps == 0
