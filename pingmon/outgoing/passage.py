"""The way out: HTTP connections to hosts that somebody else has chosen, and to nothing that they must not reach.

A host is looked up once, every address it has is held against the policy (`core.address_policy`), and the connection
goes to one of these very addresses: a name that resolves otherwise a moment later (DNS rebinding) changes nothing.
Address literals in URLs are judged alike. If one address of a host is refused, the host is.

Each exchange has a `Passage` of its own and leaves nothing behind: no cookies, no pooled connections, and nothing open.
An orderly close gets a moment and no more, because a peer can put it off for ever (twisted#7926).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, FailureGroup, race
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from pingmon.core.address_policy import AddressPolicy
from pingmon.outgoing.pool import QuietPool
from pingmon.outgoing.tls_trust import Trust

CONNECT_S: Final = 10.0
"""Seconds until an address that does not react counts as unreachable."""
STAGGER_S: Final = 0.3
"""Seconds after which the next address is tried besides those before it (RFC 8305)."""
MAX_ADDRESSES: Final = 6
"""Addresses of one host that are tried."""
LINGER_S: Final = 2.0
"""Seconds that a connection gets to be closed in good order. Aborting makes a peer drop what it has not read yet."""
RECEIVED_MAX: Final = 128 * 1024
"""Bytes that are taken from a peer in one exchange, TLS and headers included; Twisted bounds no headers."""


Addresses: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]


class EgressError(Exception):
    """There is no way out to this host. The message says why and may be shown to users."""


class Egress:
    """Makes passages. `reactor`: IReactorTCP, IReactorTime and IReactorPluggableNameResolver in one.

    `roots` are the certificate authorities to trust, as `CertificateOptions` takes them; by default the platform's.
    `addresses` finds the addresses of a name, none if it has none. By default the reactor's threads do, of which a
    few slow names can take all: fit for few and known names only.
    """

    def __init__(
        self, reactor: Any, policy: AddressPolicy, roots: Any = None, *, addresses: Addresses | None = None
    ) -> None:
        self.reactor = reactor
        self.policy = policy
        self.trust = Trust(roots)
        self.addresses = addresses

    def passage(self) -> Passage:
        """A way out for one exchange; whoever asks for it closes it."""
        return Passage(self)


@implementer(IAgent, IAgentEndpointFactory)
class Passage:
    """An agent for one exchange, without compression. `flooded`: the peer sent more than `RECEIVED_MAX` bytes."""

    def __init__(self, egress: Egress) -> None:
        self.flooded = False
        self._received = 0
        self._egress = egress
        self._connections: list[_Metered] = []
        pool = QuietPool(egress.reactor)
        self._agent = Agent.usingEndpointFactory(egress.reactor, self, pool)

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """As `IAgent`. Neither asks for compressed answers nor lets them be decoded: a small one may become huge."""
        headers = Headers() if headers is None else headers.copy()
        headers.removeHeader(b"accept-encoding")

        def plain(response: IResponse) -> IResponse:
            response.headers.removeHeader(b"content-encoding")
            return response

        answered: Deferred[IResponse] = self._agent.request(method, uri, headers, bodyProducer)
        return answered.addCallback(plain)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """As `IAgentEndpointFactory`: where to connect to for `uri`, once that has been checked."""
        host = uri.host.decode("ascii")
        endpoint = _Guarded(self, host, uri.port)
        if uri.scheme == b"http":
            return endpoint
        if uri.scheme == b"https":
            return wrapClientTLS(self._egress.trust.creator(host), endpoint, self._egress.reactor)
        raise SchemeNotSupported(f"neither http nor https: {uri.scheme!r}")

    def close(self, *, ended: bool = False) -> None:
        """Abort every connection that is still open; after an exchange that has `ended`, only within `LINGER_S`."""
        while self._connections:
            connection = self._connections.pop()
            if ended:
                connection.linger(self._egress.reactor)
            else:
                connection.abortConnection()

    # --- for the connections --------------------------------------------------------------------------------------

    async def connect(self, host: str, port: int, factory: IProtocolFactory) -> IProtocol:
        """Connect to a permitted address of `host`; the protocol that `factory` built. Raises `EgressError`."""
        addresses = await self._permitted(host, port)
        reactor, metered = self._egress.reactor, _Metering(factory, self)
        attempts = []
        for number, address in enumerate(addresses[:MAX_ADDRESSES]):
            kind = TCP6ClientEndpoint if isinstance(address, IPv6Address) else TCP4ClientEndpoint
            endpoint = kind(reactor, address.host, port, CONNECT_S)
            attempts.append(deferLater(reactor, number * STAGGER_S, endpoint.connect, metered))
        try:
            _, connection = await race(attempts)
        except FailureGroup as group:
            group.failures[0].raiseException()
        self._connections.append(connection)
        protocol: IProtocol = connection.wrappedProtocol
        return protocol

    async def _permitted(self, host: str, port: int) -> list[IPv4Address | IPv6Address]:
        policy = self._egress.policy
        given = literal(host, port)
        addresses = given or await self._found(host, port)
        if not addresses:
            raise EgressError("could not resolve host")
        refusal = policy.refusal_of_name(address.host for address in addresses)
        if refusal is not None:
            raise EgressError((given and policy.refusal(given[0].host)) or refusal)
        return addresses

    async def _found(self, host: str, port: int) -> list[IPv4Address | IPv6Address]:
        if self._egress.addresses is None:
            return await lookup(self._egress.reactor.nameResolver, host, port)
        return [found for address in await self._egress.addresses(host) for found in literal(address, port)]

    def admits(self, size: int) -> bool:
        """Whether `size` bytes more may be taken from the peer."""
        self._received += size
        self.flooded = self._received > RECEIVED_MAX
        return not self.flooded


@implementer(IStreamClientEndpoint)
class _Guarded:
    """Connects through its passage."""

    def __init__(self, passage: Passage, host: str, port: int) -> None:
        self._passage = passage
        self._host = host
        self._port = port

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """As `IStreamClientEndpoint`."""
        return Deferred.fromCoroutine(self._passage.connect(self._host, self._port, protocolFactory))


class _Metered(ProtocolWrapper):
    """A connection that is aborted when the peer sends too much, or takes too long to let it be closed."""

    _abort: IDelayedCall | None = None
    _lost = False

    def dataReceived(self, data: bytes) -> None:
        """As `IProtocol`."""
        if self.factory.passage.admits(len(data)):
            super().dataReceived(data)
        else:
            self.abortConnection()

    def linger(self, clock: IReactorTime) -> None:
        """Allow `LINGER_S` for the close that has begun."""
        if not self._lost:
            self._abort = clock.callLater(LINGER_S, self.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """As `IProtocol`."""
        self._lost = True
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        super().connectionLost(reason)


class _Metering(WrappingFactory[_Metered]):
    """Makes metered connections for a passage."""

    protocol = _Metered
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, passage: Passage) -> None:
        super().__init__(wrapped)
        self.passage = passage


def literal(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    """The address that `host` is; none if it is a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return []
    kind = IPv6Address if address.version == 6 else IPv4Address
    return [kind("TCP", str(address), port)]


def lookup(resolver: Any, host: str, port: int) -> Deferred[list[IPv4Address | IPv6Address]]:
    """All addresses that `resolver` (IHostnameResolver) finds for `host`.

    Cancelling forgets the lookup; it cannot be stopped.
    """
    found: list[IPv4Address | IPv6Address] = []
    done: Deferred[list[IPv4Address | IPv6Address]] = Deferred()

    @implementer(IResolutionReceiver)
    class Receiver:
        def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
            pass

        def addressResolved(self, address: IAddress) -> None:
            if isinstance(address, IPv4Address | IPv6Address) and address not in found:
                found.append(address)

        def resolutionComplete(self) -> None:
            done.callback(found)

    resolver.resolveHostName(Receiver(), host, port, [IPv4Address, IPv6Address], "TCP")
    return done
