"""Trouble of pingmon itself: who is told of it, and that they hear of its end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.notify.notification import GIVE_UP_AFTER
from pingmon.core.notify.trouble import AGAIN
from pingmon.core.units import MINUTE
from pingmon.core.world import events as e
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.world import World
from pingmon.testing import uuid
from tests.core.worlds import H1, H2, H3, Log, P, Q, Saves, state

HOLD = MINUTE
DISK, LATE = uuid(1, "b"), uuid(2, "b")


class TroubledLog(Log):
    """Of a daemon with a channel in each of two projects."""

    def __init__(self) -> None:
        super().__init__()
        self.add(Q, e.ProjectCreated("second", "otherkey"))
        self.channel(H1)
        self.channel(H2, Q)

    def begins(self, *channels: str, id: str = DISK, since: int | None = None) -> Outcome:
        since = self.now - HOLD if since is None else since
        return self.add(id, e.TroubleBegan("disk", "the disk is nearly full", "9 MiB left", channels, since))

    def ends(self, id: str = DISK) -> Outcome:
        return self.add(id, e.TroubleEnded(self.now - HOLD))

    def deliver_all(self) -> list[tuple[str, str]]:
        """The channels that are told, and of what."""
        waiting = list(self.world.owed.values())
        for owed in waiting:
            self.add(owed.channel, e.NotificationDelivered(owed.id, 1, 200, receipt=f"r{owed.flip.seq}"))
        return [(owed.channel, owed.flip.new) for owed in waiting]


def test_the_operators_channels_are_told_once_whatever_project_they_belong_to() -> None:
    """And once that it is over; those that are there no more are told nothing."""
    log = TroubledLog()
    assert log.begins(H1, H2, H3).channels == (H1, H2)
    assert log.begins(H1, H2).result == "exists"
    assert log.deliver_all() == [(H1, "down"), (H2, "down")]
    log.add(H2, e.ChannelDeleted())
    assert log.ends().channels == (H1,)
    assert log.ends().result == "unknown"
    assert [owed.receipt for owed in log.world.owed.values()] == [f"r{log.world.troubles[DISK].born}"]
    assert log.deliver_all() == [(H1, "up")]
    assert log.ends().result == "unknown"


def test_in_the_place_of_a_group_its_members_are_told() -> None:
    log = TroubledLog()
    log.group(H1)
    assert log.begins(H3, H2).channels == (H1, H2)


def test_who_could_not_be_told_hears_of_begin_and_end_in_one_message() -> None:
    """The end overtakes the begin."""
    log = TroubledLog()
    log.begins(H1)
    began = log.now - HOLD
    log.now += 5 * MINUTE
    outcome = log.ends()
    assert [each.became for each in outcome.ended] == ["replaced"]
    (owed,) = log.world.owed.values()
    assert (owed.flip.new, owed.flip.at, owed.down_from) == ("up", log.now - HOLD, began)


def test_one_trouble_does_not_overtake_another() -> None:
    log = TroubledLog()
    log.begins(H1)
    log.begins(H1, id=LATE)
    log.ends()
    assert sorted((owed.flip.subject, owed.flip.new) for owed in log.world.owed.values()) == [
        (DISK, "up"),
        (LATE, "down"),
    ]


def test_a_message_about_it_that_is_given_up_makes_no_further_trouble() -> None:
    """It is not relayed to channels of users, and does not count as a message that was abandoned."""
    log = TroubledLog()
    log.channel(H3)
    log.begins(H1, H2)
    (one, _) = list(log.world.owed.values())
    assert log.add(H1, e.NotificationAbandoned(one.id, 1, "refused")).channels == ()
    log.now += GIVE_UP_AFTER
    failed = e.NotificationFailed("", 1, "dead", log.now + MINUTE, given_up=log.now)
    assert log.add(H2, failed).channels == ()
    assert not log.world.owed
    assert [log.world.channels[id].given_up for id in (H1, H2, H3)] == [0, 0, 0]


def test_what_is_given_up_of_users_counts_until_their_channel_is_told_something() -> None:
    log = TroubledLog()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (owed,) = log.world.owed.values()
    log.add(H1, e.NotificationAbandoned(owed.id, 1, "refused"))
    assert log.world.channels[H1].given_up == log.now
    log.add(H1, e.ClockStepped(MINUTE))
    assert log.world.channels[H1].given_up == log.now + MINUTE
    log.add(H1, e.ChannelTested(1, 200))
    assert log.world.channels[H1].given_up == 0


def test_one_that_comes_back_soon_must_be_gone_for_longer() -> None:
    """So that what flaps is not told at each turn."""
    log = TroubledLog()
    log.begins(H1)
    log.ends()
    assert log.world.troubles[DISK].gone_for(HOLD) == HOLD
    log.now += AGAIN - 1
    log.begins(H1, since=log.now - HOLD)
    assert log.world.troubles[DISK].gone_for(HOLD) == AGAIN
    log.ends()
    log.now += AGAIN
    log.begins(H1)
    assert log.world.troubles[DISK].gone_for(HOLD) == HOLD


def test_a_clock_that_is_set_moves_it_along() -> None:
    log = TroubledLog()
    log.begins(H1)
    log.begins(id=LATE)
    log.add(P, e.ClockStepped(MINUTE))
    trouble = log.world.troubles[DISK]
    assert trouble.since == log.now - HOLD + MINUTE
    assert trouble.audience is not None
    assert trouble.audience.told_at == log.now + MINUTE


STEPS = st.lists(st.tuples(st.sampled_from(["begin", "end", "deliver", "fail"]), st.sampled_from([DISK, LATE])))


@given(STEPS)
def test_every_channel_hears_each_trouble_and_its_end_in_turn(steps: list[tuple[str, str]]) -> None:
    """Whatever comes between; and a replay, from any snapshot, comes to the same."""
    log = TroubledLog()
    told: dict[tuple[str, str], list[str]] = {}
    for what, id in (*steps, ("deliver", DISK)):
        log.now += MINUTE
        if what == "begin":
            log.begins(H1, H2, id=id)
        elif what == "end":
            log.ends(id)
        elif what == "fail":
            log.add(H1, e.NotificationFailed("", 1, "dead", log.now + MINUTE))
        else:
            for owed in list(log.world.owed.values()):
                told.setdefault((owed.channel, owed.flip.subject), []).append(owed.flip.new)
                log.add(owed.channel, e.NotificationDelivered(owed.id, 1, 200))
    for trouble in log.world.troubles.values():
        for channel in (H1, H2):
            heard = told[channel, trouble.id]
            assert heard[-1] == trouble.status
    saves = Saves(log)
    saves.save()
    for blocks, seq in ([], 0), (saves.blocks, saves.seq):
        world = World()
        Saver(world).restore(seq, blocks)
        log.again(world, seq)
        assert state(world) == state(log.world)
