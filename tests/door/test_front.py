"""The front with sockets of its own making; what it serves is tested with the rest of the door."""

from __future__ import annotations

import errno
import gc
import socket
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from twisted.internet import reactor as global_reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from pingmon.door.caller_address import address_of
from pingmon.door.door import Door
from pingmon.door.front import Front
from pingmon.door.http_dates import Dates
from pingmon.door.limits import ACCEPTS, DoorSettings
from tests.door.stage import DoorStage

NOBODY = Failure(ConnectionDone())


class Said(Protocol):
    """Keeps what it is told. `does` is called with what comes."""

    def __init__(self, does: Callable[[Said], object], fails: Callable[[], object]) -> None:
        self.does = does
        self.fails = fails
        self.ends: Callable[[], object] = lambda: None
        self.said: list[object] = []

    def connectionMade(self) -> None:
        self.fails()

    def dataReceived(self, data: bytes) -> None:
        self.said.append(data)
        self.does(self)

    def readConnectionLost(self) -> None:
        self.said.append("no more")

    def connectionLost(self, reason: Failure = NOBODY) -> None:
        self.said.append(type(reason.value).__name__)
        self.ends()


class Port:
    """A port of Twisted's. `fails`: what accepting fails with."""

    def __init__(self) -> None:
        self.socket: Any = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.reads = True
        self.tried = 0

    def stopReading(self) -> None:
        self.reads = False

    def fileno(self) -> int:
        number: int = self.socket.fileno()
        return number

    def startReading(self) -> None:
        self.reads = True

    def doRead(self) -> None:
        self.tried += 1


class Stage(Clock):
    """A reactor with one front, and one port for it. `met`: the protocols of those who have called."""

    def __init__(self) -> None:
        super().__init__()
        directlyProvides(self, IReactorFDSet)
        self.readers: list[Front] = []
        self.met: list[Said] = []
        self.adopts: Callable[[], object] = lambda: None
        self.front = Front(self, self)  # type: ignore[arg-type]
        self.port = Port()
        self.front.take(self.port)
        self.does: Callable[[Said], object] = lambda said: None
        self.fails: Callable[[], object] = lambda: None

    def addReader(self, reader: Front) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Front) -> None:
        self.readers.remove(reader)

    def adoptStreamConnection(self, number: int, family: int, factory: Any) -> None:
        self.adopts()
        goes_on = factory.buildProtocol(None)
        goes_on.transport = StringTransport()
        goes_on.said.append("adopted")

    def buildProtocol(self, addr: object) -> Said:
        self.met.append(Said(self.does, self.fails))
        return self.met[-1]

    def call(self, sent: bytes = b"") -> socket.socket:
        caller = socket.create_connection(self.port.socket.getsockname(), timeout=5)
        caller.sendall(sent)
        self.go()
        return caller

    def go(self) -> None:
        """Two turns of the loop: one that accepts, one that reads."""
        self.front.doRead()
        self.front.doRead()
        self.advance(0)


@pytest.fixture
def logged() -> Iterator[Sequence[LogEvent]]:
    """What is logged."""
    with capturedLogs() as events:
        yield events


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.front.close()
    made.port.socket.close()
    assert made.readers == []
    assert made.getDelayedCalls() == []


def test_callers_are_met_in_the_stead_of_the_port(stage: Stage) -> None:
    """Twisted's port does not read any more; the reactor sees one descriptor, whoever calls."""
    with stage.call(b"a") as one, stage.call(b"b"):
        assert not stage.port.reads
        assert stage.readers == [stage.front]
        assert [said.said for said in stage.met] == [[b"a"], [b"b"]]
        one.shutdown(socket.SHUT_WR)
        stage.go()
        assert stage.met[0].said == [b"a", "no more"]


def test_no_more_are_accepted_in_a_turn_than_leave_room_for_others(stage: Stage) -> None:
    """The rest waits in the kernel."""
    with_many = socket.create_server(("127.0.0.1", 0), backlog=ACCEPTS + 5)
    with_many.setblocking(False)
    stage.port.socket.close()
    stage.port.socket = with_many
    stage.front.take(stage.port)
    callers = [socket.create_connection(with_many.getsockname(), timeout=5) for _ in range(ACCEPTS + 2)]
    stage.front.doRead()
    assert len(stage.met) == ACCEPTS
    stage.front.doRead()
    assert len(stage.met) == ACCEPTS + 2
    for caller in callers:
        caller.close()


