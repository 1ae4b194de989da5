"""What Prometheus scrapes."""

from __future__ import annotations

import pytest

from pingmon.api.call import PAUSE_S, SLICE
from pingmon.testing import PROJECT
from pingmon.wire.api.project_metrics import TAGS
from tests.api.stage import OTHER_PROJECT, ApiStage
from tests.door.stage import Reply

METRICS = f"/projects/{PROJECT}/metrics/"


def scrape(house: ApiStage, path: str, *headers: str, method: str = "GET") -> Reply:
    return house.ask_door(method, path, "Host: pingmon.example", *headers)


def test_a_key_in_the_path_or_as_bearer() -> None:
    """As the reference server has it, under both of its paths, with one slash more or less."""
    house = ApiStage()
    house.new_check(name="backup")
    house.new_site(name="shop")
    bearer = f"Authorization: Bearer {house.ro}"
    first = scrape(house, METRICS + house.ro)
    assert (first.status, first.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'\nhc_check_up{name="backup"' in first.body
    assert b'\npingmon_site_up{name="shop"' in first.body
    older = f"/projects/{PROJECT}/checks/metrics/"
    asked: list[tuple[str, ...]] = [(METRICS, bearer), (METRICS[:-1], bearer), (older, bearer), (older + house.ro,)]
    for path, *headers in (*asked, (f"{METRICS}{house.ro}/",), (f"{older}{house.ro}/",)):
        assert scrape(house, path, *headers).body == first.body
    assert scrape(house, METRICS + house.ro, method="HEAD").status == 200


def test_who_is_not_let_in() -> None:
    """No key, none of ours, one that could write, and another project's; each told in JSON."""
    house = ApiStage()
    house.new_project(OTHER_PROJECT)
    asked = [
        (METRICS, 401),
        (METRICS + "x", 400),
        (METRICS + "x" * 32, 401),
        (METRICS + house.rw, 403),
        (METRICS + house.operator, 403),
        (METRICS.replace(PROJECT, OTHER_PROJECT) + house.ro, 404),
        (METRICS.replace(PROJECT, "x") + house.ro, 404),
        (f"/projects/{PROJECT}/{house.ro}", 404),
        ("/projects/", 404),
        ("/projects", 404),
        (f"{METRICS}{house.ro}/x", 404),
        (f"{METRICS}{house.ro}//", 404),
    ]
    replies = [scrape(house, path) for path, _ in asked]
    assert [reply.status for reply in replies] == [status for _, status in asked]
    assert all(reply.error for reply in replies)
    assert scrape(house, METRICS, f"Authorization: {house.ro}").status == 401


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("POST", 405)])
def test_it_can_only_be_read(method: str, status: int) -> None:
    """From any page."""
    reply = scrape(ApiStage(), METRICS, method=method)
    assert reply.status == status
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_many_checks() -> None:
    """More than one slice: all are there."""
    house = ApiStage()
    for number in range(SLICE + 1):
        house.new_check(name=f"job {number}")
    assert scrape(house, METRICS + house.ro).body.count(b"\nhc_check_up{") == SLICE + 1


def test_very_many_tags_leave_turns_to_others() -> None:
    """All of them are there in the end."""
    house = ApiStage()
    tags = " ".join(f"t{number}" for number in range(3 * TAGS + 1))
    for number in range(3):
        house.check(number, tags=tags)
    line = house.line()
    line.send(f"GET {METRICS}{house.ro} HTTP/1.1\r\nHost: pingmon.example\r\n\r\n".encode())
    turns = 0
    while not line.replies() and turns < 99:
        house.clock.advance(PAUSE_S)
        turns += 1
    assert line.reply().body.count(b"\nhc_tag_up{") == 3 * TAGS + 1
    assert turns > 3 + 4, "a turn for each check, and for each part of the tags"


# --- the daemon ---------------------------------------------------------------------------------------------------


def measure(house: ApiStage, *headers: str, host: str = "localhost:8000", path: str = "/metrics") -> int:
    return house.ask_door("GET", path, f"Host: {host}", *headers, key="").status


def test_the_daemon_for_an_operator() -> None:
    """As bearer token or as an API key, from anywhere; no other key will do, and no key is shown in the path."""
    house = ApiStage()
    far = "pingmon.example"
    assert measure(house, f"Authorization: Bearer {house.operator}", host=far) == 200
    assert measure(house, f"X-Api-Key: {house.operator}", host=far) == 200
    assert measure(house, host=far) == 401
    assert measure(house, f"X-Api-Key: {house.ro}") == 403
    assert measure(house, "X-Api-Key: x") == 401
    assert measure(house, path="/metrics/x") == 404


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_the_daemon_on_its_own_machine(host: str) -> None:
    """Who asks from there needs no key, and may end the path in a slash."""
    assert measure(ApiStage(), host=host) == measure(ApiStage(), host=host, path="/metrics/") == 200


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("X-Forwarded-For: 192.0.2.1", "localhost"),
        ("Via: 1.1 proxy", "localhost"),
        ("Origin: https://somewhere.example", "localhost"),
        ("Accept: */*", "rebound.example"),
        ("Accept: */*", "10.0.0.1"),
    ],
)
def test_others_who_come_from_this_machine(header: str, host: str) -> None:
    """A proxy asks for others, and a browser for the page that it shows: they need a key."""
    assert measure(ApiStage(), header, host=host) == 401
