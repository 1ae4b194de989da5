"""The way out: the connections of one exchange, and the addresses that they may go to.

A host is looked up once, every address it has is held against the policy (`core.address_policy`), and the connection
goes to one of these very addresses: a name that resolves otherwise a moment later (DNS rebinding) changes nothing.
Address literals in URLs are judged alike. If one address of a host is refused, the host is. Without a policy every
address will do: that is for hosts that the operator's configuration names.

Each exchange has a `Passage` of its own and leaves nothing behind: no pooled connections, and nothing open. An orderly
close gets a moment and no more, because a peer can put it off for ever (twisted#7926).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, FailureGroup, race
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, _HTTP11ClientFactory
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from pingmon.core.address_policy import AddressPolicy
from pingmon.outgoing.tls_trust import Trust

CONNECT_S: Final = 10.0
STAGGER_S: Final = 0.3
"""Seconds after which the next address is tried besides those before it (RFC 8305)."""
MAX_ADDRESSES: Final = 6
"""Addresses of one host that are tried."""
LINGER_S: Final = 2.0
"""Seconds that a connection gets to be closed in good order. Aborting makes a peer drop what it has not read yet."""
RECEIVED_MAX: Final = 128 * 1024


Addresses: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]


class EgressError(Exception):
    """There is no way out to this host. The message says why and may be shown to users."""


class Egress:
    """Makes passages. `reactor`: IReactorTCP and IReactorTime.

    `addresses` finds those of a name: none if it has none, or it raises `EgressError`. It must not use the reactor's
    threads, of which a few slow names can take all. `policy` may be replaced at any time; None permits every address.
    `connect_s`: seconds until an address that does not react counts as unreachable. `received_max`: bytes that are
    taken from a peer in one exchange, TLS and headers included; Twisted bounds no headers.
    """

    def __init__(
        self,
        reactor: Any,
        trust: Trust,
        addresses: Addresses,
        policy: AddressPolicy | None,
        *,
        connect_s: float = CONNECT_S,
        received_max: int = RECEIVED_MAX,
    ) -> None:
        self.reactor = reactor
        self.trust = trust
        self.addresses = addresses
        self.policy = policy
        self.connect_s = connect_s
        self.received_max = received_max

    def passage(self) -> Passage:
        """A way out for one exchange; whoever asks for it closes it."""
        return Passage(self)


@implementer(IAgent, IAgentEndpointFactory)
class Passage:
    """An agent for one exchange, without compression. `flooded`: the peer sent more than it may."""

    def __init__(self, egress: Egress) -> None:
        self.flooded = False
        self._received = 0
        self._egress = egress
        self._connections: list[_Metered] = []
        pool = _QuietPool(egress.reactor)
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
        if uri.scheme not in (b"http", b"https"):
            raise SchemeNotSupported(f"neither http nor https: {uri.scheme!r}")
        return self.endpoint(uri.host.decode("ascii"), uri.port, tls=uri.scheme == b"https")

    def endpoint(self, host: str, port: int, *, tls: bool) -> IStreamClientEndpoint:
        """Where to connect to for `host`, a name in ASCII or an address, once that has been checked."""
        endpoint = _Guarded(self, host, port)
        return wrapClientTLS(self._egress.trust.creator(host), endpoint, self._egress.reactor) if tls else endpoint

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
        addresses = await self._permitted(host)
        reactor, metered = self._egress.reactor, _Metering(factory, self)
        attempts = []
        for number, address in enumerate(addresses[:MAX_ADDRESSES]):
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = kind(reactor, address, port, self._egress.connect_s)
            attempts.append(deferLater(reactor, number * STAGGER_S, endpoint.connect, metered))
        try:
            _, connection = await race(attempts)
        except FailureGroup as group:
            raise _first(group) from group
        self._connections.append(connection)
        protocol: IProtocol = connection.wrappedProtocol
        return protocol

    async def _permitted(self, host: str) -> Sequence[str]:
        if (given := literal(host)) is not None:
            addresses: Sequence[str] = (given,)
        else:
            addresses = await self._egress.addresses(host)
        policy = self._egress.policy
        if not addresses:
            raise EgressError("could not resolve host")
        refusal = None if policy is None else policy.refusal_of_name(addresses)
        if policy is not None and refusal is not None:
            raise EgressError((given and policy.refusal(given)) or refusal)
        return addresses

    def admits(self, size: int) -> bool:
        """Whether `size` bytes more may be taken from the peer."""
        self._received += size
        self.flooded = self._received > self._egress.received_max
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


def literal(host: str) -> str | None:
    """The address that `host` is, as it is written as a rule; None if it is a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _first(group: FailureGroup) -> BaseException:
    """Why nobody could be connected to; `CancelledError` if nobody was to be any more."""
    errors = [failure.value for failure in group.failures]
    if any(isinstance(error, CancelledError | ConnectingCancelledError) for error in errors):
        return CancelledError()
    assert errors[0] is not None
    return errors[0]


class _QuietFactory(_HTTP11ClientFactory):
    noisy = False


class _QuietPool(HTTPConnectionPool):
    """A pool that keeps nothing, and does not log the coming and going of each connection."""

    _factory = _QuietFactory

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, persistent=False)
