"""Messages by a bot of Telegram (core.telegram.org/bots/api: sendMessage, editMessageText, ResponseParameters).

The receipt is `chat/message`; the way up edits that message, or, if that is refused, is sent anew. An edit that
changes nothing is refused, too: then an attempt before it had arrived. A group that became a supergroup has another id,
which Telegram tells (`migrate_to_chat_id`), and is asked for at once. A message has 4,096 characters at most. 401 and
404 say that the token is none, 403 that the bot was blocked or thrown out, and a chat may be unknown (400).
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.service import (
    MessageService,
    ServiceAnswer,
    ack_url,
    json_request,
    judged,
    object_in,
    part,
    receipt_of,
    words,
)
from pingmon.wire.outgoing_request import OutgoingRequest

TEXT_MAX: Final = 4096
NO_CHANGE: Final = "Bad Request: message is not modified"
NO_CHAT: Final = "Bad Request: chat not found"

_RECEIPT: Final = re.compile(r"(-?[0-9]{1,20})/([0-9]{1,20})")


def request(message: AnyMessage, base: str) -> OutgoingRequest:
    """The request that sends `message`, or edits the message about the way down.

    Its settings are `token`, `chat_id`, `thread_id` (0: none) and `url`.
    """
    value: dict[str, Any] = message.channel.value
    link = ack_url(message, base)
    more = f"\nAcknowledge: {link}" if link else ""
    said = {
        "chat_id": value["chat_id"],
        "text": words(message, TEXT_MAX - len(more.encode())) + more,
        "link_preview_options": {"is_disabled": True},
    }
    if value["thread_id"]:
        said["message_thread_id"] = value["thread_id"]
    bot = f"{value['url'].rstrip('/')}/bot{value['token']}"
    if (found := _RECEIPT.fullmatch(receipt_of(message))) is not None:
        said |= {"chat_id": int(found[1]), "message_id": int(found[2])}
        return json_request(f"{bot}/editMessageText", said)
    return json_request(f"{bot}/sendMessage", said)


def read(asked: OutgoingRequest, status: int, body: bytes) -> ServiceAnswer:
    """What Telegram's answer means."""
    told, said = object_in(body), object_in(asked.body)
    why, result = str(told.get("description")), part(told, "result")
    moved = part(told, "parameters").get("migrate_to_chat_id")
    if isinstance(moved, int) and moved != said["chat_id"]:
        return ServiceAnswer(instead=_changed(asked, said | {"chat_id": moved}))
    if status in (400, 403) and "message_id" in said:
        if why.startswith(NO_CHANGE):
            return ServiceAnswer(receipt=f"{said['chat_id']}/{said.pop('message_id')}")
        del said["message_id"]
        return ServiceAnswer(instead=_changed(asked, said, "sendMessage"))
    found = judged(status, gone=(401, 403, 404) if why != NO_CHAT else (400,))
    receipt = f"{part(result, 'chat').get('id')}/{result.get('message_id')}"
    return found if found.error or not _RECEIPT.fullmatch(receipt) else ServiceAnswer(receipt=receipt)


def _changed(asked: OutgoingRequest, said: dict[str, Any], method: str = "") -> OutgoingRequest:
    url = asked.url if not method else f"{asked.url.rpartition('/')[0]}/{method}"
    return replace(asked, url=url, body=msgspec.json.encode(said))


TELEGRAM: Final = MessageService(request, read)
