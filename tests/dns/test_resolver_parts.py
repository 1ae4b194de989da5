"""Tests of the resolver's parts that need no network: messages, files, memory."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectBindError, ConnectError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.names import dns
from twisted.python.failure import Failure

from pingmon.dns import etc_files
from pingmon.dns.cache import NEGATIVE_S, TTL_S, DnsCache, clamped
from pingmon.dns.dns_message import MAX_CHAIN, DnsAnswer, question, read, reply
from pingmon.dns.etc_files import FRESH_S, Reread
from pingmon.dns.query import Silent, over_tcp
from pingmon.dns.resolver import Resolver
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


# --- files --------------------------------------------------------------------------------------------------------


def test_a_hosts_file_names_addresses() -> None:
    text = "127.0.0.1 localhost\n::1\tlocalhost # home\n\n# 1.1.1.1 no\n192.0.2.1 NAS nas. box\nbad line\n1.2 x\n"
    assert etc_files.hosts(text) == {
        "localhost": ("127.0.0.1", "::1"),
        "nas": ("192.0.2.1",),
        "box": ("192.0.2.1",),
    }


def test_resolv_conf_names_at_most_three_servers_and_without_any_this_machine_is_asked() -> None:
    text = (
        "search x\nnameserver 192.0.2.1\n nameserver 2001:db8::1 \nnameserver fe80::1%eth0\nnameserver\nnameserver x\n"
    )
    assert etc_files.servers(text) == (("192.0.2.1", 53), ("2001:db8::1", 53))
    assert len(etc_files.servers("nameserver 192.0.2.1\n" * 5)) == 3
    assert etc_files.servers("options rotate") == (("127.0.0.1", 53),)


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert etc_files.text_of(tmp_path / "none") is None
    (tmp_path / "some").write_bytes(b"\xff x")
    assert etc_files.text_of(tmp_path / "some") == "\ufffd x"


def test_a_file_is_read_again_when_it_has_changed_and_looked_at_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("192.0.2.1 a")
    file = Reread(path, etc_files.hosts, 100.0)
    path.write_text("192.0.2.22 a")
    assert not file.changed(100.0 + FRESH_S - 0.1)
    assert file.changed(100.0 + FRESH_S)
    assert file.value == {"a": ("192.0.2.22",)}
    os.utime(path, (1, 1))
    assert not file.changed(110.0)
    path.write_text("192.0.2.33 a")
    assert not file.changed(110.0 + FRESH_S - 0.1)
    assert file.changed(110.0 + FRESH_S)


def test_a_file_that_is_gone_means_what_it_did_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1")
    file = Reread(path, etc_files.servers, 0.0)
    path.unlink()
    assert not file.changed(10.0)
    assert file.value == (("192.0.2.1", 53),)
    path.write_text("nameserver 192.0.2.2")
    assert file.changed(20.0)
    assert file.value == (("192.0.2.2", 53),)


class Askers(Clock):
    """A reactor without a network. `asked` are the name servers that questions have been sent to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def addReader(self, reader: Any) -> None:
        """As `IReactorFDSet`."""
        with socket.fromfd(reader.fileno(), socket.AF_INET, socket.SOCK_DGRAM) as asking:
            self.asked.append(asking.getpeername()[0])

    def removeReader(self, reader: Any) -> None:
        """As `IReactorFDSet`."""

    def whom(self, resolver: Resolver) -> set[str]:
        """Whom a lookup asks."""
        self.asked.clear()
        looking = resolver.addresses("h.example")
        looking.addErrback(lambda failure: failure.trap(CancelledError))
        looking.cancel()
        return set(self.asked)


def test_another_resolv_conf_is_followed_without_a_restart(tmp_path: Path) -> None:
    path, running = tmp_path / "resolv.conf", Askers()
    path.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver 127.0.0.4\n")
    resolver, given = Resolver(running, resolv_conf=path), Resolver(running, [("127.0.0.9", 53)], resolv_conf=path)
    assert running.whom(resolver) == {"127.0.0.2"}
    path.write_text("nameserver 127.0.0.5\n")
    assert running.whom(resolver) == {"127.0.0.2"}
    running.advance(FRESH_S)
    assert running.whom(resolver) == {"127.0.0.5"}
    assert running.whom(given) == {"127.0.0.9"}


def test_another_hosts_file_is_followed_without_a_restart(tmp_path: Path) -> None:
    path, running = tmp_path / "hosts", Askers()
    path.write_text("192.0.2.1 nas\n")
    resolver, given = Resolver(running, (), hosts_file=path), Resolver(running, (), hosts={"nas": ["192.0.2.9"]})
    assert result(resolver.addresses("nas")).addresses == ("192.0.2.1",)
    path.write_text("192.0.2.22 nas\n")
    running.advance(FRESH_S)
    assert result(resolver.addresses("nas")).addresses == ("192.0.2.22",)
    assert result(given.addresses("nas")).addresses == ("192.0.2.9",)


@given(st.text())
def test_no_file_makes_it_fail(text: str) -> None:
    etc_files.hosts(text)
    etc_files.servers(text)


# --- memory -------------------------------------------------------------------------------------------------------


def test_what_is_known_runs_out_and_is_then_gone() -> None:
    cache: DnsCache[str, int] = DnsCache()
    cache.put("k", 1, 10.0, now_s=100.0, stale_s=5.0)
    for now, value in ((100.0, 1), (109.9, 1), (114.9, 1), (115.0, None)):
        known = cache.get("k", now)
        assert (known and known.value) == value
    cache.put("k", 2, 10.0, now_s=200.0, stale_s=0)
    assert cache.get("k", 210.0) is None
    assert len(cache) == 0


def test_what_has_not_been_asked_for_the_longest_is_forgotten_first() -> None:
    cache: DnsCache[int, int] = DnsCache(most=3)
    for key in (1, 2, 3):
        cache.put(key, key, 10.0, now_s=0.0)
    cache.get(1, 1.0)
    cache.put(4, 4, 10.0, now_s=0.0)
    assert [key for key in (1, 2, 3, 4) if cache.get(key, 1.0)] == [1, 3, 4]


def test_ttls_are_kept_within_limits() -> None:
    assert [clamped(ttl) for ttl in (0, 60, 1e9)] == [TTL_S[0], 60, TTL_S[1]]
    assert [clamped(ttl, NEGATIVE_S) for ttl in (0, 20, 3600)] == [NEGATIVE_S[0], 20, NEGATIVE_S[1]]
