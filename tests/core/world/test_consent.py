"""Receivers who say whether they want messages: what is owed to whom meanwhile."""

from __future__ import annotations

import pytest

from pingmon.core.notify.channel import Consent
from pingmon.core.units import SECOND
from pingmon.core.world import events as e
from tests.core.worlds import C1, H1, H2, Log, P

ADDRESS: dict[str, object] = {"email": "a@example.org"}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.add(H1, e.ChannelCreated(P, "email", "ops", ADDRESS, "whsec_x", consent="due"))
    log.channel(H2)
    log.check(C1, channels=(H1, H2))
    return log


def owed(log: Log) -> list[str]:
    return [each.channel for each in log.world.owed.values()]


def consent(log: Log) -> Consent:
    return log.world.channels[H1].consent


def test_nothing_is_owed_to_a_receiver_who_has_not_confirmed(log: Log) -> None:
    assert log.ping(C1, "fail").channels == (H2,)
    log.add(H1, e.ConsentAsked(30, 250))
    assert consent(log) == "asked"
    assert owed(log) == [H2]


def test_who_confirms_hears_of_what_happens_from_then_on(log: Log) -> None:
    """And not of the end of an outage of which he has not heard."""
    log.ping(C1, "fail")
    log.add(H1, e.ChannelConfirmed())
    assert consent(log) == ""
    assert log.ping(C1).channels == (H2,)
    assert log.ping(C1, "fail").channels == (H1, H2)


def test_who_unsubscribes_is_owed_nothing_and_others_are_told_instead(log: Log) -> None:
    log.add(H1, e.ChannelConfirmed())
    log.add(C1, e.CheckDeleted())
    log.check(C1, channels=(H1,))
    log.ping(C1, "fail")
    outcome = log.add(H1, e.ChannelUnsubscribed())
    assert (consent(log), outcome.channels) == ("unsubscribed", (H2,))
    assert [(each.became, each.why) for each in outcome.ended] == [("given up", "its receiver has unsubscribed")]
    (relay,) = log.world.owed.values()
    log.add(H2, e.NotificationDelivered(relay.id, 1))
    assert log.ping(C1).channels == (H2,)


def test_a_new_address_is_asked_anew_and_old_secrets_end(log: Log) -> None:
    log.add(H1, e.ChannelConfirmed())
    log.add(H1, e.ChannelSecretRenewed("whsec_y", log.now + 10 * SECOND))
    log.ping(C1, "fail")
    outcome = log.add(H1, e.ChannelChanged(value={"email": "b@example.org"}, consent="due", secret="whsec_z"))
    assert [each.why for each in outcome.ended] == ["its new receiver has not confirmed yet"]
    assert consent(log) == "due"
    assert log.world.channels[H1].secrets(log.now) == ("whsec_z",)
    assert owed(log) == [H2]


def test_a_change_of_the_name_asks_nobody_and_takes_nothing_away(log: Log) -> None:
    log.add(H1, e.ChannelConfirmed())
    log.ping(C1, "fail")
    assert log.add(H1, e.ChannelChanged(name="night")).ended == ()
    assert owed(log) == [H1, H2]


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        ("due", e.ConsentAsked(1, error="status 450", retry_at=99), "due"),
        ("due", e.ConsentAsked(1, error="no such user"), "asked"),
        ("asked", e.ConsentAsked(1, error="no such user"), "asked"),
        ("unsubscribed", e.ConsentAsked(1, 250), "asked"),
        ("unsubscribed", e.ConsentAsked(1, error="no such user"), "unsubscribed"),
        ("", e.ConsentAsked(1, 250), ""),
        ("unsubscribed", e.ChannelConfirmed(), ""),
        ("asked", e.ChannelUnsubscribed(), "unsubscribed"),
    ],
)
def test_what_becomes_of_a_question(log: Log, before: Consent, event: e.Event, after: Consent) -> None:
    log.add(H1, e.ChannelChanged(consent=before))
    log.add(H1, event)
    channel = log.world.channels[H1]
    assert channel.consent == after
    failing = isinstance(event, e.ConsentAsked) and event.retry_at > 0
    assert (channel.failing is not None) == failing
    assert channel.last_error == (event.error if isinstance(event, e.ConsentAsked) else "")


def test_a_message_that_is_given_up_goes_to_nobody_who_has_not_confirmed(log: Log) -> None:
    log.add(C1, e.CheckDeleted())
    log.check(C1, channels=(H2,))
    log.ping(C1, "fail")
    (message,) = log.world.owed.values()
    log.add(H2, e.NotificationAbandoned(message.id, 1, "no"))
    assert owed(log) == []


def test_what_a_receiver_says_of_a_channel_that_is_gone_does_nothing(log: Log) -> None:
    log.add(H1, e.ChannelDeleted())
    assert log.add(H1, e.ChannelConfirmed()).result == "unknown"
