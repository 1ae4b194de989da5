"""The front: plain TCP callers are met before Twisted makes a transport for them.

    port of Twisted's ─▶ `Front` accepts ─▶ `BareSocket`, a socket and nothing else ─▶ the connection, on its fast path
                                              └─▶ Twisted's transport, as soon as somebody needs more of it

Cron jobs open a connection for each ping, and to accept, poll and close one costs Twisted more than the ping. The front
has an epoll of its own, which the reactor sees as one descriptor. A bare socket has no buffer: who cannot be sent to at
once, or asks for more than a plain request, is given to the reactor. Where there is no epoll, all is Twisted's.
"""

from __future__ import annotations

import errno
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

from pingmon.door.caller_address import address_of
from pingmon.door.limits import ACCEPTS, READ_MAX

_LOST: Final = Failure(ConnectionLost())
_DONE: Final = Failure(ConnectionDone())
_ABORTED: Final = Failure(ConnectionAborted())

log = Logger()
_guard: Final = log.failureHandler("an error at the front while it served a connection")


@implementer(IReadDescriptor)
class Front:
    """Accepts for `factory` what calls at the ports that it is given, until it is closed."""

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        self.reactor = reactor
        self._factory = factory
        self._epoll: Any = None
        self.there: dict[int, _Entrance | BareSocket] = {}
        self._ending: list[tuple[BareSocket, Failure]] = []

    def take(self, port: Any) -> None:
        """Accept from now on in the stead of `port`, which Twisted listens on and closes, where that is possible."""
        if hasattr(select, "epoll") and IReactorFDSet.providedBy(self.reactor):
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

    def poll(self, number: int, who: _Entrance | BareSocket) -> None:
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
        """Called by the reactor: somebody has called, or has sent something. An error here would end the front."""
        for number, _ in self._epoll.poll(0, len(self.there) or 1):
            if (who := self.there.get(number)) is not None:  # one before it may have ended it
                with _guard:
                    who.ready()

    def end(self, who: BareSocket, why: Failure) -> None:
        """Have `who` told that it has ended, in the next turn, when nobody is in the middle of something."""
        self._ending.append((who, why))
        if len(self._ending) == 1:
            self.reactor.callLater(0, self._end_all)

    def _end_all(self) -> None:
        ending, self._ending = self._ending, []
        for who, why in ending:
            with _guard:
                who.lose(why)

    def connectionLost(self, reason: Failure) -> None:
        """Called by the reactor when it cannot poll the front any more. Twisted accepts again."""
        log.error("the front has failed: Twisted accepts connections now, which is slower; restart pingmon")
        ports = [who.port for who in self.there.values() if isinstance(who, _Entrance)]
        self.close()
        for port in ports:
            port.startReading()


class _Entrance:
    """A port of Twisted's whose callers the front accepts."""

    def __init__(self, front: Front, port: Any, factory: IProtocolFactory) -> None:
        self._front = front
        self.port = port
        self._factory: Any = factory

    def ready(self) -> None:
        """Accept who has called. If that fails, Twisted's port tries: it knows what to do when descriptors run out."""
        listening = self.port.socket
        for _ in range(ACCEPTS):
            try:
                accepted, name = listening.accept()
            except BlockingIOError:
                return
            except OSError:
                self.port.doRead()
                return
            with _guard:
                self._meet(accepted, name)

    def _meet(self, accepted: socket.socket, name: tuple[Any, ...]) -> None:
        accepted.setblocking(False)
        connection = self._factory.buildProtocol(peer := address_of(name))
        bare = BareSocket(self._front, accepted, peer, connection)
        try:
            self._front.poll(accepted.fileno(), bare)
            connection.makeConnection(bare)
        except BaseException:
            bare.lose(_ABORTED)
            raise


class BareSocket:
    """One caller's socket, as far as a connection on its fast path needs a transport.

    `detached`: it has ended, or Twisted has it, or could not take it.
    """

    __slots__ = ("_connection", "_front", "_peer", "_socket", "bufferSize", "detached", "disconnecting")

    def __init__(self, front: Front, accepted: socket.socket, peer: IAddress, connection: Any) -> None:
        self._front = front
        self._socket = accepted
        self._peer = peer
        self._connection = connection
        self.bufferSize = READ_MAX
        self.detached = self.disconnecting = False

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
        connection = self._connection
        try:
            if data:
                connection.dataReceived(data)
            else:
                connection.readConnectionLost()
                if not self.disconnecting:
                    self.pauseProducing()
        except BaseException:
            connection.transport.abortConnection()
            raise

    def writeSomeData(self, data: bytes) -> int:
        """Send as much of `data` as the socket takes; how much that is."""
        try:
            return self._socket.send(data)
        except OSError:  # it takes nothing now, or the other end is gone, which is noticed when it is read from
            return 0

    def pauseProducing(self) -> None:
        if not self.detached:
            self._front.poll_no_more(self._socket.fileno())

    def resumeProducing(self) -> None:
        if not (self.detached or self.disconnecting):
            self._front.poll(self._socket.fileno(), self)

    def loseConnection(self) -> None:
        """Close; all that was written has been sent."""
        self._end(_DONE)

    def abortConnection(self) -> None:
        if not self.detached:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end(_ABORTED)

    def give_up(self) -> None:
        """Become a transport of Twisted's, unless this is the end anyway. Raises OSError if no descriptor is free."""
        if self.detached or self.disconnecting:
            return
        goes_on, factory = self._connection, self._connection.factory
        heir = Factory.forProtocol(lambda: goes_on)
        self.pauseProducing()
        try:
            self._front.reactor.adoptStreamConnection(self._socket.fileno(), self._socket.family, heir)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            self._front.end(self, _LOST)  # the other end has gone already
        else:
            self._connection = None
            self._socket.close()
        goes_on.factory, self.detached = factory, True  # or it would live in a circle with the one that gave it

    def _nothing(self, *_: object) -> None:
        """What matters only to those who have a buffer."""

    write = writeSequence = registerProducer = unregisterProducer = _nothing

    def _end(self, why: Failure) -> None:
        if not (self.detached or self.disconnecting):
            self.disconnecting = True
            self._front.end(self, why)

    def lose(self, why: Failure) -> None:
        """Tell the connection that this is the end, unless it goes on with another transport."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.detached = True
            self._front.there.pop(self._socket.fileno(), None)  # closing the only copy ends the polling
            try:
                connection.connectionLost(why)
            finally:
                self._socket.close()
