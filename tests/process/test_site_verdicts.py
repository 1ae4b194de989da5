"""What is a verdict: daemon and verifiers disagree, are in trouble themselves, or the way between them is bad.

The verifiers here are the test's own, so that they can say of each site what the test wants; at the end of this file
there are some that are processes.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from pingmon.sites.own_health import FRESH_S
from pingmon.wire.message.signatures import MISMATCH, STALE
from tests.process.daemons import Running, Starter, until
from tests.process.site_servers import (
    SEES_DOWN,
    SEES_UP,
    UP,
    Behaviour,
    FakeVerifier,
    Saying,
    Site,
    by_another_secret,
    in_turn,
    minutes_off,
    refuses,
    replayed,
    says_late,
    says_nothing,
    sees,
    silent,
    status,
)
from tests.process.site_stage import SiteStage, housed, started

pytestmark = pytest.mark.process

DOWN = status(503)
NODES = ("fra", "ams", "sgp")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts processes that end with this module."""
    with started(tmp_path_factory.mktemp("processes")) as start:
        yield start


@pytest.fixture(scope="module")
def verifiers() -> list[FakeVerifier]:
    """Three that say of each site what they are told to."""
    return [FakeVerifier(name) for name in NODES]


@pytest.fixture(scope="module")
def house(start: Starter, verifiers: list[FakeVerifier]) -> SiteStage:
    """A daemon that asks these verifiers."""
    return housed(start, "three", *verifiers)


@dataclass
class Row:
    """What the daemon's own looks and three verifiers say of a site, and what that comes to.

    `details`: what the round shows of the verifiers by name.
    """

    name: str
    says: tuple[Saying, Saying, Saying]
    becomes: str
    own: Behaviour = DOWN
    details: dict[str, str] = field(default_factory=dict)


VERDICTS = [
    Row("down: the daemon and a quorum, at the second round", (SEES_DOWN, SEES_DOWN, SEES_UP), "down"),
    Row("down: all agree", (SEES_DOWN, SEES_DOWN, SEES_DOWN), "down"),
    Row("down: a quorum, and one does not answer", (SEES_DOWN, says_nothing, SEES_DOWN), "down"),
    Row("down: each sees another failure", (sees(0, "timeout"), sees(504, "status"), sees(302, "redirect")), "down"),
    Row("down: one can look, and agrees", (SEES_DOWN, says_nothing, says_nothing), "down"),
    Row("down: nobody can look, but the site sends a status", (says_nothing, says_nothing, says_nothing), "down"),
    Row("down: all time out, at the second round", 3 * (sees(0, "timeout"),), "down", own=silent),
    Row("false alarm by the re-probe", (SEES_DOWN, SEES_UP, SEES_UP), "up", own=in_turn(DOWN, DOWN, UP)),
    Row("false alarm by two looks here", (SEES_DOWN, SEES_DOWN, SEES_DOWN), "up", own=in_turn(DOWN, DOWN, UP)),
    Row("false alarm by most verifiers", (SEES_UP, SEES_UP, SEES_DOWN), "up"),
    Row("unknown: nobody answers", (says_nothing, says_nothing, says_nothing), "unknown", own=silent),
    Row("unknown: one answers, and sees it up", (SEES_UP, says_nothing, says_nothing), "unknown"),
    Row("unknown: they disagree", (SEES_DOWN, SEES_UP, says_nothing), "unknown"),
    Row("unknown: they could not look", 3 * (sees(0, "void"),), "unknown", own=silent),
]
"""The table of verdicts, by name."""


def faulty(name: str, up: Saying, down: Saying, detail: str) -> list[Row]:
    """A fault of one verifier: it does not count when it would hinder a verdict, nor when it would make one."""
    return [
        Row(f"{name}, while two say down", (SEES_DOWN, SEES_DOWN, up), "down", details={"sgp": detail}),
        Row(f"{name}, while two disagree", (SEES_DOWN, SEES_UP, down), "unknown", details={"sgp": detail}),
    ]


