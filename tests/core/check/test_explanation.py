"""Why a check is as it is: what is said, and the entries of the log that it rests on."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.core.check.explanation import RUNS, CheckEvidence, check_facts
from pingmon.core.check.settings import CheckChanges
from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.facts import Fact
from pingmon.core.units import DAEMON
from pingmon.core.world.events import (
    CheckChanged,
    CheckPaused,
    CheckResumed,
    Entry,
    ListeningResumed,
    PingReceived,
    ScheduleEnded,
    Signal,
)
from tests.core.worlds import C1, MINUTE, T0, Log


def facts(log: Log, now: int, **more: Any) -> list[Fact]:
    """What is to be said of the check at `now`, from all of its log."""

    def newest(*kinds: type[Any]) -> list[Entry]:
        return [entry for entry in reversed(log.entries) if isinstance(entry.event, kinds)]

    flips = [outcome.flip for outcome in reversed(log.outcomes) if outcome.flip is not None]
    seen = CheckEvidence(
        now=now,
        turned=flips[0] if flips else None,
        pings=newest(PingReceived),
        settings=next((entry.seq for entry in newest(CheckChanged)), log.world.checks[C1].born),
        deaf=log.world.daemon.deaf,
        resumed=newest(ListeningResumed),
        **more,
    )
    return check_facts(log.world.checks[C1], seen)


def said(log: Log, minute: float, topic: str = "") -> list[tuple[str, tuple[int, ...]]]:
    """What is said so many minutes after the beginning, of one topic or of all, and what it rests on."""
    found = facts(log, T0 + round(minute * MINUTE))
    return [(fact.kind, fact.entries) for fact in found if topic in ("", fact.topic)]


def watched(**spec: Any) -> Log:
    """A check with a period of an hour and ten minutes of grace: project 1, check 2."""
    log = Log()
    log.check(**{"timeout": 3600, "grace": 600} | spec)
    return log


def at(log: Log, minute: float, kind: str) -> tuple[Any, Any]:
    """The instants that one fact names, in minutes after the beginning."""
    (fact,) = [fact for fact in facts(log, T0 + round(minute * MINUTE)) if fact.kind == kind]
    return tuple(None if one is None else (one - T0) // MINUTE for one in (fact.at, fact.until))  # type: ignore[return-value]


def test_a_new_check_waits() -> None:
    """Nothing happens before its first ping."""
    assert said(watched(), 1) == [("new", (2,)), ("waits", (2,)), ("first_ping", (2,))]


def test_a_check_that_is_well() -> None:
    """Since its first ping; the newest one has set the deadline."""
    log = watched()
    log.ping()
    log.ping(at=T0 + 50 * MINUTE)
    assert said(log, 60) == [
        ("up", (3,)),
        ("last_ping", (4,)),
        ("expected", (4,)),
        ("goes_down", (4,)),
        ("failure", (3,)),
    ]
    assert at(log, 60, "expected") == (110, None)
    assert at(log, 60, "goes_down") == (120, None)


def test_a_check_that_is_late() -> None:
    """The grace time has begun; when that is over, it is about to go down."""
    log = watched()
    log.ping()
    assert said(log, 65, "state")[2:] == [("late", (3,))]
    assert said(log, 65, "next") == [("goes_down", (3,))]
    assert said(log, 71, "next") == [("due", (3,))]


def test_a_check_that_was_silent() -> None:
    """It rests on the last ping, and on the entry that says that none came after it."""
    log = watched()
    log.ping()
    log.expire()
    assert said(log, 80) == [("down", (3, 4)), ("last_ping", (3,)), ("stays_down", (4,)), ("success", (4,))]


def test_a_check_that_never_went_well_has_no_ping_before() -> None:
    """Its run took too long."""
    log = watched()
    log.ping(signal="start")
    log.expire()
    assert said(log, 80, "state") == [("down", (4,)), ("overdue_run", (3,))]


def test_a_job_that_failed() -> None:
    """The ping says so itself."""
    log = watched()
    log.add(C1, PingReceived("fail", exitstatus=3))
    (down, last, *_) = facts(log, T0)
    assert (down.kind, down.entries, down.flip and down.flip.exitstatus) == ("down", (3,), 3)
    assert last.entries == (3,)


def test_open_runs() -> None:
    """One that is watched must end within the grace time, and is too late after that; a few are told of."""
    log = watched()
    log.ping()
    for run in range(RUNS + 2):
        log.add(C1, PingReceived("start", rid=f"run {run}"), T0 + (run + 1) * MINUTE)
    runs = [fact for fact in facts(log, T0 + 9 * MINUTE) if fact.kind == "run"]
    assert [(run.who, run.entries) for run in runs] == [(f"run {run}", (4 + run,)) for run in range(RUNS)]
    assert said(log, 9, "next") == [("expected", (10,)), ("run_must_end", (4,))]
    assert at(log, 9, "run_must_end") == (1, 11)
    assert said(log, 11, "next") == [("expected", (10,)), ("due", (10,))]


def test_a_ping_that_is_too_old_to_be_found() -> None:
    """Then the entry stands for it that has set the deadline."""
    log = watched()
    log.ping()
    seen = CheckEvidence(now=T0, turned=None, pings=[], settings=2)
    assert {fact.kind: fact.entries for fact in check_facts(log.world.checks[C1], seen)}["last_ping"] == (3,)


@pytest.mark.parametrize(
    ("spec", "ping", "why"),
    [
        ({"methods": "POST"}, PingReceived("ign", "GET"), "methods"),
        ({"methods": "POST", "filter_http_body": True}, PingReceived("ign", "POST"), "keywords"),
        ({"filter_http_body": True}, PingReceived("ign", "GET"), "keywords"),
    ],
)
def test_a_ping_that_counts_for_nothing(spec: dict[str, Any], ping: PingReceived, why: str) -> None:
    """Whoever sent it may wonder; the settings are what it rests on besides."""
    log = watched(**spec)
    log.ping()
    log.add(C1, ping)
    (ignored,) = [fact for fact in facts(log, T0) if fact.kind == "ignored"]
    assert (ignored.why, ignored.entries) == (why, (4, 2))


@pytest.mark.parametrize(
    ("spec", "ping", "after", "why"),
    [
        ({"methods": "POST"}, PingReceived("ign", "GET"), [CheckChanged(CheckChanges(methods=""))], "then"),
        ({"manual_resume": True}, PingReceived("ign", "GET"), [CheckResumed()], "then"),
        ({"manual_resume": True, "methods": "POST"}, PingReceived("ign", "GET"), [CheckResumed()], "methods"),
        ({"filter_http_body": True}, PingReceived("ign", "GET"), [CheckPaused()], "keywords"),
    ],
)
def test_why_a_ping_counted_for_nothing_is_told_by_what_was_so_then(
    spec: dict[str, Any], ping: PingReceived, after: list[Any], why: str
) -> None:
    """Settings and pauses that are no more are not those of today; it is said that they decided, and not how."""
    log = watched(**spec)
    if spec.get("manual_resume"):
        log.add(C1, CheckPaused())
    log.add(C1, ping)
    for event in after:
        log.add(C1, event)
    assert [fact.why for fact in facts(log, T0) if fact.kind == "ignored"] == [why]


@pytest.mark.parametrize(("cause", "first"), [("silence", "success"), ("run", "start"), ("signal", "fail")])
def test_what_is_down_stays_so_until_what_is_said_to_end_it(cause: str, first: Signal) -> None:
    """A success, or a pause; whatever it went down for, nothing else does."""
    log = watched()
    log.ping(signal=first)
    if cause != "signal":
        log.expire()
    (down, *_) = facts(log, T0 + 80 * MINUTE)
    assert down.flip is not None
    assert down.flip.cause == cause
    for signal in ("start", "fail", "log", "ign"):
        assert (log.world.checks[C1].status, said(log, 80, "next")[0][0]) == ("down", "stays_down")
        log.ping(signal=signal)
    assert log.world.checks[C1].deadline is None
    log.add(C1, PingReceived("start", rid="one"))
    log.add(C1, PingReceived("success", rid="another"))
    assert log.world.checks[C1].status == "up"
    log.ping(signal="fail")
    log.add(C1, CheckPaused())
    assert said(log, 80)[0][0] == "paused"


def test_a_start_is_no_first_success() -> None:
    """A check that has only started is still new, and now it can go down."""
    log = watched()
    log.ping(signal="start")
    assert [kind for kind, _ in said(log, 1)] == ["new", "run", "run_must_end", "first_ping"]


def test_a_start_ends_no_wait_for_a_success() -> None:
    """The success is as late as it was."""
    log = watched()
    log.ping()
    log.ping(signal="start", at=T0 + 62 * MINUTE)
    assert [kind for kind, _ in said(log, 65, "state")] == ["up", "last_ping", "late", "run"]
    assert [kind for kind, _ in said(log, 65, "next")] == ["run_must_end", "goes_down"]


def test_a_message_counts_for_nothing_either() -> None:
    """Nor does it move the deadline."""
    log = watched()
    log.ping()
    log.ping(signal="log")
    assert ("logged", (4,)) in said(log, 1, "state")


def test_a_pause() -> None:
    """Any success or failure ends it, unless the check must be resumed; then pings are ignored."""
    log = watched()
    log.ping()
    log.add(C1, CheckPaused())
    assert said(log, 1) == [("paused", (4,)), ("last_ping", (3,)), ("unwatched", (4,)), ("ping_or_resume", (4,))]
    log.add(C1, CheckResumed())
    assert said(log, 1) == [("resumed", (5,)), ("waits", (5,)), ("first_ping", (5,))]
    manual = watched(manual_resume=True)
    manual.add(C1, CheckPaused())
    manual.ping(signal="ign")
    assert said(manual, 1) == [
        ("paused", (3,)),
        ("ignored", (4, 2)),
        ("unwatched", (3,)),
        ("resume", (3, 2)),
    ]
    assert [fact.why for fact in facts(manual, T0) if fact.kind == "ignored"] == ["paused"]


def test_settings_that_decide_which_pings_count() -> None:
    """They are part of what would change its status."""
    log = watched(methods="POST", filter_http_body=True)
    assert said(log, 1, "change") == [("first_ping", (2,)), ("post_only", (2,)), ("keywords", (2,))]


def test_a_schedule_that_has_run_out() -> None:
    """The check can alarm no more."""
    log = watched(kind="oncalendar", schedule="2023-11-14 22:00")
    log.ping()
    log.add(C1, ScheduleEnded())
    assert said(log, 1) == [("up", (3,)), ("last_ping", (3,)), ("ended", (3,)), ("no_more", (3,)), ("failure", (3,))]


def test_while_pingmon_was_deaf_an_alert_is_held() -> None:
    """And once it is told, the reason is told too: both rest on the entry that says that pingmon hears again."""
    log = watched()
    log.ping()
    log.add(DAEMON, ListeningResumed(T0 + 65 * MINUTE, T0 + 81 * MINUTE), T0 + 80 * MINUTE)
    assert said(log, 80, "next") == [("held", (3, 4))]
    assert at(log, 80, "held") == (70, 81)
    assert said(log, 81, "next") == [("due", (3,))]
    log.expire()
    assert said(log, 82, "state") == [("down", (3, 5)), ("was_deaf", (5, 4)), ("last_ping", (3,))]
    assert at(log, 82, "was_deaf") == (65, 80)


def test_what_the_zone_doctor_has_found_rests_on_the_pings() -> None:
    """As advice."""
    finding = ZoneFinding("UTC", ("Asia/Tokyo",), (5, 4, 3), -9, -9)
    (advice,) = [fact for fact in facts(watched(), T0, finding=finding) if fact.topic == "advice"]
    assert (advice.kind, advice.entries, advice.count, advice.finding) == ("zone", (5, 4, 3), 3, finding)


def test_of_pings_that_are_not_kept_nothing_is_made_up() -> None:
    """What is known is the status, from the change that led to it."""
    log = watched()
    log.ping()
    assert [(fact.kind, fact.entries) for fact in facts(log, T0, kept=False)] == [("up", (3,)), ("not_kept", (3,))]
