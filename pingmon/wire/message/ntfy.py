"""Messages to ntfy, published as JSON (docs.ntfy.sh/publish, "Publish as JSON", "Updating notifications").

A message has a `sequence_id` of ours: one that is sent again, and the way up, take the place of the notification that
is there. ntfy knows it from 2.16 on; before, the way up is a second notification. A message has 4,096 bytes at most.
"""

from __future__ import annotations

from typing import Any, Final

from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.service import (
    MessageService,
    ServiceAnswer,
    ack_url,
    is_down,
    json_request,
    judged,
    object_in,
    receipt_of,
    words,
)
from pingmon.wire.outgoing_request import OutgoingRequest

TEXT_MAX: Final = 4096
ID_MAX: Final = 64
UP_PRIORITY: Final = 3


def request(message: AnyMessage, base: str) -> OutgoingRequest:
    """The request that publishes `message`; its settings are `topic`, `url`, `token` and `priority`."""
    value: dict[str, Any] = message.channel.value
    down = is_down(message)
    said: dict[str, object] = {
        "topic": value["topic"],
        "message": words(message, TEXT_MAX),
        "tags": ["rotating_light" if down else "white_check_mark"],
        "priority": value["priority"] if down else UP_PRIORITY,
        "sequence_id": receipt_of(message) or message.id[-ID_MAX:],
    }
    if link := ack_url(message, base):
        said["actions"] = [{"action": "view", "label": "Acknowledge", "url": link}]
    return json_request(value["url"], said, token=value["token"])


def read(asked: OutgoingRequest, status: int, body: bytes) -> ServiceAnswer:
    """What ntfy's answer means; the receipt is the sequence that the message is in."""
    found = judged(status)
    return found if found.error else ServiceAnswer(receipt=object_in(asked.body)["sequence_id"])


NTFY: Final = MessageService(request, read)
