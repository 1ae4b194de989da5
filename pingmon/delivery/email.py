"""Channels of kind `email`: a mail by the operator's mail server, which takes it from there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from pingmon.core.notify.channel import Channel
from pingmon.delivery.attempt import Delivered, NotDelivered, Result
from pingmon.outgoing.mail_submission import MailServer, NotTaken, submitted
from pingmon.outgoing.passage import Egress
from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.mail import Mail, mail, question
from pingmon.wire.message.message import Letter
from pingmon.wire.outgoing_request import Unsendable

NO_SERVER: Final = NotDelivered("this pingmon has no mail server: the operator has set no [smtp] host")


class MailRoute(Struct, frozen=True):
    """How mails leave: through `server`, which `egress` reaches, from `sender`."""

    egress: Egress
    server: MailServer
    sender: str


class Email:
    """The kind. Without a `route` it delivers nothing; `base_url` is the daemon's own."""

    def __init__(
        self, route: MailRoute | None, base_url: Callable[[], str], last_body: Callable[[Letter], Awaitable[bytes]]
    ) -> None:
        self._route = route
        self._base_url = base_url
        self._last_body = last_body

    async def __call__(self, message: AnyMessage) -> Result:
        """As `Deliver`. The receipt of a way down is its Message-ID, to which the way up refers."""
        route = self._route
        if route is None:
            return NO_SERVER
        try:
            last_body = await self._last_body(message) if isinstance(message, Letter) else b""
            made = mail(message, last_body, route.sender, self._base_url())
        except Unsendable as error:
            return NotDelivered(str(error), permanent=True)
        down = isinstance(message, Letter) and message.owed.flip.new == "down"
        return await _sent(route, made, made.id if down else "")

    async def ask(self, channel: Channel, now: int) -> Result:
        """As `Ask`."""
        route = self._route
        if route is None:
            return NO_SERVER
        try:
            made = question(channel, now, route.sender, self._base_url())
        except Unsendable as error:
            return NotDelivered(str(error), permanent=True)
        return await _sent(route, made)


async def _sent(route: MailRoute, made: Mail, receipt: str = "") -> Result:
    try:
        return Delivered(await submitted(route.egress, route.server, made), receipt=receipt)
    except NotTaken as error:
        return NotDelivered(str(error), permanent=error.permanent)
