"""Every failure of `core/site/failures`, made for real: what is then read must be true, and say which it was."""

from __future__ import annotations

import errno
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
import pytest_twisted
from OpenSSL.SSL import TLS_METHOD, Context
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.names import dns

from pingmon.core.site.failures import TABLE
from pingmon.core.site.probe_result import ProbeResult
from pingmon.outgoing.tls_trust import FAULTS
from pingmon.probe.prober import Prober
from pingmon.testing import result
from tests.authority import Authority
from tests.dns.names import Names
from tests.probe.net import Watched
from tests.probe.sites import Reply, Site, Timers, Visitor, advanced_until, answer, prober, to
from tests.probe.test_probe_slots import Held, no_descriptors

pytestmark = pytest.mark.usefixtures("nothing_left")


@dataclass
class World:
    """What it takes to make failures: a server, a name server, an authority."""

    site: Site
    names: Names
    authority: Authority

    async def named(self, name: str = "h.example", timeout_s: float = 5.0, **more: Any) -> ProbeResult:
        """A look at a site under that name."""
        return await prober(servers=[self.names.listen()], **more).look(f"http://{name}/", timeout_s)

    async def answered(self, reply: Reply) -> ProbeResult:
        """A look at a server that answers so, or does so."""
        self.site.reply = reply
        return await prober().look(f"http://127.0.0.1:{await self.site.listen()}/", 5.0)

    async def over_tls(self, port: int, roots: Any = None, host: str = "h.example") -> ProbeResult:
        """A look at a server for TLS."""
        looker = prober(hosts={host: ["127.0.0.1"]}, roots=self.authority.roots if roots is None else roots)
        return await looker.look(f"https://{host}:{port}/", 5.0)

    async def issued(self, by: Authority | None = None, **more: Any) -> ProbeResult:
        """A look at a server with this certificate."""
        return await self.over_tls(self.site.listen_tls((by or self.authority).issue("h.example", **more)))

    async def greeted(self, data: bytes) -> ProbeResult:
        """A look at a server that says this to whoever wants TLS."""

        def say(visitor: Visitor) -> None:
            visitor.write(data)

        self.site.greet = say
        return await self.over_tls(await self.site.listen())


def alert(number: int) -> bytes:
    """A fatal alert of TLS."""
    return b"\x15\x03\x03\x00\x02\x02" + bytes([number])


def net(*addresses: str, errors: dict[str, int] | None = None, dark: bool = False, **limits: Any) -> ProbeResult:
    """A look at a site at these addresses, of a network where nothing else is."""
    watched = Watched({"h.example": addresses}, **limits)
    watched.net.errors = errors or {}
    watched.net.dark = set(addresses) if dark else set()
    looking = watched.look("h.example")
    watched.net.pass_s(20.0)
    return result(looking)


# --- dns ----------------------------------------------------------------------------------------------------------


async def chained(world: World, *names: str) -> ProbeResult:
    for name, leads_to in zip(("h.example", *names), names, strict=False):
        world.names.add(name, "CNAME", leads_to)
    world.names.add("n39.example", "A", "127.0.0.1")
    return await world.named()


async def dangling(world: World) -> ProbeResult:
    world.names.add("h.example", "CNAME", "gone.example")
    return await world.named()


async def no_address(world: World) -> ProbeResult:
    world.names.add("h.example", "TXT", "x")
    return await world.named()


async def failing(world: World, code: int) -> ProbeResult:
    world.names.codes["h.example"] = code
    return await world.named()


async def leading(world: World, address: str) -> ProbeResult:
    world.names.add("h.example", "A", address)
    return await world.named()


async def dns_silent(world: World) -> ProbeResult:
    world.names.silent = {"h.example"}
    running = Timers()
    looking = prober(servers=[world.names.listen()], running=running).look("http://h.example/", 1.0)
    await advanced_until(running, lambda: len(world.names.asked) == 2)
    running.clock.advance(1.0)
    await advanced_until(running, lambda: looking.called)
    return await looking


# --- tls ----------------------------------------------------------------------------------------------------------


