"""One HTTP exchange with a host that the operator's own configuration names: bounded, and nothing left behind.

No redirects, no cookies, no compression, no pool: each call has a connection of its own, which is aborted at its end,
because a peer can put off an orderly close for ever (twisted#7926). The address policy is not asked; it is about hosts
that others choose.

Names are looked up by our own resolver. The reactor's has ten threads, and one name whose servers are silent keeps them
all for as long as the C library likes, so that no other host can be called either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import CancelledError, Deferred, FailureGroup, race
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from pingmon.dns.resolver import Resolver
from pingmon.dns.results import LookupFailed
from pingmon.outgoing.body import WholeBody
from pingmon.outgoing.pool import QuietPool
from pingmon.outgoing.tls_trust import Trust, Untrusted
from pingmon.probe.connect import STAGGER_S

CONNECT_S: Final = 5.0
"""Seconds until an address that does not react counts as unreachable."""
MAX_ADDRESSES: Final = 6
"""Addresses of one host that are tried."""
RECEIVED_MAX: Final = 65_536
"""Bytes that are taken from a peer in one call, TLS and headers included; Twisted bounds no headers."""


class CallFailed(Exception):
    """There was no answer. The message says why in a few words, none of them the peer's."""


class Reply(Struct, frozen=True):
    """`headers` have their names in lower case; those that came more than once are left out."""

    status: int
    headers: Mapping[str, bytes]
    body: bytes


class Caller:
    """Makes calls. `reactor`: IReactorTCP and IReactorTime; `resolver`: by default one of its own."""

    def __init__(self, reactor: Any, trust: Trust, resolver: Resolver | None = None) -> None:
        self.reactor = reactor
        self.trust = trust
        self.resolver = Resolver(reactor) if resolver is None else resolver

    async def post(self, url: str, headers: Mapping[str, bytes], body: bytes, limit: int) -> Reply:
        """The answer, with a body of at most `limit` bytes. Raises `CallFailed`; cancelling aborts the connection."""
        call = _Call(self)
        try:
            return await call.exchange(url.encode("ascii"), headers, body, limit)
        except _FAILURES as error:
            raise CallFailed("too much came back" if call.flooded else _reason(error)) from error
        finally:
            call.abort()


@implementer(IAgentEndpointFactory)
class _Call:
    """One exchange, and the connections that it has made."""

    def __init__(self, caller: Caller) -> None:
        self.flooded = False
        self._received = 0
        self._caller = caller
        self._connections: list[_Metered] = []

    async def exchange(self, url: bytes, headers: Mapping[str, bytes], body: bytes, limit: int) -> Reply:
        pool = QuietPool(self._caller.reactor)
        agent = Agent.usingEndpointFactory(self._caller.reactor, self, pool)
        sent = Headers({name.encode(): [value] for name, value in headers.items()})
        response = await agent.request(b"POST", url, sent, WholeBody(body))
        received: Deferred[bytes] = Deferred()
        response.deliverBody(_Body(received, limit))
        lines = response.headers.getAllRawHeaders()
        single = {name.lower().decode("latin-1"): values[0] for name, values in lines if len(values) == 1}
        return Reply(response.code, single, await received)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """As `IAgentEndpointFactory`."""
        host = uri.host.decode("ascii").strip("[]")
        reactor = self._caller.reactor
        endpoint = _Named(self, host, uri.port)
        if uri.scheme == b"https":
            return wrapClientTLS(self._caller.trust.creator(host), endpoint, reactor)
        return endpoint

    async def connect(self, host: str, port: int, factory: IProtocolFactory) -> IProtocol:
        """Connect to the first address of `host` that answers; they are tried in turn, each a moment after the last."""
        try:
            found = await self._caller.resolver.reachable(host)
        except LookupFailed as error:
            raise CallFailed(f"its name could not be resolved: {error}") from error
        reactor, metering = self._caller.reactor, _Metering(factory, self)
        attempts = []
        for number, address in enumerate(found.addresses[:MAX_ADDRESSES]):
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = kind(reactor, address, port, CONNECT_S)
            attempts.append(deferLater(reactor, number * STAGGER_S, endpoint.connect, metering))
        connection: _Metered
        try:
            _, connection = await race(attempts)
        except FailureGroup as group:
            raise _first(group) from group
        self._connections.append(connection)
        protocol: IProtocol = connection.wrappedProtocol
        return protocol

    def admits(self, size: int) -> bool:
        """Whether `size` bytes more may be taken from the peer."""
        self._received += size
        self.flooded = self.flooded or self._received > RECEIVED_MAX
        return not self.flooded

    def abort(self) -> None:
        while self._connections:
            self._connections.pop().abortConnection()


@implementer(IStreamClientEndpoint)
class _Named:
    """Connects for a call to where a name leads."""

    def __init__(self, call: _Call, host: str, port: int) -> None:
        self._call = call
        self._host = host
        self._port = port

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """As `IStreamClientEndpoint`."""
        return Deferred.fromCoroutine(self._call.connect(self._host, self._port, protocolFactory))


class _Metered(ProtocolWrapper):
    """A connection that is aborted when the peer sends too much."""

    def dataReceived(self, data: bytes) -> None:
        """As `IProtocol`."""
        if self.factory.call.admits(len(data)):
            super().dataReceived(data)
        else:
            self.abortConnection()


class _Metering(WrappingFactory[_Metered]):
    """Makes metered connections for a call."""

    protocol = _Metered
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, call: _Call) -> None:
        super().__init__(wrapped)
        self.call = call


class _Flood(ConnectionClosed):
    """The body is longer than anybody wants it."""


class _Body(Protocol):
    """Takes in a body."""

    def __init__(self, done: Deferred[bytes], limit: int) -> None:
        self._done = done
        self._left = limit
        self._chunks: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """As `IProtocol`."""
        self._left -= len(data)
        if self._left >= 0:
            self._chunks.append(data)
        elif not self._done.called:
            self._done.errback(_Flood())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """As `IProtocol`. A body whose end only the connection's end can tell counts: what is in it is signed."""
        if self._done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self._done.callback(b"".join(self._chunks))
        else:
            self._done.errback(reason)


_FAILURES: Final = (
    ConnectError,
    ConnectionClosed,
    RequestTransmissionFailed,
    ResponseFailed,
    TlsError,
    Untrusted,
)
"""What goes wrong between two hosts. Anything else is a bug, and reported as one."""


def _first(group: FailureGroup) -> BaseException:
    """Why nobody could be connected to; `CancelledError` if nobody was to be any more."""
    errors = [failure.value for failure in group.failures]
    if any(isinstance(error, CancelledError | ConnectingCancelledError) for error in errors):
        return CancelledError()
    assert errors[0] is not None
    return errors[0]


def _reason(error: Any) -> str:
    reasons = getattr(error, "reasons", None)
    cause = reasons[0].value if reasons else error
    if isinstance(cause, Untrusted):
        return f"TLS: {cause}"
    for kinds, words in _WORDS:
        if isinstance(cause, kinds):
            return words
    return "the answer is not HTTP" if reasons else "the connection was lost"


_WORDS: Final[tuple[tuple[Any, str], ...]] = (
    (TlsError, "TLS: the handshake failed"),
    (_Flood, "too much came back"),
    (ConnectError, "could not connect"),
    (ConnectionClosed, "the connection was closed before the answer was complete"),
)
