"""HTTP/1 on one connection: Twisted's channel, without its timers, and with an answer to each refusal.

It takes what Twisted does not, where nobody in between can read it in another way: targets with raw UTF-8, as curl and
Perl send them, and heads whose lines all end in LF alone, as shell scripts send them. The latter ends the connection
with its answer, and has no body unless it is HTTP/1.0; other mixtures of line ends are refused at once.

It relies on a few names of `twisted.web.http.HTTPChannel` that are not public (`_command`, `_path`, `_version`, what it
knows of its transport and of a body's chunks, and `_respondToBadRequestAndDisconnect`, its only seam for refusals); the
tests notice if they change.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.web.http import (
    HTTPChannel,
    _ChunkedTransferDecoder,
    _IdentityTransferDecoder,
    _MalformedChunkedDataError,
)

from pingmon.door.connection_interface import Connection
from pingmon.door.limits import HEAD_BYTES_MAX, HEADERS_MAX
from pingmon.door.plain_answer import BAD_REQUEST, HEAD_TOO_LARGE, URL_TOO_LONG, PlainAnswer

BITE: Final = 1024
"""Chunks of one byte each cost most: 4 µs, and a sixth as many are in so many bytes."""
LINES: Final = ("CHUNK_LENGTH", "CRLF", "TRAILER")
"""States of a chunked body in which a line end is awaited."""

_not_ascii: Final = re.compile(rb"[\x80-\xff]")


def _quoted(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


class Unpaced:
    """Stands between Twisted's channel and the transport: when it is read from is for the connection to say."""

    def pauseProducing(self) -> None:
        """Not for the channel to say."""

    def resumeProducing(self) -> None:
        """Not for the channel to say."""


class Chunks(_ChunkedTransferDecoder):
    """A chunked body, whose lines all end in CRLF.

    Twisted takes a bare LF for a part of a trailer, where others end a line: then the next request is a trailer, too.
    Elsewhere it waits for more.
    """

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self.state in LINES:
            self._refuse_bare_line_end()

    def _dataReceived_TRAILER(self) -> bool:
        self._refuse_bare_line_end()
        going_on: bool = super()._dataReceived_TRAILER()
        return going_on

    def _refuse_bare_line_end(self) -> None:
        end = self._buffer.find(b"\n")
        if end == 0 or (end > 0 and self._buffer[end - 1 : end] != b"\r"):
            raise _MalformedChunkedDataError("a line that does not end in CRLF")