async def weak_key(world: World) -> ProbeResult:
    """With a server that has nothing against it."""
    issued, context = world.authority.issue("h.example", weak=True), Context(TLS_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.use_privatekey(issued.privateKey.original)
    context.use_certificate(issued.original)
    factory: Any = type("Factory", (), {"getContext": lambda self: context})()
    port = cast(Any, reactor).listenSSL(0, world.site, factory, interface="127.0.0.1")
    return await world.over_tls(world.site._added(port))


async def unknown_root(world: World) -> ProbeResult:
    """Its intermediate is there, and leads nowhere."""
    below = Authority(Authority())
    port = world.site.listen_tls(below.issue("h.example"), extraCertChain=[below.loaded.original])
    return await world.over_tls(port)


async def false_intermediate(world: World) -> ProbeResult:
    below = Authority(world.authority, genuine=False)
    port = world.site.listen_tls(below.issue("h.example"), extraCertChain=[below.loaded.original])
    return await world.over_tls(port)


async def client_certificate(world: World) -> ProbeResult:
    issued = world.authority.issue("h.example")
    return await world.over_tls(world.site.listen_tls(issued, verify=True, caCerts=[world.authority.loaded.original]))


async def closed_in_handshake(world: World) -> ProbeResult:
    world.site.greet = Visitor.close
    return await world.over_tls(await world.site.listen())


OLD_SERVER = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + bytes(32) + b"\x00\xc0\x13\x00"
"""The hello of a server that speaks TLS 1.0."""


# --- the rest -----------------------------------------------------------------------------------------------------


async def refused(world: World) -> ProbeResult:
    port = await world.site.listen()
    await world.site.close()
    return await prober().look(f"http://127.0.0.1:{port}/", 5.0)


async def cut_off(world: World) -> ProbeResult:
    def half(visitor: Visitor) -> None:
        visitor.write(b"HTTP/1.1 200 OK")
        visitor.close()

    return await world.answered(half)


async def timed_out(world: World) -> ProbeResult:
    running, visitors = Timers(), list[Visitor]()
    world.site.reply = visitors.append
    looking = prober(running=running).look(f"http://127.0.0.1:{await world.site.listen()}/", 3.0)
    await advanced_until(running, visitors)
    running.clock.advance(3.0)
    return await looking


async def held_up(world: World) -> ProbeResult:
    running, visitors = Timers(), list[Visitor]()
    world.site.reply = visitors.append
    looking = prober(running=running).look(f"http://127.0.0.1:{await world.site.listen()}/", 3.0)
    await advanced_until(running, visitors)
    running.clock.advance(600.0)
    return await looking


async def dark(world: World) -> ProbeResult:
    watched = Watched({"a.example": ["192.0.2.1"], "b.example": ["192.0.2.1"]}, per_address=1)
    watched.net.dark = {"192.0.2.1"}
    looking = [watched.look(site) for site in watched.seen]
    watched.net.pass_s(20.0)
    return result(looking[1])


async def waiting(world: World, **limits: Any) -> ProbeResult:
    held = Held(world.site, await world.site.listen(), **limits)
    looking = [held.look(1), held.look(1)]
    await held.asked(1)
    held.running.clock.advance(2.0)
    second: ProbeResult = await looking[1]
    looking[0].addErrback(lambda failure: None).cancel()
    return second


async def no_sockets(world: World) -> ProbeResult:
    port = await world.site.listen()
    with no_descriptors():
        return await prober().look(f"http://127.0.0.1:{port}/", 5.0)


async def own_fault(world: World) -> ProbeResult:
    class Broken(Prober):
        def look(self, url: str, timeout_s: float, **more: Any) -> Deferred[ProbeResult]:
            self.resolver = cast(Any, None)
            return super().look(url, timeout_s, **more)

    plain = prober()
    broken = Broken(reactor, plain.resolver, plain.policy, plain.trust, now=plain.now)
    return await broken.look("http://h.example/", 5.0)


async def made(look: ProbeResult) -> ProbeResult:
    return look


MADE: dict[str, Callable[[World], Awaitable[ProbeResult]]] = {
    "NO_SUCH_NAME": lambda world: world.named(),
    "DANGLING": dangling,
    "NO_ADDRESS": no_address,
    "CNAME_CIRCLE": lambda world: chained(world, "a.example", "b.example", "h.example"),
    "CNAME_CHAIN": lambda world: chained(world, *(f"n{number}.example" for number in range(40))),
    "FORBIDDEN_NAME": lambda world: leading(world, "10.0.0.1"),
    "DNS_SERVFAIL": lambda world: failing(world, dns.ESERVER),
    "DNS_REFUSED": lambda world: failing(world, dns.EREFUSED),
    "DNS_ERROR": lambda world: failing(world, dns.ENOTIMP),
    "DNS_SILENT": dns_silent,
    "REFUSED": refused,
    "UNANSWERED": lambda world: made(net("192.0.2.1", errors={"192.0.2.1": errno.ETIMEDOUT})),
    "NO_ROUTE": lambda world: made(net("192.0.2.1", errors={"192.0.2.1": errno.EHOSTUNREACH})),
    "CLOSED": lambda world: world.answered(Visitor.close),
    "WRONG_NAME": lambda world: world.over_tls(world.site.listen_tls(world.authority.issue("other.example"))),
    "NOT_YET_VALID": lambda world: world.issued(early=-1),
    "EXPIRED": lambda world: world.issued(days=-1),
    "SELF_SIGNED": lambda world: world.issued(self_signed=True),
    "NO_INTERMEDIATE": lambda world: world.issued(by=Authority(world.authority)),
    "UNKNOWN_ROOT": unknown_root,
    "WEAK_KEY": weak_key,
    "UNFIT": lambda world: world.issued(purpose="CLIENT_AUTH"),
    "UNVERIFIED": false_intermediate,
    "NO_CERTIFICATE": lambda world: world.over_tls(1, host="12345"),
    "NO_COMMON_TLS": lambda world: world.greeted(alert(70)),
    "OLD_TLS": lambda world: world.greeted(OLD_SERVER),
    "NOT_TLS": lambda world: world.greeted(b"220 mail.example ESMTP\r\n"),
    "UNKNOWN_NAME": lambda world: world.greeted(alert(112)),
    "CLIENT_CERTIFICATE": client_certificate,
    "HANDSHAKE_REFUSED": lambda world: world.greeted(alert(40)),
    "HANDSHAKE_FAILED": lambda world: world.greeted(alert(80)),
    "HANDSHAKE_CLOSED": closed_in_handshake,
    "TIMED_OUT": timed_out,
    "DARK": dark,
    "BAD_STATUS": lambda world: world.answered(answer(503)),
    "TOO_MANY_REDIRECTS": lambda world: world.answered(to("/")),
    "LEADS_NOWHERE": lambda world: world.answered(to("ftp://h.example/")),
    "LEADS_ASTRAY": lambda world: world.answered(to("http://10.0.0.1/")),
    "NOT_HTTP": lambda world: world.answered(b"220 mail.example ESMTP\r\n"),
    "NO_STATUS": lambda world: world.answered(b"HTTP/1.1 OK\r\n\r\n"),
    "LONG_HEADER": lambda world: world.answered(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000),
    "SWITCHED": lambda world: world.answered(answer(101)),
    "CUT_OFF": cut_off,
    "NOT_ALLOWED": lambda world: made(result(prober().look("http://10.0.0.1/", 5.0))),
    "NOT_PROBED": lambda world: made(result(prober().look("ftp://h.example/", 5.0))),
    "NO_WAY": lambda world: made(net("2001:db8::1")),
    "CANNOT_CONNECT": no_sockets,
    "CANNOT_CONNECT_TO_ALL": lambda world: made(
        net("192.0.2.1", "192.0.2.2", errors={"192.0.2.1": errno.EADDRNOTAVAIL}, dark=True)
    ),
    "CANNOT_ASK": lambda world: made(result(prober().look("http://h.example/", 5.0))),
    "HELD_UP": held_up,
    "NO_PLACE": lambda world: waiting(world, max_in_flight=1, max_wait_s=2.0),
    "TOO_MANY": lambda world: waiting(world, max_in_flight=1, max_waiting=0),
    "OWN_FAULT": own_fault,
}
"""How each is made."""


def test_every_failure_there_is_can_be_made() -> None:
    assert list(MADE) == list(TABLE)


@pytest.mark.parametrize("name", MADE)
@pytest_twisted.ensureDeferred
async def test_a_failure_is_told_in_its_own_sentence(name: str, site: Site, names: Names, authority: Authority) -> None:
    kind, look = TABLE[name], await MADE[name](World(site, names, authority))
    assert look.fault == kind.fault
    sentence = ".+".join(map(re.escape, re.split(r"\{[^}]*\}", kind.text)))
    assert re.match(sentence, look.detail), look.detail
    assert not re.search(r"OpenSSL|errno|\bNone\b|Error\b", look.detail)


def test_what_openssl_has_against_a_chain_is_said_in_words() -> None:
    """All that it can have against one that a web server sends; the other numbers are about other uses of it."""
    other = {*range(1, 2), 3, 5, *range(8, 9), 11, 12, 15, 16, 17, 33, 35, 36, 38, 40, *range(43, 47), 50, 54, 55}
    other |= {*range(56, 66), 69, 70, *range(71, 76), 81, *range(84, 93)}
    assert set(FAULTS) == set(range(1, 95)) - other
    assert not [text for text in FAULTS.values() if re.search(r"\d", text)]
