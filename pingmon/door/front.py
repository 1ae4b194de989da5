"""The front: plain TCP callers are met before Twisted makes a transport for them.

    port of Twisted's ─▶ `Front` accepts ─▶ `Bare`, a socket and nothing else ─▶ the connection, on its quick way
                                              └─▶ Twisted's transport, as soon as somebody needs more of it

Cron jobs open a connection for each ping, and what Twisted does to accept, poll and close one costs more than the ping.
All sockets of the front are polled by an epoll of its own, which the reactor sees as one descriptor. A bare socket has
no buffer: whoever cannot send at once, or asks for anything but a plain request, is handed to the reactor
(`adoptStreamConnection`), and the connection goes on as it was. Where there is no epoll, all is Twisted's.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Any, Final

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorFDSet, IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pingmon.door.limits import READ_MAX
from pingmon.door.peers import address_of

ACCEPTS: Final = 200
"""Callers that are accepted in one turn of the loop: in 25 of them more than a port's queue holds (see `alarms`)."""

_RESET: Final = struct.pack("ii", 1, 0)
_LOST: Final = Failure(ConnectionLost())
_DONE: Final = Failure(ConnectionDone())
_ABORTED: Final = Failure(ConnectionAborted())

log = Logger()


def has_front(reactor: Any) -> bool:
    """Whether a front can be had here."""
    return hasattr(select, "epoll") and IReactorFDSet.providedBy(reactor)


@implementer(IReadDescriptor)
class Front:
    """Accepts for `factory` what calls at the ports that it is given, until it is closed."""

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        self.reactor = reactor
        self._factory = factory
        self._epoll: Any = None
        self.there: dict[int, _Entrance | Bare] = {}
        self._ending: list[tuple[Bare, Failure]] = []

    def take(self, port: Any) -> None:
        """Accept from now on in the stead of `port`, which Twisted listens on and closes."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self.reactor.addReader(self)
        port.stopReading()
        self.poll(port.fileno(), _Entrance(self, port, self._factory))

    def close(self) -> None:
        """Poll no more; whoever is there has to have been closed."""
        if self._epoll is not None:
            self.reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
            self.there.clear()

    def poll(self, number: int, who: _Entrance | Bare) -> None:
        """Tell `who` whenever something can be read from the descriptor `number`."""
        self.there[number] = who
        self._epoll.register(number, select.EPOLLIN)

    def poll_no_more(self, number: int) -> None:
        """Tell nobody any more about a descriptor that stays open."""
        if self.there.pop(number, None) is not None:
            self._epoll.unregister(number)

    def fileno(self) -> int:
        return int(self._epoll.fileno())

    def logPrefix(self) -> str:
        return "front"

    def doRead(self) -> None:
        """Called by the reactor: somebody has called, or has sent something."""
        for number, _ in self._epoll.poll(0, len(self.there)):
            who = self.there.get(number)
            if who is not None:  # one before it may have ended it
                who.ready()

    def end(self, who: Bare, why: Failure) -> None:
        """Have `who` told that it has ended, in the next turn, when nobody is in the middle of something."""
        self._ending.append((who, why))
        if len(self._ending) == 1:
            self.reactor.callLater(0, self._end_all)

    def _end_all(self) -> None:
        ending, self._ending = self._ending, []
        for who, why in ending:
            who.lose(why)

    def connectionLost(self, reason: Failure) -> None:
        self.close()


class _Entrance:
    """A port of Twisted's whose callers the front accepts."""

    def __init__(self, front: Front, port: Any, factory: IProtocolFactory) -> None:
        self._front = front
        self._port = port
        self._factory: Any = factory

    def ready(self) -> None:
        """Accept who has called. If that fails, Twisted's port tries: it knows what to do when descriptors run out."""
        listening = self._port.socket
        for _ in range(ACCEPTS):
            try:
                accepted, name = listening.accept()
            except BlockingIOError:
                return
            except OSError:
                self._port.doRead()
                return
            try:
                self._meet(accepted, name)
            except Exception:  # noqa: BLE001 - the outer guard of who calls
                log.failure("while meeting a caller")
                accepted.close()

    def _meet(self, accepted: socket.socket, name: tuple[Any, ...]) -> None:
        accepted.setblocking(False)
        peer = address_of(name)
        connection = self._factory.buildProtocol(peer)
        bare = Bare(self._front, accepted, peer, connection)
        self._front.poll(accepted.fileno(), bare)
        connection.makeConnection(bare)


class Bare:
    """One caller's socket, as far as a connection on its quick way needs a transport."""

    __slots__ = ("_connection", "_front", "_peer", "_socket", "bufferSize", "disconnecting", "gone")

    def __init__(self, front: Front, accepted: socket.socket, peer: IAddress, connection: Any) -> None:
        self._front = front
        self._socket = accepted
        self._peer = peer
        self._connection = connection
        self.bufferSize = READ_MAX
        self.disconnecting = self.gone = False

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return address_of(self._socket.getsockname())

    def ready(self) -> None:
        """Something has come, or will come no more."""
        if self.disconnecting:
            return
        try:
            data = self._socket.recv(self.bufferSize)
        except BlockingIOError:
            return
        except OSError:
            self.lose(_LOST)
            return
        try:
            if data:
                self._connection.dataReceived(data)
            else:
                self._connection.readConnectionLost()
                if not self.disconnecting:
                    self.pauseProducing()
        except Exception:  # noqa: BLE001 - the outer guard of what comes
            log.failure("while reading from a caller")
            self.abortConnection()

    def writeSomeData(self, data: bytes) -> int:
        """Send as much of `data` as the socket takes; how much that is."""
        try:
            return self._socket.send(data)
        except OSError:  # it takes nothing now, or the other end is gone, which is noticed when it is read from
            return 0

    def pauseProducing(self) -> None:
        """Read no more."""
        if not self.gone:
            self._front.poll_no_more(self._socket.fileno())

    def resumeProducing(self) -> None:
        """Read again."""
        if not (self.gone or self.disconnecting):
            self._front.poll(self._socket.fileno(), self)

    def loseConnection(self) -> None:
        """Close; all that was written has been sent."""
        self._end(_DONE)

    def abortConnection(self) -> None:
        """Close at once, with a reset."""
        if not self.gone:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._end(_ABORTED)

    def give_up(self) -> None:
        """Have Twisted make a transport of this socket, and of the connection its protocol."""
        self.pauseProducing()
        self.gone = True
        family, number, goes_on = self._socket.family, self._socket.fileno(), self._connection
        try:
            self._front.reactor.adoptStreamConnection(number, family, Factory.forProtocol(lambda: goes_on))
        except OSError:  # the other end has gone already
            self._front.end(self, _LOST)
        else:
            self._connection = None
            self._socket.close()

    def _nothing(self, *_: object) -> None:
        """What matters only to those who have a buffer."""

    write = registerProducer = unregisterProducer = _nothing

    def _end(self, why: Failure) -> None:
        if not (self.gone or self.disconnecting):
            self.disconnecting = True
            self._front.end(self, why)

    def lose(self, why: Failure) -> None:
        """Tell the connection that this is the end, unless it goes on with another transport."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.gone = True
            self._front.there.pop(self._socket.fileno(), None)  # closing it ends the polling
            connection.connectionLost(why)
            self._socket.close()
