"""HTTP servers on loopback that answer as the test says, and webhooks to send to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IHostResolution, IListeningPort, IResolutionReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from zope.interface import implementer

from pingmon.core.address_policy import allowing
from pingmon.delivery.attempt import Result, attempt
from pingmon.delivery.webhook import Webhook
from pingmon.outgoing.passage import Egress
from pingmon.outgoing.tls_trust import Trust
from pingmon.wire.message.message import Letter
from tests.delivery.letters import letter

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Receiver(Protocol):
    """Speaks raw HTTP: when the request is complete, `reply` answers it."""

    factory: Server

    def connectionMade(self) -> None:
        self.received = b""
        self.factory.open.append(self)
        self.factory.greet(self)

    def dataReceived(self, data: bytes) -> None:
        before, self.received = self.received, self.received + data
        if not self.complete(before) and self.complete(self.received):
            self.factory.requests.append(self.received)
            self.factory.reply(self)

    def complete(self, received: bytes) -> bool:
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (line.split(b":")[1] for line in head.split(b"\r\n") if line.lower()[:15] == b"content-length:"), 0
        )
        return b"\r\n\r\n" in received and len(body) >= int(length)

    def connectionLost(self, reason: object = None) -> None:
        self.factory.open.remove(self)

    def write(self, data: bytes) -> None:
        cast(Any, self.transport).write(data)


class Stalling:
    """The real reactor, but the ends of waits of a second and more are due when the test says so.

    That is what a stall looks like: timers are due, and what arrived meanwhile is still in the kernel.
    """

    def __init__(self) -> None:
        self.clock = Clock()

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        return float(cast(Any, reactor).seconds()) + self.clock.seconds()

    def callLater(self, seconds: float, *call: Any) -> Any:
        return (self.clock if seconds >= 1 else cast(Any, reactor)).callLater(seconds, *call)

    def over(self, receiver: Any, answer: bytes, stalled_s: float) -> None:
        """Answer, and let so many seconds have passed before anybody reads it."""
        receiver.transport.socket.sendall(answer)
        self.clock.advance(stalled_s)


class Server(Factory[Receiver]):
    """`requests` as they came; `open` connections."""

    protocol = Receiver
    noisy = False

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.open: list[Receiver] = []
        self.reply: Callable[[Receiver], None] = lambda receiver: receiver.write(OK)
        self.greet: Callable[[Receiver], None] = lambda receiver: None
        self.ports: list[IListeningPort] = []

    async def listen(self, endpoint: str = "tcp:0:interface=127.0.0.1") -> int:
        """Listen there as well; the port."""
        port = await serverFromString(reactor, endpoint).listen(self)
        self.ports.append(port)
        return int(cast(Any, port.getHost()).port)

    def answers(self, *chunks: bytes, close: bool = False) -> None:
        """Answer every request so."""

        def reply(receiver: Receiver) -> None:
            for chunk in chunks:
                receiver.write(chunk)
            if close:
                cast(Any, receiver.transport).loseConnection()

        self.reply = reply

    async def close(self) -> None:
        for port in self.ports:
            await cast(Any, port.stopListening())
        for receiver in self.open:
            cast(Any, receiver.transport).abortConnection()


async def last_body(letter: Letter) -> bytes:
    return f"last of {letter.subject.id[:4]} up to {letter.owed.flip.seq}".encode()


def kind(*allow: str, roots: Any = None, running: Any = reactor) -> Webhook:
    """The kind, allowed to reach these networks, trusting these authorities, with this reactor."""
    return Webhook(egress(running, *allow, roots=roots), lambda check, now: {"uuid": check.id}, last_body)


def egress(running: Any, *allow: str, roots: Any = None) -> Egress:
    """A way out to these networks. Names are looked up by `nameResolver` of the reactor that is given."""

    def addresses(name: str) -> Deferred[list[str]]:
        found: list[str] = []
        done: Deferred[list[str]] = Deferred()

        @implementer(IResolutionReceiver)
        class Receiver:
            def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
                pass

            def addressResolved(self, address: IAddress) -> None:
                found.append(cast(Any, address).host)

            def resolutionComplete(self) -> None:
                done.callback(found)

        running.nameResolver.resolveHostName(Receiver(), name, 0, [IPv4Address, IPv6Address], "TCP")
        return done

    return Egress(running, Trust(roots), addresses, allowing(allow))


def sent(webhook: Webhook, url: str, *, timeout_s: float = 5.0, **value: object) -> Deferred[Result]:
    """The result of sending a message to `url`, with these settings besides."""
    return attempt(webhook, letter({"url_down": url, **value}), cast(Any, reactor), timeout_s)


async def seconds(count: float) -> None:
    """Let this much time pass."""
    await deferLater(cast(Any, reactor), count)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to happen."""
    for _ in range(200):
        if condition():
            return
        await seconds(0.01)
    raise AssertionError("it did not happen in 2 s")
