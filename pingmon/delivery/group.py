"""Channels of kind `group`: a message to one goes to its members.

What is owed is owed to the members themselves, so this is for test messages.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from pingmon.core.world.world import World
from pingmon.delivery.attempt import ChannelKind, Delivered, NotDelivered, Result
from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.message import called


class Group:
    """The kind. `kinds` are those of the members."""

    def __init__(self, world: World, kinds: Mapping[str, ChannelKind]) -> None:
        self._world = world
        self._kinds = kinds

    async def __call__(self, message: AnyMessage) -> Result:
        """As `Deliver`: to one member after the other. It is delivered if all have it; the error names who has not."""
        faults = []
        for id in self._world.reached([message.channel.id]):
            member = self._world.channels[id]
            kind = self._kinds.get(member.kind)
            if kind is None:
                faults.append(f"{called(member)}: this pingmon cannot deliver to channels of kind {member.kind!r}")
                continue
            result = await kind.deliver(replace(message, channel=member))
            if isinstance(result, NotDelivered):
                faults.append(f"{called(member)}: {result.error}")
        return NotDelivered("; ".join(faults)) if faults else Delivered()
