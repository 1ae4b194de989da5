"""The daemon as a Twisted service: what is started in which order, and stopped in the reverse one.

    bind ports ─▶ load the world ─▶ journal ─▶ alarms ─▶ outbox ─▶ (the reactor runs: connections are served)
    alarms ─▶ stop listening ─▶ finish requests in flight ─▶ outbox ─▶ save the world, close the journal

Ports are bound before the world is loaded, so the kernel keeps connections that arrive meanwhile. What cannot be
served at all ends the process at once with one line (`Refused`), never a daemon that runs but does not listen.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.alarms import Alarms
from pingmon.datadir import DataDir, DataDirError
from pingmon.housekeeping import Housekeeping
from pingmon.journal import JournalDamaged, JournalFormatError, JournalFull, JournalUnavailable
from pingmon.monitor import Monitor

BACKLOG: Final = 4096
"""Connections that the kernel keeps until the daemon takes them; it lowers this to its own limit (`somaxconn`). With
Twisted's 50 a burst of callers overflows the queue, and each one left out waits a second before it tries again."""


class Refused(SystemExit):
    """The daemon cannot do its work. The message is one line for the operator; the process exits with status 1."""


class Outbox(Protocol):
    """Delivers what is owed."""

    def start(self) -> None: ...
    def stop(self) -> Deferred[None]: ...


class Door(Protocol):
    """Lets requests in; `drain` fires when those in flight are answered, or after `timeout_s`."""

    def drain(self, timeout_s: float) -> Deferred[None]: ...


class Listener:
    """One endpoint that the daemon listens on; `description` is the string that the operator gave.

    A `backlog=` in it is kept, and so is that of a socket that systemd hands over; else it is `BACKLOG`.
    """

    def __init__(self, description: str, endpoint: IStreamServerEndpoint) -> None:
        self.description = description
        self._endpoint = endpoint
        self.port: IListeningPort | None = None

    def listen(self, factory: IProtocolFactory) -> None:
        """Bind. Raises `Refused` if that is not possible."""
        failed: list[BaseException] = []
        self._endpoint.listen(factory).addCallbacks(self._bound, lambda failure: failed.append(failure.value))
        if failed:
            raise Refused(f"pingmon: cannot listen on {self.description}: {_reason(failed[0])}")

    def _bound(self, port: IListeningPort) -> None:
        self.port = port
        if (
            isinstance(port, Port)
            and "backlog=" not in self.description
            and not self.description.startswith("systemd:")
        ):
            port.socket.listen(BACKLOG)

    async def stop(self) -> None:
        """Accept no more connections."""
        port, self.port = self.port, None
        if port is not None:
            await _maybe(port.stopListening())


class Daemon(Service):
    """All of pingmon. `started` is called once the journal runs (first start, greetings)."""

    log = Logger()

    def __init__(
        self,
        *,
        data: DataDir,
        monitor: Monitor,
        alarms: Alarms,
        housekeeping: Housekeeping,
        outbox: Outbox,
        door: Door,
        factory: IProtocolFactory,
        listeners: Sequence[Listener],
        drain_s: float,
        started: Callable[[Sequence[Listener]], Deferred[None]],
    ) -> None:
        self.setName("pingmon")
        self._data = data
        self._monitor = monitor
        self._alarms = alarms
        self._housekeeping = housekeeping
        self._outbox = outbox
        self._door = door
        self._factory = factory
        self._listeners = listeners
        self._drain_s = drain_s
        self._started = started
        self._listening = False

    def privilegedStartService(self) -> None:
        """Bind the ports, while the process may still be allowed to bind low ones."""
        for listener in self._listeners:
            listener.listen(self._factory)
        self._listening = True

    def startService(self) -> None:
        """Load the world and begin. Raises `Refused`, before anything has been served."""
        super().startService()
        self._data.claim()
        if not self._listening:  # `twist` knows no privileged start
            self.privilegedStartService()
        try:
            self._monitor.open()
        except (JournalDamaged, JournalFormatError, JournalUnavailable) as error:
            raise Refused(f"pingmon: {error}") from error
        # The loaded world lives as long as the process: let no garbage collection ever walk over it.
        gc.collect()
        gc.freeze()
        self._monitor.start()
        self._alarms.start()
        self._housekeeping.start()
        self._outbox.start()
        self._started(self._listeners).addErrback(self._not_greeted)

    def _not_greeted(self, failure: Failure) -> None:
        if failure.check(DataDirError, JournalUnavailable, JournalFull):
            self.log.error("the first start is not complete, start again: {why}", why=failure.getErrorMessage())
        else:
            self.log.failure("while greeting on the first start", failure)

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is in flight any more and everything is on disk; no part's trouble keeps another up."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # Whoever calls from now on may not be heard: silence proves nothing any more.
        with self.log.failuresHandled("while stopping the alarms"):
            self._alarms.stop()
            self._housekeeping.stop()
            await self._monitor.end_listening()
        for listener in reversed(self._listeners):
            with self.log.failuresHandled("while closing {endpoint}", endpoint=listener.description):
                await listener.stop()
        with self.log.failuresHandled("while finishing requests"):
            await self._door.drain(self._drain_s)
        with self.log.failuresHandled("while stopping deliveries"):
            await self._outbox.stop()
        with self.log.failuresHandled("while closing the journal"):
            await self._monitor.stop()
        self._data.release()


def _reason(error: BaseException) -> str:
    if isinstance(error, CannotListenError):
        error = error.socketError
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


async def _maybe(result: Deferred[None] | None) -> None:
    if result is not None:
        await result
