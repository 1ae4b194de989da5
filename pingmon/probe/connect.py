"""Connects to the first of a host's addresses that answers, and has the request made there.

The addresses have been checked by whoever gives them. They are tried in turn, each a moment after the one before it or
as soon as that has failed, and those before it go on (RFC 8305). The first that connects is asked; nothing is tried
again after that.

This is not `outgoing.exchange`, through which everything else goes out. A probe needs the time of each phase and the
cause of each failure, which Twisted's endpoints and `Agent` do not tell; it wants the head of an answer only, bounded;
and it is made so often that they cost too much: a wrapper around the protocol and a timer for each attempt, three times
the processor time in all (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.error import NotConnectingError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IOpenSSLClientConnectionCreator,
    IProtocol,
)
from twisted.internet.protocol import ClientFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from pingmon.core.site.failed_probe import tells_of
from pingmon.core.site.probe_result import Phase
from pingmon.outgoing.passage import STAGGER_S
from pingmon.probe.head_request import HeadProtocol
from pingmon.probe.network_faults import ProbeFailed, connect_failed, number_of
from pingmon.wire.probe.response_head import ResponseHead


class _Tls(TLSMemoryBIOFactory):
    """Without buffering: there is one small write, and a timer for it costs more than it saves."""

    protocol = TLSMemoryBIOProtocol


class Dial(ClientFactory[HeadProtocol]):
    """One request to one of `addresses` (at least one, IPv4 or IPv6), over TLS if there is a `creator`.

    `ended` is called once, with the head or what went wrong; not after `abort`, which ends everything at once.
    `address` is the one that was connected to, "" until then. `troubled`: some attempt failed for this machine's own
    reasons. `waiting` are the addresses that have not reacted, `no_way` those that this machine cannot reach.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        addresses: Sequence[str],
        port: int,
        request: bytes,
        creator: IOpenSSLClientConnectionCreator | None,
        entered: Callable[[Phase], object],
        ended: Callable[[ResponseHead | ProbeFailed], object],
    ) -> None:
        self.address = ""
        self.troubled = False
        self.no_way: list[str] = []
        self._tell = ended
        self._reactor = reactor
        self._left = list(addresses)
        self._port = port
        self._creator = creator
        self._protocol = HeadProtocol(request, creator is not None, entered, self._ended)
        self._connectors: dict[IConnector, str] = {}
        self._errors: list[tuple[str, BaseException]] = []
        self._timer: IDelayedCall | None = None
        self._over = False
        self._next()

    @property
    def asked(self) -> bool:
        """Whether the request is on its way."""
        return self._protocol.asked

    @property
    def waiting(self) -> tuple[str, ...]:
        """The addresses that are being tried."""
        return tuple(self._connectors.values())

    def _next(self) -> None:
        """Try the next address."""
        self._timer = None
        address = self._left.pop(0)
        # No timeout of its own: the probe has one.
        connector = self._reactor.connectTCP(address, self._port, self, None)
        self._connectors[connector] = address
        if self._left:
            self._timer = self._reactor.callLater(STAGGER_S, self._next)

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # type: ignore[override]
        """As `IProtocolFactory`: the first one connects, and the others are called off."""
        if self.address or self._over:
            return None
        self.address = str(getattr(addr, "host", ""))
        self._call_off()
        if self._creator is None:
            return self._protocol
        return _Tls(self._creator, True, _Only(self._protocol), self._reactor).buildProtocol(addr)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """As `ClientFactory`."""
        address, error = self._connectors.pop(connector, ""), reason.value
        if self.address or self._over:
            return
        assert error is not None
        self._errors.append((address, error))
        told = tells_of(address, number_of(error))
        self.troubled = self.troubled or told == "machine"
        if told == "family":
            self.no_way.append(address)
        if self._left:
            self._stop_timer()
            self._next()
        elif not self._connectors:
            self._ended(connect_failed(self._errors))

    def _ended(self, result: ResponseHead | ProbeFailed) -> None:
        self._over = True
        self._tell(result)

    def abort(self) -> None:
        """End all connections and attempts."""
        self._over = True
        self._protocol.abort()
        self._call_off()

    def _call_off(self) -> None:
        """Stop all attempts but the one that has connected."""
        self._stop_timer()
        self._left.clear()
        for connector in tuple(self._connectors):
            with suppress(NotConnectingError):
                connector.stopConnecting()
        self._connectors.clear()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Only(ClientFactory[HeadProtocol]):
    """Makes the one protocol that it was given."""

    noisy = False

    def __init__(self, made: HeadProtocol) -> None:
        self._made = made

    def buildProtocol(self, addr: IAddress | None) -> HeadProtocol:
        """As `IProtocolFactory`."""
        return self._made
