"""Tests of `pingmon.probe.site_visit`: what becomes of a site whose name servers, or whose name, went astray."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import pytest_twisted
from twisted.logger import LogLevel, capturedLogs
from twisted.names import dns

from pingmon.core.site.probe_result import ProbeResult
from pingmon.probe.prober import Prober
from tests.dns.names import Names
from tests.probe.sites import OK, Site, Timers, advanced_until, answer, gist, prober, to

pytestmark = pytest.mark.usefixtures("nothing_left")


class Watched:
    """A site under a name of a name server's, and a prober whose time the test advances."""

    def __init__(self, site: Site, names: Names) -> None:
        self.names = names
        self.site = site
        self.running = Timers()
        self.looker: Prober
        self.port = 0

    async def begin(self) -> None:
        """The site is well, its address is known, and a moment later not any more."""
        self.port = await self.site.listen()
        self.names.add("h.example", "A", "127.0.0.1", 60)
        self.looker = prober(servers=[self.names.listen()], running=self.running)
        assert (await self.look()).good
        self.running.clock.advance(61)

    async def look(self, timeout_s: float = 10.0, name: str = "h.example") -> ProbeResult:
        looking = self.looker.look(f"http://{name}:{self.port}/", timeout_s)
        await advanced_until(self.running, lambda: looking.called)
        return await looking


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (dns.ESERVER, "its name servers do not answer (SERVFAIL)"),
        (dns.EREFUSED, "the name server refuses to look up this name (REFUSED)"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_outage_of_its_name_servers_is_one_of_the_site_from_its_first_moment(
    site: Site, names: Names, code: int, words: str
) -> None:
    """The last known address says whether the server is well; it does not make the site so."""
    watched = Watched(site, names)
    await watched.begin()
    names.codes["h.example"] = code
    for _ in range(2):
        look = await watched.look()
        assert gist(look) == (0, "dns", f"{words}; the server at its last known address is well")
        assert look.address == "127.0.0.1"
    site.reply = answer(503)
    detail = f"{words}; the server at its last known address fails too: 503 Service Unavailable to HEAD and GET"
    assert gist(await watched.look()) == (0, "dns", detail)
    watched.running.clock.advance(300)
    assert gist(await watched.look()) == (0, "dns", words)
    names.codes.clear()
    site.reply = OK
    assert gist(await watched.look()) == (200, "", "")


@pytest.mark.parametrize("timeout_s", [1.0, 2.0, 5.0])
@pytest_twisted.ensureDeferred
async def test_name_servers_that_fall_silent_are_found_whatever_the_time_limit(
    site: Site, names: Names, timeout_s: float
) -> None:
    """Ours answer other names, so it is the site's that do not."""
    watched = Watched(site, names)
    await watched.begin()
    names.silent = {"h.example"}
    looking = watched.looker.look(f"http://h.example:{watched.port}/", timeout_s)
    await advanced_until(watched.running, lambda: names.asked.count("A h.example") == 2)
    watched.running.clock.advance(1.0)
    heard = partial(watched.looker.resolver.sound_since, watched.running.seconds())
    await advanced_until(watched.running, heard)
    watched.running.clock.advance(timeout_s - 1.0)
    await advanced_until(watched.running, lambda: looking.called)
    assert gist(await looking) == (0, "dns", "its name servers do not answer (timed out)")


@pytest_twisted.ensureDeferred
async def test_without_name_servers_of_our_own_the_last_known_address_will_do(site: Site, names: Names) -> None:
    """That is not the site's trouble; a site that was never looked up cannot be looked at."""
    watched = Watched(site, names)
    await watched.begin()
    names.codes = {"": dns.ESERVER, "h.example": dns.ESERVER, "i.example": dns.ESERVER}
    look = await watched.look()
    assert (look.code, look.fault) == (200, "")
    assert look.detail == (
        "pingmon cannot look up names (the name servers answer nothing but errors) and went to the last known address"
    )
    look = await watched.look(name="i.example")
    assert gist(look) == (0, "void", "pingmon cannot look up names: the name servers answer nothing but errors")


@pytest.mark.parametrize(
    ("address", "word", "network"),
    [
        ("10.0.0.1", "private", "…"),
        ("127.0.0.1", "loopback", "127.0.0.0/8"),
        ("0.0.0.0", "null", "…"),
        ("169.254.169.254", "private", "…"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_name_that_turns_to_an_address_that_nobody_means_is_a_failure(
    site: Site, names: Names, address: str, word: str, network: str
) -> None:
    """Domains that are suspended or filtered lead there. Nobody is connected to, and the address is not told."""
    names.add("h.example", "A", address)
    looker = prober("192.0.2.0/24", servers=[names.listen()])
    with capturedLogs() as events:
        look = await looker.look(f"http://h.example:{await site.listen()}/", 5.0)
    words = f"pingmon does not look there: its name leads to a {word} address; allow its network with "
    assert gist(look) == (0, "dns", f'{words}[outgoing] allow = ["{network}"]')
    assert site.requests == []
    assert address not in look.detail
    assert [event["log_level"] for event in events if address in str(event)] == [LogLevel.debug]


@pytest_twisted.ensureDeferred
async def test_where_a_redirect_leads_by_a_name_is_not_told_either(site: Site, names: Names) -> None:
    names.add("inside.example", "A", "10.0.0.1")
    looker, port = prober("127.0.0.1", servers=[names.listen()]), await site.listen()
    site.pages["/"] = to("http://inside.example/x?token=1")
    look = await looker.look(f"http://127.0.0.1:{port}/", 5.0)
    assert (look.code, look.fault) == (302, "redirect")
    assert look.detail.startswith("redirected to where pingmon may not look: its name leads to a private address")
    assert look.detail.endswith(", at http://inside.example/x after a redirect")
    assert "10.0.0.1" not in look.detail


@pytest_twisted.ensureDeferred
async def test_the_hop_that_failed_is_named(site: Site, names: Names) -> None:
    port = await site.listen()
    looker: Any = prober(servers=[names.listen()], hosts={"a.example": ["127.0.0.1"]})
    site.pages["/"] = to("/b")
    site.pages["/b"] = to("http://gone.example/?session=secret")
    look = await looker.look(f"http://a.example:{port}/", 5.0)
    assert gist(look) == (302, "dns", "there is no such name, at http://gone.example/ after 2 redirects")
    site.pages["/b"] = answer(404)
    look = await looker.look(f"http://a.example:{port}/", 5.0)
    assert gist(look) == (
        404,
        "status",
        f"404 Not Found to HEAD and GET, at http://a.example:{port}/b after a redirect",
    )
