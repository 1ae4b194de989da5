"""What falls due of an outage is told on time, after a restart and after a full disk too, and once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import capturedLogs

from pingmon.core.notify.alert_rules import AlertRules, EscalationStep
from pingmon.core.world.events import CheckDeleted, OutageAcknowledged, OutageReviewed, ProjectAlertRulesChanged
from pingmon.delivery.attempt import Delivered
from pingmon.delivery.outage_reviews import OutageReviews
from pingmon.testing import PROJECT
from tests.delivery.post import Post


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.close()


def reviewed(post: Post) -> OutageReviews:
    reviews = OutageReviews(post.monitor, post.clock)
    reviews.start()
    return reviews


def told(post: Post) -> list[tuple[str, int, int]]:
    return [(letter.channel.id, letter.owed.reminder, letter.owed.step) for letter in post.receivers.sent]


def test_reminders_and_steps_leave_when_they_are_due_until_somebody_acknowledges(post: Post) -> None:
    ops, boss = post.channel(), post.channel(2)
    for channel in (ops, boss):
        post.receivers.at_once[channel] = Delivered(200)
    reviews = reviewed(post)
    rules = AlertRules(remind_every=600, escalation=(EscalationStep(900, (boss,)),))
    check = post.check(channels=(ops,), alerts=rules)
    post.flip(check)
    post.advance(599)
    assert told(post) == [(ops, 0, 0)]
    post.advance(2)
    assert told(post)[1:] == [(ops, 1, 0)]
    post.advance(300)
    assert told(post)[2:] == [(boss, 0, 1)]
    post.advance(300)
    assert set(told(post)[3:]) == {(ops, 2, 0), (boss, 2, 0)}
    post.submit(check, OutageAcknowledged("ada"))
    post.advance(2000)
    assert len(told(post)) == 5
    assert len(post.events(OutageReviewed)) == 3, "nothing is logged while nothing is due"
    assert reviews.last_tick == pytest.approx(post.monitor.time.steady(), abs=1)
    reviews.stop()


def test_what_fell_due_while_pingmon_did_not_run_is_told_once_when_it_does(post: Post) -> None:
    ops = post.channel()
    post.receivers.at_once[ops] = Delivered(200)
    post.flip(post.check(channels=(ops,), alerts=AlertRules(remind_every=60)))
    after = post.restarted(away_s=600)
    after.receivers.at_once[ops] = Delivered(200)
    reviews = reviewed(after)
    after.advance(2)
    assert told(after) == [(ops, 1, 0)]
    reviews.stop()
    after.close()


def test_a_project_that_changes_its_mind_is_heard(post: Post) -> None:
    ops = post.channel()
    post.receivers.at_once[ops] = Delivered(200)
    reviews = reviewed(post)
    check = post.check(channels=(ops,))
    post.flip(check)
    post.advance(120)
    assert len(told(post)) == 1
    post.submit(PROJECT, ProjectAlertRulesChanged(remind_every=60))
    post.advance(1)
    assert told(post)[1:] == [(ops, 1, 0)]
    post.submit(check, CheckDeleted())
    post.advance(120)
    assert len(told(post)) == 2
    reviews.stop()


def test_a_review_that_cannot_be_logged_is_tried_again_without_a_word(post: Post) -> None:
    ops = post.channel()
    post.receivers.at_once[ops] = Delivered(200)
    reviews = reviewed(post)
    post.flip(post.check(channels=(ops,), alerts=AlertRules(remind_every=60)))
    post.advance(59)
    post.journal.fail_next(2)
    with capturedLogs() as logged:
        post.advance(1)
    assert len(told(post)) == 1
    assert not [event for event in logged if "reviewed" in event.get("log_format", "")]
    post.advance(3)
    assert told(post)[1:] == [(ops, 1, 0)]
    reviews.stop()
