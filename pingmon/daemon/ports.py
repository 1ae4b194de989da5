"""Ports that are bound before all else and opened after all else, and how a client on this machine reaches them.

A port is bound while the process may still bind low ones, and before anything is read or written: another daemon's is
found out at once. Nobody can connect to it until it is opened, and then whoever does is served.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from shlex import quote
from typing import Any, Final

from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

from pingmon.daemon.certificates import Certificates
from pingmon.daemon.endpoint_errors import PORT_MAX, cannot_listen
from pingmon.daemon.startup_errors import StartupRefused
from pingmon.door.door import Door

BACKLOG: Final = 4096
"""Connections that the kernel keeps until the daemon takes them; it lowers this to its own limit (`somaxconn`). With
Twisted's 50 a burst of callers overflows the queue, and each one left out waits a second before it tries again."""


class Listener:
    """One endpoint that the daemon listens on; `description` is the string that the operator gave.

    `factory`, if it is set, serves who connects, in the place of the one that serves HTTP.
    """

    def __init__(
        self,
        description: str,
        endpoint: IStreamServerEndpoint,
        *,
        behind_proxy: bool = False,
        certificates: Certificates | None = None,
    ) -> None:
        self.description = description
        self.port: Any = None
        self.factory: IProtocolFactory | None = None
        self.certificates = certificates
        self._behind_proxy = behind_proxy
        self._endpoint = endpoint

    def bind(self, factory: Any) -> None:
        """Take the port, and no connections yet. Raises `StartupRefused`."""
        factory = self.factory or factory
        if self._behind_proxy:
            factory = factory.behind_proxy()
        failed: list[BaseException] = []
        self._endpoint.listen(factory).addCallbacks(self._bound, lambda failure: failed.append(failure.value))
        if failed:
            raise StartupRefused(cannot_listen(self.description, failed[0]))

    def _bound(self, port: Any) -> None:
        self.port = port
        if not isinstance(port, BoundPort):  # a socket of systemd's, or a UNIX socket: the kernel keeps who connects
            port.stopReading()

    def open(self) -> None:
        """Take connections. Raises `StartupRefused`."""
        try:
            (self.port.startListening if isinstance(self.port, BoundPort) else self.port.startReading)()
        except OSError as error:
            raise StartupRefused(cannot_listen(self.description, error)) from error

    @property
    def behind_proxy(self) -> bool:
        """Whether a PROXY header comes before all else."""
        return self._behind_proxy

    @property
    def url(self) -> str:
        """How an HTTP client on this machine reaches it; empty if it has no port, or is not bound."""
        host = None if self.port is None else self.port.getHost()
        port = getattr(host, "port", None)
        if port is None or self.factory is not None:
            return ""
        secure = self.description.startswith(("ssl:", "tls:"))
        address = getattr(host, "host", "")
        name = "localhost" if address in ("0.0.0.0", "::", "") else f"[{address}]" if ":" in address else address
        return f"{'https' if secure else 'http'}://{name}:{port}"

    async def stop(self) -> None:
        """Take no more connections."""
        port, self.port = self.port, None
        if port is not None:
            await maybe(port.stopListening())


@implementer(IListeningPort)
class BoundPort:
    """A TCP port that is bound: nobody can connect until `startListening`. Raises `CannotListenError`."""

    def __init__(self, reactor: Any, port: int, factory: IProtocolFactory, backlog: int, interface: str) -> None:
        self._reactor, self._factory, self._backlog = reactor, factory, backlog
        self._family = socket.AF_INET6 if isIPv6Address(interface) else socket.AF_INET
        self._port: IListeningPort | None = None
        if not 0 <= port <= PORT_MAX:
            raise CannotListenError(interface, port, ValueError())
        self._socket = socket.socket(self._family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            address: Any = (interface, port)
            if self._family == socket.AF_INET6:
                address = socket.getaddrinfo(interface, port, self._family, socket.SOCK_STREAM)[0][4]
            self._socket.bind(address)
        except OSError as error:
            self._socket.close()
            raise CannotListenError(interface, port, error) from error

    def startListening(self) -> None:
        """Open it. Raises OSError if somebody else opened it since it was bound."""
        self._socket.listen(self._backlog)
        self._port = self._reactor.adoptStreamPort(self._socket.fileno(), self._family, self._factory)
        self._socket.close()
        if isinstance(self._factory, Door):
            self._factory.meet(self._port)

    def stopListening(self) -> Deferred[None]:
        """Give it back."""
        self._socket.close()
        stopped = None if self._port is None else self._port.stopListening()
        return stopped or succeed(None)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Where it is, with the number that the system chose if it was asked to."""
        if self._port is not None:
            return self._port.getHost()  # type: ignore[return-value]
        name = self._socket.getsockname()
        return IPv6Address("TCP", *name) if self._family == socket.AF_INET6 else IPv4Address("TCP", *name)


class Binding:
    """A reactor whose TCP ports are bound only. A backlog that the operator did not ask for is `BACKLOG`."""

    def __init__(self, reactor: Any, description: str) -> None:
        self._reactor = reactor
        self._asked = "backlog=" in description

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 0, interface: str = "") -> BoundPort:
        """As the reactor's."""
        return BoundPort(self._reactor, port, factory, backlog if self._asked else BACKLOG, interface)


def only_by_socket(listeners: Sequence[Listener]) -> str:
    """The option with which curl reaches a daemon that has no port, only a UNIX socket; empty if there is a port."""
    hosts = [listener.port.getHost() for listener in listeners if listener.port is not None]
    if any(getattr(host, "port", None) is not None for host in hosts):
        return ""
    names = [os.fsdecode(host.name) for host in hosts if getattr(host, "name", None)]
    return f"--unix-socket {quote(names[0])} " if names else ""


def base_url_of(listeners: Sequence[Listener]) -> str:
    """How a client on this machine reaches the first of `listeners` that has a port."""
    return next((listener.url for listener in listeners if listener.url), "http://localhost")


async def maybe(result: Deferred[None] | None) -> None:
    """Wait for `result`, if it is something to wait for."""
    if result is not None:
        await result
