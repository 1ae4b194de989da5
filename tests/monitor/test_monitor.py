"""The heart: submitting, failing, saving, starting again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs

from pingmon.core.units import SECOND
from pingmon.core.world.events import (
    ChannelEvent,
    ChannelTested,
    CheckDeleted,
    CheckEvent,
    ClockStepped,
    Entry,
    Event,
    PingReceived,
    ProjectRenamed,
    SiteEvent,
)
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.snapshot_blocks import Block
from pingmon.journal import JournalFormatError, JournalFull, JournalUnavailable, MemoryJournal
from pingmon.monitor import SNAPSHOT_EVERY, Monitor
from pingmon.testing import PROJECT, Rig, bad, good, result, uuid
from pingmon.timing.clock import Timekeeper


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_nothing_has_happened_until_it_is_durable(rig: Rig) -> None:
    """The world changes, and the submitter hears, when the log has the event."""
    check = rig.check()
    rig.journal.at_once = False
    submitted = rig.monitor.submit(check, PingReceived())
    assert (submitted.called, rig.world.checks[check].n_pings) == (False, 0)
    rig.journal.flush()
    assert result(submitted).check is rig.world.checks[check]
    assert rig.world.checks[check].n_pings == 1


def test_a_commit_that_fails_changes_nothing_and_makes_pingmon_deaf(rig: Rig) -> None:
    """The submitter is told; the next event may well succeed."""
    check = rig.check()
    rig.journal.fail_next()
    with pytest.raises(JournalUnavailable):
        rig.ping(check)
    assert rig.world.checks[check].n_pings == 0
    assert rig.monitor.deafness.since == rig.now
    rig.ping(check)
    assert rig.world.checks[check].n_pings == 1


class Caller:
    """Who submits without a Deferred."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self.told: list[tuple[object, int | None]] = []
        """What it was told, and since when the monitor was deaf at that moment."""

    def callback(self, outcome: Outcome) -> None:
        self.told.append((outcome.result, self._monitor.deafness.since))

    def errback(self, error: Exception) -> None:
        self.told.append((type(error), self._monitor.deafness.since))


def test_a_full_buffer_refuses_at_once(rig: Rig) -> None:
    """Memory does not grow with the log's trouble."""
    check = rig.check()
    small: MemoryJournal[object] = MemoryJournal(memory=rig.memory, max_buffered=1, at_once=False)
    monitor = Monitor(small, rig.keeper)  # type: ignore[arg-type]
    monitor.open()
    monitor.start()
    caller = Caller(monitor)
    monitor.submit_for(check, PingReceived(), None, caller)
    assert caller.told == [(JournalFull, monitor.now())], "it was deaf when that was told"
    with pytest.raises(JournalFull):
        result(monitor.submit(check, PingReceived()))


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
def test_who_is_refused_finds_the_monitor_deaf(rig: Rig, trouble: str) -> None:
    """So that no silence is told for a ping of which its sender knows that it was not taken."""
    check, caller = rig.check(), Caller(rig.monitor)
    rig.monitor.submit_for(check, PingReceived(), None, caller)
    if trouble == "fails":
        rig.journal.fail_next()
    else:
        rig.journal.hangs_s = 5
    rig.monitor.submit_for(check, PingReceived(), None, caller)
    assert caller.told == [("done", None), (JournalUnavailable, rig.now)]


def test_cancelling_a_submission_does_not_undo_it(rig: Rig) -> None:
    """A client that hangs up has pinged all the same."""
    check = rig.check()
    rig.journal.at_once = False
    submitted = rig.monitor.submit(check, PingReceived())
    submitted.addErrback(lambda failure: failure.trap(CancelledError))
    submitted.cancel()
    rig.journal.flush()
    assert rig.world.checks[check].n_pings == 1


def test_a_flip_is_logged_without_giving_the_ping_url_away(rig: Rig) -> None:
    """The id's beginning and the name are enough for people."""
    check = rig.check(name="nightly backup")
    with capturedLogs() as logged:
        rig.ping(check, "fail")
    (line,) = (event["log_format"].format(**event) for event in logged if "went" in event["log_format"])
    assert line.startswith("check cccccccc (nightly backup) went down, was new: the job reported a failure; nobody")
    assert check not in line


