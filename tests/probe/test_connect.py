"""Tests of `pingmon.probe.connect`: several addresses tried in turn, on a reactor that only takes notes."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectBindError, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from pingmon.outgoing.passage import STAGGER_S
from pingmon.probe.connect import Dial
from pingmon.probe.network_faults import ProbeFailed
from pingmon.testing import result
from pingmon.wire.probe.response_head import ResponseHead
from tests.probe.sites import OK, gist, prober

ADDRESSES = ("2001:db8::1", "192.0.2.1", "192.0.2.2")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")


class Dialled:
    """A dial to `ADDRESSES`, and the reactor that it uses."""

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.phases: list[str] = []
        self.ended: list[ResponseHead | ProbeFailed] = []
        self.dial = Dial(self.reactor, ADDRESSES, 80, b"HEAD", None, self.phases.append, self.ended.append)

    @property
    def tried(self) -> list[str]:
        return [host for host, *_ in self.reactor.tcpClients]

    @property
    def stopped(self) -> list[bool]:
        return [connector.stoppedConnecting for connector in self.reactor.connectors]

    def fail(self, number: int, error: Exception = REFUSED) -> None:
        self.dial.clientConnectionFailed(self.reactor.connectors[number], Failure(error))

    def connect(self, number: int) -> Any:
        return self.dial.buildProtocol(IPv4Address("TCP", self.tried[number], 80))


def test_each_address_is_tried_a_moment_after_the_one_before() -> None:
    dialled = Dialled()
    assert dialled.tried == [ADDRESSES[0]]
    dialled.reactor.advance(STAGGER_S)
    assert dialled.tried == [*ADDRESSES[:2]]
    dialled.reactor.advance(STAGGER_S)
    assert dialled.tried == [*ADDRESSES]
    dialled.reactor.advance(100)
    assert dialled.ended == []
    assert dialled.stopped == [False] * 3


def test_the_first_that_connects_is_asked_and_the_others_are_called_off() -> None:
    dialled = Dialled()
    dialled.reactor.advance(STAGGER_S)
    protocol, transport = dialled.connect(1), StringTransport()
    assert dialled.dial.address == "192.0.2.1"
    assert dialled.stopped[0]
    assert dialled.reactor.getDelayedCalls() == []
    assert dialled.connect(0) is None
    dialled.fail(0)
    protocol.makeConnection(transport)
    assert (transport.value(), dialled.phases) == (b"HEAD", ["answer"])
    protocol.dataReceived(OK)
    protocol.dataReceived(b"more")
    assert dialled.ended == [ResponseHead(200)]


def test_an_address_that_fails_makes_place_for_the_next_at_once() -> None:
    dialled = Dialled()
    dialled.fail(0)
    assert dialled.tried == [*ADDRESSES[:2]]
    dialled.fail(1, ConnectBindError(errno.EMFILE, "none left"))
    assert dialled.dial.troubled
    dialled.fail(2)
    (failed,) = dialled.ended
    assert isinstance(failed, ProbeFailed)
    assert (failed.fault, failed.detail) == ("void", "pingmon cannot connect: too many open files")
    assert dialled.reactor.getDelayedCalls() == []


def test_aborting_calls_everything_off() -> None:
    dialled = Dialled()
    dialled.reactor.advance(STAGGER_S)
    dialled.dial.abort()
    assert dialled.stopped == [True, True]
    assert dialled.connect(0) is None
    dialled.fail(1)
    assert dialled.reactor.getDelayedCalls() == []
    assert dialled.ended == []


def test_a_site_is_not_timed_out_when_some_of_its_addresses_could_not_be_tried() -> None:
    reactor: Any = MemoryReactorClock()
    looking = prober("0.0.0.0/0", "::/0", hosts={"h.example": ADDRESSES}, running=reactor).look("http://h.example/", 5)
    (_, _, factory, *_), connector = reactor.tcpClients[0], reactor.connectors[0]
    factory.clientConnectionFailed(connector, Failure(ConnectBindError(errno.EMFILE, "none left")))
    reactor.advance(5)
    assert gist(result(looking)) == (0, "void", "pingmon cannot connect to all addresses")


def test_a_bug_of_ours_is_logged_and_not_the_sites_fault() -> None:
    reactor: Any = MemoryReactorClock()
    looker = prober(hosts={"h.example": ["no address"]}, running=reactor)
    with capturedLogs() as logged:
        look = result(looker.look("http://h.example/", 5))
    assert [event["log_format"] for event in logged] == ["an error while probing a site"]
    assert gist(look) == (0, "void", "pingmon could not look by its own fault; its log says more")
    assert reactor.getDelayedCalls() == []
    assert looker.flight.empty
