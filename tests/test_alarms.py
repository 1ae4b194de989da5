"""From deadlines to flips: late wake-ups, deafness, set clocks, restarts, storms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pingmon.alarms import ALIVE_EVERY_S, MAX_EXPIRING, TURNS
from pingmon.core.check.settings import CheckChanges
from pingmon.core.units import SECOND
from pingmon.core.world.events import CheckChanged, CheckDeleted, PingReceived
from pingmon.journal import JournalUnavailable
from pingmon.testing import Rig, result


@pytest.fixture
def rig() -> Rig:
    return Rig()


def downs(rig: Rig) -> list[tuple[str, int]]:
    return [(flip.subject, flip.at) for flip in rig.flips if flip.new == "down"]


def test_a_silent_check_goes_down_at_its_deadline_and_not_before(rig: Rig) -> None:
    """The flip bears the deadline's time, and comes within a tick of it."""
    check = rig.check(timeout=60, grace=60)
    at = rig.now
    rig.ping(check)
    rig.advance(119)
    assert downs(rig) == []
    rig.advance(2)
    assert downs(rig) == [(check, at + 120 * SECOND)]


def test_a_check_that_is_pinged_in_time_never_goes_down(rig: Rig) -> None:
    """Ten periods, ten pings, no flip but the first; and the heap holds one place for it."""
    check = rig.check(timeout=60, grace=60)
    for _ in range(10):
        rig.ping(check)
        rig.advance(110)
    assert [flip.new for flip in rig.flips] == ["up"]
    assert rig.alarms.watched == 1


def test_deadlines_that_pass_together_flip_in_their_order(rig: Rig) -> None:
    """A late wake-up passes through every deadline in order, each with its own time."""
    at = rig.now
    checks = [rig.check(number, timeout=60, grace=60 + number) for number in range(5, 0, -1)]
    for check in checks:
        rig.ping(check)
    rig.time.advance(130, step=9)
    assert downs(rig) == [(check, at + (120 + number) * SECOND) for number, check in enumerate(reversed(checks), 1)]


def test_a_deadline_that_moves_earlier_is_kept(rig: Rig) -> None:
    """A start, or shorter settings, bring the deadline forward."""
    check = rig.check(timeout=3600, grace=60)
    rig.ping(check)
    rig.submit(check, CheckChanged(CheckChanges(timeout=60)))
    rig.advance(121)
    assert len(downs(rig)) == 1


def test_a_check_whose_schedule_has_run_out_is_told_of_once(rig: Rig) -> None:
    """At the tick after its last ping; also when that lies in the log of a version that did not tell."""
    check = rig.check(kind="oncalendar", schedule="2001-01-01", channels=(rig.channel(),))
    rig.ping(check)
    rig.advance(2)
    assert [owed.flip.cause for owed in rig.monitor.world.owed.values()] == ["ended"]
    rig.ping(check)
    rig.advance(5)
    assert len(rig.monitor.world.owed) == 1
    again = rig.restarted()
    again.advance(5)
    assert len(again.monitor.world.owed) == 1


def test_the_end_of_a_schedule_that_could_not_be_logged_is_told_later(rig: Rig) -> None:
    """A disk that is full for a moment loses no message."""
    check = rig.check(kind="oncalendar", schedule="2001-01-01", channels=(rig.channel(),))
    rig.ping(check)
    rig.journal.fail_next(3)
    rig.advance(1)
    assert rig.monitor.world.owed == {}
    rig.advance(90)
    assert [owed.flip.cause for owed in rig.monitor.world.owed.values()] == ["ended"]


def test_the_heap_does_not_grow_with_starts_that_come_and_go(rig: Rig) -> None:
    """Earlier deadlines that superseded later ones leave nothing behind for ever."""
    check = rig.check(timeout=86400, grace=60)
    for _ in range(300):
        rig.ping(check)
        rig.ping(check, "start")
        rig.ping(check)
        rig.time.advance(70, step=10)
    assert len(rig.alarms._deadlines._heap) <= 2 * 1 + 64
    assert downs(rig) == []


