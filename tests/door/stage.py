"""A whole door in memory: a rig, real HTTP parsing, and clients without sockets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from socket import AF_INET
from types import TracebackType
from typing import Any, cast

from msgspec import Struct
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, StringTransport
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from zope.interface import alsoProvides

from pingmon.core.units import Id
from pingmon.core.world.events import PingReceived
from pingmon.daemon.redaction import redacted
from pingmon.daemon.resource_tree import Root, voice
from pingmon.door.access_log import AccessLog
from pingmon.door.door import Door
from pingmon.door.front import BareSocket
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.door.public_url import ShownUrl
from pingmon.pings.intake import PingIntake, PingSettings
from pingmon.testing import FakeTime, Rig, uuid
from pingmon.web.badges import Badges
from pingmon.web.home import Home
from pingmon.wire.api.status import Problem

CHECK = uuid(1)
RID = "33333333-aaaa-4000-8000-00000000000f"
UNKNOWN = "99999999-0000-4000-8000-000000000009"
CALLER = "192.0.2.7"
UPTIME = 300_000
"""What the clock of timers shows at the start: the machine's uptime, decades from the time of day."""
TEXT = "text/plain; charset=utf-8"


class Reply(Struct, frozen=True):
    """An answer as a client has it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What an API says is wrong."""
        assert self.headers["Content-Type"] == "application/json"
        message = self.json["error"]
        assert isinstance(message, str)
        return message


def errors(logged: Iterable[LogEvent]) -> list[LogEvent]:
    """Those of what was logged that somebody must do something about."""
    return [event for event in logged if event["log_level"] >= LogLevel.error]


class Loop(Clock):
    """A clock that can run one turn of the loop: what is called for now meanwhile has to wait for the next.

    `slow`: it moves whenever it is read, as if all work took time.
    """

    slow = False

    def seconds(self) -> float:
        if self.slow:
            self.rightNow += 0.0001
        return self.rightNow

    def turn(self) -> None:
        """Run what is due."""
        now = self.seconds()
        for call in [call for call in self.calls if call.getTime() <= now]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


class Wire(StringTransport):
    """A connection's other end. `closed`: pingmon has closed it; a client that does not `read` must be aborted.

    `silent`: its end is never told, as by a transport that failed. `room`: bytes that its socket takes at once. `slow`:
    its buffer is full after each write.
    """

    room = sys.maxsize
    slow = False

    def __init__(self, clock: Clock, peer: IAddress) -> None:
        super().__init__(IPv4Address("TCP", "192.0.2.1", 80), peer, lenient=True)
        self.clock = clock
        self.protocol: Any = None
        self.reads = True
        self.aborted = self.closed = self.silent = False
        alsoProvides(self, ITCPTransport)

    def getHost(self) -> IAddress:
        """As Twisted's, which has no socket any more to ask when it is lost."""
        if self.closed:
            raise AttributeError("socket")
        host: IAddress = super().getHost()
        return host

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As Twisted's, likewise."""
        if self.closed:
            raise AttributeError("socket")

    def write(self, data: bytes) -> None:
        """As Twisted's, whose producer pauses while the buffer is full."""
        super().write(data)
        if self.slow and self.producer is not None:
            self.producer.pauseProducing()

    def writeSomeData(self, data: bytes) -> int:
        """Write as much as the socket takes."""
        taken = data[: self.room]
        self.room -= len(taken)
        self.write(taken)
        return len(taken)

    def loseConnection(self) -> None:
        """Close, once nobody may want to write any more, as TLS does."""
        super().loseConnection()
        if self.reads and not self.silent and self.producer is None:
            self.clock.callLater(0, self.lost)

    def unregisterProducer(self) -> None:
        self.producer = None
        if self.disconnecting:
            self.loseConnection()

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnecting = True
        if not self.silent:
            self.clock.callLater(0, self.lost)

    def lost(self) -> None:
        """The connection is gone, from either side."""
        if not self.closed:
            self.closed = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


