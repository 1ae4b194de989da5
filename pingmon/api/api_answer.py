"""Answers of the API: made as values, written to a request in one place.

Every answer has a length, is never cached and may be read by scripts of any origin; every error is JSON with the key
`error`; only a refused field may have a second, `why`.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.web.iweb import IRequest
from zope.interface import implementer

from pingmon.door.plain_answer import PlainAnswer

JSON: Final = "application/json"
TEXT: Final = "text/plain"
RETRY_AFTER_S: Final = 5
"""Seconds after which a client may ask again when the journal could not take its change."""
CORS_MAX_AGE_S: Final = 600

T = TypeVar("T")
Headers = tuple[tuple[str, str], ...]


class ApiAnswer(Struct, frozen=True):
    """What a request is answered with. `parts` follow the `body`, sent one by one as the client takes them.

    To join parts of 10 MB, and the transport's copies of them, held up the reactor for 20 ms.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Headers = ()
    parts: tuple[bytes, ...] = ()


class ApiError(Exception):
    """The client's error: an HTTP status and one sentence for the one who reads the answer."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    def answer(self) -> ApiAnswer:
        """The answer that tells it."""
        return json_answer({"error": self.message}, self.status, self.headers)

    def plain(self) -> PlainAnswer:
        """The same, where no route of the API is asked."""
        found = self.answer()
        headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in found.headers]
        return PlainAnswer(HTTPStatus(found.status), found.body.decode(), *headers, kind=JSON.encode("ascii"))


def json_answer(value: object, status: int = 200, headers: Headers = ()) -> ApiAnswer:
    """`value` as JSON."""
    return ApiAnswer(status, msgspec.json.encode(value), JSON, headers)


def not_found() -> ApiError:
    """What is asked for is not there, or is another project's."""
    return ApiError(404, "not found")


def existing(left: T | None) -> T:
    """What the log has left of something; 404 if it had gone before."""
    if left is None:
        raise not_found()
    return left


def try_again() -> ApiError:
    """The journal could not take the change now, as far as is known: a disk that fails or hangs may have kept it."""
    return ApiError(503, "try again", (("Retry-After", str(RETRY_AFTER_S)),))


def cors(methods: Iterable[str]) -> Headers:
    """The headers by which a browser lets scripts of other origins use these methods."""
    return (
        ("Access-Control-Allow-Headers", "X-Api-Key, Content-Type"),
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Max-Age", str(CORS_MAX_AGE_S)),
    )


def written(request: IRequest, answer: ApiAnswer, extra: Headers = ()) -> bytes:
    """Set the status and headers of `request`; the body, which the caller writes (Twisted drops it for HEAD)."""
    request.setResponseCode(answer.status)
    if answer.status != 204:  # RFC 9110 §8.6: no length there
        request.setHeader(b"Content-Type", answer.content_type.encode("ascii"))
        request.setHeader(b"Content-Length", str(sum(map(len, (answer.body, *answer.parts)))).encode("ascii"))
    request.setHeader(b"Access-Control-Allow-Origin", b"*")
    request.setHeader(b"Cache-Control", b"no-store")
    for name, value in (*extra, *answer.headers):
        request.setHeader(name.encode("ascii"), value.encode("ascii"))
    return answer.body


def sent(request: IRequest, answer: ApiAnswer, extra: Headers) -> bytes | Deferred[bytes]:
    """As `written`, and the parts as well, if there are any: the result is then nothing, once the client has taken all.

    It does not fire for a client that has gone.
    """
    body = written(request, answer, extra)
    if not answer.parts:
        return body
    sending = _Sending(request, (body, *answer.parts))
    sending.begin()
    return sending.done


@implementer(IPushProducer)
class _Sending:
    """Writes parts until it is told to pause. `done`: all are written.

    `request` may be any of Twisted's; their interface does not know of producers.
    """

    def __init__(self, request: Any, parts: Iterable[bytes]) -> None:
        self._request = request
        self._parts = iter(parts)
        self._pauses = False
        self.done: Deferred[bytes] = Deferred()

    def begin(self) -> None:
        """Write, from now on."""
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        """Called by the transport."""
        self._pauses = False
        for part in self._parts:
            self._request.write(part)  # may pause this
            if self._pauses:
                return
        if not self.done.called:
            self._request.unregisterProducer()
            self.done.callback(b"")

    def pauseProducing(self) -> None:
        """Called by the transport."""
        self._pauses = True

    def stopProducing(self) -> None:
        """Called by the transport: the client is gone."""
        self._parts = iter(())
