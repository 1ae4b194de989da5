"""The heart: submitting, failing, saving, starting again."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs

from pingmon.core.events import PingReceived
from pingmon.journal import JournalFull, JournalUnavailable, MemoryJournal
from pingmon.monitor import SNAPSHOT_EVERY, Monitor
from pingmon.testing import Rig, result, uuid


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
    assert rig.monitor.deaf_since == rig.now
    rig.ping(check)
    assert rig.world.checks[check].n_pings == 1


def test_a_full_buffer_refuses_at_once(rig: Rig) -> None:
    """Memory does not grow with the log's trouble."""
    check = rig.check()
    small: MemoryJournal[object] = MemoryJournal(memory=rig.memory, max_buffered=1, at_once=False)
    monitor = Monitor(small, rig.keeper)  # type: ignore[arg-type]
    monitor.open()
    monitor.start()
    with pytest.raises(JournalFull):
        result(monitor.submit(check, PingReceived()))


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
    assert line == "check cccccccc (nightly backup) went down, was new: it reported a failure"
    assert check not in line


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
    assert any("could not be saved" in event["log_format"] for event in logged)
    with pytest.raises(JournalUnavailable):
        rig.ping(uuid(1))
