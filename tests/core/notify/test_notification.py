"""What a message makes up for when it overtakes another, and who is told of one that was given up."""

from __future__ import annotations

from msgspec.structs import replace

from pingmon.core.check.check import Status
from pingmon.core.flip import Flip
from pingmon.core.notify.notification import (
    TRIED_MAX,
    Attempted,
    Missed,
    Notification,
    attempted,
    delivered_after_all,
    matters,
    notification,
    relayed,
    shifted,
)
from pingmon.testing import START as T0


def flip(old: Status, new: Status, seq: int = 5, at: int = T0) -> Flip:
    return Flip(seq, "check", at, old, new)


def owed(attempts: int = 0) -> Notification:
    return Notification("c1.5", "c1", flip("up", "down"), T0, attempts)


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
    relays = relayed(owed(3), "status 500", ["c2", "c3"], T0 + 9)
    assert [(relay.id, relay.channel, relay.relays, relay.attempts) for relay in relays] == [
        ("c1.5.c2", "c2", "c1", 0),
        ("c1.5.c3", "c3", "c1", 0),
    ]
    assert relayed(relays[0], "status 500", ["c2", "c3"], T0) == []


def test_whoever_hears_of_a_way_up_in_anothers_stead_hears_from_when_on_it_was_down() -> None:
    """They were told of nothing before, so it would be a bare "up"; a schedule that has run out was never down."""
    up = replace(owed(), flip=Flip(9, "check", T0 + 7, "down", "up", since=T0))
    (relay,) = relayed(up, "status 500", ["c2"], T0)
    assert relay.down_from == T0
    (late,) = relayed(replace(up, down_from=T0 - 5), "status 500", ["c2"], T0)
    assert late.down_from == T0 - 5
    (notice,) = relayed(replace(up, flip=Flip(9, "check", T0, "up", "up", "ended", T0)), "e", ["c2"], T0)
    assert notice.down_from is None


def test_an_outage_of_which_neither_end_was_told_is_told_by_the_next_way_down() -> None:
    """And all of them by the way up, if that one was not delivered either."""
    first = notification(flip("up", "down", 5, T0), "c1", T0, None)
    up = notification(flip("down", "up", 6, T0 + 1), "c1", T0, first)
    second = notification(flip("up", "down", 7, T0 + 2), "c1", T0, up)
    assert (second.down_from, second.missed) == (None, Missed(T0, T0 + 1))
    up = notification(flip("down", "up", 8, T0 + 3), "c1", T0, second)
    assert (up.down_from, up.missed) == (T0 + 2, Missed(T0, T0 + 1))
    third = notification(flip("up", "down", 9, T0 + 4), "c1", T0, up)
    assert third.missed == Missed(T0, T0 + 3, 2)
    assert third.overtook == replace(up, overtook=None)
    assert delivered_after_all(third).missed is None


def test_a_way_up_after_a_way_down_that_was_given_up_tells_both_ends() -> None:
    """Nobody gets a bare "up" of an outage that they never heard of; a way down needs no such thing."""
    up = replace(flip("down", "up"), since=T0 - 9)
    assert notification(up, "c1", T0, None, heard=False).down_from == T0 - 9
    assert notification(up, "c1", T0, None).down_from is None
    assert notification(flip("up", "down"), "c1", T0, None, heard=False).down_from is None


def test_a_message_remembers_its_newest_attempts() -> None:
    """And counts those that failed."""
    message = owed()
    for second in range(TRIED_MAX + 3):
        message = attempted(message, Attempted(T0 + second, 9, error="status 500"))
    assert (message.attempts, message.error) == (TRIED_MAX + 3, "status 500")
    assert [attempt.at for attempt in message.tried] == [T0 + second for second in range(3, TRIED_MAX + 3)]
    assert attempted(owed(), Attempted(T0 + 5, 9, 200)).attempts == 0


def test_a_set_clock_moves_all_times_of_a_message() -> None:
    """Those of what it makes up for too."""
    down = attempted(notification(flip("up", "down", 5, T0), "c1", T0, None), Attempted(T0, 1, error="e"))
    up = replace(notification(flip("down", "up", 9, T0), "c1", T0, down), missed=Missed(T0, T0))
    moved = shifted(up, 7)
    assert (moved.flip.at, moved.created, moved.down_from) == (T0 + 7,) * 3
    assert moved.missed == Missed(T0 + 7, T0 + 7)
    assert moved.overtook is not None
    assert moved.overtook.tried[0].at == T0 + 7
    assert shifted(moved, -7) == up
