"""What a message about a check that is down says besides."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from pingmon.core.notify.notification import Notification
from pingmon.core.units import SECOND
from pingmon.core.world.events import CheckExpired, Entry
from pingmon.delivery.advice import READ_S, Advice
from pingmon.testing import Rig, result

HOUR = 3600


def told(rig: Rig, history: Any = None) -> str:
    """The advice for the one message that is owed."""
    (owed,) = rig.world.owed.values()
    return result(asked(rig, owed, history))


def asked(rig: Rig, owed: Notification, history: Any = None) -> Deferred[str]:
    return Deferred.fromCoroutine(Advice(rig.world, history or rig.journal, rig.time.clock)(owed))


def down(rig: Rig, *, runs: int = 4, **spec: Any) -> None:
    """A check that is due at six in UTC, and pinged `runs` times at six in Tokyo, goes down at last."""
    rig.alarms.stop()
    settings: dict[str, Any] = {"kind": "cron", "schedule": "0 6 * * *", "grace": HOUR} | spec
    id = rig.check(channels=(rig.channel(),), **settings)
    rig.time.clock.advance((21 * HOUR - rig.now // SECOND) % (24 * HOUR))
    for _ in range(runs):
        rig.ping(id)
        rig.time.clock.advance(24 * HOUR)
    check = rig.world.checks[id]
    assert check.deadline is not None
    rig.submit(id, CheckExpired(check.deadline, check.armed_by))


def test_an_alert_says_that_the_pings_fit_another_zone() -> None:
    """The sentence names a zone that another schedule of the project has."""
    rig = Rig()
    rig.check(2, kind="cron", schedule="0 5 * * *", tz="Asia/Seoul")
    down(rig)
    assert told(rig) == (
        "the last 4 pings came 9 h early; they fit Asia/Seoul, Asia/Tokyo, and the schedule's zone is UTC"
    )


@pytest.mark.parametrize("spec", [{"runs": 2}, {"schedule": "0 21 * * *"}, {"kind": "simple", "timeout": 6 * HOUR}])
def test_most_alerts_have_no_advice(spec: dict[str, Any]) -> None:
    """Two pings prove nothing, pings on time were no mistake, and a period has no zone."""
    rig = Rig()
    down(rig, **spec)
    (owed,) = rig.world.owed.values()
    assert owed.flip.cause == "silence"
    assert told(rig) == ""


def test_a_failure_that_a_job_reports_needs_none() -> None:
    """Nothing was late."""
    rig = Rig()
    rig.ping(rig.check(channels=(rig.channel(),), kind="cron"), "fail")
    assert told(rig) == ""


class _Broken:
    """A history that cannot be read, or not soon."""

    def __init__(self, answer: Deferred[list[Entry]]) -> None:
        self.answer = answer

    def events(self, *of: object, **asked: object) -> Deferred[list[Entry]]:
        return self.answer


def test_a_history_that_cannot_be_read_keeps_no_message_back() -> None:
    """It is logged, and the message goes without."""
    rig = Rig()
    down(rig)
    with capturedLogs() as logged:
        assert told(rig, _Broken(fail(ValueError("broken")))) == ""
    assert [event["log_level"].name for event in logged] == ["critical"]


def test_a_history_that_does_not_answer_holds_a_message_up_for_seconds_only() -> None:
    """Whoever is told waits no longer than that; and who waits may stop waiting."""
    rig = Rig()
    down(rig)
    (owed,) = rig.world.owed.values()
    waiting = asked(rig, owed, _Broken(Deferred()))
    rig.time.clock.advance(READ_S)
    assert result(waiting) == ""
    cancelled = asked(rig, owed, _Broken(Deferred()))
    failures: list[object] = []
    cancelled.addErrback(failures.append).cancel()
    assert len(failures) == 1
