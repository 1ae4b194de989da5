"""Questions and replies of name servers, as bytes."""

from __future__ import annotations

import errno
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectBindError, ConnectError
from twisted.internet.testing import MemoryReactorClock
from twisted.names import dns
from twisted.python.failure import Failure

from pingmon.dns.dns_message import MAX_CHAIN, DnsAnswer, question, read, reply
from pingmon.dns.query import Silent, over_tcp
from pingmon.dns.results import CannotAsk
from pingmon.testing import result


def message(*answers: Any, authority: Any = (), code: int = dns.OK) -> Any:
    made = dns.Message(7, answer=1, rCode=code)
    made.queries = [dns.Query(b"h.example", dns.A)]
    made.answers, made.authority = list(answers), list(authority)
    return made


def a(name: str, address: str, ttl: int = 60) -> Any:
    return dns.RRHeader(name.encode(), dns.A, dns.IN, ttl, dns.Record_A(address, ttl))


def cname(name: str, to: str, ttl: int = 60) -> Any:
    return dns.RRHeader(name.encode(), dns.CNAME, dns.IN, ttl, dns.Record_CNAME(to, ttl))


SOA = dns.RRHeader(b"example", dns.SOA, dns.IN, 900, dns.Record_SOA(minimum=600))


def test_a_question_asks_for_a_complete_answer() -> None:
    asked = dns.Message()
    asked.fromStr(question(7, "h.example", dns.AAAA))
    assert (asked.id, asked.answer, asked.recDes, len(asked.queries)) == (7, 0, 1, 1)
    assert asked.queries[0] == dns.Query(b"h.example", dns.AAAA, dns.IN)


def test_only_the_reply_to_the_question_is_taken() -> None:
    wire = message(a("h.example", "192.0.2.1")).toStr()
    assert reply(wire, 7, "H.example.", dns.A) is not None
    assert reply(wire, 8, "h.example", dns.A) is None
    assert reply(wire, 7, "h.example", dns.AAAA) is None
    assert reply(wire, 7, "i.example", dns.A) is None
    assert reply(question(7, "h.example", dns.A), 7, "h.example", dns.A) is None
    for code, taken in ((dns.OK, False), (dns.ENAME, False), (dns.EFORMAT, True)):
        bare = message(code=code)
        bare.queries = []
        assert (reply(bare.toStr(), 7, "h.example", dns.A) is not None) is taken


@given(st.binary(max_size=200))
@example(message(a("h.example", "192.0.2.1")).toStr()[:-3])
@example(b"\x00\x07\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01")
def test_no_bytes_make_it_fail(received: bytes) -> None:
    for wire in (received, b"\x00\x07\x80\x00" + received):
        found = reply(wire, 7, "h.example", dns.A)
        if found is not None:
            read(found, "h.example", dns.A)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_reply_makes_it_fail(at: int, damage: bytes) -> None:
    wire = message(cname("h.example", "a.example"), a("a.example", "192.0.2.1"), authority=[SOA]).toStr()
    found = reply(wire[:at] + damage + wire[at + len(damage) :], 7, "h.example", dns.A)
    if found is not None:
        read(found, "h.example", dns.A)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (message(a("h.example", "192.0.2.1", 9)), DnsAnswer(("192.0.2.1",), (), 9, True)),
        (message(a("evil.example", "192.0.2.1")), DnsAnswer((), (), 0, True)),
        (message(authority=[SOA]), DnsAnswer((), (), 600, True)),
        (message(code=dns.ENAME), DnsAnswer((), (), 0, True)),
        (message(cname("h.example", "b.example", 5)), DnsAnswer((), ("b.example",), 5, False)),
        (message(cname("h.example", "b.example"), authority=[SOA]), DnsAnswer((), ("b.example",), 60, True)),
        (
            message(a("b.example", "192.0.2.1"), cname("H.example", "B.example")),
            DnsAnswer(("192.0.2.1",), ("b.example",), 60, True),
        ),
        (message(cname("h.example", "h.example")), DnsAnswer((), ("h.example",), 60, False, circle=True)),
        (
            message(cname("h.example", "b.example"), cname("b.example", "h.example")),
            DnsAnswer((), ("b.example", "h.example"), 60, False, circle=True),
        ),
    ],
)
def test_what_a_reply_says(found: Any, answer: DnsAnswer) -> None:
    assert read(found, "h.example", dns.A) == answer


def test_chains_are_followed_so_far_and_no_further() -> None:
    links = [cname(f"{n}.example", f"{n + 1}.example") for n in range(20)]
    assert len(read(message(*links), "0.example", dns.A).chain) == MAX_CHAIN


class Connecting:
    """A connector that never connects."""

    state = "connecting"
    stopped = False

    def stopConnecting(self) -> None:
        self.stopped = True


def test_a_call_over_tcp_can_be_called_off_and_fails_for_want_of_a_socket() -> None:
    connector, reactor = Connecting(), cast(Any, MemoryReactorClock())
    reactor.connectTCP = lambda host, port, factory, timeout: connector
    calling = over_tcp(reactor, ("192.0.2.1", 53), b"", lambda received: None)
    calling.cancel()
    with pytest.raises(CancelledError):
        result(calling)
    assert connector.stopped
    for error, kind in ((ConnectBindError(errno.EMFILE, "x"), CannotAsk), (ConnectError(errno.ETIMEDOUT), Silent)):
        reactor = cast(Any, MemoryReactorClock())
        calling = over_tcp(reactor, ("192.0.2.1", 53), b"", lambda received: None)
        factory = reactor.tcpClients[0][2]
        factory.clientConnectionFailed(reactor.connectors[0], Failure(error))
        with pytest.raises(kind):
            result(calling)