@pytest.mark.parametrize("why", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED])
def test_where_accepting_fails_twisted_tries(stage: Stage, why: int) -> None:
    """It knows what to do when descriptors run out; the front goes on."""

    class Failing:
        def accept(self) -> None:
            raise OSError(why, "no")

    with socket.create_connection(stage.port.socket.getsockname(), timeout=5):
        listening, stage.port.socket = stage.port.socket, Failing()
        stage.front.doRead()
        assert stage.port.tried == 1
        stage.port.socket = listening
        stage.front.doRead()
        assert len(stage.met) == 1


def test_a_fault_of_ours_costs_the_one_whom_it_meets(stage: Stage, logged: Sequence[LogEvent]) -> None:
    """Whether it comes in meeting, reading or at the end; it is logged, and the front goes on."""
    stage.fails = lambda: 1 / 0
    with stage.call() as caller:
        assert stage.met[0].said == ["ConnectionAborted"]
        assert caller.recv(1) == b""
    stage.fails = lambda: None
    stage.does = lambda said: 1 / 0
    with stage.call(b"x"):
        assert stage.met[1].said == [b"x", "ConnectionAborted"]
    stage.does = lambda said: None
    with stage.call(b"y") as caller, stage.call(b"z") as other:
        failing, fine = stage.met[2:]
        failing.ends = lambda: 1 / 0
        for said in (failing, fine):
            said.transport.loseConnection()  # type: ignore[union-attr]
        stage.go()
        assert (caller.recv(1), other.recv(1)) == (b"", b"")
    assert stage.readers == [stage.front]
    assert [event["log_level"] for event in logged] == [LogLevel.critical] * 3


def test_a_fault_after_twisted_has_taken_over(stage: Stage, logged: Sequence[LogEvent]) -> None:
    """Ends the transport that there is then."""

    def give_up_and_fail(said: Said) -> None:
        said.transport.give_up()  # type: ignore[union-attr]
        raise ZeroDivisionError

    stage.does = give_up_and_fail
    with stage.call(b"x"):
        assert stage.met[0].said == [b"x", "adopted"]
        transport: Any = stage.met[0].transport
        assert transport.disconnecting or transport.disconnected
    assert len(logged) == 1


def test_the_reactor_that_ends_the_front_gives_the_ports_back(stage: Stage, logged: Sequence[LogEvent]) -> None:
    """So that there is somebody who accepts, and it is said."""
    stage.front.connectionLost(NOBODY)
    assert stage.port.reads
    assert [event["log_level"] for event in logged] == [LogLevel.error]


def test_no_descriptor_is_free_for_twisted(stage: Stage) -> None:
    """That is no end of the caller, who is still there to be closed; what he asked has had no effect."""
    with stage.call(b"a"):
        bare: Any = stage.met[0].transport

        def full() -> None:
            raise OSError(errno.EMFILE, "no")

        stage.adopts = full
        with pytest.raises(OSError, match="no"):
            bare.give_up()
        bare.abortConnection()
        stage.go()
        assert stage.met[0].said == [b"a", "ConnectionAborted"]


def test_whoever_is_being_closed_is_not_given_up(stage: Stage) -> None:
    """Or his end would be forgotten."""
    with stage.call(b"a"):
        bare: Any = stage.met[0].transport
        bare.loseConnection()
        bare.give_up()
        stage.go()
        assert stage.met[0].said == [b"a", "ConnectionDone"]


@pytest.mark.parametrize("given_up", [False, True])
def test_what_has_ended_needs_no_garbage_collection(stage: Stage, given_up: bool) -> None:
    """No circle is left, whoever was the transport at the end."""
    gc.collect()
    gc.disable()
    try:
        with stage.call(b"a"):
            said = stage.met.pop()
            bare: Any = said.transport
            bare.give_up() if given_up else bare.loseConnection()
            stage.go()
            said.transport = None
            gone = weakref.ref(said)
            del said, bare
            assert gone() is None
    finally:
        gc.enable()


