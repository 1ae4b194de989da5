"""A message to send."""

from __future__ import annotations

from typing import Any

from pingmon.core.check.check import Check, Status
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Notification
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, SECRET, uuid
from pingmon.testing import START as NOW
from pingmon.wire.message.digest import Digest, digest
from pingmon.wire.message.message import Letter


def letter(value: dict[str, object], *, now: int = NOW, **spec: Any) -> Letter:
    """That a check went down, to a webhook channel with these settings."""
    check = Check(uuid(1), PROJECT, CheckSpec(**spec), 3, NOW, NOW, "down")
    channel = Channel(uuid(1, "d"), PROJECT, "webhook", "ops", value, SECRET, 1, NOW)
    flip = Flip(7, check.id, NOW, "up", "down", "silence", NOW)
    return Letter(Notification(f"{channel.id}.7", channel.id, flip, NOW), check, channel, now)


def many(value: dict[str, object], down: int, up: int = 0, *, secret: str = SECRET) -> Digest:
    """That so many checks went down, `job 1` first, and then so many came back after a minute; a second for each."""
    channel = Channel(uuid(1, "d"), PROJECT, "webhook", "ops", value, secret, 1, NOW)

    def one(number: int) -> Letter:
        down_now = number <= down
        new: Status = "down" if down_now else "up"
        check = Check(uuid(number), PROJECT, CheckSpec(name=f"job {number}"), 3, NOW, NOW, new)
        at = NOW + number * SECOND
        old: Status = "up" if down_now else "down"
        flip = Flip(number, check.id, at, old, new, "silence" if down_now else "", at - 60 * SECOND)
        return Letter(Notification(f"{channel.id}.{number}", channel.id, flip, at), check, channel, NOW)

    return digest(channel, NOW + 1_500_000, down + up, map(one, range(1, down + up + 1)))
