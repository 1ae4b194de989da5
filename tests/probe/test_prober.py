"""Tests of `pingmon.probe.prober` and `site_visit`: what is seen of sites, over real connections on loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError

from pingmon import __version__
from pingmon.core.site.probe_result import Phases, ProbeResult
from pingmon.testing import START as NOW
from tests.delivery.receiver import Stalling
from tests.probe.sites import OK, Site, Timers, Visitor, advanced_until, answer, gist, prober, to, until

pytestmark = pytest.mark.usefixtures("nothing_left")


async def seen(site: Site, path: str = "/", timeout_s: float = 5.0, **more: Any) -> ProbeResult:
    """What a prober sees of the site."""
    port = await site.listen()
    return await prober().look(f"http://127.0.0.1:{port}{path}", timeout_s, **more)


@pytest_twisted.ensureDeferred
async def test_one_head_request_is_made_and_the_connection_is_gone(site: Site) -> None:
    port = await site.listen()
    look = await prober().look(f"http://127.0.0.1:{port}/a?b", 5.0)
    assert look.good
    assert gist(look) == (200, "", "")
    assert (look.address, look.at, look.node) == ("127.0.0.1", NOW, "")
    assert site.requests == [
        f"HEAD /a?b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: pingmon/{__version__}\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n".encode()
    ]
    await until(lambda: not site.open)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (answer(204), (204, "", "")),
        (answer(299), (299, "", "")),
        (answer(500), (500, "status", "500 Internal Server Error to HEAD and GET")),
        (answer(404), (404, "status", "404 Not Found to HEAD and GET")),
        (answer(304), (304, "status", "304 Not Modified to HEAD and GET")),
        (answer(999), (999, "status", "999 to HEAD and GET")),
        (OK + b"a body that HEAD must not have" * 5000, (200, "", "")),
        (answer(100) + answer(103) + OK, (200, "", "")),
        (answer(100) * 5000, (0, "protocol", "the header is longer than 64 KiB")),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Flood: 1\r\n" * 10_000, (0, "protocol", "the header is longer than 64 KiB")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", (0, "protocol", "the answer is not HTTP")),
        (bytes(range(256)), (0, "protocol", "the answer is not HTTP")),
        (Visitor.close, (0, "connect", "connection closed without an answer")),
        (Visitor.reset, (0, "connect", "connection closed without an answer")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_every_answer_has_its_class(site: Site, reply: Any, found: tuple[int, str, str]) -> None:
    site.reply = reply
    assert gist(await seen(site)) == found


def half(answer: bytes) -> Callable[[Visitor], object]:
    """An answer that ends with the connection."""

    def reply(visitor: Visitor) -> None:
        visitor.write(answer)
        visitor.close()

    return reply


@pytest_twisted.ensureDeferred
async def test_a_server_that_closes_in_the_middle_or_at_once_is_told_apart(site: Site) -> None:
    """A header that ends with the connection is one, if the connection ends in good order; curl takes it too."""
    site.reply = half(b"HTTP/1.1 200 OK\r\nServer")
    assert gist(await seen(site)) == (200, "", "")
    site.reply = half(b"HTTP/1.1 200 OK")
    assert gist(await seen(site)) == (0, "protocol", "connection closed in the middle of the answer's header")

    def torn(visitor: Visitor) -> None:
        visitor.write(b"HTTP/1.1 200 OK\r\nServer: x\r\n")
        cast(Any, reactor).callLater(0.05, visitor.reset)

    site.reply = torn
    assert gist(await seen(site)) == (0, "protocol", "connection closed in the middle of the answer's header")
    site.greet = Visitor.reset
    assert gist(await seen(site)) == (0, "connect", "connection closed without an answer")


@pytest_twisted.ensureDeferred
async def test_a_port_where_nobody_listens_refuses(site: Site) -> None:
    port = await site.listen()
    await site.close()
    look = await prober().look(f"http://127.0.0.1:{port}/", 5.0)
    assert gist(look) == (0, "connect", "connection refused")
    assert look.address == ""


@pytest_twisted.ensureDeferred
async def test_a_slow_answer_is_waited_for_and_timed(site: Site) -> None:
    running, visitors = Timers(), list[Visitor]()
    site.reply = visitors.append
    looking = prober(running=running).look(f"http://127.0.0.1:{await site.listen()}/", 5.0)
    await advanced_until(running, visitors)
    running.clock.advance(4.5)
    visitors[0].write(OK)
    await until(lambda: looking.called)
    look = await looking
    assert look.good
    assert look.phases.answer == look.ms == 4500


@pytest_twisted.ensureDeferred
async def test_one_deadline_ends_it_and_says_in_which_phase(site: Site) -> None:
    running, visitors = Timers(), list[Visitor]()
    site.reply = visitors.append
    looking = prober(running=running).look(f"http://127.0.0.1:{await site.listen()}/", 3.0)
    await advanced_until(running, visitors)
    running.clock.advance(3.0)
    look = await looking
    assert gist(look) == (0, "timeout", "timed out after 3 s while waiting for the answer to HEAD")
    assert look.phases == Phases(answer=3000)
    assert look.address == "127.0.0.1"
    await until(lambda: not site.open)


@pytest_twisted.ensureDeferred
async def test_a_deadline_that_comes_late_says_nothing_of_the_site(site: Site) -> None:
    """A machine that was suspended finds all its timers due before it has read a single answer."""
    running, visitors = Timers(), list[Visitor]()
    site.reply = visitors.append
    looking = prober(running=running).look(f"http://127.0.0.1:{await site.listen()}/", 3.0)
    await advanced_until(running, visitors)
    visitors[0].write(OK)
    running.clock.advance(600.0)
    assert gist(await looking) == (0, "void", "pingmon was held up while waiting for the answer")


@pytest_twisted.ensureDeferred
async def test_a_server_that_drips_header_bytes_does_not_put_off_the_deadline(site: Site) -> None:
    running, visitors = Timers(), list[Visitor]()
    site.reply = visitors.append
    looking = prober(running=running).look(f"http://127.0.0.1:{await site.listen()}/", 3.0)
    await advanced_until(running, visitors)
    for second in range(3):
        assert not looking.called
        visitors[0].write(b"HTTP/1.1 200 OK\r\nX: "[second : second + 1])
        running.clock.advance(1.0)
    assert (await looking).fault == "timeout"


@pytest_twisted.ensureDeferred
async def test_cancelling_ends_it_at_once(site: Site) -> None:
    running, visitors = Timers(), list[Visitor]()
    site.reply = visitors.append
    looker = prober(running=running)
    looking = looker.look(f"http://127.0.0.1:{await site.listen()}/", 3.0)
    await advanced_until(running, visitors)
    looking.cancel()
    with pytest.raises(CancelledError):
        await looking
    assert running.clock.getDelayedCalls() == []
    assert looker.flight.empty
    assert looker.targets.empty
    assert looker.looks == 0
    await until(lambda: not site.open)


# --- servers that do not know HEAD --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [405, 501])
@pytest_twisted.ensureDeferred
async def test_head_that_is_not_known_is_confirmed_by_get(site: Site, status: int) -> None:
    site.pages = {"HEAD /": answer(status), "GET /": OK + b"page" * 100_000}
    look = await seen(site)
    assert gist(look) == (200, "", f"HEAD was answered with {status}, so GET was asked")
    assert [request[:4] for request in site.requests] == [b"HEAD", b"GET "]


@pytest_twisted.ensureDeferred
async def test_head_that_is_not_known_and_a_get_that_fails_is_a_failure(site: Site) -> None:
    site.pages = {"HEAD /": answer(501), "GET /": answer(503)}
    assert gist(await seen(site)) == (503, "status", "503 Service Unavailable to GET, 501 to HEAD")
    site.pages = {"HEAD /": answer(405), "GET /": answer(405)}
    assert gist(await seen(site)) == (405, "status", "405 Method Not Allowed to HEAD and GET")
    site.pages = {"HEAD /": answer(405), "GET /": Visitor.close}
    assert gist(await seen(site)) == (405, "connect", "connection closed without an answer")


@pytest_twisted.ensureDeferred
async def test_head_only_takes_heads_word_for_it(site: Site) -> None:
    site.pages = {"HEAD /": answer(405), "GET /": OK}
    assert gist(await seen(site, methods=("HEAD",))) == (405, "status", "405 Method Not Allowed to HEAD")
    assert len(site.requests) == 1


# --- redirects ----------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_redirects_are_followed_with_head_and_the_last_answer_counts(site: Site) -> None:
    port = await site.listen()
    for number, status in enumerate((301, 302, 303, 307, 308)):
        site.pages[f"/{number}"] = to(f"/{number + 1}" if number % 2 else f"{number + 1}", status)
    site.pages["/0"] = to(f"http://127.0.0.1:{port}/1#top", 301)
    assert gist(await prober().look(f"http://127.0.0.1:{port}/0", 5.0)) == (200, "", "")
    assert [request.split(b" ")[0:2] for request in site.requests] == [[b"HEAD", b"/%d" % n] for n in range(6)]
    site.pages["/5"] = answer(410)
    gone = f"410 Gone to HEAD and GET, at http://127.0.0.1:{port}/5 after 5 redirects"
    assert gist(await prober().look(f"http://127.0.0.1:{port}/0", 5.0)) == (410, "status", gone)


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        ({"/": to("/")}, (302, "redirect", "more than 5 redirects, at {at}/ after 5 redirects")),
        ({"/": to("/b"), "/b": to("/")}, (302, "redirect", "more than 5 redirects, at {at}/b after 5 redirects")),
        ({"/": to("ftp://127.0.0.1/")}, (302, "redirect", "redirected to nowhere: the URL is neither http nor https")),
        ({"/": answer(301)}, (301, "redirect", "redirected to nowhere: the redirect does not say where to")),
        (
            {"/": to("http://a..b/")},
            (302, "redirect", "redirected to nowhere: the URL has a host that is neither a name nor an address"),
        ),
        (
            {"/": to("http://a:b@127.0.0.1/")},
            (302, "redirect", "redirected to nowhere: the URL has a user name or password in it"),
        ),
        (
            {"/": to("/1"), **{f"/{n}": to(f"/{n + 1}", 308) for n in range(9)}},
            (308, "redirect", "more than 5 redirects, at {at}/5 after 5 redirects"),
        ),
        (
            {"/": to("/b"), "/b": Visitor.close},
            (302, "connect", "connection closed without an answer, at {at}/b after a redirect"),
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_redirects_that_lead_nowhere_are_failures(
    site: Site, pages: dict[str, Any], found: tuple[int, str, str]
) -> None:
    site.pages = pages
    code, fault, detail = gist(await seen(site))
    at = f"http://127.0.0.1:{cast(Any, site.ports[0]).getHost().port}"
    assert (code, fault, detail) == (*found[:2], found[2].replace("{at}", at))
    assert len(site.requests) <= 6


@pytest_twisted.ensureDeferred
async def test_each_redirect_is_held_against_the_policy(site: Site) -> None:
    """A public site cannot send the prober to an address that only this machine can reach; it is down if it tries."""
    port = await site.listen()
    site.pages["/"] = to(f"http://[::1]:{port}/inside")
    look = await prober("127.0.0.1").look(f"http://127.0.0.1:{port}/", 5.0)
    assert gist(look) == (
        302,
        "redirect",
        "redirected to where pingmon may not look: address ::1 is private; allow it with "
        f'[outgoing] allow = ["::1/128"], at http://[::1]:{port}/inside after a redirect',
    )
    assert len(site.requests) == 1


# --- addresses ----------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_ipv6_literals_are_connected_to_and_sent_in_brackets(site: Site) -> None:
    port = await site.listen("::1")
    look = await prober().look(f"http://[::1]:{port}/", 5.0)
    assert (look.fault, look.address) == ("", "::1")
    assert b"\r\nHost: [::1]:%d\r\n" % port in site.requests[0]


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("127.0.0.2", "127.0.0.1"), ("::ffff:127.0.0.1",), ("64:ff9b::7f00:1",)]
)
@pytest_twisted.ensureDeferred
async def test_a_host_of_which_one_address_is_not_allowed_is_not_connected_to(
    site: Site, addresses: tuple[str, ...]
) -> None:
    """A name that leads there leads to nothing; what that is, is nobody's business who only made up the name."""
    port = await site.listen()
    looker = prober("127.0.0.2", hosts={"h.example": addresses})
    look = await looker.look(f"http://h.example:{port}/", 5.0)
    assert (look.fault, look.code, look.address) == ("dns", 0, "")
    assert look.detail == (
        "pingmon does not look there: its name leads to a loopback address; "
        'allow its network with [outgoing] allow = ["127.0.0.0/8"]'
    )
    verifier = prober("127.0.0.2", hosts={"h.example": addresses}, elsewhere=True)
    look = await verifier.look(f"http://h.example:{port}/", 5.0)
    assert (look.fault, look.detail[:34]) == ("void", "pingmon may not look there: its na")
    assert site.requests == []
    assert looker.targets.empty


