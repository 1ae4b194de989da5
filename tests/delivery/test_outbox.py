"""Tests of `pingmon.delivery.outbox`: what is owed is delivered, at least once and in order, and nobody waits long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from twisted.logger import capturedLogs

from pingmon.core.events import CheckDeleted, NotificationAbandoned, NotificationDelivered, NotificationFailed
from pingmon.core.notify import GIVE_UP_AFTER_S, RETRY_AFTER_S
from pingmon.core.times import SECOND
from pingmon.delivery.attempt import Delivered, NotDelivered
from pingmon.delivery.insist import LOG_AGAIN_S
from pingmon.delivery.outbox import STOP_S
from pingmon.journal import JournalFull
from pingmon.testing import result, uuid
from tests.delivery.post import Post

REFUSED = NotDelivered("connection refused")


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.close()
    assert post.clock.getDelayedCalls() == []


# --- one message --------------------------------------------------------------------------------------------------


def test_a_message_leaves_at_once_and_not_at_the_next_tick(post: Post) -> None:
    channel = post.rig.channel()
    check = post.rig.check(channels=(channel,), name="backup")
    post.flip(check)
    (letter,) = post.receivers.sent
    assert (letter.subject.spec.name, letter.owed.flip.new, letter.channel.id) == ("backup", "down", channel)
    assert post.rig.world.owed


def test_a_delivered_message_is_logged_with_status_and_duration_and_owed_no_more(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.rig.advance(1.25)
    post.answer(channel, Delivered(204))
    assert post.events() == [NotificationDelivered(f"{channel}.4", 1250, 204)]
    assert post.rig.world.owed == {}
    assert (post.outbox.pending, post.outbox.in_flight) == (0, 0)


def test_a_message_that_has_nowhere_to_go_is_settled(post: Post) -> None:
    channel = post.rig.channel()
    post.receivers.at_once[channel] = Delivered()
    post.flip(post.rig.check(channels=(channel,)))
    assert post.events() == [NotificationDelivered(f"{channel}.4", 0)]


def test_a_failed_message_is_tried_again_with_the_same_id_after_growing_waits(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    waits = []
    for wait in RETRY_AFTER_S:
        count, began = len(post.receivers.sent), post.clock.seconds()
        post.answer(channel, REFUSED)
        while len(post.receivers.sent) == count and post.clock.seconds() - began <= wait + 1:
            post.clock.advance(1)
        waits.append(post.clock.seconds() - began)
        assert wait <= waits[-1] <= wait + 1
    assert {letter.id for letter in post.receivers.sent} == {f"{channel}_4"}
    assert [event.error for event in post.events() if isinstance(event, NotificationFailed)] == [REFUSED.error] * 6


def test_retries_are_spread_so_that_channels_do_not_march_in_step() -> None:
    post = Post(spread=0.999)
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.answer(channel, REFUSED)
    (failed,) = post.events()
    assert isinstance(failed, NotificationFailed)
    assert failed.retry_at - post.rig.now == pytest.approx(5.5 * SECOND, abs=SECOND // 100)


def test_a_receiver_that_asks_for_time_gets_it(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.answer(channel, NotDelivered("status 429", retry_after_s=100.0))
    post.rig.advance(99)
    assert len(post.receivers.sent) == 1
    post.rig.advance(2)
    assert len(post.receivers.sent) == 2


def test_an_attempt_that_takes_too_long_is_ended(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.rig.advance(30)
    assert post.receivers.open == {}
    (failed,) = post.events()
    assert isinstance(failed, NotificationFailed)
    assert (failed.error, failed.took_ms) == ("timed out after 30 s", 30_000)


def test_a_permanent_answer_ends_it_at_once_and_the_other_channels_hear_of_it(post: Post) -> None:
    lost, other = post.rig.channel(1), post.rig.channel(2)
    post.flip(post.rig.check(channels=(lost,)))
    post.answer(lost, NotDelivered("status 410", permanent=True))
    assert [letter.channel.id for letter in post.receivers.sent] == [lost, other]
    relay = post.receivers.sent[-1]
    assert (relay.lost, relay.owed.relays, relay.owed.relays_error) == ("hook 1", lost, "status 410")
    post.answer(other, NotDelivered("timed out after 30 s"))
    post.rig.advance(6)
    assert post.receivers.sent[-1].owed.relays_error == "status 410"


def test_after_a_day_of_failures_a_message_is_abandoned(post: Post) -> None:
    channel = post.rig.channel()
    post.receivers.at_once[channel] = REFUSED
    post.flip(post.rig.check(channels=(channel,)))
    post.rig.time.advance(GIVE_UP_AFTER_S + 60, step=30)
    *failed, last = post.events()
    assert all(isinstance(event, NotificationFailed) for event in failed)
    assert isinstance(last, NotificationAbandoned)
    assert 25 <= len(failed) <= 32
    assert post.rig.world.owed == {}


def test_a_long_error_is_cut(post: Post) -> None:
    channel = post.rig.channel()
    post.receivers.at_once[channel] = NotDelivered("x" * 5000)
    post.flip(post.rig.check(channels=(channel,)))
    assert len(post.rig.world.channels[channel].last_error) == 200


def test_a_kind_that_this_pingmon_does_not_have_is_tried_again_later(post: Post) -> None:
    """The operator may install what is missing; until then the channel says so."""
    post.outbox._kinds = {}
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    (failed,) = post.events()
    assert isinstance(failed, NotificationFailed)
    assert "kind 'webhook'" in failed.error


def test_a_kind_that_breaks_is_reported_and_tried_again(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    with capturedLogs() as logged:
        post.receivers.open[channel].errback(ZeroDivisionError())
        post.clock.advance(0)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [ZeroDivisionError]
    assert post.rig.world.owed
    post.rig.advance(6)
    assert len(post.receivers.sent) == 2


# --- order and overtaking -----------------------------------------------------------------------------------------


def test_a_channel_gets_one_message_at_a_time_in_the_order_they_fell_due(post: Post) -> None:
    channel = post.rig.channel()
    checks = [post.rig.check(number, channels=(channel,)) for number in range(1, 5)]
    for check in checks:
        post.rig.advance(0.1)
        post.flip(check)
    for number, check in enumerate(checks, 1):
        assert [letter.subject.id for letter in post.receivers.sent] == checks[:number]
        assert post.receivers.sent[-1].subject.id == check
        post.answer(channel, Delivered(200))


def test_a_newer_message_does_not_wait_for_the_retry_of_an_older_one(post: Post) -> None:
    channel = post.rig.channel()
    first, second = (post.rig.check(number, channels=(channel,)) for number in (1, 2))
    post.flip(first)
    post.answer(channel, REFUSED)
    post.flip(second)
    assert [letter.subject.id for letter in post.receivers.sent] == [first, second]


def test_an_up_overtakes_a_down_that_waits_for_its_retry(post: Post) -> None:
    """It says once from when to when the check was down; the down is never sent after it."""
    channel = post.rig.channel()
    check = post.rig.check(channels=(channel,))
    post.flip(check)
    went_down = post.rig.now
    post.answer(channel, REFUSED)
    post.rig.advance(2)
    post.flip(check, down=False)
    post.answer(channel, Delivered(200))
    post.rig.advance(7200)
    assert post.receivers.told == [(channel, "down"), (channel, "up")]
    assert post.receivers.sent[-1].owed.down_from == went_down


def test_an_up_waits_for_the_down_that_is_in_flight(post: Post) -> None:
    channel = post.rig.channel()
    check = post.rig.check(channels=(channel,))
    post.flip(check)
    post.flip(check, down=False)
    post.rig.advance(5)
    assert post.receivers.told == [(channel, "down")]
    post.answer(channel, Delivered(200))
    assert post.receivers.told == [(channel, "down"), (channel, "up")]
    assert post.receivers.sent[-1].owed.down_from is None


def test_what_is_overtaken_in_the_same_commit_is_not_sent_at_all(post: Post) -> None:
    channel = post.rig.channel()
    check = post.rig.check(channels=(channel,))
    post.rig.ping(check, "fail")
    post.rig.ping(check)
    post.clock.advance(0)
    assert post.receivers.told == [(channel, "up")]


def test_nothing_is_sent_about_a_check_that_was_deleted_meanwhile(post: Post) -> None:
    channel = post.rig.channel()
    check = post.rig.check(channels=(channel,))
    post.flip(check)
    post.answer(channel, REFUSED)
    post.rig.submit(check, CheckDeleted())
    post.rig.advance(7200)
    assert len(post.receivers.sent) == 1


def test_waits_move_along_when_the_clock_is_set(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.answer(channel, REFUSED)
    post.rig.time.set_wall(-86_400)
    post.rig.advance(4)
    assert len(post.receivers.sent) == 1
    post.rig.advance(3)
    assert len(post.receivers.sent) == 2


def test_a_clock_that_is_set_during_an_attempt_brings_no_second_one_before_its_time(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.rig.time.set_wall(3600)
    post.rig.advance(2)
    post.answer(channel, REFUSED)
    post.rig.advance(4)
    assert len(post.receivers.sent) == 1
    post.rig.advance(3)
    assert len(post.receivers.sent) == 2


# --- many channels ------------------------------------------------------------------------------------------------


def test_a_dead_endpoint_keeps_no_other_channel_waiting(post: Post) -> None:
    dead, well = post.rig.channel(1), post.rig.channel(2)
    post.receivers.at_once[well] = Delivered(200)
    checks = [post.rig.check(number, channels=(dead, well)) for number in range(1, 11)]
    for check in checks:
        post.flip(check)
    assert [letter.subject.id for letter in post.receivers.sent if letter.channel.id == well] == checks
    assert len([letter for letter in post.receivers.sent if letter.channel.id == dead]) == 1


def test_no_more_than_max_parallel_messages_are_in_flight_and_channels_take_turns() -> None:
    post = Post(max_parallel=2)
    channels = [post.rig.channel(number) for number in range(1, 6)]
    checks = [post.rig.check(number, channels=tuple(channels)) for number in (1, 2)]
    for check in checks:
        post.flip(check)
    while post.receivers.open:
        assert len(post.receivers.open) == post.outbox.in_flight <= 2
        post.answer(next(iter(post.receivers.open)), Delivered(200))
    assert [letter.channel.id for letter in post.receivers.sent] == channels * 2
    assert post.rig.world.owed == {}


def test_endpoints_that_hang_never_take_all_places() -> None:
    """Half of the places is for channels whose last attempt went well."""
    post = Post(max_parallel=4)
    hanging = [post.rig.channel(number) for number in range(1, 9)]
    bad = [post.rig.check(number, channels=tuple(hanging)) for number in range(1, 4)]
    for check in bad:
        post.flip(check)
    post.rig.advance(5 * 30)
    assert len(post.receivers.open) == post.outbox.in_flight == 2
    good = post.rig.channel(20)
    post.flip(post.rig.check(20, channels=(good,)))
    assert good in post.receivers.open
    post.answer(good, Delivered(200))
    post.rig.advance(86_400)
    assert {letter.channel.id for letter in post.receivers.sent} == {*hanging, good}


def test_the_cost_of_a_tick_does_not_grow_with_what_waits(post: Post) -> None:
    """A thousand messages that wait for their retry are not looked at."""
    channel = post.rig.channel()
    post.receivers.at_once[channel] = NotDelivered("status 503", retry_after_s=3600)
    for number in range(1, 1001):
        post.flip(post.rig.check(number, channels=(channel,)))
    looked = 0

    class Counted(dict[str, object]):
        def get(self, *key: object) -> object:
            nonlocal looked
            looked += 1
            return super().get(*key)  # type: ignore[call-overload]

    post.rig.world.owed = Counted(post.rig.world.owed)  # type: ignore[assignment]
    post.rig.advance(10)
    assert looked == 0
    assert post.outbox.pending == 1000


# --- the journal, restarts, stopping ------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [1, 3, 8])
def test_a_result_that_cannot_be_logged_is_kept_and_nothing_is_sent_twice(post: Post, failures: int) -> None:
    channel = post.rig.channel()
    checks = [post.rig.check(number, channels=(channel,)) for number in (1, 2)]
    for check in checks:
        post.flip(check)
    post.rig.alarms.stop()  # its signs of life would use up the failures
    post.rig.journal.fail_next(failures)
    post.answer(channel, Delivered(200))
    waits = [*LOG_AGAIN_S, *[LOG_AGAIN_S[-1]] * failures][:failures]
    post.rig.advance(sum(waits) - 0.5)
    assert [letter.subject.id for letter in post.receivers.sent] == checks[:1]
    assert post.outbox.in_flight == 0
    post.rig.advance(1)
    assert [letter.subject.id for letter in post.receivers.sent] == checks
    assert post.events() == [NotificationDelivered(f"{channel}.5", 0, 200)]


def test_a_full_journal_is_waited_for_too(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.rig.journal._max_buffered = 0
    with pytest.raises(JournalFull):
        post.rig.ping(uuid(1))
    post.answer(channel, Delivered(200))
    post.rig.journal._max_buffered = 100
    post.rig.advance(2)
    assert len(post.events()) == 1


def test_a_result_that_breaks_the_journal_by_a_bug_is_reported_and_kept(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    with capturedLogs() as logged:
        post.answer(channel, Delivered(cast(int, object())))
        post.rig.advance(2)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [TypeError] * 2
    assert len(post.receivers.sent) == 1


def test_a_message_about_what_the_world_does_not_know_is_reported_and_holds_up_nothing(post: Post) -> None:
    channel = post.rig.channel()
    lost, known = (post.rig.check(number, channels=(channel,)) for number in (1, 2))
    post.rig.ping(lost, "fail")
    del post.rig.world.checks[lost]
    post.rig.ping(known, "fail")
    with capturedLogs() as logged:
        post.clock.advance(0)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [KeyError]
    assert [letter.subject.id for letter in post.receivers.sent] == [known]


def test_other_channels_go_on_while_one_waits_for_the_journal(post: Post) -> None:
    waiting, other = post.rig.channel(1), post.rig.channel(2)
    check = post.rig.check(channels=(waiting, other))
    post.flip(check)
    post.rig.alarms.stop()
    post.rig.journal.fail_next()
    post.answer(waiting, Delivered(200))
    post.answer(other, Delivered(200))
    assert post.events() == [NotificationDelivered(f"{other}.5", 0, 200)]


def test_what_was_in_flight_when_pingmon_was_killed_is_sent_again_with_the_same_id() -> None:
    post = Post()
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    after = post.killed()
    after.clock.advance(0)
    assert [letter.id for letter in after.receivers.sent] == [letter.id for letter in post.receivers.sent]
    after.answer(channel, Delivered(200))
    assert len(after.events()) == 1


def test_waits_outlive_a_restart() -> None:
    post = Post()
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.answer(channel, NotDelivered("status 503", retry_after_s=60))
    after = post.killed()
    after.rig.advance(50)
    assert after.receivers.sent == []
    after.rig.advance(12)
    assert [letter.owed.attempts for letter in after.receivers.sent] == [1]


def test_stopping_lets_attempts_end_by_themselves_for_a_while(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    stopped = post.outbox.stop()
    assert not stopped.called
    post.answer(channel, Delivered(200))
    result(stopped)
    assert len(post.events()) == 1


def test_stopping_ends_attempts_within_its_bound_without_counting_them_as_failed(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    stopped = post.outbox.stop()
    post.clock.advance(STOP_S)
    result(stopped)
    assert post.receivers.open == {}
    assert post.events() == []
    assert post.rig.world.owed


def test_stopping_does_not_wait_for_a_journal_that_takes_nothing(post: Post) -> None:
    channel = post.rig.channel()
    post.flip(post.rig.check(channels=(channel,)))
    post.rig.journal.fail_next(100)
    post.answer(channel, Delivered(200))
    stopped = post.outbox.stop()
    post.clock.advance(STOP_S)
    result(stopped)


def test_nothing_is_sent_after_stopping(post: Post) -> None:
    channel = post.rig.channel()
    check = post.rig.check(channels=(channel,))
    result(post.outbox.stop())
    post.flip(check)
    post.rig.advance(60)
    assert post.receivers.sent == []


def test_the_age_of_the_last_tick_and_of_what_is_overdue_can_be_read() -> None:
    post = Post(max_parallel=1)
    channels = [post.rig.channel(number) for number in (1, 2)]
    post.flip(post.rig.check(channels=tuple(channels)))
    assert post.outbox.overdue(post.rig.now) == 0
    post.rig.advance(3)
    assert post.outbox.overdue(post.rig.now) == 3 * SECOND
    assert post.outbox.last_tick == post.rig.time.steady()


def test_a_tick_that_breaks_is_not_the_last_one(post: Post) -> None:
    turns = post.outbox._turns
    ripen, turns.ripen = turns.ripen, lambda now: 1 // 0  # type: ignore[method-assign, assignment]
    ticked = post.outbox.last_tick
    post.rig.advance(3)
    assert post.outbox.last_tick == ticked
    turns.ripen = ripen  # type: ignore[method-assign]
    post.rig.advance(1)
    assert post.outbox.last_tick == post.rig.time.steady()
