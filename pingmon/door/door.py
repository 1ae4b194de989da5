"""The door: where connections come in, over every listening endpoint, with or without TLS.

A connection gets a place if there is one (`places`), is looked after (`watch`), and speaks HTTP/1 or HTTP/2
(`connections`). No client can hold more than its share, longer than its time, or larger than its size.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.web import server
from twisted.web.resource import IResource

from pingmon.door.access_log import AccessLog
from pingmon.door.caller_address import group_of, host_of
from pingmon.door.connection_places import ConnectionPlaces, affordable
from pingmon.door.connection_watch import ConnectionWatch, Voice
from pingmon.door.connections import Connection, RefusedConnection
from pingmon.door.fast_path import FastPath
from pingmon.door.front import Front
from pingmon.door.http_dates import Dates
from pingmon.door.intake import Intake
from pingmon.door.limits import DoorSettings
from pingmon.door.proxy_protocol import ProxiedDoor


class DoorHealth(Struct, frozen=True):
    """`connections` are open now, at most `places`; `refused` counts those without a place since the start.

    `looked_at`: when connections were last looked after, seconds by the reactor's clock.
    """

    connections: int
    places: int
    busy: int
    refused: int
    looked_at: float


class Door(server.Site):
    """The factory to give to each endpoint. It runs from the first `listen` to the end of the last connection."""

    noisy = False

    def __init__(
        self,
        root: IResource,
        settings: DoorSettings,
        reactor: IReactorTime,
        dates: Dates,
        *,
        intake: Intake | None = None,
        voice: Voice = lambda _, refusal: refusal,
        access_log: AccessLog | None = None,
    ) -> None:
        super().__init__(root, timeout=None, reactor=reactor, parsePOSTFormSubmission=False)
        self.settings = settings
        self.watch = ConnectionWatch(settings, reactor, dates, intake, voice)
        self.places = ConnectionPlaces(settings.max_connections)
        self._front = Front(reactor, self) if intake is not None and settings.front else None
        self._fast = None if intake is None else FastPath(intake, settings.body_cap)
        self._access_log = access_log

    def startFactory(self) -> None:
        """The first endpoint listens. (Twisted's own would open a log file and start a timer for its dates.)"""
        self.places.limit = affordable(self.settings.max_connections, others=self.settings.other_files)
        if self._access_log is not None:
            self._access_log.open()
        self.watch.start()

    def logPrefix(self) -> str:
        """What Twisted calls it in its own lines, such as "HTTP server starting on 8000"."""
        return "HTTP server"

    def stopFactory(self) -> None:
        """No endpoint listens any more. Connections that are still open are looked after until they are drained."""
        self.watch.stop()
        if self._access_log is not None and not self.watch.connections:
            self._access_log.close()

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS clients may ask for. Twisted leaves HTTP/1.0 out, and turns away who asks for nothing else."""
        return [*super().acceptableProtocols(), b"http/1.0"]

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]
        """A connection, or one that closes at once. (Twisted's own would build its channel before it is needed.)"""
        group = self.group(addr)
        if not self.places.take(group):
            return RefusedConnection()
        connection = Connection(self, self.watch, self.places, group, self._fast)
        connection.factory = self
        return connection

    def meet(self, port: IListeningPort) -> None:
        """Have the front accept, if there is one, at a TCP port of Twisted's that listens for this factory."""
        if self._front is not None:
            self._front.take(port)

    def behind_proxy(self) -> IProtocolFactory:
        """The factory to give to an endpoint that only proxies connect to, which speak the PROXY protocol."""
        return ProxiedDoor(self)

    def group(self, addr: IAddress | None) -> str:
        """For whom a connection's place is counted."""
        host = "" if addr is None else host_of(addr)
        return "" if self.watch.trusted.trusts(host) else group_of(host)

    def drain(self, timeout_s: float) -> Deferred[None]:
        """Fires when requests in flight are answered and all connections are closed, at the latest after `timeout_s`.

        To be called once, after listening has ended; then nothing of the door is left in the reactor.
        """
        drained = self.watch.drain(timeout_s)
        return drained.addBoth(self._drained)

    def health(self) -> DoorHealth:
        """How full it is."""
        connections = self.watch.connections
        return DoorHealth(
            connections=len(connections),
            places=self.places.limit,
            busy=sum(connection.busy for connection in connections),
            refused=self.places.refused,
            looked_at=self.watch.looked_at,
        )

    def behind(self) -> bool:
        """Whether something has been read that nobody has had the time to handle."""
        return self.watch.turns.behind

    def log(self, request: Any) -> None:
        """A request has been answered."""
        if self._access_log is not None:
            self._access_log.write(request)

    def _drained(self, result: Any) -> Any:
        self.watch.stop()
        if self._front is not None:
            self._front.close()
        if self._access_log is not None:
            self._access_log.close()
        return result
