"""One question to one name server: over UDP, or over TCP when the reply is too long for that.

Each question has a socket of its own, connected to the server: the kernel picks a random port, drops what comes from
elsewhere, and tells at once that nobody listens there. Not twisted.names' client, whose questions cannot be cancelled
(twisted#6644) and which has no fail-over for servers that answer with an error.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import NotConnectingError
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.names.dns import randomSource
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from pingmon.dns.dns_message import question, reply
from pingmon.dns.results import CannotAsk
from pingmon.timing.expiry import expiry_clock

TCP_S: Final = 3.0
"""Seconds that a question over TCP may take at least."""
DATAGRAM_MAX: Final = 65_535
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Silent(Exception):
    """This server gives no reply."""


async def ask(reactor: Any, server: tuple[str, int], name: str, kind: int, wait_s: float) -> Any:
    """The reply (`dns.Message`) of `server` (address, port). Raises `Silent`, or `CannotAsk` if there is no socket.

    UDP gets `wait_s` seconds. Cancelling frees the socket.
    """
    id = randomSource()

    def fitting(received: bytes) -> Any:
        return reply(received, id, name, kind)

    wire = question(id, name, kind)
    try:
        message = await over_udp(reactor, server, wire, fitting).addTimeout(wait_s, expiry_clock(reactor))
        if message.trunc:
            message = await over_tcp(reactor, server, wire, fitting).addTimeout(
                max(wait_s, TCP_S), expiry_clock(reactor)
            )
    except TimeoutError as error:
        raise Silent("timed out") from error
    return message


def over_udp(reactor: Any, server: tuple[str, int], wire: bytes, fitting: Callable[[bytes], Any]) -> Deferred[Any]:
    """The first datagram that `fitting` makes something of."""
    asking = _Datagram(reactor, fitting)
    asking.ask(server, wire)
    return asking.done


def over_tcp(reactor: Any, server: tuple[str, int], wire: bytes, fitting: Callable[[bytes], Any]) -> Deferred[Any]:
    """The first message that `fitting` makes something of."""
    asking = _Calling(wire, fitting)
    asking.connector = reactor.connectTCP(server[0], server[1], asking, None)
    return asking.done


@implementer(IReadDescriptor)
class _Datagram:
    """A socket for one question. (Twisted's own ports write two lines into the log for each.)"""

    def __init__(self, reactor: Any, fitting: Callable[[bytes], Any]) -> None:
        self.done: Deferred[Any] = Deferred(lambda _: self._close())
        self._reactor = reactor
        self._fitting = fitting
        self._socket: socket.socket | None = None

    def ask(self, server: tuple[str, int], wire: bytes) -> None:
        """Send the question and wait for a reply."""
        try:
            self._socket = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(server)
            self._socket.send(wire)
        except OSError as error:
            self._end(CannotAsk("no socket to ask with") if error.errno in EXHAUSTED else Silent(str(error)))
        else:
            self._reactor.addReader(self)

    def fileno(self) -> int:
        """As `IFileDescriptor`."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """As `ILoggingContext`."""
        return "dns"

    def doRead(self) -> None:
        """As `IReadDescriptor`."""
        assert self._socket is not None
        try:
            message = self._fitting(self._socket.recv(DATAGRAM_MAX))
        except BlockingIOError:
            return
        except OSError:  # the server's machine has said that nobody listens there
            self._end(Silent("refused"))
            return
        if message is not None:
            self._close()
            self.done.callback(message)

    def connectionLost(self, reason: Failure) -> None:
        """As `IFileDescriptor`: the reactor lets go of it."""
        if self._socket is not None:
            self._end(Silent(reason.getErrorMessage()))

    def _end(self, error: Exception) -> None:
        self._close()
        self.done.errback(error)

    def _close(self) -> None:
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None


class _Stream(Int16StringReceiver):
    factory: _Calling

    def connectionMade(self) -> None:
        """As `IProtocol`."""
        self.sendString(self.factory.wire)

    def stringReceived(self, string: bytes) -> None:
        """As `Int16StringReceiver`."""
        self.factory.received(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """As `IProtocol`."""
        self.factory.end(reason)


class _Calling(ClientFactory[_Stream]):
    noisy = False

    def __init__(self, wire: bytes, fitting: Callable[[bytes], Any]) -> None:
        self.wire = wire
        self.done: Deferred[Any] = Deferred(lambda _: self._close())
        self.connector: Any = None
        self._fitting = fitting
        self._made: Any = None
        self._ended = False

    def buildProtocol(self, addr: object) -> _Stream:
        """As `IProtocolFactory`."""
        self._made = _Stream()
        self._made.factory = self
        made: _Stream = self._made
        return made

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """As `ClientFactory`."""
        self.end(reason)

    def received(self, string: bytes) -> None:
        """A message has come."""
        message = None if self._ended else self._fitting(string)
        if message is not None:
            self._close()
            self.done.callback(message)

    def end(self, reason: Failure) -> None:
        """There will be no reply."""
        if not self._ended:
            self._close()
            if getattr(reason.value, "osError", None) in EXHAUSTED:
                self.done.errback(CannotAsk("no socket to ask with"))
            else:
                self.done.errback(Silent(reason.getErrorMessage()))

    def _close(self) -> None:
        self._ended = True
        if self._made is not None and self._made.transport is not None:
            self._made.transport.abortConnection()
        elif self.connector is not None:
            with suppress(NotConnectingError):
                self.connector.stopConnecting()
