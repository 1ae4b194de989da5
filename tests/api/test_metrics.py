"""The reference server's `metrics/`: how far the log is, and what is still to be told."""

from __future__ import annotations

from pingmon.api.metrics import NEWEST
from pingmon.core.world.events import ChannelDeleted, CheckPaused, NotificationDelivered
from pingmon.testing import START_S
from tests.api.stage import ApiStage

PATH = "/api/v3/metrics/"


def test_a_daemon_that_has_done_nothing() -> None:
    """Knows of no ping and no message."""
    house = ApiStage()
    told = house.get(PATH, house.operator).json
    assert told == {"ts": START_S, "max_ping_id": None, "max_notification_id": None, "num_unprocessed_flips": 0}


def test_flips_wait_until_everybody_has_heard() -> None:
    """However many channels are to be told of one."""
    house = ApiStage()
    one, other = house.channel(1), house.channel(2)
    jobs = [house.check(number, channels=(one, other)) for number in (1, 2)]
    for job in jobs:
        house.ping(job, "fail")
    newest = house.world.seq
    told = house.get(PATH, house.operator).json
    assert (told["max_ping_id"], told["max_notification_id"], told["num_unprocessed_flips"]) == (newest, None, 2)
    first, second = house.world.outbox[one]
    house.submit(one, NotificationDelivered(first, 1))
    house.advance(1)
    house.submit(one, NotificationDelivered(second, 1))
    delivered = house.world.seq
    told = house.get(PATH, house.operator).json
    assert (told["max_ping_id"], told["max_notification_id"], told["num_unprocessed_flips"]) == (newest, delivered, 2)
    house.submit(other, ChannelDeleted())
    assert house.get(PATH, house.operator).json["num_unprocessed_flips"] == 0


def test_a_ping_that_is_far_back_is_not_looked_for() -> None:
    """So that one request reads a bounded part of the log."""
    house = ApiStage()
    job = house.check()
    house.ping(job)
    at = house.world.seq
    house.get(PATH, house.operator)  # that the key is used is logged, too, once in a while
    while house.world.seq < at + NEWEST - 1:
        house.submit(job, CheckPaused())
    assert house.get(PATH, house.operator).json["max_ping_id"] == at
    house.submit(job, CheckPaused())
    assert house.get(PATH, house.operator).json["max_ping_id"] is None