def test_that_a_new_check_is_well_is_no_news(rig: Rig) -> None:
    """Nothing was amiss; and a job that makes thousands of checks writes no thousands of lines."""
    with capturedLogs() as logged:
        check = rig.check(channels=(rig.channel(),))
        for signal in ("success", "fail", "success"):
            rig.ping(check, signal)
    flips = [(event["old"], event["new"], event["log_level"].name) for event in logged if "went" in event["log_format"]]
    assert flips == [("up", "down", "info"), ("down", "up", "info")]


def test_a_name_cannot_make_up_lines_of_the_log(rig: Rig) -> None:
    """Nor colours of the terminal that shows it."""
    check = rig.check(name="x\n2026-01-01 [pingmon#critical] all is lost\x1b[31m")
    with capturedLogs() as logged:
        rig.ping(check, "fail")
    (line,) = (event["log_format"].format(**event) for event in logged if "went" in event["log_format"])
    assert line.isprintable()


def test_a_dispute_about_a_site_is_a_warning_and_a_place_that_sees_nothing_is_not(rig: Rig) -> None:
    """What keeps pingmon from seeing anything is told once, elsewhere."""
    levels = []
    for number, looks in enumerate(((bad(), bad("a"), good("b")), (bad(fault="void"),)), 1):
        site = rig.site(number)
        rig.probe(site, bad() if number == 1 else good())
        with capturedLogs() as logged:
            rig.probe(site, *looks, asked=len(looks) - 1, quorum=2)
        levels += [event["log_level"].name for event in logged if event.get("new") == "unknown"]
    assert levels == ["warn", "info"]


def test_a_listener_that_fails_is_logged_and_takes_nothing_from_others(rig: Rig) -> None:
    """What is durable is answered, whatever comes after."""
    heard: list[str] = []

    def faulty(entry: Entry, outcome: Outcome) -> None:
        raise ZeroDivisionError

    rig.monitor.listen(faulty)
    rig.monitor.listen(lambda entry, outcome: heard.append(outcome.result))
    with capturedLogs() as logged:
        check = rig.check()
    assert heard == ["created"]
    assert check in rig.world.checks
    assert [event["log_failure"].type for event in logged] == [ZeroDivisionError]


def test_listeners_hear_what_they_follow_and_nothing_else(rig: Rig) -> None:
    """Of an ordinary ping only those who follow checks, or all; of one that makes a message due, those who send it."""
    heard: list[str] = []

    def follows(what: str, *events: type[Event], owed: bool = False) -> None:
        rig.monitor.listen(lambda entry, outcome: heard.append(what), *events, owed=owed)

    follows("all")
    follows("checks", CheckEvent)
    follows("channels and messages", ChannelEvent, owed=True)
    follows("sites and the clock", SiteEvent, ClockStepped)

    def of(act: Callable[[], object]) -> list[str]:
        heard.clear()
        act()
        return heard

    channel = rig.channel()
    check = rig.check(channels=(channel,))
    assert of(lambda: rig.ping(check)) == ["all", "checks"], "new and then up: nobody is told"
    assert of(lambda: rig.ping(check)) == ["all", "checks"]
    assert of(lambda: rig.ping(check, "fail")) == ["all", "checks", "channels and messages"]
    assert of(lambda: rig.submit(check, CheckDeleted())) == ["all", "checks", "channels and messages"], "it is void"
    assert of(lambda: rig.submit(channel, ChannelTested(1))) == ["all", "channels and messages"]
    assert of(rig.site) == ["all", "sites and the clock"]
    rig.time.set_wall(3600)
    assert of(rig.keeper.now) == ["all", "sites and the clock"]


def test_a_snapshot_that_fails_is_not_tried_at_each_entry(rig: Rig) -> None:
    """Only after as many entries again, or when the daemon keeps house."""
    check = rig.check()
    for _ in range(SNAPSHOT_EVERY - rig.world.seq - 1):
        rig.monitor.submit(check, PingReceived("log"))
    rig.journal.fail_next(2, after=1)
    with capturedLogs() as logged:
        for _ in range(20):
            rig.monitor.submit(check, PingReceived("log")).addErrback(lambda failure: None)
    assert len([event for event in logged if "could not save its state" in event["log_format"]]) == 1


def test_a_saved_state_from_a_newer_pingmon_is_said_to_be_that(rig: Rig) -> None:
    """And not a traceback."""
    result(rig.journal.snapshot(rig.world.seq, [Block(1, "comet", b"[{}]")], rig.now))
    with pytest.raises(JournalFormatError, match="did a newer pingmon save it"):
        rig.restarted(clean=False)


