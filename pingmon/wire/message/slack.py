"""Messages to incoming webhooks as Slack made them; Mattermost and Rocket.Chat take the same.

(docs.slack.dev, "Sending messages using incoming webhooks", "Formatting message text"; its changelog of 2016-05-17 has
the errors.) Such a webhook changes nothing that it has posted, so the way up is a second message. `&`, `<` and `>` are
escaped, so that a check's name mentions nobody. Slack takes 40,000 characters, and shows more than 4,000 in pieces. 403
(`action_prohibited`, `invalid_token`), 404, 410, and a 400 with `invalid_token` say that the webhook works no more.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final

from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.service import MessageService, ServiceAnswer, ack_url, json_request, judged, words
from pingmon.wire.outgoing_request import OutgoingRequest

TEXT_MAX: Final = 4000
INVALID_TOKEN: Final = b"invalid_token"


def request(message: AnyMessage, base: str) -> OutgoingRequest:
    """The request that posts `message`; its setting is `url`."""
    value: dict[str, Any] = message.channel.value
    said = escape(words(message, TEXT_MAX), quote=False)
    link = ack_url(message, base)
    return json_request(value["url"], {"text": f"{said}\n<{link}|Acknowledge>" if link else said})


def read(asked: OutgoingRequest, status: int, body: bytes) -> ServiceAnswer:
    """What the answer means."""
    revoked = status == 400 and body.strip() == INVALID_TOKEN
    return judged(status, gone=(400, 403, 404) if revoked else (403, 404))


SLACK: Final = MessageService(request, read)
