"""A message to send."""

from __future__ import annotations

from typing import Any

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Notification
from pingmon.testing import PROJECT, SECRET, uuid
from pingmon.testing import START as NOW
from pingmon.wire.message.message import Letter


def letter(value: dict[str, object], *, now: int = NOW, **spec: Any) -> Letter:
    """That a check went down, to a webhook channel with these settings."""
    check = Check(uuid(1), PROJECT, CheckSpec(**spec), 3, NOW, NOW, "down")
    channel = Channel(uuid(1, "d"), PROJECT, "webhook", "ops", value, SECRET, 1, NOW)
    flip = Flip(7, check.id, NOW, "up", "down", "silence", NOW)
    return Letter(Notification(f"{channel.id}.7", channel.id, flip, NOW), check, channel, now)
