"""When a message is tried again, and what overtaking does to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check import Status
from pingmon.core.flip import Flip
from pingmon.core.notify import (
    GIVE_UP_AFTER_S,
    RETRY_AFTER_S,
    Notification,
    delivered_after_all,
    matters,
    notification,
    relayed,
    retry_at,
)
from pingmon.core.times import SECOND

T0 = 1_700_000_000 * SECOND


def flip(old: Status, new: Status, seq: int = 5, at: int = T0) -> Flip:
    return Flip(seq, "check", at, old, new)


def owed(attempts: int = 0) -> Notification:
    return Notification("c1.5", "c1", flip("up", "down"), T0, T0, attempts)


def test_people_are_told_of_every_way_down_and_of_the_way_back_up_only() -> None:
    """New and paused checks that come up are no news."""
    assert [matters(flip(old, "down")) for old in ("new", "up", "paused")] == [True] * 3
    assert matters(flip("down", "up"))
    assert not any(matters(flip(old, "up")) for old in ("new", "paused"))
    assert not any(matters(flip(old, "paused")) for old in ("new", "up", "down"))


def test_an_undelivered_down_is_told_once_by_the_up_that_overtook_it() -> None:
    """`was down from … to …`, and nothing of it if the down had arrived after all."""
    down = notification(flip("up", "down", 5, T0), "c1", T0, None)
    up = notification(flip("down", "up", 9, T0 + 7), "c1", T0 + 7, down)
    assert (up.id, up.down_from, up.replaces) == ("c1.9", T0, "c1.5")
    assert delivered_after_all(up).down_from is None
    again = notification(flip("up", "down", 11), "c1", T0 + 9, up)
    assert (again.down_from, again.replaces) == (None, "c1.9")


def test_an_abandoned_message_goes_to_the_other_channels_once() -> None:
    """They learn which channel could not be told; a relay that is lost too ends there."""
    relays = relayed(owed(3), "status 500", ["c1", "c2", "c3"], T0 + 9)
    assert [(relay.id, relay.channel, relay.relays, relay.attempts) for relay in relays] == [
        ("c1.5.c2", "c2", "c1", 0),
        ("c1.5.c3", "c3", "c1", 0),
    ]
    assert relayed(relays[0], "status 500", ["c1", "c2", "c3"], T0) == []


def test_waits_grow_as_the_ladder_says() -> None:
    """5 s, 30 s, 2 min, 10 min, 30 min, then hourly."""
    waits = [retry_at(owed(attempt), T0, spread=0.0, asked_s=None) for attempt in range(8)]
    assert [(due - T0) // SECOND for due in waits if due is not None] == [*RETRY_AFTER_S, 3600, 3600]


def test_the_receiver_may_ask_for_a_longer_wait_but_not_a_shorter_one() -> None:
    """`Retry-After` is honoured up to the time of giving up."""
    assert retry_at(owed(), T0, spread=0.0, asked_s=60) == T0 + 60 * SECOND
    assert retry_at(owed(3), T0, spread=0.0, asked_s=1) == T0 + 600 * SECOND
    assert retry_at(owed(), T0, spread=0.0, asked_s=1e9) == T0 + GIVE_UP_AFTER_S * SECOND


@given(attempts=st.integers(0, 100), late=st.integers(0, 2 * GIVE_UP_AFTER_S), spread=st.floats(0, 0.999))
def test_every_wait_is_positive_and_ends_within_a_day(attempts: int, late: int, spread: float) -> None:
    """No message is tried for ever, and none in a tight loop."""
    now = T0 + late * SECOND
    due = retry_at(owed(attempts), now, spread=spread, asked_s=None)
    if late >= GIVE_UP_AFTER_S:
        assert due is None
    else:
        assert due is not None
        assert now < due <= max(T0 + GIVE_UP_AFTER_S * SECOND, now + SECOND)
