"""Tests of `pingmon.outgoing.passage` and `trust`: where connections may go, and whom they believe."""

from __future__ import annotations

from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.web.client import URI
from twisted.web.error import SchemeNotSupported

from pingmon.core.address_policy import allowing
from pingmon.core.site.failures import NO_INTERMEDIATE
from pingmon.delivery.attempt import Delivered, NotDelivered
from pingmon.outgoing.passage import LINGER_S, Egress, EgressError, literal
from pingmon.outgoing.tls_trust import Trust
from tests.authority import Authority
from tests.delivery.receiver import Server, egress, kind, sent, until

pytestmark = pytest.mark.usefixtures("nothing_left")


class Names:
    """The real reactor, but names resolve as the test says. `asked`: the names that were looked up, in order."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.nameResolver = self

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def resolveHostName(self, receiver: Any, host: str, port: int, kinds: object, semantics: str) -> None:
        self.asked.append(host)
        receiver.resolutionBegan(self)
        for address in self.answers[host.split(".")[0]].pop(0):
            family = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(family("TCP", address, port))
        receiver.resolutionComplete()


# --- where connections may go -------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_the_connection_goes_to_the_address_that_was_checked_without_a_second_lookup(server: Server) -> None:
    """A name that would resolve to something else a moment later (DNS rebinding) changes nothing."""
    names = Names(hook=[["127.0.0.1"], ["127.0.0.2"]])
    port = await server.listen()
    assert await sent(kind("127.0.0.1", running=names), f"http://hook.example:{port}/") == Delivered(200)
    assert names.asked == ["hook.example"]
    assert b"Host: hook.example:%d" % port in server.requests[0]


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]]
)
@pytest_twisted.ensureDeferred
async def test_a_host_with_a_private_address_is_refused_before_anything_is_sent(
    server: Server, answers: list[str]
) -> None:
    names = Names(evil=[answers])
    found = await sent(kind(running=names), f"http://evil.example:{await server.listen()}/")
    assert isinstance(found, NotDelivered)
    assert found.error.startswith("its name leads to a loopback address; allow its network with [outgoing] allow = [")
    assert not server.requests
    assert not server.open


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
@pytest_twisted.ensureDeferred
async def test_other_spellings_of_a_private_address_are_refused_too(server: Server, host: str) -> None:
    found = await sent(kind(), f"http://{host}:{await server.listen()}/")
    assert isinstance(found, NotDelivered)
    assert "is private; allow it" in found.error or "its name leads to a loopback address; " in found.error
    assert server.open == []


@pytest_twisted.ensureDeferred
async def test_a_host_without_addresses_cannot_be_resolved() -> None:
    assert await sent(kind(running=Names(x=[[]])), "http://x.example/") == NotDelivered("could not resolve host")


@pytest_twisted.ensureDeferred
async def test_a_resolver_of_ones_own_is_asked_for_names_and_not_for_addresses(server: Server) -> None:
    """The daemon's does not wait for the reactor's threads, of which a few slow names could take all."""
    asked: list[str] = []

    async def addresses(name: str) -> tuple[str, ...]:
        asked.append(name)
        return ("127.0.0.1",) if name == "receiver.test" else ()

    port = await server.listen()
    passage = Egress(reactor, Trust(), addresses, allowing(["127.0.0.1"])).passage()
    await passage.connect("receiver.test", port, Factory.forProtocol(Protocol))
    await passage.connect("127.0.0.1", port, Factory.forProtocol(Protocol))
    with pytest.raises(EgressError, match="could not resolve host"):
        await passage.connect("nobody.test", port, Factory.forProtocol(Protocol))
    passage.close()
    assert asked == ["receiver.test", "nobody.test"]
    await until(lambda: not server.open)


@pytest_twisted.ensureDeferred
async def test_an_address_that_refuses_does_not_keep_from_the_next(server: Server) -> None:
    port = await server.listen("tcp:0:interface=127.0.0.2")
    names = Names(hook=[["::1", "127.0.0.1", "127.0.0.2"]])
    found = await sent(kind("127.0.0.0/8", "::1", running=names), f"http://hook.example:{port}/")
    assert found == Delivered(200)


@pytest_twisted.ensureDeferred
async def test_if_all_addresses_fail_the_first_ones_reason_is_told(server: Server) -> None:
    port = await server.listen("tcp:0:interface=127.0.0.3")
    names = Names(hook=[["127.0.0.1", "127.0.0.2"]])
    found = await sent(kind("127.0.0.0/8", running=names), f"http://hook.example:{port}/")
    assert found == NotDelivered("connection refused")


@pytest_twisted.ensureDeferred
async def test_a_lookup_that_takes_too_long_is_left_behind() -> None:
    class Slow(Names):
        def resolveHostName(self, receiver: Any, *_: object) -> None:
            self.receiver = receiver

    names = Slow()
    found = await sent(kind(running=names), "http://slow.example/", timeout_s=0.05)
    assert found == NotDelivered("timed out after 0.05 s")
    names.receiver.resolutionComplete()


def test_address_literals_are_told_from_names() -> None:
    assert literal("1.1.1.1") == "1.1.1.1"
    assert literal("0:0::1") == "::1"
    assert literal("1.1") is literal("h.example") is None


@pytest_twisted.ensureDeferred
async def test_a_peer_that_puts_off_the_end_is_cut_off(server: Server) -> None:
    """A connection whose close has begun is aborted after a moment; one that is closed already needs nothing."""
    port, clock = await server.listen(), Clock()

    class Timers(Names):
        def callLater(self, seconds: float, *call: Any) -> Any:
            return (clock if seconds == LINGER_S else cast(Any, reactor)).callLater(seconds, *call)

    passage = egress(Timers(), "127.0.0.1").passage()
    await passage.connect("127.0.0.1", port, Factory.forProtocol(Protocol))
    await until(lambda: bool(server.open))
    passage.close(ended=True)
    assert server.open
    clock.advance(LINGER_S)
    await until(lambda: not server.open)

    connection = await passage.connect("127.0.0.1", port, Factory.forProtocol(Protocol))
    cast(Any, connection).transport.loseConnection()
    await until(lambda: cast(Any, connection).transport.wrappedProtocol is None)
    passage.close(ended=True)
    assert clock.getDelayedCalls() == []


def test_no_scheme_but_http_and_https_leads_out() -> None:
    passage = egress(reactor).passage()
    with pytest.raises(SchemeNotSupported):
        passage.endpointForURI(URI.fromBytes(b"ftp://h/"))


# --- whom they believe --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def listen_tls(server: Server, certificate: PrivateCertificate) -> int:
    port = cast(Any, reactor).listenSSL(0, server, certificate.options(), interface="127.0.0.1")
    server.ports.append(port)
    return int(port.getHost().port)


def hook() -> Names:
    return Names(hook=[["127.0.0.1"]])


@pytest_twisted.ensureDeferred
async def test_a_trusted_certificate_for_the_host_is_believed_and_nothing_stays_open(
    server: Server, authority: Authority
) -> None:
    port = listen_tls(server, authority.issue("hook.example", "127.0.0.1"))
    webhook = kind("127.0.0.0/8", roots=authority.roots, running=hook())
    assert await sent(webhook, f"https://hook.example:{port}/") == Delivered(200)
    assert await sent(webhook, f"https://127.0.0.1:{port}/") == Delivered(200)
    await until(lambda: not server.open)


@pytest.mark.parametrize(
    ("names", "more", "error"),
    [
        (("other.example",), {}, "TLS: certificate is not for hook.example"),
        (("127.0.0.1",), {}, "TLS: certificate is not for hook.example"),
        (("*.hook.example",), {}, "TLS: certificate is not for hook.example"),
        ((), {}, "TLS: certificate is not for hook.example"),
        (("hook.example",), {"days": -1}, "TLS: certificate has expired"),
        (("hook.example",), {"self_signed": True}, "TLS: certificate is self-signed"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_certificate_that_does_not_prove_the_host_is_refused_and_nothing_is_sent(
    server: Server, authority: Authority, names: tuple[str, ...], more: dict[str, Any], error: str
) -> None:
    port = listen_tls(server, authority.issue(*names, **more))
    webhook = kind("127.0.0.0/8", roots=authority.roots, running=hook())
    assert await sent(webhook, f"https://hook.example:{port}/") == NotDelivered(error)
    assert server.requests == []


@pytest_twisted.ensureDeferred
async def test_an_address_must_be_in_the_certificate_too(server: Server, authority: Authority) -> None:
    port = listen_tls(server, authority.issue("hook.example"))
    found = await sent(kind("127.0.0.0/8", roots=authority.roots), f"https://127.0.0.1:{port}/")
    assert found == NotDelivered("TLS: certificate is not for 127.0.0.1")


@pytest_twisted.ensureDeferred
async def test_an_authority_that_the_platform_does_not_know_is_not_trusted(
    server: Server, authority: Authority
) -> None:
    port = listen_tls(server, authority.issue("hook.example"))
    found = await sent(kind("127.0.0.0/8", running=hook()), f"https://hook.example:{port}/")
    assert found == NotDelivered(f"TLS: {NO_INTERMEDIATE()}")


@pytest_twisted.ensureDeferred
async def test_hosts_that_share_the_context_are_not_mistaken_for_each_other(
    server: Server, authority: Authority
) -> None:
    port = listen_tls(server, authority.issue("hook.example"))
    names = Names(hook=[["127.0.0.1"]] * 2, other=[["127.0.0.1"]])
    webhook = kind("127.0.0.0/8", roots=authority.roots, running=names)
    sending = [sent(webhook, f"https://{host}.example:{port}/") for host in ("hook", "other", "hook")]
    found = [await each for each in sending]
    assert found == [Delivered(200), NotDelivered("TLS: certificate is not for other.example"), Delivered(200)]


@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_speak_tls_is_told_from_one_that_is_not_trusted(server: Server) -> None:
    port = await server.listen()
    server.reply = lambda receiver: None

    def greet(receiver: Any) -> None:
        receiver.write(b"220 mail.example ESMTP\r\n")

    server.greet = greet
    found = await sent(kind("127.0.0.0/8"), f"https://127.0.0.1:{port}/")
    assert isinstance(found, NotDelivered)
    assert found.error.startswith("TLS: ")
    assert "certificate" not in found.error