class InMemoryFront:
    """Stands for the front, and for the reactor to which it gives sockets up."""

    def __init__(self, clock: Clock, called: Called) -> None:
        self.reactor = self
        self.there: dict[int, BareSocket] = {}
        self.callLater = clock.callLater
        self._called = called

    def poll(self, number: int, who: BareSocket) -> None:
        self._called.polled = True
        self._called.wire.producerState = "producing"
        self.callLater(0, self._called.deliver)

    def poll_no_more(self, number: int) -> None:
        self._called.polled = False
        self._called.wire.producerState = "paused"

    def end(self, who: BareSocket, why: Failure) -> None:
        self.callLater(0, who.lose, why)

    def adoptStreamConnection(self, number: int, family: int, factory: Any) -> None:
        called = self._called
        called.adopted = True
        called.wire.producerState = "producing"
        factory.buildProtocol(called.wire.getPeer()).makeConnection(called.wire)
        self.callLater(0, called.deliver)


class Called:
    """The socket of a caller whom the front has met; what it is sent goes to `wire`, which is the caller's end."""

    family = AF_INET

    def __init__(self, clock: Clock, wire: Wire) -> None:
        self.wire = wire
        self.polled = self.adopted = False
        self.came = b""
        self.ends: bytes | OSError | None = None
        front: Any = InMemoryFront(clock, self)
        socket: Any = self
        self.bare = BareSocket(front, socket, wire.getPeer(), wire.protocol)
        front.poll(0, self.bare)
        wire.protocol.makeConnection(self.bare)

    def deliver(self) -> None:
        """Have what came read, as far as anybody reads."""
        while (
            self.polled and not (self.bare.detached or self.bare.disconnecting) and (self.came or self.ends is not None)
        ):
            self.bare.ready()
        if self.adopted and not self.wire.closed and self.came:
            came, self.came = self.came, b""
            self.wire.protocol.dataReceived(came)

    def send(self, data: bytes) -> int:
        return self.wire.writeSomeData(data)

    def recv(self, size: int) -> bytes:
        if self.came or self.ends is None:
            data, self.came = self.came[:size], self.came[size:]
            return data
        if isinstance(self.ends, OSError):
            raise self.ends
        return self.ends

    def fileno(self) -> int:
        return 0

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.1", 80

    def setsockopt(self, *options: object) -> None:
        self.wire.aborted = True

    def close(self) -> None:
        self.wire.closed = self.wire.closed or not self.adopted


class Line:
    """One client. `FRONT`: whether the front meets it, or Twisted."""

    FRONT = False

    def __init__(self, clock: Clock, door: Door, address: str = CALLER) -> None:
        family = IPv6Address if ":" in address else IPv4Address
        peer = family("TCP", address, 40_000)
        self.wire = Wire(clock, peer)
        self.clock = clock
        protocol: Any = door.buildProtocol(peer)
        self.wire.protocol = protocol
        self.called = Called(clock, self.wire) if self.FRONT else None
        if self.called is None:
            protocol.makeConnection(self.wire)

    @property
    def met(self) -> Called | None:
        """The socket, as long as it is the front's."""
        return None if self.called is None or self.called.adopted else self.called

    def send(self, sent: bytes) -> bytes:
        """Send bytes; gives all that has come back so far."""
        if self.met is not None:
            self.met.came += sent
            self.met.deliver()
        elif not self.wire.closed:
            self.wire.protocol.dataReceived(sent)
        came: bytes = self.wire.value()
        return came

    @property
    def producer(self) -> Any:
        """What a full socket pauses."""
        return self.wire.producer

    def hang_up(self) -> None:
        if self.met is None:
            self.wire.lost()
        else:
            self.met.ends = ConnectionResetError()
            while not (self.met.bare.detached or self.met.bare.disconnecting):
                self.met.bare.ready()

    def end(self) -> None:
        """Send no more, but go on reading."""
        if self.met is None:
            self.wire.protocol.readConnectionLost()
        else:
            self.met.ends = b""
            self.met.deliver()
        self.clock.advance(0)

    @property
    def closed(self) -> bool:
        self.clock.advance(0)
        return self.wire.closed

    def replies(self, *, head: bool = False) -> list[Reply]:
        """All answers so far."""
        rest, found = self.wire.value(), []
        while rest:
            top, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = top.decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            length = 0 if head else int(headers.get("Content-Length", "0"))
            found.append(Reply(int(first.split(" ")[1]), headers, rest[:length]))
            rest = rest[length:]
        return found

    def reply(self, *, head: bool = False) -> Reply:
        (reply,) = self.replies(head=head)
        return reply