FAULTS = [
    *faulty("dead", says_nothing, says_nothing, "the connection was closed without an answer"),
    Row(
        "slow, while two say down",
        (SEES_DOWN, SEES_DOWN, says_late(9, SEES_UP)),
        "down",
        details={"sgp": "no"},  # answer within 7 s, or waited for, if it was seen to be in trouble
    ),
    Row(
        "slow, while two disagree",
        (SEES_DOWN, SEES_UP, says_late(9, SEES_DOWN)),
        "unknown",
        details={"sgp": "no answer within 7 s"},
    ),
    *faulty(
        "of another secret",
        by_another_secret(200, "ok"),
        by_another_secret(503, "status"),
        f"the answer is not to be trusted: {MISMATCH}",
    ),
    *faulty("replayed", replayed(200, "ok"), replayed(503, "status"), "answered another question"),
    *faulty(
        "of a clock that is slow",
        minutes_off(6, 200, "ok"),
        minutes_off(6, 503, "status"),
        f"the answer is not to be trusted: {STALE}",
    ),
    *faulty(
        "of a clock that is fast",
        minutes_off(-6, 200, "ok"),
        minutes_off(-6, 503, "status"),
        f"the answer is not to be trusted: {STALE}",
    ),
    *faulty("that finds our clock wrong", refuses(401, STALE), refuses(401, STALE), f"refused us: {STALE}"),
    *faulty("overloaded", refuses(503, "later"), refuses(503, "later"), "is overloaded"),
    *faulty("broken", refuses(500, "what?"), refuses(500, "what?"), "answered with status 500"),
    *faulty(
        "that is up and has no code", sees(500, "ok"), sees(500, "ok"), "the answer cannot be read: class: ok, but"
    ),
    *faulty("that fails with a good code", sees(200, "status"), sees(200, "dns"), "the answer cannot be read: class: "),
    Row("that lies that it is up, alone", (SEES_DOWN, SEES_DOWN, SEES_UP), "down", details={"sgp": ""}),
    Row("that lies that it is down, alone", (SEES_UP, SEES_UP, SEES_DOWN), "up", details={"sgp": "saw 503"}),
    Row("that lies that it is down, while the site is well", (SEES_UP, SEES_UP, SEES_DOWN), "up", own=UP),
]
"""What can be wrong with a verifier, and what comes of it."""


@dataclass
class Played:
    """A row's site, its server, and its partner's slug."""

    site: str
    server: Site
    slug: str


@pytest.fixture(scope="module")
def played(alone: Alone, house: SiteStage, verifiers: list[FakeVerifier]) -> dict[str, Played]:
    """All rows at the same time, each with a site and a partner of its own."""
    rows = {}
    for number, row in enumerate([*VERDICTS, *FAULTS]):
        server, slug = Site(row.own), f"partner-{number}"
        for verifier, saying in zip(verifiers, row.says, strict=True):
            verifier.says[server.url] = saying
        house.partner(slug)
        rows[row.name] = Played(house.site(server.url, host=slug), server, slug)
    return rows


@pytest.mark.parametrize("row", [*VERDICTS, *FAULTS], ids=[row.name for row in (*VERDICTS, *FAULTS)])
def test_the_verdict(house: SiteStage, played: dict[str, Played], row: Row) -> None:
    """Partner and users hear of a verdict that it is down and of nothing else; the round shows who did not count."""
    seen = played[row.name]
    way = ["new", "up"] if row.own is UP else ["new", "suspect", row.becomes]
    until(lambda: house.flips(seen.site)[: len(way)] == way, f"{' → '.join(way)}")
    if row.becomes == "down":
        assert [json.loads(message.body)["event"] for message in house.users_hear(seen.site)] == ["site.down"]
        assert len(house.asked(seen.slug)) == 1
    else:
        assert house.asked(seen.slug) == []
        assert house.told(seen.site) == []
    if row.own is not UP:
        decided = house.rounds(seen.site)[-2]
        looks = {look["node"]: look for look in decided["looks"]}
        assert (decided["asked"], decided["quorum"], list(looks)) == (3, 2, ["", *NODES])
        for node, detail in row.details.items():
            assert looks[node]["detail"].startswith(detail)
            assert (looks[node]["class"] == "void") == (detail not in ("", "saw 503"))


