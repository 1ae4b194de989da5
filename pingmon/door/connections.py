"""One connection, whatever is spoken on it: its transport, its channel, and its `lifetime`, whose verdicts it obeys.

Its first bytes decide between HTTP/1 and HTTP/2 (by then TLS has agreed on one). Until then it costs next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, Final, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import implementer

from pingmon.door.http1 import Channel
from pingmon.door.http2 import Http2
from pingmon.door.lifetime import Lifetime, Verdict
from pingmon.door.line import Cuttable, Peer
from pingmon.door.peers import host_of
from pingmon.door.places import Places
from pingmon.door.request import Request
from pingmon.door.watch import Watch

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
    """A connection that has a place.

    `overflowing`: requests that have sent too much. `held`: what has come and has to wait, for a turn, for the answer
    to the request before it, or for the client to read. `unmet`: TLS has not been let begin. `in_line`: see `turns`.
    """

    transport: Any
    peer: Peer
    in_line = False
    held = b""
    unmet = False
    _reads = True
    _going_on = False

    def __init__(self, site: Site, watch: Watch, places: Places, group: str) -> None:
        self.site = site
        self.watch = watch
        self.life = Lifetime(watch.limits, watch.tick)
        self.channel: Channel | Http2 | None = None
        self.overflowing: list[Cuttable] = []
        self._places = places
        self._group = group
        if watch.draining:
            self.life.leaves()

    @property
    def busy(self) -> int:
        """Requests that are being answered."""
        return self.life.busy

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
        if self.life.drops:
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
        self.life.half_closes()
        self._settle()

    def writeConnectionLost(self) -> None:
        """We never close only our side."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.watch.connections.discard(self)
        self._places.leave(self._group)
        if isinstance(self.channel, Channel) and not self._going_on:
            while self.go_on(-math.inf) and self.life.state() == "arriving":
                pass  # a request that has come before the end counts, with all of its body
        self.life.drops = True
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
        if self.life.drops or self.life.leaving:
            self._settle()
        self._pace()
        return more

    def _may_go_on(self) -> bool:
        return not self.life.drops and not self.life.stalled and self.channel is not None and self.channel.ready

    def _feed(self) -> None:
        channel, piece, self.held = self.channel, self.held, b""
        assert channel is not None
        if len(piece) > channel.bite:
            piece, self.held = piece[: channel.bite], piece[channel.bite :]
        if isinstance(channel, Channel):
            self.life.opens(channel, self.watch.tick)
        try:
            rest = channel.feed(piece)
            if self.overflowing:
                for request in self.overflowing:
                    request.end_early()
                self.overflowing.clear()
        except Exception:  # noqa: BLE001 - the outer guard of what comes in
            self.fail()
        else:
            self.held = rest + self.held

    def _pace(self) -> None:
        """Read from the client while nothing that it has sent has to wait and it reads its answers."""
        reads = self.life.drops or not (self.life.stalled or self.held or self.unmet)
        if reads is not self._reads:
            self._reads = reads
            if reads:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def stall(self) -> None:
        """The client does not read its answers."""
        self.life.stalls(self.watch.tick)
        self._pace()

    def flow(self) -> None:
        """The client reads again."""
        self.life.flows()
        self._pace()
        if self.held:
            self.watch.turns.wait(self)

    def _choose(self) -> None:
        """The channel for what is spoken, which from now on gets all that comes."""
        transport = self.transport
        address = transport.getPeer()
        addr = host_of(address)
        scheme = "https" if self.secure else "http"
        self.peer = Peer(address, transport.getHost(), (addr, scheme), self.watch.trusted.trusts(addr))
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
        self.life.opens(request, self.watch.tick)
        return request

    def too_much(self, request: Cuttable) -> None:
        """More has come of `request` than is taken: it ends as soon as the parser has returned."""
        self.overflowing.append(request)

    def answered(self) -> None:
        """A request has been answered, or its client is gone; what came after it can be handled now."""
        self.life.answered(self.watch.tick)
        if self.channel is not None and (rest := self.channel.left_over()):
            self.held = rest + self.held
        if self.life.drops or self.life.leaving:
            self._settle()
        if self.held and not self._going_on:
            self.watch.turns.wait(self)

    # --- how long it may last ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Close the connection if it has lasted too long in the state that it is in. Called by the watch."""
        if self.transport.disconnecting and not self.life.closing:
            self.life.closes(self.watch.tick)
        self._settle()

    def leave(self) -> None:
        """Take no further request; close if nothing is owed."""
        self.life.leaves()
        self._settle()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def _settle(self) -> None:
        """Do what the state of things demands."""
        if self.life.drops and self.held:
            self.held = b""
        sending = isinstance(self.channel, Http2) and bool(self.channel.streams)
        held, tick = bool(self.held), self.watch.tick
        match self.life.verdict(tick, held=held, sending=sending):
            case Verdict.STAY:
                pass
            case Verdict.CUT:
                for request in self.life.late(tick, held=held):
                    self._cut(request)
            case Verdict.FINISH:
                self._finish()
            case Verdict.CLOSE:
                self.close()
            case Verdict.ABORT:
                self.transport.abortConnection()

    def _cut(self, request: Hashable) -> None:
        cast(Cuttable, request).break_off()

    def _finish(self) -> None:
        if isinstance(self.channel, Http2):
            self.channel.say_goodbye()
        self.close()

    def close(self) -> None:
        """Close when what is written has been sent."""
        self.life.closes(self.watch.tick)
        self.transport.loseConnection()

    def turn_out(self) -> None:
        """Listen to this client no more, and give it the time until the next tick to read why.

        Who floods comes again at once: connections that wait longer are many, and each costs memory.
        """
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.life.turned_out(self.watch.tick)

    def fail(self) -> None:
        """Something went wrong that nobody expected: close at once, so that at least its place is free."""
        self.watch.count_failure()
        self.life.closes(self.watch.tick)
        self.transport.abortConnection()
