"""Sites on loopback that answer as the test says, and probers to look at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.task import Clock, deferLater

from pingmon.core.address_policy import allowing
from pingmon.core.site.probe_result import ProbeResult
from pingmon.dns.resolver import Resolver
from pingmon.outgoing.tls_trust import Trust
from pingmon.probe.prober import Prober
from pingmon.testing import START as NOW

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Visitor(Protocol):
    """One connection to a site."""

    factory: Site

    def connectionMade(self) -> None:
        self.received = b""
        self.factory.open.append(self)
        self.factory.greet(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if b"\r\n\r\n" in self.received:
            request, self.received = self.received, b""
            self.factory.requests.append(request)
            method, path, _ = request.decode().split(" ", 2)
            reply = self.factory.pages.get(f"{method} {path}") or self.factory.pages.get(path) or self.factory.reply
            if isinstance(reply, bytes):
                self.write(reply)
            else:
                reply(self)

    def connectionLost(self, reason: object = None) -> None:
        self.factory.open.remove(self)

    def write(self, data: bytes) -> None:
        cast(Any, self.transport).write(data)

    def close(self) -> None:
        cast(Any, self.transport).loseConnection()

    def reset(self) -> None:
        cast(Any, self.transport).abortConnection()


Reply = bytes | Callable[[Visitor], object]


class Site(Factory[Visitor]):
    """`requests` as they came; `open` connections. `pages` are answers by path or by method and path."""

    protocol = Visitor
    noisy = False

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.open: list[Visitor] = []
        self.pages: dict[str, Reply] = {}
        self.reply: Reply = OK
        self.greet: Callable[[Visitor], object] = lambda visitor: None
        self.ports: list[IListeningPort] = []

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen there as well; the port."""
        where = host.replace(":", "\\:")
        return self._added(await serverFromString(reactor, f"tcp:{port}:interface={where}").listen(self))

    def listen_tls(self, certificate: PrivateCertificate, **options: Any) -> int:
        """Listen for TLS on 127.0.0.1; the port."""
        context = CertificateOptions(certificate.privateKey.original, certificate.original, **options)
        return self._added(cast(Any, reactor).listenSSL(0, self, context, interface="127.0.0.1"))

    def _added(self, port: Any) -> int:
        self.ports.append(port)
        return int(port.getHost().port)

    async def close(self) -> None:
        while self.ports:
            await cast(Any, self.ports.pop().stopListening())
        for visitor in tuple(self.open):
            visitor.reset()


def answer(status: int, *headers: str) -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status} X", *headers, "", ""]).encode()


def to(location: str, status: int = 302) -> bytes:
    """A redirect."""
    return answer(status, f"Location: {location}")


def prober(
    *allow: str,
    hosts: Mapping[str, Sequence[str]] | None = None,
    servers: Sequence[tuple[str, int]] = (),
    roots: Any = None,
    running: Any = reactor,
    **limits: Any,
) -> Prober:
    """A prober that is allowed to reach these networks (loopback by default) and knows these names."""
    resolver = Resolver(running, servers, hosts=hosts or {})
    policy = allowing(allow or ("127.0.0.0/8", "::1"))
    return Prober(running, resolver, policy, Trust(roots), now=lambda: NOW, **limits)


class Timers:
    """The real reactor, but for its clock, which the test advances."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.seconds = self.clock.seconds
        self.callLater = self.clock.callLater

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to happen."""
    for _ in range(300):
        if condition():
            return
        await deferLater(cast(Any, reactor), 0.01)
    raise AssertionError("it did not happen in 3 s")


async def advanced_until(running: Timers, condition: Callable[[], object] | Sequence[object]) -> None:
    """Let the calls through that are due at once until something is true, or there."""

    def there() -> bool:
        running.clock.advance(0)
        return bool(condition() if callable(condition) else condition)

    await until(there)


def gist(look: ProbeResult) -> tuple[int, str, str]:
    """What matters of a look."""
    return look.code, look.fault, look.detail