def test_the_code_that_is_told_is_the_highest_of_those_who_failed(house: SiteStage, played: dict[str, Played]) -> None:
    """A 200 that one verifier saw does not belong into the news of an outage."""
    rows = ("down: the daemon and a quorum, at the second round", "down: each sees another failure")
    asked = [house.partner_hears(played[row].slug)[0] for row in rows]
    assert [json.loads(question.body)["code"] for question in asked] == [503, 504]


def test_what_was_unknown_is_looked_at_again_until_there_is_a_verdict(
    house: SiteStage, verifiers: list[FakeVerifier]
) -> None:
    """One site turns out to be down, which is told then; the other to be up, which nobody needs to hear."""
    servers = [Site(silent), Site(silent)]
    sites = []
    for server in servers:
        for verifier in verifiers:
            verifier.says[server.url] = says_nothing
        sites.append(house.site(server.url))
    for site in sites:
        house.becomes(site, "unknown")
    for verifier, server in ((verifier, server) for verifier in verifiers for server in servers):
        verifier.says[server.url] = SEES_DOWN if server is servers[0] else SEES_UP
    servers[1].heal()
    house.becomes(sites[0], "down")
    assert not house.becomes(sites[1], "up")["told"]
    house.users_hear(sites[0])
    until(lambda: house.shown(sites[0])["told"], "the delivery to be noted")
    assert house.flips(sites[0]) == ["new", "suspect", "unknown", "down"]
    assert house.flips(sites[1]) == ["new", "suspect", "unknown", "up"]
    assert house.told(sites[1]) == []


def test_recovery_needs_a_verifier(house: SiteStage, verifiers: list[FakeVerifier]) -> None:
    """However often the daemon itself sees the site well."""
    server = Site(DOWN)
    for verifier in verifiers:
        verifier.says[server.url] = SEES_DOWN
    site = house.site(server.url)
    house.becomes(site, "down")
    house.users_hear(site)
    server.heal()
    for _ in range(2):
        assert house.probe(site)["status"] == "down"
    verifiers[2].says[server.url] = SEES_UP
    assert house.probe(site)["status"] == "up"
    house.users_hear(site, 2)
    assert [json.loads(message.body)["event"] for message in house.told(site)] == ["site.down", "site.up"]


# --- without verifiers --------------------------------------------------------------------------------------------


@dataclass
class Alone:
    """A daemon without verifiers, and two sites that fail: one always, one twice."""

    house: SiteStage
    server: Site
    down: str
    well: str


@pytest.fixture(scope="module")
def alone(start: Starter) -> Alone:
    """As the first thing that happens in this module: it takes half a minute."""
    house, server = housed(start, "alone"), Site(DOWN)
    house.partner("alone")
    urls = server.url, Site(in_turn(DOWN, DOWN, DOWN, DOWN, UP)).url
    return Alone(house, server, *(house.site(url, host="alone") for url in urls))


def test_without_verifiers_three_failures_ten_seconds_apart_are_a_verdict(alone: Alone) -> None:
    """And two successes end it; a site that fails but twice was never down."""
    house = alone.house
    house.becomes(alone.down, "down")
    rounds = house.rounds(alone.down)[::-1]
    times = [datetime.fromisoformat(each["at"]) for each in rounds]
    assert [(later - times[0]).total_seconds() for later in times[:3]] == pytest.approx([0, 10, 20], abs=2)
    assert house.flips(alone.down) == ["new", "suspect", "down"]
    assert {each["asked"] for each in rounds} == {0}
    house.users_hear(alone.down)
    house.becomes(alone.well, "up")
    assert house.flips(alone.well) == ["new", "suspect", "up"]
    assert house.told(alone.well) == []
    alone.server.heal()
    assert house.probe(alone.down)["status"] == "down"
    assert house.probe(alone.down)["status"] == "up"
    house.users_hear(alone.down, 2)
    assert [json.loads(question.body)["code"] for question in house.asked("alone")] == [503, 200]


