"""What a daemon and three verifiers see of sites of all kinds: one daemon, three verifiers, real servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.process.daemons import free_port
from tests.process.site_servers import (
    UP,
    Behaviour,
    Certificates,
    Site,
    Visit,
    clinging,
    flood,
    garbage,
    hang_up,
    moved,
    only_get,
    silent,
    slow,
    status,
    to,
)
from tests.process.site_stage import SiteStage, housed, started

pytestmark = pytest.mark.process

PRIVATE = "http://10.0.0.1/"
"""What the configuration does not allow; nothing is ever sent there."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that the daemon and the verifiers of this module trust."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[SiteStage]:
    """A daemon, three verifiers, a receiver for users and one for partners."""
    with started(tmp_path_factory.mktemp("house")) as start:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSL_CERT_FILE", str(certificates.roots))
            made = housed(start, "data", *start.verifiers("fra", "ams", "sgp"))
        yield made


@dataclass
class Case:
    """A kind of site, and what is seen of it: class and code."""

    name: str
    seen: tuple[str, int]
    behaviour: Behaviour = UP
    tls: tuple[str, ...] | None = None
    days: int = 10
    self_signed: bool = False
    url: Callable[[Site], str] = field(default=lambda site: site.url)

    def server(self, certificates: Certificates) -> Site:
        if self.tls is None:
            return Site(self.behaviour)
        return Site(self.behaviour, certificates.context(*self.tls, days=self.days, self_signed=self.self_signed))


def by_name(site: Site) -> str:
    return site.url.replace("127.0.0.1", "localhost")


CASES = [
    Case("up", ("ok", 200)),
    Case("500", ("status", 500), status(500)),
    Case("403", ("status", 403), status(403)),
    Case("slow, but in time", ("ok", 200), slow(0.5)),
    Case("slower than its time limit", ("timeout", 0), slow(5)),
    Case("never answers", ("timeout", 0), silent),
    Case("HEAD is answered with 405 and GET with 200", ("ok", 200), only_get),
    Case("HEAD and GET are answered with 405", ("status", 405), status(405)),
    Case("TLS with the right address", ("ok", 200), tls=("127.0.0.1",)),
    Case("TLS with the right name", ("ok", 200), tls=("localhost",), url=by_name),
    Case("TLS with the name of another", ("tls", 0), tls=("other.example",)),
    Case("TLS with an expired certificate", ("tls", 0), tls=("127.0.0.1",), days=-1),
    Case("TLS with a certificate signed by itself", ("tls", 0), tls=("127.0.0.1",), self_signed=True),
    Case("no TLS where it should be", ("tls", 0), url=lambda site: site.url.replace("http:", "https:")),
    Case("redirects in a circle", ("redirect", 302), to("/")),
    Case("redirects to where it is up", ("ok", 200), moved),
    Case("redirects to a private address", ("redirect", 302), to(PRIVATE)),
    Case("headers without end", ("protocol", 0), flood),
    Case("keeps the connection open", ("ok", 200), clinging),
    Case("closes at once", ("connect", 0), hang_up),
    Case("speaks something else than HTTP", ("protocol", 0), garbage),
    Case("refuses connections", ("connect", 0), url=lambda site: f"http://127.0.0.1:{free_port()}"),
]


@pytest.fixture(scope="module")
def watched(house: SiteStage, certificates: Certificates) -> dict[str, str]:
    """The ids of sites of all kinds; all are looked at at the same time."""
    return {case.name: house.site(case.url(case.server(certificates))) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_is_seen_of_a_site_by_all_who_look(house: SiteStage, watched: dict[str, str], case: Case) -> None:
    """Good sites are up; bad ones down with a code that partners understand, and the class that operators ask for."""
    site = watched[case.name]
    shown = house.becomes(site, "up" if case.seen[0] == "ok" else "down")
    assert (shown["last_class"], shown["last_code"]) == case.seen
    if shown["status"] == "up":
        assert house.flips(site) == ["new", "up"]
        assert house.told(site) == []
        return
    assert house.flips(site) == ["new", "suspect", "down"]
    decided = house.rounds(site)[0]
    assert {(look["class"], look["code"]) for look in decided["looks"]} == {case.seen}
    assert [look["node"] for look in decided["looks"]] == ["", "fra", "ams", "sgp"]
    message = json.loads(house.users_hear(site)[0].body)
    assert (message["event"], message["flip"]["code"]) == ("site.down", case.seen[1])


def test_an_address_that_may_not_be_looked_at_is_refused_and_the_reason_names_the_key(house: SiteStage) -> None:
    """Whoever watches sites in his own network has to know how to allow it."""
    answer = house.daemon.api("POST", "sites/", {"url": PRIVATE})
    assert answer.status == 400
    assert 'address 10.0.0.1 is private; allow it with [outgoing] allow = ["10.0.0.1/32"]' in answer.json["error"]


def test_a_server_that_does_not_like_head_is_up_for_all_and_may_be_asked_with_get(house: SiteStage) -> None:
    """The verifiers are asked too, and ask with GET where the site wants that."""

    def only_get(visit: Visit) -> None:
        if visit.method == "GET":
            UP(visit)

    server = Site(only_get)
    site = house.site(server.url)
    assert house.becomes(site, "up")["last_detail"].startswith("HEAD came to nothing (connection closed")
    assert house.flips(site) == ["new", "up"]
    assert server.asked == ["HEAD", "GET"]
    failing = Site(status(500))
    other = house.site(failing.url, method="GET")
    assert house.becomes(other, "down")["last_detail"] == "500 Internal Server Error to GET"
    assert {look["detail"] for look in house.rounds(other)[0]["looks"]} == {"500 Internal Server Error to GET"}
    assert set(failing.asked) == {"GET"}


def test_a_redirect_to_itself_that_a_cookie_ends_is_up(house: SiteStage) -> None:
    """As consent and login pages do it."""
    server = Site()

    def once(visit: Visit) -> None:
        first = visit.number % 2
        (status(302, "Location: /", "Set-Cookie: seen=1; Path=/") if first else UP)(visit)

    server.behaviour = once
    assert house.becomes(house.site(server.url), "up")["last_code"] == 200
