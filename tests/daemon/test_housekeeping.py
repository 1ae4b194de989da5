"""Saving and trimming, in the background."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs

from pingmon.core.world.events import PingReceived
from pingmon.daemon.housekeeping import NEWS, REST_S, SAVE_EVERY_S, STEPS, Housekeeping
from pingmon.journal import JournalDamaged, JournalUnavailable, Trimmed
from pingmon.testing import Rig


class Trimmer:
    """Answers trim steps as it is told."""

    def __init__(self) -> None:
        self.steps = 0
        self.answer: Trimmed | Exception = Trimmed(10, 5, wrapped=False)

    def trim(self, now: int, budget_rows: int = 500) -> Deferred[Trimmed]:
        self.steps += 1
        return fail(self.answer) if isinstance(self.answer, Exception) else succeed(self.answer)


def running() -> tuple[Rig, Trimmer]:
    """A daemon whose first rest is over."""
    rig, trimmer = Rig(), Trimmer()
    Housekeeping(rig.monitor, trimmer, rig.time.clock).start()
    news(rig)
    return rig, trimmer


def news(rig: Rig) -> None:
    """As many entries as end a rest."""
    check = rig.check()
    for _ in range(NEWS):
        rig.monitor.submit(check, PingReceived("log"))


def test_the_log_is_trimmed_in_a_few_steps_each_second_until_a_whole_sweep_finds_nothing() -> None:
    """Then it rests until enough has been written, or an hour has passed."""
    rig, trimmer = running()
    rig.advance(3)
    assert trimmer.steps == 3 * STEPS
    trimmer.answer = Trimmed(10, 0, wrapped=True)
    rig.advance(2)
    trimmer.steps = 0
    rig.advance(60)
    assert trimmer.steps == 0
    news(rig)
    rig.advance(1)
    assert trimmer.steps == 1
    rig.advance(REST_S + 2)
    assert trimmer.steps == 2


def test_an_idle_daemon_does_not_look_through_its_log() -> None:
    """What was kept when it stopped is kept for another hour."""
    rig, trimmer = Rig(), Trimmer()
    Housekeeping(rig.monitor, trimmer, rig.time.clock).start()
    rig.advance(60)
    assert trimmer.steps == 0


def test_the_world_is_saved_now_and_then() -> None:
    """So that a start replays little, also where little happens."""
    rig, _ = running()
    rig.check()
    rig.advance(SAVE_EVERY_S + 1)
    assert rig.journal.snapshot_seq == rig.world.seq
    assert rig.world.unsaved == 0


def test_a_failure_is_tried_again_the_next_second() -> None:
    """Housekeeping outlives full disks and bugs."""
    rig, trimmer = running()
    trimmer.answer = JournalUnavailable("the disk is full")
    rig.advance(3)
    assert trimmer.steps == 3


def test_damage_ends_the_trimming_and_is_said_once() -> None:
    """What is damaged must not be made worse, nor fill the log with complaints, whoever finds it."""
    rig, trimmer = Rig(), Trimmer()
    trimmer.answer = JournalDamaged("journal.sqlite3", "entry 7 is altered")
    housekeeping = Housekeeping(rig.monitor, trimmer, rig.time.clock)
    housekeeping.start()
    news(rig)
    with capturedLogs() as logged:
        rig.advance(2)
        steps = trimmer.steps
        rig.journal.tracker.damaged("entry 7 is altered")
        rig.journal.tracker.damaged("entry 8 is altered")
        rig.advance(5)
    assert trimmer.steps == steps
    assert rig.journal.health().damage == "entry 7 is altered"
    assert len(logged) == 1


def test_nothing_is_done_while_the_journal_takes_no_events_or_after_the_stop() -> None:
    """The disk has other worries."""
    rig, trimmer = Rig(), Trimmer()
    housekeeping = Housekeeping(rig.monitor, trimmer, rig.time.clock)
    housekeeping.start()
    rig.monitor.deafness.begin(rig.now, "disk")
    rig.alarms.stop()
    news(rig)
    rig.advance(3)
    assert trimmer.steps == 0
    housekeeping.stop()
    rig.monitor.deafness.since = None
    rig.advance(3)
    assert trimmer.steps == 0