def test_a_deleted_check_raises_nothing(rig: Rig) -> None:
    """Its place in the heap is dropped when it is reached."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.submit(check, CheckDeleted())
    rig.advance(200)
    assert downs(rig) == []
    assert rig.alarms.watched == 0


def test_a_deadline_that_is_held_is_not_overdue(rig: Rig) -> None:
    """The health report of a daemon that has just started is a good one."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    again = rig.restarted(clean=False, away_s=600)
    assert again.alarms.overdue(again.now) == 0
    assert again.alarms.overdue(again.now + 70 * SECOND) > 0


def test_a_storm_of_deadlines_goes_through_the_log_in_portions(rig: Rig) -> None:
    """All go down within the tick, although only so many may be on their way at once."""
    for number in range(MAX_EXPIRING * 2 + 10):
        rig.ping(rig.check(number, timeout=60, grace=60))
    rig.journal.at_once = False
    rig.advance(121)
    assert len(rig.alarms._expiring) == MAX_EXPIRING
    for _ in range(3):
        rig.journal.flush()
    assert len(downs(rig)) == MAX_EXPIRING * 2 + 10


def test_a_tick_that_fails_is_logged_and_does_not_end_the_ticking(rig: Rig) -> None:
    """A monitor that silently stops monitoring is the worst failure."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.alarms._deadlines._heap.insert(0, "nonsense")  # type: ignore[arg-type]
    rig.advance(1)
    age = rig.keeper.steady() - rig.alarms.last_tick
    assert age >= 1
    rig.alarms._deadlines._heap.pop(0)
    rig.advance(125)
    assert len(downs(rig)) == 1
    assert rig.keeper.steady() - rig.alarms.last_tick < 1


# --- deafness -----------------------------------------------------------------------------------------------------


def test_silence_that_fell_into_a_restart_is_held_and_then_told_with_the_deafness(rig: Rig) -> None:
    """Jobs get a while to report after pingmon is back; who stays silent is told late, once, and with the reason."""
    check, lucky = rig.check(1, timeout=60, grace=60), rig.check(2, timeout=60, grace=60)
    rig.ping(check)
    rig.ping(lucky)
    due = rig.now + 120 * SECOND
    again = rig.restarted(clean=False, away_s=600)
    back = again.now
    again.advance(59)
    assert downs(again) == []
    again.ping(lucky)
    again.advance(3)
    assert downs(again) == [(check, due)]
    (flip,) = (flip for flip in again.flips if flip.new == "down")
    assert flip.deaf is not None
    assert flip.deaf.until == back


def test_a_second_outage_during_the_hold_of_the_first_holds_on(rig: Rig) -> None:
    """A host that is restarted twice pages nobody either."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    again = rig.restarted(clean=False, away_s=600)
    again.advance(20)
    third = again.restarted(clean=False, away_s=120)
    third.advance(58)
    assert downs(third) == []
    third.advance(5)
    assert [down for down, _ in downs(third)] == [check]


def test_what_is_due_while_expiries_are_on_their_way_waits_for_the_next_tick(rig: Rig) -> None:
    """The tick looks first whether the process was suspended."""
    first, second = rig.check(1, timeout=60, grace=60), rig.check(2, timeout=120, grace=60)
    rig.ping(first)
    rig.ping(second)
    rig.advance(119)
    rig.journal.at_once = False
    rig.advance(2)
    rig.time.sleep(3600)
    rig.journal.at_once = True
    rig.journal.flush()
    assert [down for down, _ in downs(rig)] == [first]
    rig.advance(30)
    assert [down for down, _ in downs(rig)] == [first]


def test_silence_after_the_end_of_listening_is_held_by_the_next_daemon(rig: Rig) -> None:
    """A daemon that is being stopped tells nothing more, and its successor knows since when it did not listen."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(115)
    result(rig.monitor.end_listening())
    rig.alarms.stop()
    rig.advance(10)
    assert downs(rig) == []
    again = rig.restarted(away_s=1)
    again.advance(55)
    assert downs(again) == []
    again.advance(10)
    assert [down for down, _ in downs(again)] == [check]


def test_a_suspended_machine_holds_back_the_silence_of_that_time(rig: Rig) -> None:
    """The tick that comes late by itself tells how long nothing ran."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.time.sleep(1000)
    rig.advance(1)
    rig.ping(check)
    rig.advance(100)
    assert downs(rig) == []
    assert rig.world.daemon.deaf[-1].cause == "suspended"