def test_a_step_of_the_clock_that_could_not_be_logged_goes_before_the_next_event(rig: Rig) -> None:
    """A ping that already bears the new time must not be moved by it."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.journal.fail_next()
    rig.time.set_wall(-3600)
    rig.keeper.now()
    rig.ping(check)
    assert rig.world.checks[check].last_ping == rig.now


def test_a_step_that_a_failing_disk_kept_all_the_same_is_taken_once(rig: Rig) -> None:
    """It is found when it has been logged once more, and that is undone before any deadline is judged."""
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.advance(60)
    rig.journal.fail_next(kept=True)
    rig.time.set_wall(3600)
    rig.keeper.now()
    rig.advance(50)
    assert [flip.new for flip in rig.flips] == ["up"]
    assert rig.world.checks[check].deadline == rig.now + 10 * SECOND
    rig.advance(75)
    assert [flip.new for flip in rig.flips] == ["up", "down"]


def test_a_ping_that_a_failing_disk_kept_all_the_same_counts(rig: Rig) -> None:
    """Its 503 said that nothing was known."""
    check = rig.check()
    rig.journal.fail_next(kept=True)
    with pytest.raises(JournalUnavailable):
        rig.ping(check)
    assert rig.world.checks[check].n_pings == 0
    rig.advance(1)
    assert rig.world.checks[check].n_pings == 1


def test_a_restart_begins_with_the_saved_world_and_replays_the_rest(rig: Rig) -> None:
    """Saved on a clean stop: nothing to replay. Killed: all of it."""
    check = rig.check()
    rig.ping(check)
    clean = rig.restarted(clean=True)
    assert clean.journal.snapshot_seq > 0
    assert clean.world.checks == rig.world.checks
    clean.ping(check)
    killed = clean.restarted(clean=False)
    assert killed.world.checks[check].n_pings == 2
    assert [flip.seq for flip in result(killed.journal.flips(check, upto=99))] == [rig.flips[0].seq]


def test_the_world_is_saved_after_many_entries(rig: Rig) -> None:
    """So that a start never replays for long."""
    check = rig.check()
    for _ in range(SNAPSHOT_EVERY):
        rig.monitor.submit(check, PingReceived("log"))
    assert rig.journal.snapshot_seq >= SNAPSHOT_EVERY


def test_saving_that_fails_is_said_and_done_again_later(rig: Rig) -> None:
    """Nothing of the world is forgotten to be saved."""
    check = rig.check()
    rig.journal.fail_next()
    with pytest.raises(JournalUnavailable):
        result(rig.monitor.save())
    result(rig.monitor.save())
    assert rig.restarted(clean=False).world.checks[check] == rig.world.checks[check]


def test_stopping_closes_the_journal_also_if_saving_fails(rig: Rig) -> None:
    """What is in the log is safe anyway."""
    rig.check()
    rig.journal.fail_next()
    with capturedLogs() as logged:
        result(rig.monitor.stop())
    assert any("could not save its state" in event["log_format"] for event in logged)
    with pytest.raises(JournalUnavailable):
        rig.ping(uuid(1))


def worked_on(rig: Rig, after_s: float) -> None:
    """Work on the journal of a daemon that was killed, `after_s` seconds later."""
    rig.alarms.stop()
    rig.time.sleep(after_s)
    monitor = Monitor(MemoryJournal(memory=rig.memory), Timekeeper(rig.time.wall, rig.time.steady))
    monitor.open()
    result(monitor.start_deaf())
    result(monitor.submit(PROJECT, ProjectRenamed("renamed")))
    result(monitor.stop())


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("set_back_s", [0, 3600])
def test_work_on_the_journal_of_a_stopped_daemon_is_no_sign_of_its_life(rig: Rig, times: int, set_back_s: int) -> None:
    """A check that came due while nobody listened is held after the next start.

    Also if the clock was set back by so much that the work seems to have been done before the daemon was killed.
    """
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    killed_at = rig.now
    rig.time.set_wall(-set_back_s)
    for _ in range(times):
        worked_on(rig, 1000)
    again = rig.restarted(clean=False, away_s=1000)
    assert again.world.projects[PROJECT].name == "renamed"
    assert again.world.daemon.deaf[-1].since == killed_at - (set_back_s - 1000) * SECOND * bool(set_back_s)
    again.advance(30)
    assert again.world.checks[check].status == "up"
    again.advance(120)
    assert again.world.checks[check].status == "down"
