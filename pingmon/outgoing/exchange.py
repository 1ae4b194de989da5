"""One HTTP request and its answer: how webhooks, questions to partners and questions to verifiers go out.

Redirects are not followed, no cookies are kept, nothing is compressed, and no more of a body is taken than the asker
wants. Whoever asks sets the deadline, by cancelling, which aborts the connection.

treq writes the request and reads the answer. It works with any agent, and is given one whose connections are ours
(`passage`), so that where they go and what they cost is decided in one place for all who ask. Twisted's `Agent` alone
would be a few lines shorter, but the request that users make in their channels' settings is what treq is for
(docs/decisions/0002-treq.md). Probes do not go this way: see `probe.connect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from hyperlink import EncodedURL
from msgspec import Struct
from OpenSSL.SSL import Error as TlsError
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
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

from pingmon.outgoing.passage import Egress, EgressError, Passage
from pingmon.outgoing.tls_trust import Untrusted
from pingmon.wire.outgoing_request import OutgoingRequest

log = Logger()


class NoReply(Exception):
    """There was no answer. The message says why in a few words for users, and nothing of the URL."""


class Reply(Struct, frozen=True):
    """An answer. `body` is all of it, or more than was wanted if it is longer than that.

    `headers` have their names in lower case. Those that came more than once are left out: nobody knows which counts.
    """

    status: int
    headers: Mapping[str, bytes]
    body: bytes


async def exchange(egress: Egress, asked: OutgoingRequest, body_max: int) -> Reply:
    """The answer to `asked`, once it has ended or `body_max` bytes of its body are exceeded. Raises `NoReply`.

    Cancelling aborts the connection.
    """
    passage = egress.passage()
    try:
        reply = await _exchanged(egress, passage, asked, body_max)
    except FAILURES as error:
        flood = f"more than {egress.received_max} bytes came back"
        raise NoReply(flood if passage.flooded else explained(error)) from error
    finally:
        passage.close()
    log.debug("{host} answered {status}", host=urlsplit(asked.url).hostname, status=reply.status)
    return reply


async def _exchanged(egress: Egress, passage: Passage, asked: OutgoingRequest, body_max: int) -> Reply:
    headers = Headers()
    for name, value in asked.headers:
        headers.addRawHeader(name.encode("ascii"), value)
    # A client of its own for each exchange: an `HTTPClient` keeps the cookies that it is given.
    client = HTTPClient(passage, data_to_body_producer=_WholeBody)
    response = await client.request(
        asked.method,
        _AsItIs(asked.url),
        headers=headers,
        data=asked.body or None,
        allow_redirects=False,
        unbuffered=True,
        reactor=egress.reactor,
    )
    body = bytearray()

    def taken(chunk: bytes) -> None:
        body.extend(chunk[: body_max + 1 - len(body)])
        if len(body) > body_max:
            raise _Enough

    with suppress(_Enough):
        await response.collect(taken)
        passage.close(ended=True)
    lines = response.headers.getAllRawHeaders()
    single = {name.lower().decode("latin-1"): values[0] for name, values in lines if len(values) == 1}
    return Reply(response.code, single, bytes(body))


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
FAILURES: Final = (
    EgressError,
    ConnectError,
    ConnectionClosed,
    ResponseFailed,
    RequestTransmissionFailed,
    RequestGenerationFailed,
    TlsError,
    Untrusted,
)
"""What goes wrong between two hosts. Anything else is a bug, and reported as one."""


class _Enough(Exception):
    """More of the body than anybody waits for."""


@implementer(IBodyProducer)
class _WholeBody:
    """Bytes that are written in one go. (Twisted's and treq's own go through the global reactor's cooperator.)"""

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
