"""A network without sockets, on a clock: addresses that answer, refuse, or are dark.

`Net` stands for the reactor. What is sent to a dark address is sent again after 1, 3, 7 and 15 s, as Linux does, so an
attempt may still connect when the address has come back.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionRefusedError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pingmon.core.address_policy import allowing
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import SECOND
from pingmon.dns.resolver import Resolver
from pingmon.outgoing.tls_trust import Trust
from pingmon.probe.prober import Prober
from tests.probe.sites import OK

AGAIN_S = (1.0, 2.0, 4.0, 8.0)
"""Seconds between the attempts of the kernel."""
WAY_S = 0.01
"""Seconds from here to anywhere."""


class Net(Clock):
    """`dark` and `refusing` addresses, and others with the `errors` of this machine; the machine has no IPv6.

    `tried` are those connected to so far, by attempt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dark: set[str] = set()
        self.refusing: set[str] = set()
        self.errors: dict[str, int] = {}
        self.tried: list[str] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: object = None) -> _Attempt:
        """As `IReactorTCP`."""
        self.tried.append(host)
        return _Attempt(self, host, port, factory)

    def pass_s(self, seconds: float) -> None:
        """Let time pass, in steps as short as the network's."""
        until_s = self.seconds() + seconds
        while self.seconds() < until_s:
            self.advance(min(0.05, until_s - self.seconds()))


class _Attempt:
    def __init__(self, net: Net, host: str, port: int, factory: Any) -> None:
        self._net = net
        self._to = IPv4Address("TCP", host, port)
        self._factory = factory
        self._again = list(AGAIN_S)
        self._call: IDelayedCall | None = net.callLater(WAY_S, self._arrive)

    def stopConnecting(self) -> None:
        """As `IConnector`."""
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _arrive(self) -> None:
        if ":" in self._to.host:
            self._fail(ConnectError(errno.ENETUNREACH))
        elif self._to.host in self._net.errors:
            self._fail(ConnectError(self._net.errors[self._to.host]))
        elif self._to.host in self._net.refusing:
            self._fail(ConnectionRefusedError(errno.ECONNREFUSED))
        elif self._to.host not in self._net.dark:
            self._connect()
        elif self._again:
            self._call = self._net.callLater(self._again.pop(0), self._arrive)

    def _fail(self, error: Exception) -> None:
        self._factory.clientConnectionFailed(self, Failure(error))

    def _connect(self) -> None:
        protocol = self._factory.buildProtocol(self._to)
        if protocol is not None:
            transport = _Connection(self._net)
            transport.protocol = protocol
            protocol.makeConnection(transport)


class _Connection(StringTransport):
    """Answers whatever comes."""

    protocol: Any

    def __init__(self, net: Net) -> None:
        super().__init__()
        self._net = net
        self._over = False

    def write(self, data: bytes) -> None:
        self._net.callLater(WAY_S, self._answer)

    def abortConnection(self) -> None:
        self._over = True

    def _answer(self) -> None:
        if not self._over:
            self.protocol.dataReceived(OK)


class Watched:
    """Sites at certain addresses that are looked at again and again. `seen` are the looks at each, by the second."""

    def __init__(self, sites: Mapping[str, Sequence[str]], *, timeout_s: float = 10.0, **limits: Any) -> None:
        self.net = Net()
        self.timeout_s = timeout_s
        resolver = Resolver(self.net, (), hosts=sites)
        self.prober = Prober(
            self.net, resolver, allowing(["192.0.2.0/24", "2001:db8::/32"]), Trust(), now=self.now, **limits
        )
        self.seen: dict[str, list[tuple[float, ProbeResult]]] = {site: [] for site in sites}

    def now(self) -> int:
        return round(self.net.seconds() * SECOND)

    def look(self, site: str, **more: Any) -> Deferred[ProbeResult]:
        """A look at this site, now."""
        began_s = self.net.seconds()
        looking = self.prober.look(more.pop("url", f"http://{site}/"), more.pop("timeout_s", self.timeout_s))

        def keep(look: ProbeResult) -> ProbeResult:
            self.seen[site].append((began_s, look))
            return look

        return looking.addCallback(keep)

    def watch(self, interval_s: float) -> None:
        """Have each site looked at every so often, all of them spread over that time."""
        for number, site in enumerate(self.seen):
            self.net.callLater(number * interval_s / len(self.seen), self._due, site, interval_s)

    def _due(self, site: str, interval_s: float) -> None:
        self.net.callLater(interval_s, self._due, site, interval_s)
        self.look(site)

    def faults(self, since_s: float = 0.0) -> list[str]:
        """The faults of all looks that began since then."""
        return [look.fault for looks in self.seen.values() for began_s, look in looks if began_s >= since_s]
