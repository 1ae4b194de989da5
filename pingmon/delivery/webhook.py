"""Channels of kind `webhook`: an HTTP request of the user's making.

Success is a 2xx whose body has come to its end, or past the 4 KiB of it that are waited for: many servers take a
connection that ends earlier for a client that gave up. A 3xx is a failure, redirects are not followed. A 410 means
never again; 429 and 503 may say for how long. What the receiver answers is not kept, and shown to nobody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from hyperlink import EncodedURL
from OpenSSL.SSL import Error as TlsError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectionClosed,
    ConnectionRefusedError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.internet.interfaces import IConsumer
from twisted.logger import Logger
from twisted.web.client import RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from pingmon.core.check import Check
from pingmon.core.events import Id
from pingmon.delivery.attempt import Delivered, NotDelivered, Result
from pingmon.delivery.egress import RECEIVED_MAX, Egress, EgressError, Passage
from pingmon.outgoing.trust import Untrusted
from pingmon.wire.message import Letter
from pingmon.wire.webhook import Request, Unsendable, request, retry_after_s, wants_body

BODY_MAX: Final = 4096
"""Bytes of an answer's body that are waited for."""
GONE: Final = 410
PATIENCE: Final = frozenset({429, 503})
"""Answers whose `Retry-After` is honoured."""


class Webhook:
    """The kind. `check_object` gives a check as the management API shows it (v3, read-write key) at a time.

    `last_body` reads the body of a check's last ping; it is only called for channels that quote it.
    """

    log = Logger()

    def __init__(
        self,
        egress: Egress,
        check_object: Callable[[Check, int], Mapping[str, object]],
        last_body: Callable[[Id], Awaitable[bytes]],
    ) -> None:
        self._egress = egress
        self._check_object = check_object
        self._last_body = last_body

    async def __call__(self, letter: Letter) -> Result:
        """As `Deliver`."""
        try:
            body = await self._body(letter) if wants_body(letter) else b""
            asked = request(letter, self._check_object(letter.check, letter.now), body)
        except Unsendable as error:
            return NotDelivered(str(error), permanent=True)
        if asked is None:
            return Delivered()
        passage = self._egress.passage()
        try:
            status, retry_after = await self._exchange(passage, asked)
        except _FAILURES as error:
            return NotDelivered(f"more than {RECEIVED_MAX} bytes came back" if passage.flooded else explained(error))
        finally:
            passage.close()
        self.log.debug("{host} answered {status}", host=urlsplit(asked.url).hostname, status=status)
        return judged(status, retry_after, letter.now)

    async def _body(self, letter: Letter) -> bytes:
        try:
            return await self._last_body(letter.check.id)
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 -- the message matters more than what it quotes
            self.log.failure("reading the last ping of {check}", check=letter.check.id)
            return b""

    async def _exchange(self, passage: Passage, asked: Request) -> tuple[int, bytes | None]:
        """Status and `Retry-After` of the answer, once it has ended."""
        headers = Headers()
        for name, value in asked.headers:
            headers.addRawHeader(name.encode("ascii"), value)
        # A client of its own for each exchange: an `HTTPClient` keeps the cookies that it is given.
        client = HTTPClient(passage, data_to_body_producer=_AtOnce)
        response = await client.request(
            asked.method,
            _AsItIs(asked.url),
            headers=headers,
            data=asked.body or None,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._egress.reactor,
        )
        left = BODY_MAX

        def taken(chunk: bytes) -> None:
            nonlocal left
            left -= len(chunk)
            if left < 0:
                raise _Enough

        with suppress(_Enough):
            await response.collect(taken)
            passage.close(ended=True)
        found = response.headers.getRawHeaders(b"retry-after")
        return response.code, found[0] if found else None


def judged(status: int, retry_after: bytes | None, now: int) -> Result:
    """What an answer means."""
    if 200 <= status < 300:
        return Delivered(status)
    wait = retry_after_s(retry_after, now) if status in PATIENCE else None
    return NotDelivered(f"status {status}", permanent=status == GONE, retry_after_s=wait)


def explained(error: BaseException) -> str:
    """Why there was no answer, in a few words for users."""
    if isinstance(error, EgressError):
        return str(error)
    if isinstance(error, Untrusted):
        return f"TLS: {error}"
    if isinstance(error, TlsError):
        return f"TLS: {_tls_reason(error)}"
    if isinstance(error, ResponseFailed | RequestTransmissionFailed | RequestGenerationFailed):
        return _explained_exchange(error)
    for kind, words in _CONNECTING.items():
        if isinstance(error, kind):
            return words
    return "the connection was lost"


def _explained_exchange(error: Any) -> str:
    cause = error.reasons[0].value
    if isinstance(cause, Untrusted | TlsError):
        return explained(cause)
    if not isinstance(cause, ConnectionClosed):
        return "the answer is not HTTP"
    if isinstance(error, ResponseNeverReceived | RequestTransmissionFailed):
        return "the connection was closed without an answer"
    return "the answer broke off"


def _tls_reason(error: TlsError) -> str:
    """OpenSSL's own word for it: the last part of the first of its errors."""
    try:
        return str(error.args[0][0][2]) or "handshake failed"
    except (IndexError, TypeError):
        return "handshake failed"


_CONNECTING: Final[dict[type[Exception], str]] = {
    ConnectionRefusedError: "connection refused",
    NoRouteError: "no route to host",
    TimeoutError: "connection timed out",
    TCPTimedOutError: "connection timed out",
    ConnectError: "could not connect",
}
_FAILURES: Final = (
    EgressError,
    ConnectError,
    ConnectionClosed,
    ResponseFailed,
    RequestTransmissionFailed,
    RequestGenerationFailed,
    TlsError,
)
"""What goes wrong between two hosts. Anything else is a bug, and reported as one."""


class _Enough(Exception):
    """More of the body than anybody waits for."""


class _AsItIs(EncodedURL):
    """A URL that treq asks for to the letter. hyperlink would put every host through IDNA, which knows neither
    addresses in brackets nor underscores (measured: hyperlink 21, idna 3.20)."""

    def __init__(self, text: str) -> None:
        super().__init__(scheme=urlsplit(text).scheme)
        self._as_it_is = text

    def to_uri(self) -> _AsItIs:
        """Itself."""
        return self

    def to_text(self, with_password: bool = False) -> str:
        """The text that it was made of."""
        return self._as_it_is


@implementer(IBodyProducer)
class _AtOnce:
    """A request body that is written in one go. (treq's own goes through the global reactor's cooperator.)"""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """As `IBodyProducer`."""
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Nothing to pause."""

    def resumeProducing(self) -> None:
        """Nothing to resume."""

    def stopProducing(self) -> None:
        """Nothing to stop."""
