"""Tests of `pingmon.verify.verifiers`: how the hosts of verifiers are found, and tried."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs

from pingmon.assembly import addresses_by
from pingmon.dns.resolver import Resolver
from pingmon.outgoing.exchange import NoReply, Reply
from pingmon.outgoing.passage import MAX_ADDRESSES, STAGGER_S
from pingmon.outgoing.tls_trust import Trust
from pingmon.testing import result
from pingmon.verify.configured_verifier import Peer
from pingmon.verify.verifiers import CONNECT_S, Send, Verifiers, sender
from pingmon.wire.message.signatures import Secret
from pingmon.wire.outgoing_request import OutgoingRequest
from tests.authority import Authority
from tests.delivery.receiver import Server
from tests.dns.names import Names
from tests.outgoing.test_passage import listen_tls
from tests.probe.sites import until

HOST = "v.example"


@pytest_twisted.async_yield_fixture
async def server(nothing_left: None) -> AsyncIterator[Server]:
    """A raw HTTP server."""
    server = Server()
    yield server
    await server.close()


def caller(*servers: tuple[str, int], trust: Any = None, **hosts: list[str]) -> Send:
    """One that knows these name servers, and `HOST` at these addresses."""
    known = {HOST: hosts["at"]} if hosts else {}
    return sender(reactor, trust, addresses_by(Resolver(reactor, servers, hosts=known)))


def call(by: Send, url: str) -> Deferred[Reply]:
    return Deferred.fromCoroutine(by(OutgoingRequest("POST", url, (), b"{}"), 100))


async def why(calling: Deferred[Reply]) -> str:
    with pytest.raises(NoReply) as caught:
        await calling
    return str(caught.value)


@pytest_twisted.ensureDeferred
async def test_a_name_is_asked_of_the_name_servers(server: Server, names: Names) -> None:
    port = await server.listen()
    names.add(HOST, "A", "127.0.0.1")
    assert (await call(caller(names.listen()), f"http://{HOST}:{port}/x")).body == b"ok"
    assert b"\r\nHost: v.example:%d\r\n" % port in server.requests[0]


@pytest_twisted.ensureDeferred
async def test_all_addresses_of_a_name_are_tried(server: Server) -> None:
    port = await server.listen()
    at = ["::1", "127.0.0.2", "127.0.0.1"]
    assert (await call(caller(at=at), f"http://{HOST}:{port}/")).status == 200


@pytest_twisted.ensureDeferred
async def test_a_name_that_does_not_resolve_says_why(names: Names) -> None:
    asking = caller(names.listen())
    assert await why(call(asking, f"http://{HOST}/")) == "could not resolve host: there is no such name"
    nobody = await why(call(caller(), f"http://{HOST}/"))
    assert nobody == "could not resolve host: no name server is configured"


@pytest_twisted.ensureDeferred
async def test_names_that_nobody_answers_for_hold_up_nobody_else(server: Server, names: Names) -> None:
    """Not even many of them, with the default pool of ten threads in mind."""
    names.silent = {"dead.example"}
    port = await server.listen()
    names.add(HOST, "A", "127.0.0.1")
    asking = caller(names.listen())
    dead = [call(asking, f"http://dead.example:{port}/") for _ in range(30)]
    assert (await call(asking, f"http://{HOST}:{port}/")).status == 200
    for each in dead:
        each.cancel()
        with pytest.raises(CancelledError):
            await each


@pytest_twisted.ensureDeferred
async def test_over_https_the_certificate_must_be_for_the_name_and_not_for_its_address(server: Server) -> None:
    authority = Authority()
    asking = caller(trust=Trust(authority.roots), at=["127.0.0.1"])
    right = listen_tls(server, authority.issue(HOST))
    wrong = listen_tls(server, authority.issue("127.0.0.1"))
    assert (await call(asking, f"https://{HOST}:{right}/")).status == 200
    assert await why(call(asking, f"https://{HOST}:{wrong}/")) == f"TLS: certificate is not for {HOST}"
    await until(lambda: not server.open)


# --- without connections ------------------------------------------------------------------------------------------


class Nowhere:
    """Calls to a host with `count` addresses that do not react."""

    def __init__(self, count: int = 8) -> None:
        self.reactor: Any = MemoryReactorClock()
        addresses = [f"192.0.2.{number}" for number in range(1, count)] + ["2001:db8::1"]
        found = addresses_by(Resolver(self.reactor, (), hosts={HOST: addresses}))
        self.send = sender(self.reactor, cast(Any, None), found)

    @property
    def tried(self) -> list[str]:
        return [host for host, *_ in self.reactor.tcpClients]


def test_addresses_are_tried_a_moment_after_one_another_and_not_too_many() -> None:
    nowhere = Nowhere()
    calling = call(nowhere.send, f"http://{HOST}/")
    nowhere.reactor.pump([0.0, STAGGER_S])
    assert nowhere.tried == ["192.0.2.1", "192.0.2.2"]
    nowhere.reactor.pump([STAGGER_S] * 8)
    assert len(nowhere.tried) == MAX_ADDRESSES
    assert nowhere.reactor.tcpClients[0][3] == CONNECT_S
    calling.addErrback(lambda failure: None)
    calling.cancel()


def test_a_call_that_is_cancelled_while_it_connects_leaves_nothing_and_not_a_line_in_the_log() -> None:
    nowhere, secret = Nowhere(2), Secret(b"k" * 32)
    verifiers = Verifiers(
        nowhere.send, nowhere.reactor, [Peer("v", f"http://{HOST}", (secret,))], now=lambda: 0, new_id=lambda: "a" * 32
    )
    with capturedLogs() as events:
        asking = verifiers.ask("http://site.example/", 10.0)
        nowhere.reactor.pump([0.0, STAGGER_S])
        asking.cancel()
        with pytest.raises(CancelledError):
            result(asking)
    assert [connector.stoppedConnecting for connector in nowhere.reactor.connectors] == [True, True]
    assert nowhere.reactor.getDelayedCalls() == []
    assert [event for event in events if event["log_level"] >= LogLevel.info] == []
