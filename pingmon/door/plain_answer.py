"""Answers of plain text whose bytes are known before anybody asks.

A ping is answered thousands of times a second with the same few bytes, so they are joined once for each case (version,
connection kept or closed, body or none) and only the date is put in. They never hold anything a client has sent.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from twisted.web.http_headers import Headers

SERVER: Final = b"pingmon"
"""What the `Server` header says. The version is told at `/` only."""

ANYWHERE: Final = ((b"Access-Control-Allow-Origin", b"*"), (b"Cache-Control", b"no-store"))
"""Headers of every answer to a ping: any page may read it, nobody may keep it."""

TEXT: Final = b"text/plain; charset=utf-8"
JSON: Final = b"application/json"
_NO_BODY: Final = frozenset({HTTPStatus.NO_CONTENT})


class PlainAnswer:
    """A status, its headers and a text body. Compared by identity."""

    __slots__ = ("_ready", "body", "headers", "status", "text")

    def __init__(self, status: HTTPStatus, text: str, *more: tuple[bytes, bytes], kind: bytes = TEXT) -> None:
        self.status = status
        self.text = text
        self.body = text.encode()
        own: tuple[tuple[bytes, bytes], ...] = ()
        if status not in _NO_BODY:
            own = ((b"Content-Type", kind), (b"Content-Length", b"%d" % len(self.body)))
        self.headers = ((b"Server", SERVER), *own, *ANYWHERE, *more)
        self._ready: dict[tuple[bytes, bool, bool], tuple[bytes, bytes]] = {}

    def as_json(self) -> PlainAnswer:
        """The same refusal as JSON, for clients that read nothing else."""
        return PlainAnswer(self.status, f'{{"error": "{self.text}"}}', kind=JSON)

    def http1(self, version: bytes, date: bytes, *, close: bool, head: bool) -> bytes:
        """The whole answer for HTTP/1: `date` as the header wants it, without a body if `head`."""
        case = (version, close, head)
        ready = self._ready.get(case)
        if ready is None:
            ready = self._ready[case] = self._joined(version, close, head)
        return ready[0] + date + ready[1]

    def fields(self, date: bytes) -> Headers:
        """The header fields, for HTTP/2, where the fields are packed for each connection anew."""
        fields = Headers()
        for name, value in (*self.headers, (b"Date", date)):
            fields.addRawHeader(name, value)
        return fields

    def _joined(self, version: bytes, close: bool, head: bool) -> tuple[bytes, bytes]:
        lines = [b"%s %d %s" % (version, self.status, self.status.phrase.encode())]
        lines += [b"%s: %s" % field for field in self.headers]
        if close:
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\nDate: ", b"\r\n\r\n" + (b"" if head else self.body)


NO_CONTENT: Final = PlainAnswer(HTTPStatus.NO_CONTENT, "")
READING: Final = b"GET, HEAD, OPTIONS"
"""The methods of what can only be read."""
NOT_ALLOWED: Final = PlainAnswer(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", (b"Allow", READING))
PREFLIGHT: Final = PlainAnswer(
    HTTPStatus.NO_CONTENT, "", (b"Access-Control-Allow-Methods", READING), (b"Access-Control-Max-Age", b"600")
)
BAD_REQUEST: Final = PlainAnswer(HTTPStatus.BAD_REQUEST, "bad request")
BAD_METHOD: Final = PlainAnswer(HTTPStatus.BAD_REQUEST, "invalid method")
BAD_TARGET: Final = PlainAnswer(HTTPStatus.BAD_REQUEST, "invalid url format")
BAD_HOST: Final = PlainAnswer(HTTPStatus.BAD_REQUEST, "invalid host")
NOT_FOUND: Final = PlainAnswer(HTTPStatus.NOT_FOUND, "not found")
HEAD_TOO_LARGE: Final = PlainAnswer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request header fields too large")
URL_TOO_LONG: Final = PlainAnswer(HTTPStatus.REQUEST_URI_TOO_LONG, "url too long")
OUR_FAULT: Final = PlainAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
