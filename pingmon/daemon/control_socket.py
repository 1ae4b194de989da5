"""The control socket: the API of a daemon for whoever owns its data directory, without a key.

It is a UNIX socket in that directory, for its owner alone (mode 0600). Who connects is asked of the system as well, so
that a mode which somebody has changed lets nobody in: the user that the daemon runs as, and root. What is served there
is what is served elsewhere, pings too, and who shows no key is the operator. So lost keys lock nobody out.

A daemon that stops answers first whoever has asked by then: a command should not wonder whether it was heard.

It has a door of its own, with places of its own: whatever strangers do elsewhere, a key can be revoked here.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from struct import Struct as Layout
from typing import Any, Final

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.daemon.data_directory import short_name
from pingmon.daemon.ports import maybe
from pingmon.daemon.resource_tree import Root, voice
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.intake import Intake
from pingmon.door.limits import DoorSettings
from pingmon.timing.clock import wall_seconds

PLACES: Final = 32
"""Connections that there may be at once."""
DRAIN_S: Final = 2.0
"""Seconds for which a stopping daemon waits for requests in flight here."""
LAST_S: Final = 0.1
"""Seconds in which whoever has connected can ask, once nobody else can."""

_CREDENTIALS: Final = Layout("=iII")
"""What Linux says of a peer: process, user and group."""


class Control:
    """Listens from `start` to `stop` on the socket `path`, whose directory must be locked for this process."""

    log = Logger()

    def __init__(self, reactor: Any, path: Path, door: Door) -> None:
        self._reactor = reactor
        self._path = path
        self._door = door
        self._port: _Port | None = None
        self._name = ExitStack()

    def start(self) -> None:
        """Listen. A system or a disk that knows no such sockets keeps no daemon from running; it is said."""
        try:
            name = self._name.enter_context(short_name(self._path))
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.lstat(name).st_mode):
                    os.unlink(name)  # of a daemon that was killed: the directory is ours now
            port = _Port(os.fsencode(name), OwnersOnly(self._door), mode=0o600, reactor=self._reactor)
            port.startListening()
        except OSError as error:
            self._name.close()
            self.log.warn(
                "there is no control socket {path}: {why}. Stop the daemon to use `pingmon key` or `pingmon project`",
                path=str(self._path),
                why=error.strerror or str(error),
            )
        else:
            self._port = port

    def stop(self) -> Deferred[None]:
        """Take no more connections; fires when those that are there are closed, and who has asked is answered."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.take_the_last()
            if self._door.watch.connections:
                await deferLater(self._reactor, LAST_S)
            await maybe(port.stopListening())
            await self._door.drain(DRAIN_S)
        self._name.close()


def owners_door(reactor: Any, root: Root, intake: Intake | None = None) -> Door:
    """A door to `root`, and to the `intake` of pings if there is one, with few places."""
    settings = DoorSettings(max_connections=PLACES, front=False)
    return Door(root, settings, reactor, Dates(wall_seconds), intake=intake, voice=voice)


class OwnersOnly(Factory):
    """Lets the owner of this process, and root, through to `door`."""

    noisy = False

    def __init__(self, door: Door) -> None:
        self._door = door

    def doStart(self) -> None:
        self._door.doStart()

    def doStop(self) -> None:
        self._door.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Unknown(self._door, addr)


class _Unknown(Protocol):
    """Somebody who has connected; gives way to a connection of the door once it is known who it is."""

    transport: Any

    def __init__(self, door: Door, address: IAddress | None) -> None:
        self._door = door
        self._address = address

    def connectionMade(self) -> None:
        if peer_user(self.transport.getHandle()) in (None, 0, os.geteuid()):
            connection = self._door.buildProtocol(self._address)
            self.transport.protocol = connection
            connection.makeConnection(self.transport)
        else:
            self.transport.abortConnection()


def peer_user(peer: socket.socket) -> int | None:
    """The user that has connected, by the system's word; None where it does not tell (then the mode must do)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, user, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(user)


class _Port(unix.Port):
    """Twisted's, without its lines in the log, and with an end that comes although its file has gone before."""

    factory: Factory

    def startListening(self) -> None:
        """Raises OSError. Nobody can connect before the mode is set."""
        listening = self.createInternetSocket()
        try:
            listening.bind(self._bindPath)
            os.chmod(self._bindPath, self.mode)
            listening.listen(self.backlog)
        except OSError:
            listening.close()
            raise
        self.factory.doStart()
        self.socket, self.connected = listening, True
        self.fileno = listening.fileno  # type: ignore[method-assign]
        self.numberAccepts = self.backlog
        self.startReading()

    def take_the_last(self) -> None:
        """Let nobody connect any more, and accept all who have."""
        with suppress(OSError):
            os.unlink(self._bindPath)
        self.numberAccepts = self.backlog
        self.doRead()

    def connectionLost(self, reason: Failure) -> None:
        with suppress(OSError):
            os.unlink(self._bindPath)
        tcp.Port.connectionLost(self, reason)

    def _logConnectionLostMsg(self) -> None:
        """Quiet."""
