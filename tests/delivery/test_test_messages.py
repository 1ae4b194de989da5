"""Test messages: sent at once, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from pingmon.core.notify.notification import Attempted
from pingmon.core.world.events import ChannelTested
from pingmon.delivery.attempt import ChannelKind, Delivered, NotDelivered
from pingmon.delivery.test_messages import ChannelTester
from pingmon.testing import result
from tests.delivery.post import Post


@pytest.fixture
def post() -> Iterator[Post]:
    post = Post()
    yield post
    post.close()
    assert post.clock.getDelayedCalls() == []


def sent(post: Post, channel: str, *, up: bool = False) -> Deferred[Attempted]:
    return ChannelTester(post.monitor, {"webhook": ChannelKind(post.receivers)}, post.clock).test(channel, up=up)


@pytest.mark.parametrize(("up", "event"), [(False, "down"), (True, "up")])
def test_a_test_message_says_what_it_is_and_which_way_it_goes(post: Post, up: bool, event: str) -> None:
    """It is about a check that there is not, and that it was delivered is in the log."""
    channel = post.channel()
    attempt = sent(post, channel, up=up)
    (letter,) = post.receivers.sent
    assert (letter.test, letter.owed.flip.new, letter.subject.spec.name) == (True, event, "test")
    post.advance(1.5)
    with capturedLogs() as logged:
        post.reply(channel, Delivered(204))
    assert result(attempt) == Attempted(post.now, 1500, 204)
    assert post.events(ChannelTested) == [ChannelTested(1500, 204)]
    assert "a test message to channel hook 1 (dddddddd) was delivered" in map(formatEvent, logged)


def test_a_test_message_that_fails_is_not_tried_again(post: Post) -> None:
    """Why it failed is the answer."""
    channel = post.channel()
    post.receivers.at_once[channel] = NotDelivered("status 404")
    assert result(sent(post, channel)).error == "status 404"
    post.advance(3600)
    assert len(post.receivers.sent) == 1
    assert post.events(ChannelTested) == [ChannelTested(0, error="status 404")]


def test_a_receiver_that_does_not_answer_has_as_long_as_for_any_message(post: Post) -> None:
    """Then the client hears of it."""
    attempt = sent(post, post.channel())
    post.advance(30)
    assert result(attempt).error == "timed out after 30 s"


def test_two_tests_have_two_ids(post: Post) -> None:
    """Else a receiver that drops repeats would drop the second."""
    channel = post.channel()
    post.receivers.at_once[channel] = Delivered(200)
    for _ in range(2):
        result(sent(post, channel))
        post.advance(5)
    assert len({letter.id for letter in post.receivers.sent}) == 2


@pytest.mark.parametrize(("up", "when"), [(False, "goes down"), (True, "comes back")])
def test_where_there_is_nothing_to_send_nothing_was_tested(post: Post, up: bool, when: str) -> None:
    """The channel wants no message of this kind."""
    channel = post.channel()
    post.receivers.at_once[channel] = Delivered(nothing=True)
    assert result(sent(post, channel, up=up)).error == f"this channel is sent nothing when something {when}"
    assert post.events(ChannelTested) == []


def test_a_kind_that_this_pingmon_does_not_have(post: Post) -> None:
    """The answer says so."""
    tester = ChannelTester(post.monitor, {}, cast(Any, post.clock))
    assert "kind 'webhook'" in result(tester.test(post.channel(), up=False)).error


def test_a_test_that_cannot_be_logged_is_answered_all_the_same(post: Post) -> None:
    """The message was sent."""
    channel = post.channel()
    post.receivers.at_once[channel] = Delivered(200)
    post.journal.fail_next(1)
    assert result(sent(post, channel)).status == 200
    assert post.events(ChannelTested) == []
