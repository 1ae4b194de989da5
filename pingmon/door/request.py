"""A request, from its first header to its answer: how much of its body is kept, and where it goes.

What the intake wants goes straight to it, whatever its Host header says; all else is checked (target, Host, method,
size) and then takes Twisted's way through the resource tree. Bodies are kept in memory only, and only the part that
will be used. Forms are never parsed.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, server

from pingmon.door.caller_address import Caller, forwarded
from pingmon.door.connection_interface import Connection
from pingmon.door.plain_answer import BAD_HOST, BAD_METHOD, BAD_TARGET, NO_CONTENT, OUR_FAULT, SERVER, PlainAnswer
from pingmon.door.request_syntax import authority, host_is_sane, is_method, is_path, taken_apart

log = Logger()

PHRASES: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


class State(IntEnum):
    ARRIVING = 0
    HANDLED = 1
    DONE = 2


class Request(server.Request):
    """A request on HTTP/1 or on a stream of HTTP/2.

    `came` counts the bytes of the body that have come, also those that were not kept. `query` is the part of the target
    after `?`. `gone`: the client is, and nothing can be answered any more. `void`: the parser has refused the request,
    and it must have no effect. `_name`: what the connection's lifetime calls it; on HTTP/1 that is the connection,
    because a request begins with its first byte, before there is an object for it.
    """

    channel: Any
    content: BytesIO
    query = b""
    came = 0
    gone = False
    void = False
    _state = State.ARRIVING
    _authority: bytes | None = None
    _head_known = False
    _taken = False
    _keep = 0
    _cap = 0
    too_large = False

    def __init__(self, channel: Any, connection: Connection) -> None:
        super().__init__(channel, False, parsePOSTFormSubmission=False)
        self.connection = connection
        self._is_stream = hasattr(channel, "requestComplete")
        self._name: object = self if self._is_stream else connection

    # --- arriving ---------------------------------------------------------------------------------------------------

    def gotLength(self, length: int | None) -> None:
        """The head is complete, and a body of `length` bytes will follow (None: not known)."""
        self.content = BytesIO()
        if length != 0 or self._is_stream:  # HTTP/2 says 0 for any GET, and a body may come all the same
            self._expect_body(length)

    def _expect_body(self, length: int | None) -> None:
        self.method = self.channel.command
        self._aim(self.channel.path)
        self._head_known = True
        watch = self.connection.watch
        self._taken = watch.intake is not None and watch.intake.wants(self.path)
        if watch.intake is not None and self._taken:
            self._keep = watch.intake.keeps
            # Over HTTP/2, curl 7.88 that is answered while it sends, sends no more but waits for ever; so it is only
            # cut short at the deadline. Dropping what comes costs no memory.
            self._cap = sys.maxsize if self._is_stream else watch.settings.body_cap
        else:
            self._keep = self._cap = watch.settings.body_limit
            if length is not None and length > self._cap:
                self._overflow()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body: keep what is wanted, drop the rest."""
        if self._state is not State.ARRIVING:
            return
        room = self._keep - self.came
        self.came += len(data)
        if room > 0:
            self.content.write(data[:room])
        if self.came > self._cap and not self.too_large:
            self._overflow()

    def _overflow(self) -> None:
        """More than is taken: the connection ends the request as soon as the parser has returned."""
        self.too_large = True
        self.connection.too_much(self)

    def end_early(self) -> None:
        """Go on as if the body ended here, if the head is complete; the rest is dropped, the connection soon closed."""
        if self._state is not State.ARRIVING or not self._head_known or self.void:
            return
        if self._is_stream:
            self.channel.requestComplete()
            self.connection.life.hurries()
        else:
            self.channel.end_early()

    def break_off(self) -> None:
        """No more of it comes in time. It is the intake's with what has come of its body; all else is cut off."""
        if self._taken:
            self.end_early()
        elif self._state is State.ARRIVING:
            self._leave()

    # --- whole ------------------------------------------------------------------------------------------------------

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is here (or all that will be taken)."""
        self._begin()
        self.method, self.clientproto = command, version
        self._aim(path)
        intake = self.connection.watch.intake
        try:
            if intake is not None and intake.wants(self.path):
                intake.take(self)
            else:
                self._receive_other()
        except Exception:  # noqa: BLE001 - the outer guard of a request
            self.processingFailed(Failure())

    def _begin(self) -> None:
        self._state = State.HANDLED
        self.connection.life.whole(self._name)

    def _aim(self, target: bytes | None) -> None:
        """Take the target apart: `/path?query`, the same after `http://host`, or something that names nothing."""
        if target is None or not target.startswith(b"/"):
            self._authority, target = taken_apart(target)
        self.uri = target
        self.path, _, self.query = target.partition(b"?")

    def _receive_other(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self.answer(self.connection.watch.voice(self.path, refusal))
            return
        self.requestHeaders.setRawHeaders(b"Host", [self._host()])
        self.args = http.parse_qs(self.query, 1)
        self.content.seek(0)
        self.process()

    def _refusal(self) -> PlainAnswer | None:
        """Why this request, which is not a ping, is not looked at any further."""
        if self.too_large:
            return _too_large(self._cap)
        if self.uri == b"*" and self.method == b"OPTIONS":
            return NO_CONTENT
        if not is_method(self.method):
            return BAD_METHOD
        if not is_path(self.path):
            return BAD_TARGET
        hosts = self.requestHeaders.getRawHeaders(b"Host", ())
        if self._is_stream:  # `:authority` is one of them, and h2 has seen that they agree
            hosts = hosts[:1]
        sane = host_is_sane(self._authority, hosts, needed=self.clientproto != b"HTTP/1.0")
        return None if sane else BAD_HOST

    def _host(self) -> bytes:
        """Whom the client asked: the target says it, else the Host header (RFC 9112 3.2.2), else its connection."""
        return (
            self._authority or self.requestHeaders.getRawHeaders(b"Host", [b""])[0] or authority(self.connection.host())
        )

    def process(self) -> None:
        """As Twisted's, but with our own Server header and without content encoders."""
        self.site = self.channel.site
        self.setHeader(b"Server", SERVER)
        self.setHeader(b"Date", self.connection.watch.dates.header())
        self.prepath = []
        self.postpath = [unquote_to_bytes(part) for part in self.path[1:].split(b"/")]
        self.render(self.site.getResourceFor(self))

    # --- answered ---------------------------------------------------------------------------------------------------

    def kept(self) -> bytes:
        """The part of the body that was kept."""
        return self.content.getvalue() if self.came else b""

    def field(self, name: bytes) -> bytes:
        """The value of the first header field `name`; empty if there is none."""
        values = self.requestHeaders.getRawHeaders(name)
        return values[0] if values else b""

    def caller(self) -> Caller:
        """The client's address and scheme, as a trusted proxy reports them if it is one that called."""
        return self.connection.watch.trusted.caller(self.connection.peer, self.requestHeaders)

    def forwarded(self) -> tuple[str, str]:
        """The scheme and the host that a trusted proxy was asked with; "" without one, and for what it does not say."""
        return forwarded(self.connection.peer, self.requestHeaders)

    def isSecure(self) -> bool:
        """Whether the connection itself is encrypted."""
        return self.connection.peer.caller[1] == "https"

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """As Twisted's, which has no words for codes that are younger than it, 429 among them."""
        super().setResponseCode(code, message or PHRASES.get(code))

    def answer(self, answer: PlainAnswer) -> None:
        """Send `answer` and be done; nothing happens if the client is gone."""
        if self.gone:
            return
        watch = self.connection.watch
        self.code = answer.status
        date = watch.dates.header()
        if self.clientproto == b"HTTP/2":
            self.responseHeaders = answer.fields(date)
            self.write(answer.body)
        else:
            channel = self.channel
            if watch.draining:
                channel.persistent = 0
            head = self.method == b"HEAD"
            self.startedWriting = 1
            self.sentLength = 0 if head else len(answer.body)
            channel.write(answer.http1(self.clientproto, date, close=not channel.persistent, head=head))
        self.finish()

    def finish(self) -> None:
        super().finish()
        self._end()

    def connectionLost(self, reason: Failure) -> None:
        """The client has hung up. A ping whose head has come counts, whatever became of its body."""
        self.gone = True
        intake = self.connection.watch.intake
        if self._state is State.ARRIVING and intake is not None and self._taken and not self.void:
            self._begin()
            try:
                intake.take(self)
            except Exception:  # noqa: BLE001 - the outer guard of a request
                log.failure("an error while the door took a request whose client has hung up")
        super().connectionLost(reason)
        self._end()

    def _end(self) -> None:
        before, self._state = self._state, State.DONE
        if before is State.HANDLED:
            self.connection.answered()
        elif before is State.ARRIVING:
            self.connection.life.gone(self._name)

    def failed(self, reason: Failure) -> None:
        """An errback for what is done on behalf of this request."""
        self.processingFailed(reason)

    def processingFailed(self, reason: Failure) -> Failure:
        """Our fault: logged with its traceback, answered without."""
        log.failure("an error while pingmon answered a request", reason)
        if self.startedWriting:
            self._leave()
        else:
            self.answer(OUR_FAULT)
        return reason

    def _leave(self) -> None:
        """End the stream, or the connection if it is HTTP/1, in the middle; nothing happens if it has ended."""
        if self.gone or self.finished:
            return
        if self._is_stream:
            self.channel.abortConnection()
        else:
            self.connection.close()
        self._end()


def _too_large(limit: int) -> PlainAnswer:
    return PlainAnswer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request body is longer than {limit} bytes")
