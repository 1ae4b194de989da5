"""Tests of `pingmon.probe.head_then_get`: servers that do to HEAD what they would do to no browser."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from pingmon.core.site.probe_result import ProbeResult
from tests.probe.sites import OK, Site, Timers, Visitor, advanced_until, answer, gist, prober, to

pytestmark = pytest.mark.usefixtures("nothing_left")


async def seen(site: Site, **more: Any) -> ProbeResult:
    """What a prober sees of the site."""
    return await prober().look(f"http://127.0.0.1:{await site.listen()}/", 5.0, **more)


def asked(site: Site) -> list[str]:
    """The methods of all requests."""
    return [request.split(b" ")[0].decode() for request in site.requests]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 500, 501, 503])
@pytest_twisted.ensureDeferred
async def test_a_server_that_refuses_head_is_not_down_if_get_is_well(site: Site, status: int) -> None:
    site.pages = {"HEAD /": answer(status), "GET /": OK + b"page" * 100_000}
    assert gist(await seen(site)) == (200, "", f"HEAD was answered with {status}, so GET was asked")
    assert asked(site) == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Visitor.close, "connection closed without an answer"),
        (Visitor.reset, "connection closed without an answer"),
        (b"<html>a page</html>", "the answer is not HTTP"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_neither_is_one_that_hangs_up_or_answers_nonsense(site: Site, reply: Any, why: str) -> None:
    site.pages = {"HEAD /": reply, "GET /": OK}
    assert gist(await seen(site)) == (200, "", f"HEAD came to nothing ({why}), so GET was asked")


class Silent:
    """A site that keeps HEAD waiting, and whose time the test advances."""

    def __init__(self, site: Site, get: Any) -> None:
        self.site = site
        self.running = Timers()
        self.heads: list[Visitor] = []
        site.pages = {"HEAD /": self.heads.append, "GET /": get}

    async def look(self, timeout_s: float = 5.0, **more: Any) -> Any:
        looking = prober(running=self.running).look(f"http://127.0.0.1:{await self.site.listen()}/", timeout_s, **more)
        await advanced_until(self.running, self.heads)
        return looking

    async def over(self, looking: Any) -> ProbeResult:
        await advanced_until(self.running, lambda: looking.called)
        found: ProbeResult = await looking
        return found


@pytest_twisted.ensureDeferred
async def test_a_head_that_is_never_answered_is_joined_by_a_get_after_half_of_the_time(site: Site) -> None:
    silent = Silent(site, OK)
    looking = await silent.look()
    silent.running.clock.advance(2.4)
    assert asked(site) == ["HEAD"]
    silent.running.clock.advance(0.1)
    look = await silent.over(looking)
    assert gist(look) == (200, "", "HEAD came to nothing (no answer in half of the time), so GET was asked")


@pytest_twisted.ensureDeferred
async def test_a_slow_head_still_counts_while_get_is_no_better(site: Site) -> None:
    """A slow site is not made a dead one by the impatience of who looks."""
    gets: list[Visitor] = []
    silent = Silent(site, gets.append)
    looking = await silent.look()
    silent.running.clock.advance(4.0)
    await advanced_until(silent.running, gets)
    silent.heads[0].write(OK)
    assert gist(await silent.over(looking)) == (200, "", "")
    silent.heads.clear()
    site.pages["GET /"] = answer(500)
    looking = await silent.look()
    silent.running.clock.advance(4.0)
    await advanced_until(silent.running, lambda: asked(site).count("GET") == 2)
    silent.heads[0].write(OK)
    assert gist(await silent.over(looking)) == (200, "", "")


@pytest_twisted.ensureDeferred
async def test_a_hop_that_begins_late_is_asked_with_both_at_once(site: Site) -> None:
    """There is no time left to wait for HEAD alone."""
    silent = Silent(site, OK)
    looking = await silent.look()
    site.pages |= {"HEAD /b": lambda visitor: None, "GET /b": OK, "GET /": lambda visitor: None}
    silent.running.clock.advance(3.0)
    silent.heads[0].write(to("/b"))
    assert gist(await silent.over(looking)) == (
        200,
        "",
        "HEAD came to nothing (no answer in half of the time), so GET was asked",
    )
    assert asked(site)[-2:] == ["HEAD", "GET"]


@pytest_twisted.ensureDeferred
async def test_when_neither_is_answered_the_time_is_up_for_both(site: Site) -> None:
    silent = Silent(site, lambda visitor: None)
    looking = await silent.look()
    silent.running.clock.advance(2.5)
    await advanced_until(silent.running, lambda: len(site.requests) == 2)
    silent.running.clock.advance(2.5)
    look = await looking
    assert gist(look) == (0, "timeout", "timed out after 5 s while waiting for the answer to HEAD and GET")


@pytest_twisted.ensureDeferred
async def test_a_status_that_get_was_answered_with_stands_when_head_is_never_answered(site: Site) -> None:
    """It is proof of how the site answers, and no timeout, which is the weakest sign of all."""
    silent = Silent(site, answer(404))
    looking = await silent.look()
    silent.running.clock.advance(2.5)
    await advanced_until(silent.running, lambda: len(site.requests) == 2 and len(site.open) == 1)
    silent.running.clock.advance(2.5)
    assert gist(await looking) == (404, "status", "404 Not Found to GET")


@pytest.mark.parametrize(
    ("head", "get", "found"),
    [
        (answer(403), answer(404), (404, "status", "404 Not Found to GET, 403 to HEAD")),
        (answer(503), answer(503), (503, "status", "503 Service Unavailable to HEAD and GET")),
        (answer(503), Visitor.close, (503, "status", "503 Service Unavailable to HEAD")),
        (answer(405), Visitor.close, (405, "connect", "connection closed without an answer")),
        (Visitor.close, answer(502), (502, "status", "502 Bad Gateway to GET")),
        (Visitor.close, Visitor.close, (0, "connect", "connection closed without an answer")),
        (Visitor.close, b"what?", (0, "protocol", "the answer is not HTTP")),
        (answer(404), to("http://127.0.0.1:1/"), (302, "connect", "connection refused")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_site_is_down_when_get_says_so_too(
    site: Site, head: Any, get: Any, found: tuple[int, str, str]
) -> None:
    site.pages = {"HEAD /": head, "GET /": get}
    code, fault, detail = gist(await seen(site))
    assert (code, fault, detail.partition(", at ")[0]) == found
    assert asked(site) == ["HEAD", "GET"]


@pytest.mark.parametrize(("head", "known"), [(answer(403), True), (answer(501), False), (Visitor.close, False)])
@pytest_twisted.ensureDeferred
async def test_a_status_stands_when_get_is_never_answered(site: Site, head: Any, known: bool) -> None:
    """But for one that only says that HEAD is not known there."""
    running, gets = Timers(), list[Visitor]()
    site.pages = {"HEAD /": head, "GET /": gets.append}
    looking = prober(running=running).look(f"http://127.0.0.1:{await site.listen()}/", 5.0)
    await advanced_until(running, gets)
    running.clock.advance(5.0)
    look = await looking
    assert look.fault == ("status" if known else "timeout")
    assert (look.detail == "403 Forbidden to HEAD") is known


@pytest_twisted.ensureDeferred
async def test_a_site_may_want_get_alone_or_head_alone(site: Site) -> None:
    site.pages = {"HEAD /": answer(500), "GET /": OK}
    assert gist(await seen(site, methods=("GET",))) == (200, "", "GET was asked")
    assert gist(await seen(site, methods=("HEAD",))) == (500, "status", "500 Internal Server Error to HEAD")
    site.pages["GET /"] = answer(404)
    assert gist(await seen(site, methods=("GET",))) == (404, "status", "404 Not Found to GET")
    assert asked(site) == ["GET", "HEAD", "GET"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_asked_twice_that_failed_before_it_was_asked(site: Site) -> None:
    """Nobody listens, nobody speaks TLS: GET would fare no better."""
    greeted: list[Visitor] = []

    def greet(visitor: Visitor) -> None:
        greeted.append(visitor)
        visitor.close()

    site.greet = greet
    assert (await prober().look(f"https://127.0.0.1:{await site.listen()}/", 5.0)).fault == "tls"
    assert len(greeted) == 1


@pytest_twisted.ensureDeferred
async def test_one_look_needs_one_place_for_both(site: Site) -> None:
    """A server that refuses HEAD is not asked by more at a time than one that does not."""
    site.pages = {"HEAD /": answer(403), "GET /": OK}
    looker, port = prober(per_address=1, max_in_flight=1), await site.listen()
    looking = [looker.look(f"http://127.0.0.1:{port}/", 5.0) for _ in range(3)]
    assert [(await each).fault for each in looking] == ["", "", ""]
    assert asked(site) == ["HEAD", "GET"] * 3
    assert looker.flight.empty
    assert looker.targets.empty


# --- cookies and redirects ----------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_redirect_to_itself_that_a_cookie_ends_is_followed(site: Site) -> None:
    def once(visitor: Visitor) -> None:
        came = b"\r\nCookie: seen=yes\r\n" in site.requests[-1]
        visitor.write(OK if came else answer(302, "Location: /", "Set-Cookie: seen=yes; Path=/; HttpOnly"))

    site.reply = once
    assert gist(await seen(site)) == (200, "", "")
    assert asked(site) == ["HEAD", "HEAD"]
    await seen(site)
    assert len(site.requests) == 4, "each look begins without cookies"


@pytest_twisted.ensureDeferred
async def test_cookies_stay_with_their_host_and_are_sent_with_get_too(site: Site) -> None:
    port, hosts = await site.listen(), {name: ["127.0.0.1"] for name in ("a.example", "b.example")}
    site.pages = {
        "/": answer(302, f"Location: http://b.example:{port}/b", "Set-Cookie: secret=1"),
        "/b": answer(302, f"Location: http://a.example:{port}/a"),
        "HEAD /a": answer(403),
        "GET /a": OK,
    }
    assert (await prober(hosts=hosts).look(f"http://a.example:{port}/", 5.0)).good
    sent = [(request.split(b" ")[1], b"secret=1" in request) for request in site.requests]
    assert sent == [(b"/", False), (b"/b", False), (b"/a", True), (b"/a", True)]
