"""What a check's history would have been under other settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pingmon.core.check.rehearsal import REPLAYED, Alert, Rehearsal, reread
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.alert_rules import AlertRules
from pingmon.core.notify.outage import next_review
from pingmon.core.units import SECOND
from pingmon.core.world.events import CheckPaused, CheckResumed, Entry, OutageReviewed, PingReceived, Signal
from pingmon.testing import Rig, result, uuid
from tests.core.worlds import C1, HOUR, MINUTE, T0, Log


def rehearsed(log: Log, spec: CheckSpec, *, now: int, since: int = 0) -> list[Alert]:
    """The alerts that `log` would have made of its check with `spec`."""
    rehearsal = Rehearsal(log.world.checks[C1], spec, since)
    for entry in log.entries:
        if isinstance(entry.event, REPLAYED):
            rehearsal.take(reread(entry, spec)[0])
    return rehearsal.end(now)


def pinged(*minutes: int, **spec: Any) -> Log:
    """A check that was pinged so many minutes after the beginning."""
    log = Log()
    log.check(**spec)
    for minute in minutes:
        log.ping(at=T0 + minute * MINUTE)
    return log


def spans(alerts: list[Alert]) -> list[tuple[int, int | None, str]]:
    """From which minute to which it would have been down, and why."""
    return [
        ((a.flip.at - T0) // MINUTE, None if a.until is None else (a.until - T0) // MINUTE, a.flip.cause)
        for a in alerts
    ]


def test_a_longer_grace_would_have_spared_an_alert() -> None:
    """One ping came 70 minutes after the one before, the others every hour."""
    log = pinged(0, 60, 130, 190)
    now = T0 + 200 * MINUTE
    hourly = CheckSpec(timeout=3600, grace=300)
    assert spans(rehearsed(log, hourly, now=now)) == [(125, 130, "silence")]
    assert rehearsed(log, CheckSpec(timeout=3600, grace=900), now=now) == []


def test_what_is_still_down_has_no_end() -> None:
    """And has lasted until now."""
    (alert,) = rehearsed(pinged(0), CheckSpec(timeout=60, grace=60), now=T0 + HOUR)
    assert alert.until is None
    assert alert.lasted(T0 + HOUR) == 58 * MINUTE


def test_alerts_before_the_time_in_question_do_not_count() -> None:
    """What lasts into it neither."""
    log = pinged(0, 10, 20)
    spec = CheckSpec(timeout=60, grace=60)
    assert [span[0] for span in spans(rehearsed(log, spec, now=T0 + HOUR))] == [2, 12, 22]
    assert [span[0] for span in spans(rehearsed(log, spec, now=T0 + HOUR, since=T0 + 12 * MINUTE))] == [12, 22]


def test_a_schedule_and_its_zone_are_tried_as_well() -> None:
    """Pings at six in Bucharest, as `0 6 * * *` in UTC has them and in Bucharest."""
    log = Log()
    log.check()
    for day in range(5):
        log.ping(at=1_700_020_800 * SECOND + day * 24 * HOUR)  # 04:00 UTC
    now = log.entries[-1].at + HOUR
    cron = CheckSpec(kind="cron", schedule="0 6 * * *", grace=600)
    assert len(rehearsed(log, cron, now=now)) == 4
    assert rehearsed(log, CheckSpec(kind="cron", schedule="0 6 * * *", grace=600, tz="Europe/Bucharest"), now=now) == []


def test_a_pause_stays_a_pause() -> None:
    """Nobody is told of what was paused at the time."""
    log = pinged(0)
    log.add(C1, CheckPaused(), T0 + MINUTE)
    log.add(C1, CheckResumed(), T0 + 100 * MINUTE)
    log.ping(at=T0 + 110 * MINUTE)
    log.add(C1, CheckPaused(), T0 + 120 * MINUTE)
    spec = CheckSpec(timeout=60, grace=60)
    assert spans(rehearsed(log, spec, now=T0 + 130 * MINUTE)) == [(112, 120, "silence")]


@pytest.mark.parametrize(
    ("spec", "logged", "body", "taken", "guessed"),
    [
        ({}, PingReceived("fail"), b"", "fail", False),
        ({}, PingReceived("ign"), b"", "success", True),
        ({}, PingReceived("ign", exitstatus=3), b"", "fail", True),
        ({"methods": "POST"}, PingReceived("success", "GET"), b"", "ign", False),
        ({"methods": "POST"}, PingReceived("ign", "GET"), b"", "ign", False),
        ({"methods": "POST"}, PingReceived("start", "POST"), b"", "start", False),
        (
            {"filter_http_body": True, "failure_kw": "disk"},
            PingReceived("success", "POST"),
            b"disk full",
            "fail",
            False,
        ),
        ({"filter_http_body": True, "success_kw": "ok"}, PingReceived("ign", "POST"), b"all ok", "success", False),
        ({"filter_http_body": True, "success_kw": "ok"}, PingReceived("success", "POST"), b"what", "ign", False),
        ({"filter_http_body": True, "filter_default_fail": True}, PingReceived(left_out=9), None, "fail", True),
    ],
)
def test_filters_read_the_pings_anew(
    spec: dict[str, Any], logged: PingReceived, body: bytes | None, taken: Signal, guessed: bool
) -> None:
    """What cannot be known of an ignored ping, or of a body that was not kept, is said to be a guess."""
    again, guess = reread(Entry(1, T0, C1, logged, body), CheckSpec(**spec))
    assert isinstance(again.event, PingReceived)
    assert (again.event.signal, again.payload, guess) == (taken, None, guessed)


def test_while_pingmon_was_deaf_nothing_is_held_against_the_job() -> None:
    """It was stopped when the ping was due; the job pings in the minute that is left to it, or does not."""
    for late in (False, True):
        rig = Rig()
        check = rig.check(timeout=60, grace=60)
        rig.ping(check)
        rig.advance(90)
        rig = rig.restarted(away_s=600)
        rig.advance(90 if late else 30)
        rig.ping(check)
        assert _of(rig, check) == _real(rig, check)
        assert len(_of(rig, check)) == late
        rig.alarms.stop()


def test_a_clock_that_was_set_moves_what_was_measured() -> None:
    """An hour ahead is no hour of silence; and back again is no second hour."""
    rig = Rig()
    check = rig.check(timeout=60, grace=60)
    for by in (3600, -3600):
        rig.ping(check)
        rig.advance(30)
        rig.time.set_wall(by)
        rig.advance(30)
    rig.ping(check)
    rig.advance(300)
    assert len(_of(rig, check)) == 1
    assert _of(rig, check) == _real(rig, check)
    rig.alarms.stop()


def test_what_ended_before_there_were_failures_enough_is_no_alert() -> None:
    """Nobody would have been told of it; nor of what has not lasted long enough by now."""
    log = pinged(0)
    signals: list[Signal] = ["fail", "fail", "success", "fail", "fail", "fail", "success", "fail"]
    for minute, signal in enumerate(signals, 1):
        log.ping(at=T0 + minute * MINUTE, signal=signal)
    now = T0 + 9 * MINUTE
    spec = CheckSpec(timeout=600, grace=60, alerts=AlertRules(notify_after=3))
    assert spans(rehearsed(log, spec, now=now)) == [(4, 7, "signal")]
    assert spans(rehearsed(log, spec, now=now + HOUR)) == [(4, 7, "signal"), (8, None, "signal")]
    assert len(rehearsed(log, CheckSpec(timeout=600, grace=60), now=now)) == 3


def _of(rig: Rig, check: str) -> list[tuple[int, str]]:
    """When and why the check would have gone down with the settings that it has."""
    spec = rig.world.checks[check].spec
    rehearsal = Rehearsal(rig.world.checks[check], spec, 0)
    for entry in result(rig.journal.entries(None, limit=100_000)):
        if isinstance(entry.event, REPLAYED):
            rehearsal.take(reread(entry, spec)[0])
    return [(alert.flip.at, alert.flip.cause) for alert in rehearsal.end(rig.now)]


def _real(rig: Rig, check: str) -> list[tuple[int, str]]:
    """When and why it went down."""
    rows = result(rig.journal.flips(check, upto=rig.world.seq))
    return [(row.at, _cause(row.body)) for row in rows[::-1] if b'"new":"down"' in row.body]


def _cause(body: bytes) -> str:
    return next(cause for cause in ("silence", "run", "signal") if f'"{cause}"'.encode() in body)


_STEPS = st.tuples(
    st.sampled_from(["success", "success", "success", "start", "fail", "log", "pause", "resume", "away"]),
    st.integers(1, 200),
)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(_STEPS.filter(lambda step: step[0] != "away"), max_size=12), often=st.integers(2, 4))
@example(steps=[("fail", 1), ("log", 150), ("success", 1), ("fail", 1), ("fail", 1)], often=2)
def test_with_the_failures_that_it_needed_a_rehearsal_gives_the_outages_that_were_told(
    steps: list[tuple[Any, int]], often: int
) -> None:
    """`notify_after` holds back in a rehearsal what it held back in earnest."""
    rig = Rig()
    check = rig.check(timeout=60, grace=60, channels=(rig.channel(),), alerts=AlertRules(notify_after=often))
    told = set[int]()
    for what, seconds in steps:
        if what == "pause":
            rig.submit(check, CheckPaused())
        elif what == "resume":
            rig.submit(check, CheckResumed())
        else:
            rig.ping(check, what)
        for second in [0.01] + [1.0] * seconds:
            rig.advance(second)
            due = next_review(rig.world, rig.world.checks[check])
            if due is not None and due <= rig.now:
                rig.submit(check, OutageReviewed())
            audience = rig.world.checks[check].audience
            if audience is not None and audience.new == "down" and audience.told_at:
                told.add(next(flip.at for flip in rig.flips if flip.seq == audience.seq))
    assert [at for at, _ in _of(rig, check)] == sorted(told)
    rig.alarms.stop()


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(_STEPS, max_size=12))
@example(steps=[("success", 120), ("success", 1)])
def test_with_the_settings_that_it_had_a_rehearsal_gives_the_alerts_that_there_were(
    steps: list[tuple[Any, int]],
) -> None:
    """Whatever happened: pings, runs, pauses, and a pingmon that was stopped."""
    rig = Rig()
    check = rig.check(timeout=60, grace=60)
    for what, seconds in steps:
        if what == "pause":
            rig.submit(check, CheckPaused())
        elif what == "resume":
            rig.submit(check, CheckResumed())
        elif what == "away":
            rig = rig.restarted(away_s=seconds)
        else:
            rig.ping(check, what)
        rig.advance(seconds + 0.01)  # nothing happens at the instant of a deadline: there the tick decides
    assert _of(rig, check) == _real(rig, check)
    rig.alarms.stop()
    assert check == uuid(1)
