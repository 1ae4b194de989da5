"""One connection, whatever is spoken on it, and when it has lasted long enough.

Its first bytes decide between HTTP/1 and HTTP/2 (by then TLS has agreed on one). Until then it costs next to nothing.
"""

from __future__ import annotations

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
    nothing. `overflowing`: requests that have sent too much.
    """

    transport: Any

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

    def dataReceived(self, data: bytes) -> None:
        if self.deaf:
            return
        if not self.begun:
            self.begun = self.watch.tick
        channel = self.channel
        if channel is None:
            channel = self._chosen()
        channel.dataReceived(data)
        if self.overflowing:
            for request in self.overflowing:
                request.end_early()
            self.overflowing.clear()

    def readConnectionLost(self) -> None:
        """The client sends no more but may still read: answer what it has asked, then close."""
        self._ended = True
        if not self.deaf and isinstance(self.channel, Channel) and self.channel.requests:
            self.channel.requests[-1].end_early()
        if not self.busy:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We never close only our side."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.watch.connections.discard(self)
        self._places.leave(self._group)
        self.deaf = True
        if self.channel is not None:
            self.channel.connectionLost(reason)
            self.channel = None
        self.watch.left()

    def _chosen(self) -> Channel | Http2:
        """The channel for what is spoken, which from now on gets all that comes."""
        transport = self.transport
        self.peer: IAddress = transport.getPeer()
        self.host: IAddress = transport.getHost()
        self.addr = host_of(self.peer)
        self.scheme = "http" if ISSLTransport(transport, None) is None else "https"
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
        return self.channel

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
                request.too_slow()
        elif self.busy:
            return
        elif self._within_a_request():
            if tick - self.begun > watch.deadline:
                self._cut_off()
        elif tick - self._quiet_since > self.patience:
            self._finish()

    def leave_if_free(self) -> None:
        """Close if nothing has been asked that is still to be answered, nor is being asked."""
        if not (self.busy or self.arriving or self.deaf or self._within_a_request()):
            self._finish()

    def linger(self) -> None:
        """Close in a while: closing on a client that still sends would destroy the answer on its way to it."""
        if self._ended:
            self.transport.loseConnection()
        self._closing = self.watch.tick

    def _finish(self) -> None:
        if not isinstance(self.channel, Http2):
            self.transport.loseConnection()
        elif self.channel.streams:  # answers are still being sent: look again at the next tick
            self.patience = 0
        else:
            self.channel.say_goodbye()

    def _within_a_request(self) -> bool:
        """Whether a request has begun and is not whole. (HTTP/2 has control frames between requests.)"""
        return self.begun != 0 and not isinstance(self.channel, Http2)

    def _cut_off(self) -> None:
        if isinstance(self.channel, Channel) and self.channel.requests:
            self.channel.requests[-1].too_slow()
        else:
            self.transport.loseConnection()

    def _close_on(self, tick: int) -> None:
        if not self._closing:  # somebody has asked the transport to close
            self._closing = tick - self.watch.linger
        age = tick - self._closing
        if age > self.watch.linger + self.watch.flush:
            self.transport.abortConnection()
        elif age >= self.watch.linger:
            self.transport.loseConnection()
