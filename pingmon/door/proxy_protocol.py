"""Connections that come through a proxy that speaks the PROXY protocol, as an endpoint `haproxy:…` takes them.

    accepted ─▶ `AwaitingHeader` reads the header ─▶ the door's own protocol, for the client that the header names

Until its header is whole a connection costs a few bytes and a place. Then it is handed over: the transport gets the
addresses of the header and another protocol, so nothing stands in the way of what follows. The header counts only from
trusted proxies (`[http] trusted_proxies`); if none is named, the endpoint is for proxies and whoever comes is one
(Note [Trust in relays], `caller_address`).
Twisted's own wrapper does less, and stumbles over more (docs/upstream.md).
"""

from __future__ import annotations

from typing import Any, Final
from typing import Protocol as Shape

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, ILoggingContext, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pingmon.door.caller_address import host_of
from pingmon.door.connection_places import ConnectionPlaces
from pingmon.door.connection_watch import ConnectionWatch
from pingmon.door.connections import RefusedConnection
from pingmon.wire.proxy_header import BadProxyHeader, Endpoint, Header, proxy_header

HEADER_S: Final = 5.0
"""How long a header may take to come. Proxies send it together with the first bytes of the client, or before."""


class Behind(Shape):
    """A door, seen from an entrance in front of it."""

    @property
    def watch(self) -> ConnectionWatch: ...
    @property
    def places(self) -> ConnectionPlaces: ...
    def group(self, addr: IAddress | None) -> str: ...
    def doStart(self) -> None: ...
    def doStop(self) -> None: ...
    def buildProtocol(self, addr: IAddress) -> Any: ...


@implementer(IProtocolFactory, ILoggingContext)
class ProxiedDoor:
    """The factory for an endpoint that proxies connect to."""

    log = Logger()

    def __init__(self, door: Behind) -> None:
        self.door = door
        self.header_ticks = door.watch.ticks(HEADER_S)
        self._told: set[str] = set()

    def logPrefix(self) -> str:
        """What Twisted calls it in its own lines, as it calls the door."""
        return "HTTP server behind a proxy"

    def doStart(self) -> None:
        """As `IProtocolFactory`."""
        self.door.doStart()

    def doStop(self) -> None:
        """As `IProtocolFactory`."""
        self.door.doStop()

    def buildProtocol(self, addr: IAddress) -> Protocol:
        """As `IProtocolFactory`."""
        group = self.door.group(addr)
        if not self.door.places.take(group):
            return RefusedConnection()
        return AwaitingHeader(self, group)

    def believes(self, host: str) -> bool:
        """Whether the header of who calls from `host` ("": over a UNIX socket) counts."""
        trusted = self.door.watch.trusted
        return not host or not trusted.named or trusted.trusts(host)

    def tell(self, message: str, **words: object) -> None:
        """Log it, if it was not said before: strangers may come as often as they like."""
        if message not in self._told:
            self._told.add(message)
            self.log.warn(message, **words)


class AwaitingHeader(Protocol):
    """A connection whose header is not whole yet. The watch looks after it, as after all others."""

    transport: Any
    busy = 0

    def __init__(self, proxied: ProxiedDoor, group: str) -> None:
        self._proxied = proxied
        self._door = proxied.door
        self._group = group
        self._came = b""
        self._since = self._door.watch.tick

    def connectionMade(self) -> None:
        self._door.watch.connections.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._came += data
        try:
            header = proxy_header(self._came)
        except BadProxyHeader:
            self._proxied.tell(
                "pingmon closed a connection to port {port}: it is for proxies only, and no PROXY header came",
                port=getattr(self.transport.getHost(), "port", ""),
            )
            self.transport.abortConnection()
            return
        if header is not None:
            self._hand_over(header)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._leave()
        self._door.watch.left()

    def look(self) -> None:
        """Called by the watch."""
        if self._door.watch.tick - self._since > self._proxied.header_ticks:
            self.abort()

    def leave(self) -> None:
        """Called by the watch when the door is drained."""
        self.abort()

    def abort(self) -> None:
        """Called by the watch."""
        self.transport.abortConnection()

    def _hand_over(self, header: Header) -> None:
        transport = self.transport
        peer: IAddress = transport.getPeer()
        if header.source is not None and header.destination is not None:
            if self._proxied.believes(host_of(peer)):
                peer, host = _address(header.source), _address(header.destination)
                transport.getPeer, transport.getHost = lambda: peer, lambda: host
            else:
                message = "{proxy} sends PROXY headers, but is not in [http] trusted_proxies: it counts as the caller"
                self._proxied.tell(message, proxy=host_of(peer))
        self._leave()
        protocol = self._door.buildProtocol(peer)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        rest, self._came = self._came[header.size :], b""
        if rest:
            protocol.dataReceived(rest)

    def _leave(self) -> None:
        self._door.watch.connections.discard(self)
        self._door.places.leave(self._group)


def _address(endpoint: Endpoint) -> IAddress:
    host, port = endpoint
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)
