"""One connection, whatever is spoken on it, and when it has lasted long enough.

Its first bytes decide between HTTP/1 and HTTP/2 (by then TLS has agreed on one). Until then it costs next to nothing.
"""

from __future__ import annotations

import math
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import implementer

from pingmon.http.http1 import Channel
from pingmon.http.http2 import Http2
from pingmon.http.peers import host_of
from pingmon.http.places import Places
from pingmon.http.request import Request
from pingmon.http.watch import Watch

HTTP2: Final = b"h2"

HANDSHAKE_S: Final = 0.002
"""What TLS takes of a turn to shake hands, about; nobody can interrupt it."""

READ_MAX: Final = 8192
"""Bytes that are read at a time, instead of Twisted's 65,536; also how much of an answer may wait for its reader."""

READ_SECURE_MAX: Final = 4096
"""The same through TLS. Nobody can interrupt it, and in records of one byte each so many bytes take it 1 ms."""


class Refused(Protocol):
    """A connection for which there is no place. (None would be enough for TCP, but TLS cannot wrap it.)"""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()


@implementer(IHalfCloseableProtocol)
class Connection(Protocol):
    """A connection that has a place. All times are ticks of the watch, 0 if not.

    `begun`: the first byte of the request that is arriving (HTTP/1). `busy`: requests being answered. `arriving`:
    HTTP/2 requests whose end has not come. `deaf`: what comes is dropped. `stalled`: since when the client reads
    nothing. `overflowing`: requests that have sent too much. `held`: what has come and has to wait, for a turn, for the
    answer to the request before it, or for the client to read. `unmet`: TLS has not been let begin. `in_line`: see
    `turns`.
    """

    transport: Any
    in_line = False
    held = b""
    unmet = False
    _reads = True
    _going_on = False

    def __init__(self, site: Site, watch: Watch, places: Places, group: str) -> None:
        self.site = site
        self.watch = watch
        self.channel: Channel | Http2 | None = None
        self.begun = self.stalled = self.busy = 0
        self.arriving: set[Request] = set()
        self.overflowing: list[Request] = []
        self.deaf = False
        self._places = places
        self._group = group
        self._closing = 0
        self._ended = False
        self._quiet_since = watch.tick
        self.patience = watch.deadline

    # --- what the transport tells -----------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.watch.connections.add(self)
        self._socket = self.transport
        while (inner := getattr(self._socket, "transport", None)) is not None:
            self._socket = inner
        self.secure = ISSLTransport(self.transport, None) is not None
        self._socket.bufferSize = READ_SECURE_MAX if self.secure else READ_MAX
        if self.secure:
            self.unmet = True
            self.watch.turns.come(self)
            self._pace()

    def dataReceived(self, data: bytes) -> None:
        if self.deaf:
            return
        if self.held:
            self.held += data
            self._pace()
            return
        if self.channel is None:
            self._choose()
        self.held = data
        self.watch.turns.come(self)

    def readConnectionLost(self) -> None:
        """The client sends no more but may still read: answer what it has asked, then close."""
        self._ended = True
        if not self.held:
            self._all_came()

    def writeConnectionLost(self) -> None:
        """We never close only our side."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.watch.connections.discard(self)
        self._places.leave(self._group)
        if isinstance(self.channel, Channel) and not self._going_on:
            while self.go_on(-math.inf) and self._within_a_request():
                pass  # a request that has come before the end counts, with all of its body
        self.deaf = True
        channel, self.channel = self.channel, None
        try:
            if channel is not None:
                channel.connectionLost(reason)
        except Exception:  # noqa: BLE001 - the outer guard of a connection
            self.watch.count_failure()
        self.watch.left()

    # --- what has come ----------------------------------------------------------------------------------------------

    def go_on(self, until: float) -> bool:
        """Handle what is held, as far as that is possible now, or until a moment by the reactor's clock.

        Whether something is left that could be handled at once.
        """
        if self.unmet:
            self.unmet = False
            self.watch.turns.spend(HANDSHAKE_S)
        seconds, self._going_on = self.watch.reactor.seconds, True
        while more := bool(self.held) and self._may_go_on():
            self._feed()
            if seconds() >= until:
                more = bool(self.held) and self._may_go_on()
                break
        self._going_on = False
        self._pace()
        if self._ended and not self.held:
            self._all_came()
        return more

    def _may_go_on(self) -> bool:
        return not self.deaf and not self.stalled and self.channel is not None and self.channel.ready

    def _feed(self) -> None:
        channel, piece, self.held = self.channel, self.held, b""
        assert channel is not None
        if len(piece) > channel.bite:
            piece, self.held = piece[: channel.bite], piece[channel.bite :]
        if not self.begun:
            self.begun = self.watch.tick
        try:
            rest = channel.feed(piece)
            if self.overflowing:
                for request in self.overflowing:
                    request.end_early()
                self.overflowing.clear()
        except Exception:  # noqa: BLE001 - the outer guard of what comes in
            self.fail()
        else:
            self.held = b"" if self.deaf else rest + self.held

    def give_back(self, rest: bytes) -> None:
        """A request has been answered; `rest` came with it, and it and what is held can be handled now."""
        if rest:
            self.held = rest + self.held
        if self.held and not (self.deaf or self._going_on):
            self.watch.turns.wait(self)

    def _all_came(self) -> None:
        if not self.deaf and isinstance(self.channel, Channel) and self.channel.requests:
            self.channel.requests[-1].break_off()
        if not self.busy:
            self.close()

    def _pace(self) -> None:
        """Read from the client while nothing that it has sent has to wait and it reads its answers."""
        reads = self.deaf or not (self.stalled or self.held or self.unmet)
        if reads is not self._reads:
            self._reads = reads
            if reads:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def stall(self) -> None:
        """The client does not read its answers."""
        self.stalled = self.watch.tick
        self._pace()

    def unstall(self) -> None:
        """The client reads again."""
        self.stalled = 0
        self._pace()
        if self.held:
            self.watch.turns.wait(self)

    def _choose(self) -> None:
        """The channel for what is spoken, which from now on gets all that comes."""
        transport = self.transport
        self.peer: IAddress = transport.getPeer()
        self.host: IAddress = transport.getHost()
        self.addr = host_of(self.peer)
        self.scheme = "https" if self.secure else "http"
        self.proxied = self.watch.trusted.trusts(self.addr)
        if getattr(transport, "negotiatedProtocol", None) == HTTP2:
            channel: Any = Http2(self)
            channel.requestFactory = self._stream_request
        else:
            channel = Channel(self)
            channel.requestFactory = self._request
        channel.site = channel.factory = self.site
        channel.callLater = self.watch.reactor.callLater
        self.channel = channel
        channel.makeConnection(transport)
        if isinstance(channel, Http2):
            transport.registerProducer(channel, True)

    # --- requests ---------------------------------------------------------------------------------------------------

    def _request(self, channel: Any, queued: object = False) -> Request:
        return Request(channel, self)

    def _stream_request(self, stream: Any, queued: object = False) -> Request:
        request = Request(stream, self)
        request.begun = self._quiet_since = self.watch.tick
        self.arriving.add(request)
        return request

    def request_done(self) -> None:
        """A request has been answered, or its client is gone."""
        self.busy -= 1
        self._quiet_since = self.watch.tick
        if self._ended or self.watch.draining:
            self.leave_if_free()

    # --- how long it may last ---------------------------------------------------------------------------------------

    def judge(self, tick: int) -> None:
        """Close the connection if it has lasted too long in the state that it is in."""
        watch = self.watch
        if self._closing or self.transport.disconnecting:
            self._close_on(tick)
        elif self.stalled:
            if tick - self.stalled > watch.idle:
                self.transport.abortConnection()
        elif self.arriving:
            for request in [late for late in self.arriving if tick - late.begun > watch.deadline]:
                request.break_off()
        elif self.busy or self.held:
            return
        elif self._within_a_request():
            if tick - self.begun > watch.deadline:
                self._cut_off()
        elif tick - self._quiet_since > self.patience:
            self._finish()

    def leave_if_free(self) -> None:
        """Close if nothing has been asked that is still to be answered, nor is being asked."""
        if not (self.busy or self.arriving or self.deaf or self.held or self._within_a_request()):
            self._finish()

    def close(self) -> None:
        """Close when all is sent. (TLS would wait for as long as somebody may still want to write.)"""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def linger(self) -> None:
        """Close in a while: closing on a client that still sends would destroy the answer on its way to it."""
        if self._ended:
            self.close()
        self._closing = self.watch.tick
        self._drop()

    def turn_out(self) -> None:
        """Listen to this client no more, and give it the time until the next tick to read why.

        Who floods comes again at once: connections that wait longer are many, and each costs memory.
        """
        self.close()
        self._closing = self.watch.tick - self.watch.flush - self.watch.linger
        self._drop()

    def fail(self) -> None:
        """Something went wrong that nobody expected: close at once, so that at least its place is free."""
        self.watch.count_failure()
        self._drop()
        self.transport.abortConnection()

    def progress(self) -> None:
        """Something has been sent."""
        self._quiet_since = self.watch.tick

    def _drop(self) -> None:
        self.deaf = True
        self.held = b""
        self._pace()

    def _finish(self) -> None:
        if not isinstance(self.channel, Http2):
            self.close()
        elif self.channel.streams:  # answers are still being sent: look again at the next tick
            self.patience = 0
            if self.watch.tick - self._quiet_since > self.watch.idle:
                self.transport.abortConnection()
        else:
            self.channel.say_goodbye()

    def _within_a_request(self) -> bool:
        """Whether a request has begun and is not whole. (HTTP/2 has control frames between requests.)"""
        return self.begun != 0 and not isinstance(self.channel, Http2)

    def _cut_off(self) -> None:
        if isinstance(self.channel, Channel) and self.channel.requests:
            self.channel.requests[-1].break_off()
        else:
            self.close()

    def _close_on(self, tick: int) -> None:
        if not self._closing:  # somebody has asked the transport to close
            self._closing = tick - self.watch.linger
        age = tick - self._closing
        if age > self.watch.linger + self.watch.flush:
            self.transport.abortConnection()
        elif age >= self.watch.linger:
            if self.transport.disconnecting and not self.stalled:
                self._socket.loseConnection()  # all is on its way; TLS would wait for the client to agree
            self.close()
