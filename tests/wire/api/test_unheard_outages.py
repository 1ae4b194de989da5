"""Outages that reach nobody are warned of, to those whose they are."""

from __future__ import annotations

import pytest

from pingmon.core.check.settings import CheckChanges
from pingmon.core.units import SECOND
from pingmon.core.world import events as e
from pingmon.wire.api.status import Problem
from pingmon.wire.api.unheard_outages import FAILING_LONG, NAMED, untold
from tests.core.worlds import C1, C2, H1, H2, S1, T0, Log, P, Q


@pytest.fixture
def log() -> Log:
    log = Log()
    log.add(Q, e.ProjectCreated("second", "otherkey"))
    return log


def test_what_is_down_without_a_channel_is_warned_of(log: Log) -> None:
    """Until it is up, gone, or has a channel; nobody sees another project's."""
    log.check(C1, name="back\nup")
    log.check(C2, project=Q)
    log.site(channels=(), host="")
    assert untold(log.world, T0, None) == []
    for check in (C1, C2):
        log.ping(check, "fail")
    log.fails()
    text, names = "down, and nobody is told, for want of a channel: 2", "check cccccccc (back?up); site eeeeeeee"
    assert untold(log.world, T0, P) == [Problem(text, f"{names} (http://shop.example/)")]
    assert untold(log.world, T0, Q)[0].text.endswith(": 1")
    assert untold(log.world, T0, None)[0].text.endswith(": 3")
    log.channel(H1)
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H1,))))
    log.ping(C2)
    log.add(S1, e.SiteDeleted())
    assert untold(log.world, T0, None) == []


def test_a_check_that_loses_its_only_channel_while_it_is_down_is_warned_of(log: Log) -> None:
    """And no more once it is deleted."""
    log.check(channels=(log.channel(),))
    log.ping(signal="fail")
    assert untold(log.world, T0, P) == []
    log.add(H1, e.ChannelDeleted())
    assert len(untold(log.world, T0, P)) == 1
    log.add(C1, e.CheckDeleted())
    assert untold(log.world, T0, P) == []


def test_a_channel_that_has_failed_for_long_is_named_to_its_own_project(log: Log) -> None:
    """With its error and what waits for it; not at its first failure, and not when it answers again."""
    log.channel(H1)
    log.channel(H2, Q)
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (id,) = log.world.owed
    for second in (0, 5):
        log.add(H1, e.NotificationFailed(id, 1, "status 500", T0), T0 + second * SECOND)
    assert untold(log.world, T0 + FAILING_LONG - 1, P) == []
    said = Problem("channels that cannot be told: 1", "hook 1 (dddddddd) for 10 min: status 500, 1 waiting")
    assert untold(log.world, T0 + FAILING_LONG, P) == untold(log.world, T0 + FAILING_LONG, None) == [said]
    assert untold(log.world, T0 + FAILING_LONG, Q) == []
    log.add(H1, e.NotificationDelivered(id, 1, 200))
    assert untold(log.world, T0 + FAILING_LONG, P) == []


def test_not_more_are_named_than_anybody_reads(log: Log) -> None:
    """The others are counted."""
    for number in range(NAMED + 2):
        id = f"cccccccc-0000-4000-8000-0000000001{number:02}"
        log.check(id)
        log.ping(id, "fail")
    (warning,) = untold(log.world, T0, P)
    assert warning.detail.count("check") == NAMED
    assert warning.detail.endswith("; and 2 more")


def test_receivers_who_have_not_said_that_they_want_messages_are_warned_of(log: Log) -> None:
    """From the question on, until they say so; and when they say that they want none."""
    log.add(H1, e.ChannelCreated(P, "email", "ops", {"email": "a@b"}, "whsec_x", consent="due"))
    assert untold(log.world, T0, P) == []
    text = "channels whose receivers have not said that they want messages: 1"
    for event, problems in (
        (e.ConsentAsked(1, 250), [Problem(text, "ops (dddddddd)")]),
        (e.ChannelConfirmed(), []),
        (e.ChannelUnsubscribed(), [Problem(text, "ops (dddddddd)")]),
    ):
        log.add(H1, event)
        assert untold(log.world, T0, P) == problems
        assert untold(log.world, T0, Q) == []