def queued(rig: Rig, check: str, turns: int) -> None:
    """A ping that lies in the kernel's queues until the reactor has gone round so often."""
    if turns:
        rig.time.clock.callLater(0, queued, rig, check, turns - 1)
    else:
        rig.monitor.submit(check, PingReceived()).addErrback(lambda failure: failure.trap(JournalUnavailable))


@pytest.mark.parametrize("seconds", [0.5, 3, 8, 9.9, 25])
@pytest.mark.parametrize("turns", [1, 2, TURNS - 1])
def test_a_ping_that_waited_while_the_process_stood_still_is_heard_before_deadlines_are_judged(
    rig: Rig, seconds: float, turns: int
) -> None:
    """However short or long it stood still, and however long the queue is."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(119.6)
    rig.time.sleep(seconds)
    queued(rig, check, turns)
    rig.advance(20)
    assert [flip.new for flip in rig.flips] == ["up"]


@pytest.mark.parametrize("busy_turns", [100, 10**9])
def test_pings_that_wait_for_their_turn_are_handled_before_deadlines_are_judged(rig: Rig, busy_turns: int) -> None:
    """However many waited while the process stood still; but who keeps the door busy keeps nothing back for long."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(119)
    left = busy_turns

    def behind() -> bool:
        nonlocal left
        left -= 1
        rig.time.clock.rightNow += 0.001
        if left == 0:
            rig.ping(check)
        return left > 0

    rig.alarms.behind = behind
    rig.advance(5)
    assert (downs(rig) == []) is (busy_turns == 100)


def test_what_was_heard_is_decided_before_deadlines_are_judged(rig: Rig) -> None:
    """A ping that the journal could not take makes pingmon deaf, and its silence proves nothing."""
    check, silent = rig.check(1, timeout=60, grace=60), rig.check(2, timeout=60, grace=60)
    rig.ping(check)
    rig.ping(silent)
    rig.advance(119.6)
    rig.journal.at_once = False
    rig.time.sleep(5)
    queued(rig, check, 3)
    rig.advance(2)
    assert downs(rig) == []
    rig.journal.fail_next()
    rig.journal.flush()
    assert rig.monitor.deafness.since is not None
    rig.journal.at_once = True
    rig.advance(2)
    assert downs(rig) == []


def test_one_judgement_is_made_at_a_time_and_each_is_made(rig: Rig) -> None:
    """A loop that is always late still judges: what was due at a tick does not wait for a quiet moment."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(118)
    rig.journal.at_once = False
    rig.monitor.submit(check, PingReceived("log"))
    for _ in range(5):
        rig.time.work(4)
        rig.advance(1)
    assert downs(rig) == []
    rig.journal.at_once = True
    rig.journal.flush()
    rig.advance(1)
    assert len(downs(rig)) == 1


def test_a_loop_that_is_kept_busy_cannot_hold_alerts_back(rig: Rig) -> None:
    """Whoever floods pingmon for half a minute at a time, again and again, does not silence it."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    for _ in range(5):
        rig.time.work(30)
        rig.advance(1)
    assert [down for down, _ in downs(rig)] == [check]
    assert rig.world.daemon.deaf == ()


def test_deadlines_are_not_judged_by_a_clock_that_was_set_back_meanwhile(rig: Rig) -> None:
    """The time of the tick is of no more use when the clock shows less."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(10)
    rig.journal.at_once = False
    rig.monitor.submit(check, PingReceived("log"))
    rig.advance(1)
    rig.time.set_wall(-3600)
    rig.journal.at_once = True
    rig.journal.flush()
    rig.advance(100)
    assert downs(rig) == []
    rig.advance(10)
    assert [down for down, _ in downs(rig)] == [check]


def test_a_disk_that_hangs_is_a_deafness_and_all_goes_on_by_itself(rig: Rig) -> None:
    """Nobody is told of a silence that may be pingmon's own, and nothing is judged before it is known what was lost."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(100)
    rig.journal.hangs_s = 5
    with pytest.raises(JournalUnavailable):
        rig.ping(check)
    rig.advance(60)
    assert downs(rig) == []
    assert rig.monitor.deafness.since is not None
    rig.journal.hangs_s = 0
    rig.advance(2)
    assert rig.monitor.deafness.since is None
    assert rig.world.daemon.deaf[-1].cause == "disk"
    rig.advance(57)
    assert downs(rig) == []
    rig.advance(5)
    assert [down for down, _ in downs(rig)] == [check]


