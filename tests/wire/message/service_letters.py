"""Messages to services, and the requests that are made of them in a form to compare with."""

from __future__ import annotations

import json
from typing import Any

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Cause, Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Notification
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, SECRET, uuid
from pingmon.testing import START as NOW
from pingmon.wire.api.service_channels import SERVICE_SETTINGS
from pingmon.wire.message.message import Letter
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest

BASE = "https://pingmon.example"
ACK = f"{BASE}/links/ack/{uuid(1, 'd')}/{uuid(1)}/7/bEWI-Tl_exuCx53I87e5"
DOWN = "DOWN: backup, since 2023-11-14 22:13:20 UTC: the job reported no success in time"
UP = "UP: backup, since 2023-11-14 22:14:50 UTC, after 1 min 30 s down"


def service_letter(
    kind: str, value: dict[str, object], *, receipt: str | None = None, cause: Cause = "silence", name: str = "backup"
) -> Letter:
    """That a check went down or, with a receipt (which may be empty), that it came back; to a channel of that kind."""
    settings = SERVICE_SETTINGS[kind].judged(value)
    channel = Channel(uuid(1, "d"), PROJECT, kind, "ops", settings, SECRET, 1, NOW)
    if receipt is None:
        flip = Flip(7, uuid(1), NOW, "up", "down", cause, NOW)
    else:
        flip = Flip(9, uuid(1), NOW + 90 * SECOND, "down", "up", cause, NOW)
    check = Check(uuid(1), PROJECT, CheckSpec(name=name), 3, NOW, NOW, "down" if receipt is None else "up")
    return Letter(
        Notification(f"{channel.id}.{flip.seq}", channel.id, flip, NOW, receipt=receipt or ""), check, channel, NOW
    )


def sent(asked: OutgoingRequest | None) -> tuple[str, str, Any]:
    """The method, the URL and what the JSON says; its other headers are those of every such request."""
    assert asked is not None
    headers = dict(asked.headers)
    assert (headers.pop("Content-Type"), headers.pop("User-Agent")) == (b"application/json", USER_AGENT)
    assert headers.keys() <= {"Authorization"}
    return asked.method, asked.url, json.loads(asked.body)
