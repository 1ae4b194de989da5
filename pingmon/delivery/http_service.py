"""Channels of services that take JSON over HTTP: one sender for all; what is said to each is in `wire.message`.

Redirects are not followed. 429 and 503 may say for how long the service wants to be left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pingmon.delivery.attempt import Delivered, NotDelivered, Result
from pingmon.delivery.webhook import BUSY
from pingmon.outgoing.exchange import NoReply, exchange
from pingmon.outgoing.passage import Egress
from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.discord import DISCORD
from pingmon.wire.message.message import Letter
from pingmon.wire.message.ntfy import NTFY
from pingmon.wire.message.pagerduty import PAGERDUTY
from pingmon.wire.message.service import MessageService, wait_s
from pingmon.wire.message.slack import SLACK
from pingmon.wire.message.telegram import TELEGRAM
from pingmon.wire.outgoing_request import Unsendable

SERVICES: Final[dict[str, MessageService]] = {
    "ntfy": NTFY,
    "telegram": TELEGRAM,
    "slack": SLACK,
    "discord": DISCORD,
    "pagerduty": PAGERDUTY,
}
BODY_MAX: Final = 65_536
"""Bytes of an answer's body that are read: services send the message back."""
REQUESTS_MAX: Final = 3
"""Requests for one message: to a chat that has moved, for an edit that is refused, say."""


class HttpService:
    """The kind. `base_url` is the daemon's own, for links in messages."""

    def __init__(self, egress: Egress, service: MessageService, base_url: Callable[[], str]) -> None:
        self._egress = egress
        self._service = service
        self._base_url = base_url

    async def __call__(self, message: AnyMessage) -> Result:
        """As `Deliver`."""
        try:
            asked = self._service.request(message, self._base_url())
        except Unsendable as error:
            return NotDelivered(str(error), permanent=True)
        if asked is None:
            return Delivered(nothing=True)
        for _ in range(REQUESTS_MAX):
            try:
                reply = await exchange(self._egress, asked, BODY_MAX)
            except NoReply as error:
                return NotDelivered(str(error))
            found = self._service.read(asked, reply.status, reply.body)
            if found.instead is None:
                break
            asked = found.instead
        else:
            return NotDelivered(f"status {reply.status}")
        if not found.error:
            # What tells of many is changed for none of them.
            receipt = found.receipt if isinstance(message, Letter) else ""
            return Delivered(reply.status, receipt=receipt)
        header = reply.headers.get("retry-after")
        wait = wait_s(reply.body, header, message.now) if reply.status in BUSY else None
        return NotDelivered(found.error, found.permanent, found.gone, wait)
