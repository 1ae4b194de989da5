"""The front with sockets of its own making; what it serves is tested with the rest of the door."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet import reactor as global_reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from pingmon.door.front import ACCEPTS, Front, has_front
from pingmon.door.peers import address_of
from tests.door.door_house import House

NOBODY = Failure(ConnectionDone())


class Said(Protocol):
    """Keeps what it is told. `does` is called with what comes."""

    def __init__(self, does: Callable[[Said], object] = lambda said: None) -> None:
        self.does = does
        self.said: list[object] = []

    def dataReceived(self, data: bytes) -> None:
        self.said.append(data)
        self.does(self)

    def readConnectionLost(self) -> None:
        self.said.append("no more")

    def connectionLost(self, reason: Failure = NOBODY) -> None:
        self.said.append(type(reason.value).__name__)


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

    def doRead(self) -> None:
        self.tried += 1


class Stage(Clock):
    """A reactor with one front, and one port for it. `met`: the protocols of those who have called."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Front] = []
        self.met: list[Said] = []
        self.adopts: Callable[[], object] = lambda: None
        self.front = Front(self, self)  # type: ignore[arg-type]
        self.port = Port()
        self.front.take(self.port)
        self.does: Callable[[Said], object] = lambda said: None

    def addReader(self, reader: Front) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Front) -> None:
        self.readers.remove(reader)

    def adoptStreamConnection(self, number: int, family: int, factory: Any) -> None:
        self.adopts()
        factory.buildProtocol(None).said.append("adopted")

    def buildProtocol(self, addr: object) -> Said:
        self.met.append(Said(self.does))
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


def test_whoever_cannot_be_met_is_closed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours keeps nobody else waiting."""
    observer: Any = EventLoggingObserver()
    globalLogPublisher.addObserver(observer)
    monkeypatch.setattr(stage, "buildProtocol", lambda addr: 1 / 0)
    with stage.call() as caller:
        assert caller.recv(1) == b""
    monkeypatch.undo()
    stage.does = lambda said: 1 / 0
    with stage.call(b"x"):
        assert stage.met[0].said == [b"x", "ConnectionAborted"]
    globalLogPublisher.removeObserver(observer)
    assert [event["log_format"] for event in observer] == ["while meeting a caller", "while reading from a caller"]


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


def test_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reactors without descriptors, systems without epoll, and operators who want none have Twisted's ports."""
    reactor: Any = global_reactor
    assert has_front(reactor)
    assert not has_front(Clock())
    monkeypatch.delattr("select.epoll")
    assert not has_front(reactor)
    with House() as house:
        port: Any = Port()
        house.door.meet(port)
        assert port.reads
        port.socket.close()
