"""Channels of kind `webhook`: an HTTP request of the user's making.

Success is a 2xx whose body has come to its end, or past the 4 KiB of it that are waited for: many servers take a
connection that ends earlier for a client that gave up. A 3xx is a failure, redirects are not followed. A 410 means
never again; 429 and 503 may say for how long. What the receiver answers is not kept, and shown to nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pingmon.core.world.outcome import Topic
from pingmon.delivery.attempt import Delivered, NotDelivered, Result
from pingmon.outgoing.exchange import NoReply, exchange
from pingmon.outgoing.passage import Egress
from pingmon.wire.message.digest import AnyMessage, Digest
from pingmon.wire.message.message import Letter
from pingmon.wire.message.webhook import digest_request, request, retry_after_s, wants_body
from pingmon.wire.outgoing_request import OutgoingRequest, Unsendable

BODY_MAX: Final = 4096
"""Bytes of an answer's body that are waited for."""
GONE: Final = 410
BUSY: Final = frozenset({429, 503})
"""Answers whose `Retry-After` is honoured."""


class Webhook:
    """The kind. `shown` gives what a message is about as the management API shows it (v3, read-write key) at a time.

    `last_body` is only called for channels that quote it.
    """

    def __init__(
        self,
        egress: Egress,
        shown: Callable[[Topic, int], Mapping[str, object]],
        last_body: Callable[[Letter], Awaitable[bytes]],
    ) -> None:
        self._egress = egress
        self._shown = shown
        self._last_body = last_body

    async def __call__(self, message: AnyMessage) -> Result:
        """As `Deliver`."""
        try:
            asked = digest_request(message) if isinstance(message, Digest) else await self._letter(message)
        except Unsendable as error:
            return NotDelivered(str(error), permanent=True)
        if asked is None:
            return Delivered(nothing=True)
        try:
            reply = await exchange(self._egress, asked, BODY_MAX)
        except NoReply as error:
            return NotDelivered(str(error))
        return judged(reply.status, reply.headers.get("retry-after"), message.now)

    async def _letter(self, letter: Letter) -> OutgoingRequest | None:
        body = await self._last_body(letter) if wants_body(letter) else b""
        return request(letter, self._shown(letter.subject, letter.now), body)


def judged(status: int, retry_after: bytes | None, now: int) -> Result:
    """What an answer means."""
    if 200 <= status < 300:
        return Delivered(status)
    wait = retry_after_s(retry_after, now) if status in BUSY else None
    return NotDelivered(f"status {status}", gone=status == GONE, retry_after_s=wait)
