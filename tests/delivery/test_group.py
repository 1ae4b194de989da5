"""A message to a group goes to its members."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from pingmon.core.world.events import ChannelCreated
from pingmon.delivery.attempt import ChannelKind, Delivered, NotDelivered, Result
from pingmon.delivery.group import Group
from pingmon.testing import PROJECT, Rig, result, uuid
from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.message import trial_letter

OPS, DEV, ALL = (uuid(number, "d") for number in (1, 2, 3))


def told(results: dict[str, Result], *, dev: str = "webhook") -> tuple[list[str], Result]:
    """Who is told when a group of two is tested, of whom each has this result; and the group's result."""
    rig, asked = Rig(), list[str]()

    async def deliver(message: AnyMessage) -> Result:
        asked.append(message.channel.id)
        return results[message.channel.id]

    for id, kind, name in ((OPS, "webhook", "ops"), (DEV, dev, "dev")):
        rig.submit(id, ChannelCreated(PROJECT, kind, name, {}, ""))
    rig.submit(ALL, ChannelCreated(PROJECT, "group", "all", {"channels": f"{OPS},{DEV}"}, ""))
    message = trial_letter(rig.world.channels[ALL], rig.now, up=False)
    sent = Group(rig.world, {"webhook": ChannelKind(deliver)})(message)
    return asked, result(Deferred.fromCoroutine(sent))


def test_all_members_are_told() -> None:
    """Each is itself the channel of its message."""
    assert told({OPS: Delivered(200), DEV: Delivered(204)}) == ([OPS, DEV], Delivered())


def test_the_error_names_who_was_not_told() -> None:
    """And the others are told all the same."""
    asked, found = told({OPS: NotDelivered("status 500"), DEV: Delivered(204)})
    assert (asked, found) == ([OPS, DEV], NotDelivered("ops (dddddddd): status 500"))
    asked, found = told({OPS: Delivered(200)}, dev="pigeon")
    assert asked == [OPS]
    assert found == NotDelivered("dev (dddddddd): this pingmon cannot deliver to channels of kind 'pigeon'")