def test_while_the_disk_is_full_nothing_expires_and_afterwards_silence_is_held(rig: Rig) -> None:
    """503 for pings means that silence proves nothing."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(100)
    rig.journal.fail_next(30)
    with pytest.raises(JournalUnavailable):
        rig.ping(check)
    rig.advance(25)
    assert rig.monitor.deafness.since is not None
    assert downs(rig) == []
    rig.advance(10)
    assert rig.monitor.deafness.since is None
    assert rig.world.daemon.deaf[-1].cause == "disk"
    rig.ping(check)
    rig.advance(110)
    assert downs(rig) == []


def test_an_idle_daemon_finds_out_by_itself_that_the_disk_is_full(rig: Rig) -> None:
    """The sign of life that it leaves cannot be written."""
    rig.advance(ALIVE_EVERY_S)
    rig.journal.fail_next(3)
    rig.advance(ALIVE_EVERY_S + 1)
    assert rig.monitor.deafness.since is not None
    rig.advance(5)
    assert rig.monitor.deafness.since is None


def test_an_expiry_that_could_not_be_logged_is_tried_again(rig: Rig) -> None:
    """It is told after the disk is back, once, with the deadline's time."""
    check = rig.check(timeout=60, grace=60)
    due = rig.now + 120 * SECOND
    rig.ping(check)
    rig.advance(119)
    rig.journal.fail_next(1)
    rig.advance(5)
    assert downs(rig) == []
    rig.advance(70)
    assert downs(rig) == [(check, due)]


# --- the clock ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [3600.0, -3600.0, 86400.0, -86400.0, 30.0, -30.0])
def test_a_clock_that_is_set_neither_alarms_nor_delays(rig: Rig, by: float) -> None:
    """A silent check goes down when its time has truly passed, a pinged one never."""
    silent, pinged = rig.check(1, timeout=60, grace=60), rig.check(2, timeout=60, grace=60)
    rig.ping(silent)
    rig.ping(pinged)
    rig.advance(50)
    rig.time.set_wall(by)
    rig.ping(pinged)
    rig.advance(69)
    assert downs(rig) == []
    rig.advance(2)
    assert [check for check, _ in downs(rig)] == [silent]


def test_a_clock_that_was_set_back_while_pingmon_was_away_delays_nothing_for_ever() -> None:
    """The log says it is later than the clock says: deadlines come back to the present."""
    rig = Rig()
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(30)
    rig.time.set_wall(-86400)
    again = rig.restarted(clean=False)
    again.advance(200)
    assert [check for check, _ in downs(again)] == [check]