@pytest_twisted.ensureDeferred
async def test_an_address_in_the_url_that_is_not_allowed_says_nothing_of_the_site(site: Site) -> None:
    """pingmon was told not to look; whoever wrote the address may read it."""
    look = await prober("127.0.0.2").look(f"http://127.0.0.1:{await site.listen()}/", 5.0)
    allow = 'allow it with [outgoing] allow = ["127.0.0.0/8"]'
    assert gist(look) == (0, "void", f"pingmon may not look there: address 127.0.0.1 is private; {allow}")


@pytest_twisted.ensureDeferred
async def test_a_name_is_asked_for_under_its_own_name_at_its_address(site: Site) -> None:
    port = await site.listen()
    look = await prober(hosts={"h.example": ["127.0.0.1"]}).look(f"http://H.example:{port}/", 5.0)
    assert (look.fault, look.address) == ("", "127.0.0.1")
    assert b"\r\nHost: h.example:%d\r\n" % port in site.requests[0]


@pytest_twisted.ensureDeferred
async def test_an_address_that_refuses_does_not_keep_from_the_next(site: Site) -> None:
    port = await site.listen("127.0.0.2")
    hosts = {"h.example": ["::1", "127.0.0.1", "127.0.0.2"]}
    look = await prober(hosts=hosts).look(f"http://h.example:{port}/", 5.0)
    assert (look.fault, look.address) == ("", "127.0.0.2")
    hosts = {"h.example": ["::1", "127.0.0.1"]}
    look = await prober(hosts=hosts).look(f"http://h.example:{port}/", 5.0)
    assert gist(look) == (0, "connect", "connection refused")


@pytest_twisted.ensureDeferred
async def test_a_url_that_cannot_be_probed_is_not_the_sites_fault() -> None:
    look = await prober().look("ftp://h.example/", 5.0)
    assert gist(look) == (0, "void", "pingmon cannot probe this: the URL is neither http nor https")


@pytest_twisted.ensureDeferred
async def test_an_answer_that_came_while_pingmon_stood_still_is_read_before_the_time_is_over(site: Site) -> None:
    """However late the timers are: neither a failure nor a look in vain."""
    stalling = Stalling()
    site.reply = lambda visitor: stalling.over(visitor, OK, 60)
    look = await prober(running=stalling).look(f"http://127.0.0.1:{await site.listen()}/", 5.0)
    assert gist(look) == (200, "", "")
