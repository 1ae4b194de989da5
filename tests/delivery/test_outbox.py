"""Tests of `pingmon.delivery.outbox`: what is owed is delivered, at least once and in order, and nobody waits long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from msgspec.structs import replace
from twisted.logger import capturedLogs, formatEvent

from pingmon.core.notify.channel_settings import DIGEST_OVER, ChannelSettings
from pingmon.core.notify.notification import GIVE_UP_AFTER, Notification
from pingmon.core.notify.retry_waits import NEWS_S, RETRY_AFTER_S
from pingmon.core.units import SECOND
from pingmon.core.world.events import (
    AnyEvent,
    ChannelChanged,
    ChannelDeleted,
    ChannelTested,
    CheckDeleted,
    NotificationAbandoned,
    NotificationDelivered,
    NotificationFailed,
)
from pingmon.delivery.attempt import Delivered, NotDelivered
from pingmon.delivery.outbox import FOLDED_MAX, STOP_S
from pingmon.journal import JournalFull
from pingmon.resubmit import LOG_AGAIN_S
from pingmon.testing import result, uuid
from tests.delivery.post import Post

REFUSED = NotDelivered("connection refused")


def lines(logged: Sequence[dict[str, Any]], level: str) -> list[str]:
    """What was logged at this level."""
    return [str(formatEvent(event)) for event in logged if event["log_level"].name == level]


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.close()
    assert post.clock.getDelayedCalls() == []


# --- one message --------------------------------------------------------------------------------------------------


def test_a_message_says_what_its_adviser_has_found() -> None:
    """Who is asked about each message."""

    async def advice(owed: Notification) -> str:
        return f"{owed.flip.new} and out"

    post = Post(advice=advice)
    post.flip(post.check(channels=(post.channel(),)))
    assert [letter.advice for letter in post.receivers.sent] == ["down and out"]
    post.close()


def test_a_message_leaves_at_once_and_not_at_the_next_tick(post: Post) -> None:
    channel = post.channel()
    check = post.check(channels=(channel,), name="backup")
    post.flip(check)
    (letter,) = post.receivers.sent
    assert (letter.subject.spec.name, letter.owed.flip.new, letter.channel.id) == ("backup", "down", channel)
    assert post.world.owed


def test_a_delivered_message_is_logged_with_status_and_duration_and_owed_no_more(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.advance(1.25)
    post.reply(channel, Delivered(204))
    assert post.results == [NotificationDelivered(f"{channel}.4", 1250, 204)]
    assert post.world.owed == {}
    assert (post.outbox.pending, post.outbox.in_flight) == (0, 0)


def test_a_message_that_has_nowhere_to_go_is_settled(post: Post) -> None:
    channel = post.channel()
    post.receivers.at_once[channel] = Delivered(nothing=True)
    post.flip(post.check(channels=(channel,)))
    assert post.results == [NotificationDelivered(f"{channel}.4", 0, nothing=True)]


def test_a_failed_message_is_tried_again_with_the_same_id_after_growing_waits(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    waits = []
    for wait in RETRY_AFTER_S:
        count, began = len(post.receivers.sent), post.clock.seconds()
        post.reply(channel, REFUSED)
        while len(post.receivers.sent) == count and post.clock.seconds() - began <= wait + 1:
            post.clock.advance(1)
        waits.append(post.clock.seconds() - began)
        assert wait <= waits[-1] <= wait + 1
    assert {letter.id for letter in post.receivers.sent} == {f"{channel}_4"}
    assert [event.error for event in post.results if isinstance(event, NotificationFailed)] == [REFUSED.error] * 6


def test_retries_are_spread_so_that_channels_do_not_march_in_step() -> None:
    post = Post(spread=0.999)
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.reply(channel, REFUSED)
    (failed,) = post.results
    assert isinstance(failed, NotificationFailed)
    assert failed.retry_at - post.now == pytest.approx(5.5 * SECOND, abs=SECOND // 100)


def test_a_receiver_that_asks_for_time_gets_it(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.reply(channel, NotDelivered("status 429", retry_after_s=100.0))
    post.advance(99)
    assert len(post.receivers.sent) == 1
    post.advance(2)
    assert len(post.receivers.sent) == 2


def test_an_attempt_that_takes_too_long_is_ended(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.advance(30)
    assert post.receivers.open == {}
    (failed,) = post.results
    assert isinstance(failed, NotificationFailed)
    assert (failed.error, failed.took_ms) == ("timed out after 30 s", 30_000)


def test_a_receiver_that_wants_no_more_ends_it_at_once_and_the_other_channels_hear_of_it(post: Post) -> None:
    lost, other = post.channel(1), post.channel(2)
    post.flip(post.check(channels=(lost,)))
    post.reply(lost, NotDelivered("status 410", gone=True))
    assert [letter.channel.id for letter in post.receivers.sent] == [lost, other]
    relay = post.receivers.sent[-1]
    assert (relay.lost, relay.owed.relays, relay.owed.relays_error) == ("hook 1", lost, "status 410")
    post.reply(other, NotDelivered("timed out after 30 s"))
    post.advance(6)
    assert post.receivers.sent[-1].owed.relays_error == "status 410"


def test_after_a_day_of_failures_a_message_is_abandoned(post: Post) -> None:
    channel = post.channel()
    post.receivers.at_once[channel] = REFUSED
    post.flip(post.check(channels=(channel,)))
    post.time.advance(GIVE_UP_AFTER / SECOND + 60, step=30)
    *failed, last = post.results
    assert all(isinstance(event, NotificationFailed) and not event.given_up for event in failed)
    assert isinstance(last, NotificationFailed)
    assert last.given_up
    assert 25 <= len(failed) <= 32
    assert post.world.owed == {}


def test_a_message_that_nobody_could_send_is_given_up_and_its_channel_is_well(post: Post) -> None:
    """Its settings make no request for this check; the next message goes at once."""
    channel = post.channel()
    post.receivers.at_once[channel] = NotDelivered("the URL has no valid host and port", permanent=True)
    with capturedLogs() as logged:
        post.flip(post.check(channels=(channel,)))
    assert post.results == [NotificationAbandoned(f"{channel}.4", 0, "the URL has no valid host and port")]
    assert lines(logged, "error") == [
        "channel hook 1 (dddddddd) was not told, and will not be: the URL has no valid host and port "
        f"(message {channel}.4)"
    ]
    post.flip(post.check(2, channels=(channel,)))
    assert len(post.receivers.sent) == 2


def test_a_long_error_is_cut(post: Post) -> None:
    channel = post.channel()
    post.receivers.at_once[channel] = NotDelivered("x" * 5000)
    post.flip(post.check(channels=(channel,)))
    assert len(post.world.channels[channel].last_error) == 200


def test_a_kind_that_this_pingmon_does_not_have_is_tried_again_later(post: Post) -> None:
    """The operator may install what is missing; until then the channel says so."""
    del post.kinds["webhook"]
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    (failed,) = post.results
    assert isinstance(failed, NotificationFailed)
    assert "kind 'webhook'" in failed.error


def test_a_kind_that_breaks_is_reported_and_tried_again(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    with capturedLogs() as logged:
        post.receivers.open[channel].errback(ZeroDivisionError())
        post.clock.advance(0)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [ZeroDivisionError]
    assert post.world.owed
    post.advance(6)
    assert len(post.receivers.sent) == 2


# --- order and overtaking -----------------------------------------------------------------------------------------


def test_a_channel_gets_one_message_at_a_time_in_the_order_they_fell_due(post: Post) -> None:
    channel = post.channel()
    checks = [post.check(number, channels=(channel,)) for number in range(1, 5)]
    for check in checks:
        post.advance(0.1)
        post.flip(check)
    for number, check in enumerate(checks, 1):
        assert [letter.subject.id for letter in post.receivers.sent] == checks[:number]
        assert post.receivers.sent[-1].subject.id == check
        post.reply(channel, Delivered(200))


def test_a_newer_message_waits_no_longer_than_a_minute_for_a_channel_that_fails(post: Post) -> None:
    """It may be the older message that is refused, or the receiver is back: news is a reason to try."""
    channel = post.channel()
    first, second = (post.check(number, channels=(channel,)) for number in (1, 2))
    post.flip(first)
    for wait in (6, 31, 121, 601):
        post.reply(channel, REFUSED)
        post.advance(wait)
    post.reply(channel, REFUSED)
    post.advance(10)
    assert len(post.receivers.sent) == 5
    post.flip(second)
    post.advance(NEWS_S - 11)
    assert len(post.receivers.sent) == 5
    post.advance(2)
    assert post.receivers.sent[-1].subject.id == second
    post.reply(channel, Delivered(200))
    assert post.receivers.sent[-1].subject.id == first


def test_news_is_tried_at_once_if_the_last_attempt_is_long_ago(post: Post) -> None:
    channel = post.channel()
    first, second = (post.check(number, channels=(channel,)) for number in (1, 2))
    post.flip(first)
    for wait in (6, 31, 121, 601):
        post.reply(channel, REFUSED)
        post.advance(wait)
    post.reply(channel, REFUSED)
    post.advance(2 * NEWS_S)
    post.flip(second)
    post.advance(1)
    assert post.receivers.sent[-1].subject.id == second


def test_news_does_not_disturb_a_receiver_that_has_asked_to_be_left_alone(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(1, channels=(channel,)))
    post.reply(channel, NotDelivered("status 429", retry_after_s=600))
    post.advance(2 * NEWS_S)
    post.flip(post.check(2, channels=(channel,)))
    post.advance(600 - 2 * NEWS_S - 2)
    assert len(post.receivers.sent) == 1
    post.advance(3)
    assert len(post.receivers.sent) == 2


def test_an_up_overtakes_a_down_that_waits_for_its_retry(post: Post) -> None:
    """It says once from when to when the check was down; the down is never sent after it."""
    channel = post.channel()
    check = post.check(channels=(channel,))
    post.flip(check)
    went_down = post.now
    post.reply(channel, REFUSED)
    post.advance(2)
    post.flip(check, down=False)
    post.advance(4)
    post.reply(channel, Delivered(200))
    post.advance(7200, step=10)
    assert post.receivers.told == [(channel, "down"), (channel, "up")]
    assert post.receivers.sent[-1].owed.down_from == went_down


def test_an_up_waits_for_the_down_that_is_in_flight(post: Post) -> None:
    channel = post.channel()
    check = post.check(channels=(channel,))
    post.flip(check)
    post.flip(check, down=False)
    post.advance(5)
    assert post.receivers.told == [(channel, "down")]
    post.reply(channel, Delivered(200))
    assert post.receivers.told == [(channel, "down"), (channel, "up")]
    assert post.receivers.sent[-1].owed.down_from is None


def test_what_is_overtaken_in_the_same_commit_is_not_sent_at_all(post: Post) -> None:
    channel = post.channel()
    check = post.check(channels=(channel,))
    post.ping(check, "fail")
    post.ping(check)
    post.clock.advance(0)
    assert post.receivers.told == [(channel, "up")]


def test_nothing_is_sent_about_a_check_that_was_deleted_meanwhile(post: Post) -> None:
    channel = post.channel()
    check = post.check(channels=(channel,))
    post.flip(check)
    post.reply(channel, REFUSED)
    post.submit(check, CheckDeleted())
    post.advance(7200, step=10)
    assert len(post.receivers.sent) == 1


def test_waits_move_along_when_the_clock_is_set(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.reply(channel, REFUSED)
    post.time.set_wall(-86_400)
    post.advance(4)
    assert len(post.receivers.sent) == 1
    post.advance(3)
    assert len(post.receivers.sent) == 2


def test_a_clock_that_is_set_during_an_attempt_brings_no_second_one_before_its_time(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.time.set_wall(3600)
    post.advance(2)
    post.reply(channel, REFUSED)
    post.advance(4)
    assert len(post.receivers.sent) == 1
    post.advance(3)
    assert len(post.receivers.sent) == 2


# --- many channels ------------------------------------------------------------------------------------------------


def test_a_dead_endpoint_keeps_no_other_channel_waiting(post: Post) -> None:
    dead, well = post.channel(1), post.channel(2)
    post.receivers.at_once[well] = Delivered(200)
    checks = [post.check(number, channels=(dead, well)) for number in range(1, 11)]
    for check in checks:
        post.flip(check)
    assert [letter.subject.id for letter in post.receivers.sent if letter.channel.id == well] == checks
    assert len([letter for letter in post.receivers.sent if letter.channel.id == dead]) == 1


# --- a channel that fails -----------------------------------------------------------------------------------------


def stormed(post: Post, checks: int, **receiver: object) -> str:
    """A dead channel to which messages about so many checks are due."""
    channel = post.channel()
    post.receivers.at_once[channel] = NotDelivered("connection refused")
    for number in range(1, checks + 1):
        post.flip(post.check(number, channels=(channel,)))
    return channel


def test_a_dead_receiver_costs_one_attempt_one_entry_and_one_line_a_round(post: Post) -> None:
    """However many messages wait for it."""
    with capturedLogs() as logged:
        stormed(post, 300)
        post.advance(5 + 30 + 120 + 60)
    rounds = 1 + 3
    assert len(post.receivers.sent) == len(post.results) == rounds
    assert lines(logged, "warn") == [
        "channel hook 1 (dddddddd) was not told: connection refused; will try again in 5 s, one message waits",
        "channel hook 1 (dddddddd) was not told: connection refused; will try again in 30 s, 300 messages wait",
        "channel hook 1 (dddddddd) was not told: connection refused; will try again in 120 s, 300 messages wait",
        "channel hook 1 (dddddddd) was not told: connection refused; will try again in 600 s, 300 messages wait",
    ]


def test_each_round_tries_another_message(post: Post) -> None:
    """One that is always refused holds up no others."""
    channel = stormed(post, 3)
    post.advance(5 + 30 + 1)
    assert len({letter.id for letter in post.receivers.sent}) == 3
    assert len(post.receivers.sent) == 3
    assert post.world.channels[channel].failing is not None


def test_when_a_channel_answers_again_all_that_waits_goes(post: Post) -> None:
    """At once, in one digest, which the log tells of."""
    channel = stormed(post, 50)
    post.advance(5 + 30 + 1)
    post.receivers.at_once[channel] = Delivered(200)
    with capturedLogs() as logged:
        post.advance(121)
    assert post.world.owed == {}
    assert lines(logged, "info") == [
        "channel hook 1 (dddddddd) answers again, after 2 min 35 s; 49 messages go now",
        "channel hook 1 (dddddddd) was told in a digest: 49 messages",
    ]
    assert len(post.receivers.sent) == 4
    assert [len(digest.letters) for digest in post.receivers.digests] == [49]


def test_a_receiver_that_wants_no_more_is_given_up_with_all_that_waits_for_it(post: Post) -> None:
    """In one attempt, one entry and one line; each message is told elsewhere."""
    other = post.channel(2)
    channel = stormed(post, 20)
    post.receivers.at_once[other] = Delivered(200)
    post.receivers.at_once[channel] = NotDelivered("status 410", gone=True)
    with capturedLogs() as logged:
        post.advance(6)
    assert post.world.owed == {}
    assert len([letter for letter in post.receivers.sent if letter.channel.id == other]) == 20
    assert lines(logged, "error") == [
        "channel hook 1 (dddddddd) was not told: status 410; 20 messages given up, others are told instead; "
        "0 messages left"
    ]


def test_what_has_waited_for_a_day_is_given_up_also_if_another_message_was_tried(post: Post) -> None:
    channel = stormed(post, 3)
    post.time.advance(GIVE_UP_AFTER / SECOND + 60, step=30)
    assert post.world.owed == {}
    given_up = [event for event in post.results if isinstance(event, NotificationFailed) and event.given_up]
    assert len(given_up) <= 2
    assert post.world.channels[channel].failing is not None


@pytest.mark.parametrize("event", [ChannelChanged(name="ops"), ChannelTested(5, 200)])
def test_a_changed_or_well_tested_channel_is_tried_at_once(post: Post, event: AnyEvent) -> None:
    channel = stormed(post, 3)
    post.advance(36)
    post.receivers.at_once[channel] = Delivered(200)
    post.submit(channel, event)
    post.clock.advance(0)
    assert post.world.owed == {}


def test_a_test_that_failed_changes_nothing(post: Post) -> None:
    channel = stormed(post, 3)
    post.submit(channel, ChannelTested(5, error="status 500"))
    post.advance(1)
    assert len(post.receivers.sent) == 1


def test_after_a_restart_what_waits_is_tried_at_once(post: Post) -> None:
    """The operator may have mended what was wrong."""
    channel = stormed(post, 3)
    post.advance(5 + 30 + 1)
    after = post.killed()
    after.receivers.at_once[channel] = Delivered(200)
    after.clock.advance(0)
    assert after.world.owed == {}
    after.close()


def test_a_receiver_that_asked_to_be_left_alone_is_also_after_a_restart(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.reply(channel, NotDelivered("status 503", retry_after_s=600))
    after = post.killed()
    after.advance(500)
    assert after.receivers.sent == []
    after.advance(101)
    assert len(after.receivers.sent) == 1
    after.close()


def test_nothing_is_sent_to_a_channel_that_was_deleted(post: Post) -> None:
    """Not even what is just on its way."""
    channel, other = post.channel(1), post.channel(2)
    post.flip(post.check(1, channels=(channel,)))
    post.flip(post.check(2, channels=(channel, other)))
    post.submit(channel, ChannelDeleted())
    post.clock.advance(0)
    assert list(post.receivers.open) == [other]
    assert post.outbox.in_flight == 1
    post.submit(channel, ChannelDeleted())
    post.reply(other, Delivered(200))
    assert post.world.owed == {}


def test_a_message_that_is_overtaken_leaves_a_line(post: Post) -> None:
    """So does one that is void; of what is deleted with its channel nobody asks."""
    channel, other = post.channel(1), post.channel(2)
    check = post.check(channels=(channel, other))
    with capturedLogs() as logged:
        post.flip(check)
        post.flip(check, down=False)
        post.submit(other, ChannelDeleted())
        post.submit(check, CheckDeleted())
    assert [line for line in lines(logged, "info") if line.startswith("message")] == [
        f"message {id}.5 (down) was not delivered to channel {name} (dddddddd) and will not be: message {id}.6 takes "
        "its place"
        for id, name in ((channel, "hook 1"), (other, "hook 2"))
    ] + [
        f"message {channel}.6 (up) was not delivered to channel hook 1 (dddddddd) and will not be: the check was "
        "deleted"
    ]


# --- digests ------------------------------------------------------------------------------------------------------


def test_a_storm_is_told_one_by_one_at_first_and_then_in_a_digest(post: Post) -> None:
    """Twenty messages, and half a minute after the next one all the rest; each is owed no more."""
    channel = post.channel()
    post.receivers.at_once[channel] = Delivered(200)
    for number in range(1, 101):
        post.flip(post.check(number, channels=(channel,)))
    assert len(post.receivers.sent) == DIGEST_OVER
    post.advance(29)
    assert post.receivers.digests == []
    post.advance(2)
    (digest,) = post.receivers.digests
    assert len(digest.letters) == 80
    assert {letter.subject.id for letter in (*post.receivers.sent, *digest.letters)} == set(post.world.checks)
    assert post.world.owed == {}
    (told,) = [event for event in post.results if isinstance(event, NotificationDelivered) and event.through]
    assert (told.id, told.status) == (f"{channel}.digest.{digest.through}", 200)


def test_one_by_one_goes_on_after_a_minute(post: Post) -> None:
    channel = post.channel(settings=ChannelSettings(digest_over=2))
    post.receivers.at_once[channel] = Delivered(200)
    for number in (1, 2):
        post.flip(post.check(number, channels=(channel,)))
    post.advance(61)
    post.flip(post.check(3, channels=(channel,)))
    assert len(post.receivers.sent) == 3


def test_a_channel_may_want_no_digests() -> None:
    """By its settings, or because its kind has none: then all go one by one."""
    unlimited, without = Post(), Post(digests=False)
    for post, settings in ((unlimited, ChannelSettings(digest_over=0)), (without, ChannelSettings())):
        channel = post.channel(settings=settings)
        post.receivers.at_once[channel] = Delivered(200)
        for number in range(1, 31):
            post.flip(post.check(number, channels=(channel,)))
        assert len(post.receivers.sent) == 30
        post.close()


def gathered(post: Post, checks: int = 6) -> str:
    """A channel to which a digest of so many messages is on its way."""
    channel = post.channel(settings=ChannelSettings(digest_over=1))
    post.receivers.at_once[channel] = Delivered(200)
    for number in range(checks + 1):
        post.flip(post.check(number + 1, channels=(channel,)))
    del post.receivers.at_once[channel]
    post.advance(30)
    assert [len(digest.letters) for digest in post.receivers.digests] == [checks]
    return channel


def test_a_channel_that_has_missed_nothing_gets_the_next_messages_one_by_one(post: Post) -> None:
    """Although it has failed before."""
    channel = post.channel()
    post.flip(post.check(1, channels=(channel,)))
    post.reply(channel, REFUSED)
    post.receivers.at_once[channel] = Delivered(200)
    post.advance(6)
    for number in range(2, 12):
        post.ping(post.check(number, channels=(channel,)), "fail")
    post.clock.advance(0)
    assert (len(post.receivers.digests), len(post.receivers.sent)) == (0, 12)


def test_nothing_else_goes_while_a_digest_is_on_its_way(post: Post) -> None:
    """What has become owed meanwhile follows it, also if it is about something that the digest told."""
    channel = gathered(post)
    post.flip(uuid(2), down=False)
    post.flip(post.check(20, channels=(channel,)))
    post.advance(20)
    assert len(post.receivers.messages) == 2
    post.reply(channel, Delivered(200))
    assert {owed.flip.subject for owed in post.world.owed.values()} == {uuid(2), uuid(20)}
    (up,) = [owed for owed in post.world.owed.values() if owed.flip.new == "up"]
    assert up.down_from is None
    post.receivers.at_once[channel] = Delivered(200)
    post.advance(60)
    assert post.world.owed == {}


def test_a_digest_that_fails_is_tried_again_after_a_message_that_arrives(post: Post) -> None:
    """So it never is the attempt that finds out whether the channel answers again; and it costs one entry."""
    channel = gathered(post)
    post.reply(channel, REFUSED)
    (failed,) = [event for event in post.results if isinstance(event, NotificationFailed)]
    assert failed.id == post.receivers.digests[0].id.replace("_digest_", ".digest.")
    post.receivers.at_once[channel] = Delivered(200)
    post.advance(6)
    assert [len(digest.letters) for digest in post.receivers.digests] == [6, 5]
    assert post.world.owed == {}


@pytest.mark.parametrize(("refused", "times"), [(REFUSED, 3), (NotDelivered("too large", permanent=True), 1)])
def test_a_channel_that_takes_messages_and_no_digests_is_told_one_by_one(
    post: Post, refused: NotDelivered, times: int
) -> None:
    """After three in a row; nothing is given up."""
    channel = gathered(post, 12)
    for _ in range(times - 1):
        post.reply(channel, refused)
        post.advance(6)
        post.reply(channel, Delivered(200))
    post.receivers.at_once[channel] = Delivered(200)
    post.reply(channel, refused)
    post.advance(6)
    assert len(post.receivers.digests) == times
    assert post.world.owed == {}
    assert not [event for event in post.results if isinstance(event, NotificationAbandoned)]
    post.submit(channel, ChannelChanged(name="mended"))
    for number in range(30, 36):
        post.flip(post.check(number, channels=(channel,)))
    post.advance(31)
    assert len(post.receivers.digests) == times + 1


def test_a_digest_repeated_after_a_kill_has_the_same_id(post: Post) -> None:
    """If nothing has become owed since."""
    channel = gathered(post)
    after = post.killed()
    after.receivers.at_once[channel] = Delivered(200)
    after.clock.advance(0)
    assert [digest.id for digest in after.receivers.digests] == [digest.id for digest in post.receivers.digests]
    assert after.world.owed == {}
    after.close()


def test_a_huge_digest_is_one_message_and_several_events(post: Post) -> None:
    """So that to fold it keeps no ping waiting."""
    channel = post.channel(settings=ChannelSettings(digest_over=1))
    post.receivers.at_once[channel] = Delivered(200)
    for number in range(1, 2 * FOLDED_MAX + 51):
        post.ping(post.check(number, channels=(channel,)), "fail")
    post.clock.advance(0)
    post.advance(31)
    (digest,) = post.receivers.digests
    assert len(digest.letters) == 2 * FOLDED_MAX + 49
    told = [event for event in post.results if isinstance(event, NotificationDelivered) and event.through]
    assert [event.id for event in told] == [f"{channel}.digest.{digest.through}"] * 3
    assert told[-1].through == digest.through
    assert post.world.owed == {}


def test_a_channel_deleted_while_it_is_told_in_a_digest_is_owed_nothing(post: Post) -> None:
    channel = gathered(post)
    post.submit(channel, ChannelDeleted())
    post.clock.advance(0)
    assert post.receivers.open == {}
    assert post.world.owed == {}


# --- quiet hours --------------------------------------------------------------------------------------------------

NIGHT = ChannelSettings(quiet="22:00-23:00")
"""The rig starts at 22:13:20, so it is quiet for 2800 s."""


def test_what_comes_in_quiet_hours_is_told_when_they_end(post: Post) -> None:
    """In one message, if it is more than a few; of what is over by then, as of what was missed."""
    channel = post.channel(settings=NIGHT)
    post.receivers.at_once[channel] = Delivered(200)
    checks = [post.check(number, channels=(channel,)) for number in range(1, 7)]
    for check in checks:
        post.flip(check)
    post.flip(checks[0], down=False)
    post.advance(2790, step=30)
    assert post.receivers.messages == []
    assert post.outbox.overdue(post.now) == 0
    post.advance(11)
    (digest,) = post.receivers.digests
    assert [letter.owed.flip.new for letter in digest.letters] == ["up"] + ["down"] * 5
    assert digest.letters[0].owed.down_from is not None
    assert (post.receivers.sent, post.world.owed) == ([], {})
    post.flip(checks[1], down=False)
    assert len(post.receivers.sent) == 1


def test_a_few_that_came_in_quiet_hours_are_told_one_by_one(post: Post) -> None:
    channel = post.channel(settings=NIGHT)
    post.receivers.at_once[channel] = Delivered(200)
    for number in (1, 2):
        post.flip(post.check(number, channels=(channel,)))
    post.advance(2801, step=30)
    assert len(post.receivers.sent) == 2


def test_what_is_urgent_passes_quiet_hours(post: Post) -> None:
    """A tag says so; the rest waits, also what was on its way when they began."""
    channel = post.channel(settings=replace(NIGHT, urgent="page"))
    first, page, other = (
        post.check(number, tags=tags, channels=(channel,)) for number, tags in ((1, "a"), (2, "a page"), (3, "pages"))
    )
    post.receivers.at_once[channel] = Delivered(200)
    for check in (first, page, other):
        post.flip(check)
    assert [letter.subject.id for letter in post.receivers.sent] == [page]
    post.flip(page, down=False)
    assert [letter.subject.id for letter in post.receivers.sent] == [page, page]
    post.advance(2801, step=30)
    assert [letter.subject.id for letter in post.receivers.sent[2:]] == [first, other]


def test_much_that_is_urgent_goes_in_a_digest_of_all_that_waits(post: Post) -> None:
    """It rings once anyway."""
    channel = post.channel(settings=replace(NIGHT, urgent="page", digest_over=1))
    post.receivers.at_once[channel] = Delivered(200)
    for number in range(1, 11):
        post.flip(post.check(number, tags="page" if number % 2 else "", channels=(channel,)))
    assert len(post.receivers.sent) == 1
    post.advance(31)
    (digest,) = post.receivers.digests
    assert len(digest.letters) == 9
    post.advance(2800, step=30)
    assert len(post.receivers.messages) == 2


def test_quiet_hours_begin_for_what_waits(post: Post) -> None:
    """A channel that fails into its quiet hours is left alone until their end."""
    channel = post.channel(settings=ChannelSettings(quiet="22:14-22:30"))
    post.flip(post.check(1, channels=(channel,)))
    post.advance(5)
    post.reply(channel, REFUSED)
    post.advance(6)
    post.reply(channel, REFUSED)
    post.advance(960 - 10, step=10)
    assert len(post.receivers.sent) == 2
    post.advance(60)
    assert len(post.receivers.sent) == 3


def test_quiet_hours_that_are_taken_back_are_over_at_once(post: Post) -> None:
    channel = post.channel(settings=NIGHT)
    post.receivers.at_once[channel] = Delivered(200)
    post.flip(post.check(1, channels=(channel,)))
    post.submit(channel, ChannelChanged(settings=ChannelSettings()))
    post.clock.advance(0)
    assert len(post.receivers.sent) == 1


def test_a_message_that_waited_out_a_quiet_weekend_is_not_given_up_at_the_first_failure(post: Post) -> None:
    """The day for which a message is tried counts on top of the longest quiet time. The rig starts on a Tuesday."""
    channel = post.channel(settings=ChannelSettings(quiet="tue-thu 00:00-24:00"))
    post.receivers.at_once[channel] = REFUSED
    post.flip(post.check(1, channels=(channel,)))
    post.advance(50 * 3600, step=60)
    assert post.receivers.sent
    assert post.world.owed


def test_quiet_hours_outlive_a_restart_and_a_clock_that_is_set(post: Post) -> None:
    channel = post.channel(settings=NIGHT)
    post.flip(post.check(1, channels=(channel,)))
    after = post.killed()
    after.advance(60)
    assert after.receivers.sent == []
    after.time.set_wall(2700)
    after.advance(60)
    assert len(after.receivers.sent) == 1
    after.close()


# --- several at once ----------------------------------------------------------------------------------------------


@pytest.fixture
def wide() -> Iterator[Post]:
    """Of a kind that takes four messages at once."""
    post = Post(parallel=4, attempt_s=100)
    yield post
    post.close()
    assert post.clock.getDelayedCalls() == []


def test_as_many_messages_are_on_their_way_to_a_channel_as_its_kind_takes(wide: Post) -> None:
    channel = wide.channel()
    for number in range(1, 7):
        wide.flip(wide.check(number, channels=(channel,)))
    assert len(wide.receivers.open) == wide.outbox.in_flight == 4
    wide.reply(next(iter(wide.receivers.open)), Delivered(200))
    assert len(wide.receivers.open) == 4
    assert len(wide.receivers.sent) == 5


def test_an_up_does_not_overtake_its_down_on_the_way(wide: Post) -> None:
    """What is about other checks does not wait for it."""
    channel = wide.channel()
    first, second = (wide.check(number, channels=(channel,)) for number in (1, 2))
    wide.flip(first)
    wide.flip(first, down=False)
    wide.flip(second)
    assert [(letter.subject.id, letter.owed.flip.new) for letter in wide.receivers.sent] == [
        (first, "down"),
        (second, "down"),
    ]
    wide.reply(wide.receivers.sent[0].id, Delivered(200))
    assert wide.receivers.sent[-1].owed.flip.new == "up"


def test_a_receiver_that_dies_with_several_on_their_way_has_failed_once(wide: Post) -> None:
    """One line, and the next attempt as soon as after one failure; the history has each attempt."""
    channel = wide.channel()
    for number in range(1, 7):
        wide.flip(wide.check(number, channels=(channel,)))
    with capturedLogs() as logged:
        for id in list(wide.receivers.open):
            wide.reply(id, REFUSED)
    assert len(lines(logged, "warn")) == 1
    failing = wide.world.channels[channel].failing
    assert failing is not None
    assert failing.attempts == 1
    assert [owed.attempts for owed in wide.world.owed.values()] == [1, 1, 1, 1, 0, 0]
    wide.advance(6)
    assert len(wide.receivers.open) == 1


def test_a_receiver_that_asks_for_time_gets_it_also_from_those_on_their_way(wide: Post) -> None:
    channel = wide.channel()
    for number in range(1, 3):
        wide.flip(wide.check(number, channels=(channel,)))
    first, second = wide.receivers.open
    wide.reply(first, REFUSED)
    wide.reply(second, NotDelivered("status 429", retry_after_s=300))
    wide.advance(290)
    assert len(wide.receivers.messages) == 2
    wide.advance(20)
    assert len(wide.receivers.messages) == 3


def test_a_digest_waits_for_what_is_on_its_way(wide: Post) -> None:
    channel = wide.channel(settings=ChannelSettings(digest_over=2))
    for number in range(1, 8):
        wide.flip(wide.check(number, channels=(channel,)))
    wide.advance(29)
    first, second = wide.receivers.open
    wide.reply(first, Delivered(200))
    wide.advance(0.9)
    assert wide.receivers.digests == []
    wide.advance(1)
    wide.reply(second, Delivered(200))
    (digest,) = wide.receivers.digests
    assert len(digest.letters) == 5
    wide.reply(digest.id, Delivered(200))


# --- many channels, again -----------------------------------------------------------------------------------------


def test_no_more_than_max_parallel_messages_are_in_flight_and_channels_take_turns() -> None:
    post = Post(max_parallel=2)
    channels = [post.channel(number) for number in range(1, 6)]
    checks = [post.check(number, channels=tuple(channels)) for number in (1, 2)]
    for check in checks:
        post.flip(check)
    while post.receivers.open:
        assert len(post.receivers.open) == post.outbox.in_flight <= 2
        post.reply(next(iter(post.receivers.open)), Delivered(200))
    assert [letter.channel.id for letter in post.receivers.sent] == channels * 2
    assert post.world.owed == {}


def test_endpoints_that_hang_never_take_all_places() -> None:
    """Half of the places is for channels whose last attempt went well."""
    post = Post(max_parallel=4)
    hanging = [post.channel(number) for number in range(1, 9)]
    bad = [post.check(number, channels=tuple(hanging)) for number in range(1, 4)]
    for check in bad:
        post.flip(check)
    post.advance(5 * 30)
    assert len(post.receivers.open) == post.outbox.in_flight == 2
    good = post.channel(20)
    post.flip(post.check(20, channels=(good,)))
    assert good in post.receivers.open
    post.reply(good, Delivered(200))
    post.advance(86_400, step=10)
    assert {letter.channel.id for letter in post.receivers.sent} == {*hanging, good}


def test_the_cost_of_a_tick_does_not_grow_with_what_waits(post: Post) -> None:
    """A thousand messages that wait for their retry are not looked at."""
    channel = post.channel()
    post.receivers.at_once[channel] = NotDelivered("status 503", retry_after_s=3600)
    for number in range(1, 1001):
        post.flip(post.check(number, channels=(channel,)))
    assert len(post.receivers.sent) == 1
    looked = 0

    class Counted(dict[str, object]):
        def get(self, *key: object) -> object:
            nonlocal looked
            looked += 1
            return super().get(*key)  # type: ignore[call-overload]

    post.world.owed = Counted(post.world.owed)  # type: ignore[assignment]
    post.advance(10)
    assert looked == 0
    assert post.outbox.pending == 1000


# --- the journal, restarts, stopping ------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [1, 3, 8])
def test_a_result_that_cannot_be_logged_is_kept_and_nothing_is_sent_twice(post: Post, failures: int) -> None:
    channel = post.channel()
    checks = [post.check(number, channels=(channel,)) for number in (1, 2)]
    for check in checks:
        post.flip(check)
    post.alarms.stop()  # its signs of life would use up the failures
    post.journal.fail_next(failures)
    post.reply(channel, Delivered(200))
    waits = [*LOG_AGAIN_S, *[LOG_AGAIN_S[-1]] * failures][:failures]
    post.advance(sum(waits) - 0.5)
    assert [letter.subject.id for letter in post.receivers.sent] == checks[:1]
    assert post.outbox.in_flight == 0
    post.advance(1)
    assert [letter.subject.id for letter in post.receivers.sent] == checks
    assert post.results == [NotificationDelivered(f"{channel}.5", 0, 200)]


def test_a_full_journal_is_waited_for_too(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.journal.bound_buffer(0)
    with pytest.raises(JournalFull):
        post.ping(uuid(1))
    post.reply(channel, Delivered(200))
    post.journal.bound_buffer(100)
    post.advance(2)
    assert len(post.results) == 1


def test_a_result_that_breaks_the_journal_by_a_bug_is_reported_and_kept(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    with capturedLogs() as logged:
        post.reply(channel, Delivered(cast(int, object())))
        post.advance(2)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [TypeError] * 2
    assert len(post.receivers.sent) == 1


def test_a_message_about_what_the_world_does_not_know_is_reported_and_holds_up_nothing(post: Post) -> None:
    channel = post.channel()
    lost, known = (post.check(number, channels=(channel,)) for number in (1, 2))
    post.ping(lost, "fail")
    del post.world.checks[lost]
    post.ping(known, "fail")
    with capturedLogs() as logged:
        post.clock.advance(0)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [KeyError]
    assert [letter.subject.id for letter in post.receivers.sent] == [known]


def test_other_channels_go_on_while_one_waits_for_the_journal(post: Post) -> None:
    waiting, other = post.channel(1), post.channel(2)
    check = post.check(channels=(waiting, other))
    post.flip(check)
    post.alarms.stop()
    post.journal.fail_next()
    post.reply(waiting, Delivered(200))
    post.reply(other, Delivered(200))
    assert post.results == [NotificationDelivered(f"{other}.5", 0, 200)]


def test_what_was_in_flight_when_pingmon_was_killed_is_sent_again_with_the_same_id() -> None:
    post = Post()
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    after = post.killed()
    after.clock.advance(0)
    assert [letter.id for letter in after.receivers.sent] == [letter.id for letter in post.receivers.sent]
    after.reply(channel, Delivered(200))
    assert len(after.results) == 1


def test_waits_outlive_a_restart() -> None:
    post = Post()
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.reply(channel, NotDelivered("status 503", retry_after_s=60))
    after = post.killed()
    after.advance(50)
    assert after.receivers.sent == []
    after.advance(12)
    assert [letter.owed.attempts for letter in after.receivers.sent] == [1]


def test_stopping_lets_attempts_end_by_themselves_for_a_while(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    stopped = post.outbox.stop()
    assert not stopped.called
    post.reply(channel, Delivered(200))
    result(stopped)
    assert len(post.results) == 1


def test_stopping_ends_attempts_within_its_bound_without_counting_them_as_failed(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    stopped = post.outbox.stop()
    post.clock.advance(STOP_S)
    result(stopped)
    assert post.receivers.open == {}
    assert post.results == []
    assert post.world.owed


def test_stopping_does_not_wait_for_a_journal_that_takes_nothing(post: Post) -> None:
    channel = post.channel()
    post.flip(post.check(channels=(channel,)))
    post.journal.fail_next(100)
    post.reply(channel, Delivered(200))
    stopped = post.outbox.stop()
    post.clock.advance(STOP_S)
    result(stopped)


def test_nothing_is_sent_after_stopping(post: Post) -> None:
    channel = post.channel()
    check = post.check(channels=(channel,))
    result(post.outbox.stop())
    post.flip(check)
    post.advance(60)
    assert post.receivers.sent == []


def test_the_age_of_the_last_tick_and_of_what_is_overdue_can_be_read() -> None:
    post = Post(max_parallel=1)
    channels = [post.channel(number) for number in (1, 2)]
    post.flip(post.check(channels=tuple(channels)))
    assert post.outbox.overdue(post.now) == 0
    post.advance(3)
    assert post.outbox.overdue(post.now) == 3 * SECOND
    assert post.outbox.last_tick == post.time.steady()


def test_a_tick_that_breaks_is_not_the_last_one(post: Post) -> None:
    turns = post.outbox._order
    ripen, turns.ripen = turns.ripen, lambda now: 1 // 0  # type: ignore[method-assign, assignment]
    ticked = post.outbox.last_tick
    post.advance(3)
    assert post.outbox.last_tick == ticked
    turns.ripen = ripen  # type: ignore[method-assign]
    post.advance(1)
    assert post.outbox.last_tick == post.time.steady()