def test_a_step_that_could_not_be_logged_is_logged_when_the_disk_is_back(rig: Rig) -> None:
    """No set clock is forgotten."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(11)
    rig.journal.fail_next(4)
    rig.time.set_wall(3600)
    rig.advance(10)
    assert rig.monitor.deafness.since is None
    assert [flip.new for flip in rig.flips] == ["up"]
    rig.advance(50)
    rig.ping(check)
    rig.advance(110)
    assert downs(rig) == []


# --- everything at once -------------------------------------------------------------------------------------------


class Truth(RuleBasedStateMachine):
    """Pings, silence, set clocks, restarts, kills and full disks, against what truly happened."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.checks = [self.rig.check(number, timeout=60 * number, grace=60) for number in (1, 2, 3)]
        self.spoken: dict[str, float] = {}
        self.deaf_until = 0.0
        self.alarmed: set[str] = set()
        self.seen = 0

    def true_time(self) -> float:
        return self.rig.time.steady()

    @rule(index=st.integers(0, 2))
    def ping(self, index: int) -> None:
        check = self.checks[index]
        try:
            self.rig.ping(check)
        except JournalUnavailable:
            return
        self.spoken[check] = self.true_time()
        self.alarmed.discard(check)

    @rule(seconds=st.integers(1, 200))
    def pass_time(self, seconds: int) -> None:
        self.rig.advance(seconds)

    @rule(by=st.sampled_from([-86400, -600, -7, 7, 600, 86400]))
    def set_clock(self, by: float) -> None:
        self.rig.time.set_wall(by)
        self.rig.keeper.now()

    @rule(seconds=st.floats(0.1, 40), index=st.integers(0, 2), turns=st.integers(1, TURNS - 1), busy=st.booleans())
    def stall_with_a_ping_in_the_queue(self, seconds: float, index: int, turns: int, busy: bool) -> None:
        """The ping was sent before the stall; whoever is silent for longer than that may not be heard of."""
        check, sent = self.checks[index], self.true_time()
        (self.rig.time.work if busy else self.rig.time.sleep)(seconds)
        queued(self.rig, check, turns)
        self.rig.advance(1)
        assert self.rig.world.checks[check].last_ping is not None
        self.spoken[check] = max(sent, self.true_time() - 1)
        self.alarmed.discard(check)
        self.alarmed_in_the_queue(check)
        if seconds > 9 and not busy:
            self.deaf_until = self.true_time()

    def alarmed_in_the_queue(self, check: str) -> None:
        """While its ping lay in the queue the check was not told."""
        limit = 60 * (self.checks.index(check) + 1) + 60
        for flip in self.rig.flips[self.seen :]:
            assert flip.subject != check or flip.new != "down", f"a false alarm within {limit} s"

    @rule(seconds=st.integers(11, 500))
    def suspend(self, seconds: float) -> None:
        self.rig.time.sleep(seconds)
        self.rig.advance(1)
        self.deaf_until = self.true_time()

    @rule(seconds=st.integers(0, 500), clean=st.booleans())
    def restart(self, seconds: float, clean: bool) -> None:
        flips, self.rig = self.rig.flips, self.rig.restarted(clean=clean, away_s=seconds)
        self.rig.flips[:0] = flips
        self.deaf_until = self.true_time()

    @rule(writes=st.integers(1, 20))
    def fill_disk(self, writes: int) -> None:
        self.rig.journal.fail_next(writes)
        self.rig.advance(writes + ALIVE_EVERY_S + 2)
        assert self.rig.monitor.deafness.since is None
        self.deaf_until = self.true_time()

    @invariant()
    def no_false_alarm_and_none_missed(self) -> None:
        now = self.true_time()
        for flip in self.rig.flips[self.seen :]:
            if flip.new == "down":
                assert flip.subject not in self.alarmed, "told twice"
                self.alarmed.add(flip.subject)
        self.seen = len(self.rig.flips)
        for number, check in enumerate(self.checks, 1):
            silent = now - self.spoken.get(check, now)
            limit = 60 * number + 60
            if check in self.alarmed:
                assert silent >= limit - 1, "a false alarm"
            elif check in self.spoken and now - self.deaf_until > 60 + 2:
                assert silent <= limit + 2, "a missed alarm"


TestTruth = Truth.TestCase
TestTruth.settings = settings(max_examples=60, stateful_step_count=25)


@given(times=st.lists(st.integers(1, 400), min_size=1, max_size=12))
@settings(max_examples=40)
def test_replaying_the_log_gives_the_world_that_ran(times: list[int]) -> None:
    """After any history, a killed daemon's successor knows what it knew."""
    rig = Rig()
    checks = [rig.check(number, timeout=60, grace=60 * number) for number in (1, 2)]
    for index, wait in enumerate(times):
        rig.ping(checks[index % 2])
        rig.time.advance(wait, step=5)
        if index == len(times) // 2:
            result(rig.monitor.save())
    known: dict[str, Any] = dict(rig.world.checks)
    again = rig.restarted(clean=False)
    assert again.world.checks == known
