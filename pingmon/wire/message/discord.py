"""Messages to a webhook of Discord (docs.discord.com, "Webhook Resource": Execute Webhook, Edit Webhook Message).

With `wait=true` the answer is the message, and its id the receipt; the way up edits it, or, if it is there no more, is
sent anew. A `content` has 2,000 characters at most. Nobody is mentioned, whatever a check is called, and no page that a
message links to is shown in it. A 404 (Unknown Webhook) and a 401 say that the webhook was deleted.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.service import (
    MessageService,
    ServiceAnswer,
    ack_url,
    json_request,
    judged,
    object_in,
    receipt_of,
    words,
)
from pingmon.wire.outgoing_request import OutgoingRequest

TEXT_MAX: Final = 2000
SUPPRESS_EMBEDS: Final = 1 << 2

_ID: Final = re.compile(r"[0-9]{1,20}")
_MESSAGE: Final = re.compile(r"/messages/[0-9]+(?=\?)")


def request(message: AnyMessage, base: str) -> OutgoingRequest:
    """The request that posts `message`, or edits the message about the way down; its setting is `url`."""
    value: dict[str, Any] = message.channel.value
    link = ack_url(message, base)
    more = f"\n[Acknowledge](<{link}>)" if link else ""
    said = {
        "content": words(message, TEXT_MAX - len(more.encode())) + more,
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    }
    parts, receipt = urlsplit(value["url"]), receipt_of(message)
    path = parts.path.rstrip("/") + (f"/messages/{receipt}" if receipt else "")
    url = parts._replace(path=path, query="&".join(filter(None, ("wait=true", parts.query)))).geturl()
    return json_request(url, said, method="PATCH" if receipt else "POST")


def read(asked: OutgoingRequest, status: int, body: bytes) -> ServiceAnswer:
    """What Discord's answer means."""
    if asked.method == "PATCH" and status in (400, 403, 404):
        return ServiceAnswer(instead=replace(asked, method="POST", url=_MESSAGE.sub("", asked.url)))
    found = judged(status, gone=(401, 404))
    id = object_in(body).get("id")
    return found if found.error or not (isinstance(id, str) and _ID.fullmatch(id)) else ServiceAnswer(receipt=id)


DISCORD: Final = MessageService(request, read)
