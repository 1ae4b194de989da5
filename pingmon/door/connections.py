"""One connection, whatever is spoken on it: its transport, its channel, and its `lifetime`, whose verdicts it obeys.

    bytes come ─▶ held ─▶ the fast path, as long as all requests were plain ─▶ the intake
                     └──▶ a channel, for HTTP/1 or HTTP/2, from the first one on that is not ─▶ requests

Until there is a channel it costs next to nothing.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import implementer

from pingmon.door.access_log import Logged
from pingmon.door.caller_address import ConnectionPeer, host_of
from pingmon.door.connection_interface import Cuttable
from pingmon.door.connection_io import ConnectionIO
from pingmon.door.connection_lifetime import Lifetime, Verdict
from pingmon.door.connection_places import ConnectionPlaces
from pingmon.door.connection_watch import ConnectionWatch
from pingmon.door.fast_path import FastPath
from pingmon.door.http1 import Http1
from pingmon.door.http2 import Http2
from pingmon.door.request import Request

HTTP2: Final = b"h2"

HANDSHAKE_S: Final = 0.002
"""What TLS takes of a turn to shake hands, about; nobody can interrupt it."""

FAST_S: Final = 0.0001
"""What a request on the fast path takes of a turn, about; measuring would take a good part of it."""


class RefusedConnection(Protocol):
    """A connection for which there is no place. (None would be enough for TCP, but TLS cannot wrap it.)"""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.abortConnection()


@implementer(IHalfCloseableProtocol)
class Connection(Protocol):
    """A connection that has a place.

    `held`: what has come and has to wait, for a turn, for the answer to the request before it, or for the client to
    read. `overflowing`: requests that have sent too much. `unmet`: TLS has not been let begin. `in_line`: see `turns`.
    `lost`: it is gone. `_quick`: the fast path, until it is left. `_part`: a plain request whose body is not whole
    before there are `_wanted` bytes of it.
    """

    transport: Any
    peer: ConnectionPeer
    in_line = False
    held = b""
    unmet = False
    lost = False
    _met = False
    _wanted = 0
    _going_on = False

    def __init__(
        self, site: Site, watch: ConnectionWatch, places: ConnectionPlaces, group: str, fast: FastPath | None
    ) -> None:
        self.site = site
        self.watch = watch
        self.life = Lifetime(watch.limits, watch.tick)
        self.io = ConnectionIO(cast(Any, self))
        self.send = self.io.send
        self.channel: Http1 | Http2 | None = None
        self.overflowing: list[Cuttable] = []
        self._fast = fast
        self._part = bytearray()
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
        self.io.open(self.transport)
        if self.io.secure:
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
        if self._part:
            self._part += data
            if len(self._part) < self._wanted:
                return
            data, self._part = bytes(self._part), bytearray()
        self.held = data
        if not self._met:
            self._meet()
        turns = self.watch.turns
        if self._fast is not None and self._may_go_on() and turns.has_time():
            self._going_on = True
            taken = self._take_fast_path(self._fast)
            self._going_on = False
            if taken:
                turns.spend(FAST_S)
                if not self.held:
                    return
        turns.come(self)

    def readConnectionLost(self) -> None:
        """The client sends no more but may still read: answer what it has asked, then close."""
        self.life.half_closes()
        self._settle()

    def writeConnectionLost(self) -> None:
        """We never close only our side."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.watch.connections.discard(self)
        self._places.leave(self._group)
        self.lost = True
        if not (self._going_on or isinstance(self.channel, Http2)):
            while self.held and self.go_on(-math.inf) and self.life.state() == "arriving":
                pass  # the request that has come before the end counts, with all of its body; those behind it do not
            if self._part:
                self._leave_fast_path()
        self.life.gone(self)
        self.life.drops = True
        self.io.forget()
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
        if self.life.drops or self.life.stalled:
            return False
        return not self.life.busy if self.channel is None else self.channel.ready

    def _feed(self) -> None:
        if self.channel is None and self._fast is not None and self._take_fast_path(self._fast):
            return
        try:
            channel, piece, self.held = self.channel or self._choose(), self.held, b""
            if len(piece) > channel.bite:
                piece, self.held = piece[: channel.bite], piece[channel.bite :]
            if isinstance(channel, Http1):
                self.life.opens(self, self.watch.tick)
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
        self.io.read(self.life.drops or not (self.life.stalled or self.held or self.unmet))

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

    def _meet(self) -> None:
        """The first bytes have come: who it is, and what is spoken."""
        self._met = True
        address = self.transport.getPeer()
        addr = host_of(address)
        scheme = "https" if self.io.secure else "http"
        self.peer = ConnectionPeer(address, (addr, scheme), self.watch.trusted.trusts(addr))
        if self._speaks_http2():
            self._fast = None

    def _speaks_http2(self) -> bool:
        return getattr(self.transport, "negotiatedProtocol", None) == HTTP2

    def host(self) -> IAddress:
        """Our end. Twisted's transports do not know it any more when they are lost, and then nobody will be told it."""
        host: IAddress = self.peer.address if self.lost else self.transport.getHost()
        return host

    def _choose(self) -> Http1 | Http2:
        """The channel for what is spoken, which from now on gets all that comes."""
        self._fast = None
        self.io.take_buffer()
        if self._speaks_http2():
            channel: Any = Http2(self)
            channel.requestFactory = self._stream_request
        else:
            channel = Http1(self)
            channel.requestFactory = self._request
        channel.site = channel.factory = self.site
        channel.callLater = self.watch.reactor.callLater
        self.channel = channel
        channel.makeConnection(self.transport)
        if isinstance(channel, Http2):
            self.transport.registerProducer(channel, True)
        self.io.taken_over()
        chosen: Http1 | Http2 = channel
        return chosen

    # --- the fast path ----------------------------------------------------------------------------------------------

    def _take_fast_path(self, fast: FastPath) -> bool:
        """Whether what is held begins with a plain request: then it is taken, or kept until its body is whole."""
        data = self.held
        try:
            head = fast.head(data)
            if head is None:
                return False
            self._wanted = head.size + head.length
            if len(data) < self._wanted:
                self.held, self._part = b"", bytearray(data)
                self.life.opens(self, self.watch.tick)
            else:
                self.held = data[self._wanted :]
                self.life.whole(self)
                fast.take(self, head, data)
        except Exception:  # noqa: BLE001 - the outer guard of what comes in
            self.fail()
        return True

    def _leave_fast_path(self) -> None:
        """What has come of a request is not plain after all, as no more of it will come."""
        self.held, self._part, self._fast = bytes(self._part), bytearray(), None
        while self.held and self._may_go_on():  # a channel takes a bite at a time, and all that has come counts
            self._feed()

    def log(self, request: Logged) -> None:
        """A request has been answered."""
        self.site.log(cast(Any, request))

    def pauseProducing(self) -> None:
        """Called by the transport."""
        self.stall()

    def resumeProducing(self) -> None:
        """Called by the transport."""
        self.flow()

    def stopProducing(self) -> None:
        """Called by the transport, whose end is told anyway."""

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
                    cast(Cuttable, request).break_off()
            case Verdict.FINISH:
                self._finish()
            case Verdict.CLOSE:
                self.life.closes(tick)
                self.io.close(consent=self.life.stalled)
            case Verdict.ABORT:
                self.transport.abortConnection()

    def break_off(self) -> None:
        """No more of a request over HTTP/1 comes in time."""
        if self._part:
            self._leave_fast_path()
        if isinstance(self.channel, Http1):
            self.channel.break_off()

    def _finish(self) -> None:
        if isinstance(self.channel, Http2):
            self.channel.say_goodbye()
        self.close()

    def close(self) -> None:
        """Close when all is sent.

        What is still to come is dropped from now on. The lifetime is told first, so that whoever is called by the
        closing itself finds a connection that is closed; it aborts a client that does not take the rest in time.
        """
        self.life.closes(self.watch.tick)
        self.io.close()

    def turn_out(self) -> None:
        """Listen to this client no more, and give it the time until the next tick to read why.

        Who floods comes again at once: connections that wait longer are many, and each costs memory.
        """
        self.close()
        self.life.turned_out(self.watch.tick)

    def fail(self) -> None:
        """Something went wrong that nobody expected: close at once, so that at least its place is free."""
        self.watch.count_failure()
        self.life.closes(self.watch.tick)
        self.transport.abortConnection()