def test_who_ends_another_in_the_same_turn(stage: Stage) -> None:
    """What came from the other is not read any more."""
    with stage.call(b"a") as one, stage.call(b"b") as two:
        stage.met[0].does = lambda said: stage.met[1].transport.abortConnection()  # type: ignore[union-attr]
        two.sendall(b"late")
        one.sendall(b"now")
        stage.go()
        assert stage.met[0].said == [b"a", b"now"]
        assert stage.met[1].said in ([b"b", "ConnectionAborted"], [b"b", b"late", "ConnectionAborted"])


def test_pausing_and_the_end(stage: Stage) -> None:
    """Whoever is paused is not read from; who is closed reads the end, who is aborted a reset."""
    with stage.call(b"a") as kept, stage.call(b"b") as reset:
        one, two = (said.transport for said in stage.met)
        one.pauseProducing()  # type: ignore[union-attr]
        kept.sendall(b"more")
        stage.go()
        assert stage.met[0].said == [b"a"]
        one.resumeProducing()  # type: ignore[union-attr]
        stage.go()
        assert stage.met[0].said == [b"a", b"more"]
        one.loseConnection()  # type: ignore[union-attr]
        one.resumeProducing()  # type: ignore[union-attr]
        two.abortConnection()  # type: ignore[union-attr]
        two.abortConnection()  # type: ignore[union-attr]
        stage.go()
        assert kept.recv(1) == b""
        with pytest.raises(ConnectionResetError):
            reset.recv(1)
        assert [said.said[-1] for said in stage.met] == ["ConnectionDone", "ConnectionAborted"]


def test_a_caller_that_is_gone(stage: Stage) -> None:
    """Its end is told once, also if it is noticed only when Twisted is to take it over; nothing can be sent to it."""
    caller = stage.call(b"a")
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    bare: Any = stage.met[0].transport
    caller.close()
    assert bare.writeSomeData(b"x") == 0 or bare.writeSomeData(b"x") == 0
    stage.adopts = lambda: socket.socket().getpeername()
    bare.give_up()
    assert bare.getHost().port == stage.port.socket.getsockname()[1]
    for end in (bare.loseConnection, bare.abortConnection, bare.resumeProducing, bare.unregisterProducer):
        end()
    bare.registerProducer(None, True)
    bare.write(b"x")
    stage.go()
    assert stage.met[0].said == [b"a", "ConnectionLost"]
    caller = stage.call(b"b")
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    caller.close()
    stage.go()
    assert stage.met[1].said == [b"b", "ConnectionLost"]


def test_twisted_takes_over(stage: Stage) -> None:
    """The protocol goes on with another transport."""
    with stage.call(b"a"):
        bare: Any = stage.met[0].transport
        bare.give_up()
        assert stage.met[0].said == [b"a", "adopted"]


def test_addresses_are_twisteds(stage: Stage) -> None:
    """Over IPv6 as well, where a link-local one bears its link."""
    with stage.call(b"a") as caller:
        bare: Any = stage.met[0].transport
        assert bare.getHost() == IPv4Address("TCP", *stage.port.socket.getsockname())
        assert caller.getsockname()[1] > 0
    assert address_of(("::1", 80, 0, 0)) == IPv6Address("TCP", "::1", 80)
    linked = address_of(("fe80::1", 80, 0, 1))
    assert linked == IPv6Address("TCP", f"fe80::1%{socket.if_indextoname(1)}", 80, 0, 1)


def test_where_there_is_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reactors without descriptors, and systems without epoll, have Twisted's ports."""
    for reactor, epoll in ((Clock(), True), (global_reactor, False)):
        if not epoll:
            monkeypatch.delattr("select.epoll")
        port: Any = Port()
        anywhere: Any = reactor
        front = Front(anywhere, None)  # type: ignore[arg-type]
        front.take(port)
        front.close()
        assert port.reads
        port.socket.close()


@pytest.mark.parametrize(("front", "intake"), [(False, True), (True, False)])
def test_who_wants_none(front: bool, intake: bool) -> None:
    """An operator can do without, and an application without an intake has no use for it."""
    with DoorStage() as house:
        pings = house.intake if intake else None
        reactor: Any = global_reactor
        door = Door(house.root, DoorSettings(front=front), reactor, Dates(house.time.wall), intake=pings)
        port: Any = Port()
        door.meet(port)
        assert port.reads
        port.socket.close()