# --- the daemon's own health --------------------------------------------------------------------------------------


def problems(daemon: Running) -> str:
    """What the daemon says is wrong with it."""
    answer = daemon.api("GET", "status/")
    return "" if answer.status == 200 else str(answer.json["problems"])


def test_while_canaries_fail_no_site_does(start: Starter) -> None:
    """A cable that is pulled at the daemon is no outage of the world; the operator is told, and nobody else."""
    verifiers, canary, server = [FakeVerifier(name) for name in NODES], Site(), Site()
    house = housed(start, "canaries", *verifiers, sites=f'canaries = ["{canary.url}/"]\n')
    for verifier in verifiers:
        verifier.says[server.url] = SEES_DOWN
    site = house.site(server.url)
    house.becomes(site, "up")
    until(lambda: canary.asked, "the canary to be looked at once")
    looked = time.monotonic()
    canary.refuse()
    until(lambda: time.monotonic() > looked + FRESH_S, "that look to be old")
    server.refuse()
    shown = house.probe(site)
    assert (shown["status"], shown["last_class"]) == ("up", "void")
    assert house.flips(site) == ["new", "up"]
    assert "canaries fail" in problems(house.daemon)
    canary.heal()
    until(lambda: house.probe(site)["status"] == "down", "its looks to be believed again")
    house.users_hear(site)
    assert problems(house.daemon) == ""
    assert house.daemon.log.read_text().count("probes from here count for nothing") == 1


def test_when_most_sites_fail_only_here_the_daemon_does_not_believe_itself(start: Starter) -> None:
    """Verifiers see them up; no site is called down, and the operator is told once."""
    verifiers, servers = [FakeVerifier(name) for name in NODES], [Site() for _ in range(12)]
    house = housed(start, "breaker", *verifiers)
    sites = [house.site(server.url) for server in servers]
    for site in sites:
        house.becomes(site, "up")
    for server in servers:
        server.fail(500)
    for site in sites:
        house.probe(site)
    assert {house.shown(site)["status"] for site in sites} == {"up"}
    until(lambda: problems(house.daemon), "the operator to be told")
    assert "fail only here, and are up for the verifiers" in problems(house.daemon)
    shown = house.probe(sites[0])
    assert (shown["status"], shown["last_class"]) == ("up", "void")
    assert house.users.got == []
    assert house.daemon.log.read_text().count("probes from here count for nothing") == 1


# --- verifiers that are processes ---------------------------------------------------------------------------------


def test_verifiers_that_died_hang_or_have_another_secret_neither_help_nor_hinder(start: Starter) -> None:
    """Two that are well are enough; the round shows what is wrong with the others."""
    good, also, died, hangs, stranger = start.verifiers("good", "also", "died", "hangs", "stranger")
    stranger.secret = good.secret
    house = housed(start, "five", good, also, died, hangs, stranger)
    died.process.kill()
    os.kill(hangs.process.pid, signal.SIGSTOP)
    site = house.site(Site(DOWN).url, timeout=1)
    house.becomes(site, "down")
    looks = {look["node"]: (look["class"], look["detail"]) for look in house.rounds(site)[0]["looks"]}
    seen = "status", "503 Service Unavailable to HEAD and GET"
    assert looks == {
        "": seen,
        "good": seen,
        "also": seen,
        "died": ("void", "connection refused"),
        "hangs": ("void", "no answer within 6 s"),
        "stranger": ("void", f"refused us: {MISMATCH}"),
    }
    house.users_hear(site)