class Echo(Resource):
    """Stands for all that is not a ping: says how large the body was that it got."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        return b"%s %d" % (request.method, len(request.content.read()))


class Broken(Resource):
    """Begins to answer, does what it was told to, and fails."""

    isLeaf = True

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.then = then

    def render(self, request: Any) -> bytes:
        request.write(b"half of ")
        self.then()
        raise ZeroDivisionError


class DoorStage(Rig):
    """A rig with a door, and with a check that can be pinged by its slug `backup`. Nobody judges its silence.

    `entries` are those that came through the door.
    """

    clock: Loop

    def __init__(
        self,
        pings: PingSettings | None = None,
        door: DoorSettings | None = None,
        *,
        at_once: bool = True,
        slow: bool = False,
        access_log: Callable[[DoorStage], AccessLog] | None = None,
    ) -> None:
        clock = Loop()
        clock.slow = slow
        clock.advance(UPTIME)
        super().__init__(FakeTime(clock))
        self.alarms.stop()
        self.check(name="Backup", slug="backup")
        self.entries.clear()
        self.journal.at_once = at_once
        self.made = 0
        self.intake = PingIntake(self.monitor, pings or PingSettings(), new_id=self.new_id)
        self.root = Root(Echo())
        self.problems: list[Problem] = []
        self.root.putChild(b"", Home("9.9", ShownUrl(""), lambda: self.problems))
        self.badges = Badges(self.monitor, self.clock)
        self.badges.mount(self.root)
        log = access_log(self) if access_log else None
        self.door = Door(
            self.root,
            door or DoorSettings(),
            self.clock,
            Dates(self.time.wall),
            intake=self.intake,
            voice=voice,
            access_log=log,
        )
        self.door.doStart()

    def __enter__(self) -> DoorStage:
        self.observer = EventLoggingObserver()
        self._expected = 0
        globalLogPublisher.addObserver(self.observer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; nothing may be left, and nothing but the expected may have been logged."""
        globalLogPublisher.removeObserver(self.observer)
        if kind is not None:
            return
        self.clock.slow = False
        self.door.doStop()
        self.door.drain(1)
        self.advance(2)
        assert self.clock.getDelayedCalls() == []
        assert self.door.places.taken == 0
        assert not self.door.watch.connections
        assert self.troubles() == []

    def troubles(self) -> list[LogEvent]:
        """What was logged as an error since the last call; what is never asked for fails the test."""
        logged = list(self.observer)[self._expected :]
        self._expected += len(logged)
        return errors(logged)

    def redacted(self, text: str) -> str:
        return redacted(text, self.world.ping_keys.__contains__)

    def new_id(self) -> Id:
        self.made += 1
        return f"44444444-0000-4000-8000-{self.made:012d}"

    def advance(self, seconds: float, step: float = 0.5) -> None:
        """As a rig's, but looks after connections as often as the shortest deadlines of tests ask for."""
        super().advance(seconds, step)

    def line(self, address: str = CALLER) -> Line:
        return Line(self.clock, self.door, address)

    def ask(self, target: str, method: str = "GET", body: bytes = b"", *headers: str) -> Reply:
        """One request on a connection of its own."""
        line = self.line()
        lines = [f"{method} {target} HTTP/1.1", "Host: pingmon.example", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        line.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        reply = line.reply(head=method == "HEAD")
        line.hang_up()
        return reply

    @property
    def pings(self) -> list[PingReceived]:
        return [cast(PingReceived, entry.event) for entry in self.entries]

    @property
    def last(self) -> PingReceived:
        return self.pings[-1]