class Http1(HTTPChannel):
    """Parses requests. `timeOut` stays None: the watch does what its timers would do."""

    maxHeaders = HEADERS_MAX
    totalHeadersSize = HEAD_BYTES_MAX
    requests: list[Any]

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.timeOut = None
        self._bare = self._careful = False
        self._rest = b""

    @property
    def ready(self) -> bool:
        """Whether the next request may be read: the one before it has been answered."""
        return not self._handlingRequest

    @property
    def bite(self) -> int:
        """How many bytes may be handled in one go, so that it takes well below a millisecond."""
        return sys.maxsize if isinstance(self._transferDecoder, _IdentityTransferDecoder) else BITE

    def feed(self, piece: bytes) -> bytes:
        """Handle the first request of `piece`, or as much of it as there is; gives back the rest."""
        self.paused = False
        self.dataReceived(piece)
        return self.left_over() + self.clearLineBuffer() if self.paused else b""

    def left_over(self) -> bytes:
        """What came together with the request that has been answered; once."""
        rest, self._rest = self._rest, b""
        return rest

    def connectionMade(self) -> None:
        if not self.connection.lost:  # Twisted's asks for a socket, and what came before the end counts without one
            super().connectionMade()
        self._networkProducer: Any = Unpaced()

    # --- what a request asks its channel ----------------------------------------------------------------------------

    @property
    def command(self) -> bytes:
        """The method of the request that is arriving, as on an HTTP/2 stream."""
        command: bytes = self._command
        return command

    @property
    def path(self) -> bytes:
        """The target of the request that is arriving, as on an HTTP/2 stream."""
        path: bytes = self._path
        return path

    def getPeer(self) -> IAddress:
        return self.connection.peer.address

    def getHost(self) -> IAddress:
        return self.connection.host()

    # --- what the transport and the parser tell ---------------------------------------------------------------------

    def setLineMode(self, extra: bytes = b"") -> Any:
        """The request before has been answered; `extra` is the start of the next ones, which have to wait."""
        super().setLineMode()
        self.paused = True
        self._rest += extra

    def dataReceived(self, data: bytes) -> None:
        """Most clients send ASCII and CRLF; only for others is each line looked at, which costs 3 µs a request."""
        if not self._careful and (not data.isascii() or data.count(b"\n") != data.count(b"\r\n")):
            self._careful = True
            self.delimiter = b"\n"
            self.MAX_LENGTH += 1  # for the CR
            self.lineReceived = self._odd_line_received  # type: ignore[method-assign]
        super().dataReceived(data)

    def _odd_line_received(self, line: bytes) -> None:
        """`line` still has its CR, if it has one. The first line of a request decides how all of them end."""
        bare = not line.endswith(b"\r")
        if not bare:
            line = line[:-1]
        if not self.requests:
            self._bare = bare and line != b""  # an empty line may stand between two requests
            if not line.isascii():
                line = _not_ascii.sub(_quoted, line)
        elif bare is not self._bare:
            self._respondToBadRequestAndDisconnect()
            return
        super().lineReceived(line)

    def allHeadersReceived(self) -> None:
        if self._bare and self.length != 0 and (self.length is None or self._version != b"HTTP/1.0"):
            self._respondToBadRequestAndDisconnect()
            return
        super().allHeadersReceived()

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """As Twisted's, which overlooks `close` before a comma and in all but the first of several headers."""
        options = b",".join(request.requestHeaders.getRawHeaders(b"Connection", ())).lower().replace(b",", b" ").split()
        persistent = version == b"HTTP/1.1" and b"close" not in options and not self._bare
        if not persistent:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return persistent

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Transfer-Encoding" and data.lower() == b"identity":
            self.refuse(BAD_REQUEST)  # Twisted lets it pass, alone and beside `chunked` (RFC 9112 6.1)
            return False
        chosen: bool = super()._maybeChooseTransferDecoder(header, data)
        if chosen and header == b"Transfer-Encoding":
            self._transferDecoder = Chunks(self.requests[-1].handleContentChunk, self._finishRequestBody)
        return chosen

    def headerReceived(self, line: bytes) -> bool:
        try:
            received: bool = super().headerReceived(line)
        except ValueError:  # a Content-Length of more digits than Python converts
            self._respondToBadRequestAndDisconnect()
            return False
        return received

    def _send100Continue(self) -> None:
        if not self.requests[-1].too_large:  # who asks first whether a long body is wanted is told that it is not
            super()._send100Continue()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(HEAD_TOO_LARGE if self.requests else URL_TOO_LONG)

    def _respondToBadRequestAndDisconnect(self) -> None:
        too_large = self._receivedHeaderSize > HEAD_BYTES_MAX or self._receivedHeaderCount > HEADERS_MAX
        self.refuse(HEAD_TOO_LARGE if too_large else BAD_REQUEST)

    def refuse(self, answer: PlainAnswer) -> None:
        """Answer a request that cannot be read, and close; nothing of it counts."""
        for request in self.requests:
            request.void = True
        self.clearLineBuffer()  # or the parser would go on with the next line
        watch = self.connection.watch
        self.connection.life.refused(watch.tick)
        self.connection.life.gone(self.connection)
        self.write(answer.http1(b"HTTP/1.1", watch.dates.header(), close=True, head=False))

    # --- ended before it is whole -----------------------------------------------------------------------------------

    def end_early(self) -> None:
        """Treat the request that is arriving as if its body ended here; the connection ends with its answer."""
        self.connection.life.cuts_short()
        self.persistent = 0
        self.allContentReceived()

    def break_off(self) -> None:
        """No more of the request that is arriving comes in time."""
        if self.requests:
            self.requests[-1].break_off()
        else:
            self.connection.life.gone(self.connection)
            self.connection.close()

    def loseConnection(self) -> None:
        """Close after what is written is sent; with a client that still sends, only after a while."""
        if self.connection.life.drops:
            self.connection.life.refused(self.connection.watch.tick)
        else:
            self.connection.close()

    def pauseProducing(self) -> None:
        """Called by the transport: its buffer is full, as the client does not read its answers.

        Twisted's channel stops those who write. That would be enough if nobody could ask for more; so the connection
        stops reading as well, and its time begins to run. `Unpaced` keeps Twisted's from reading on its own account.
        """
        super().pauseProducing()
        self.connection.stall()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.connection.flow()
