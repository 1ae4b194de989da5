"""Badges over HTTP."""

from __future__ import annotations

import json

from pingmon.core.world.events import CheckDeleted
from pingmon.testing import PING_KEY, PROJECT
from pingmon.web.badges import COUNTS_MAX, PAUSE_S, SLICE
from pingmon.wire.badges import ALL, check_badge_url, project_badge_urls
from tests.door.stage import CHECK, DoorStage, Reply


def shown(reply: Reply) -> dict[str, object]:
    assert reply.status == 200
    told: dict[str, object] = json.loads(reply.body)
    return told


def test_a_check() -> None:
    """Its badge is a picture with its name, follows its state, and is kept by nobody."""
    with DoorStage() as house:
        url = check_badge_url("", CHECK)
        picture = house.ask(url)
        assert (picture.status, picture.headers["Content-Type"]) == (200, "image/svg+xml")
        assert picture.headers["Cache-Control"] == "no-store"
        assert picture.headers["Access-Control-Allow-Origin"] == "*"
        assert b"Backup: up" in picture.body
        house.ask(f"/ping/{CHECK}/fail")
        assert shown(house.ask(url.replace("svg", "json"))) == {"status": "down", "total": 1, "grace": 0, "down": 1}


def test_checks_that_come_and_go() -> None:
    """Also after the first badge was asked for. One without a name shows no id: who knows that can ping."""
    with DoorStage() as house:
        assert house.ask(check_badge_url("", CHECK)).status == 200
        late = house.check(9, name="", slug="")
        reply = house.ask(check_badge_url("", late).replace("svg", "shields"))
        assert shown(reply)["label"] == "check"
        house.submit(late, CheckDeleted())
        assert house.ask(check_badge_url("", late)).status == 404


def test_a_check_that_a_first_ping_has_made() -> None:
    """It has its badge at once, also after the first badge was asked for, and loses it when it is deleted."""
    with DoorStage() as house:
        assert house.ask(check_badge_url("", CHECK)).status == 200
        assert house.ask(f"/ping/{PING_KEY}/new-job?create=1").status == 201
        made = next(id for id, check in house.world.checks.items() if check.spec.slug == "new-job")
        assert b"new-job: up" in house.ask(check_badge_url("", made)).body
        house.submit(made, CheckDeleted())
        assert house.ask(check_badge_url("", made)).status == 404


def test_tags_and_all() -> None:
    """Those with a tag, or all; counted anew after a second."""
    with DoorStage() as house:
        web = house.check(9, name="web", tags="prod a/b")
        tag, everything = (project_badge_urls("", PROJECT, each)["json3"] for each in ("a/b", ALL))
        assert shown(house.ask(tag)) == {"status": "up", "total": 1, "grace": 0, "down": 0}
        house.ask(f"/ping/{web}/fail")
        assert shown(house.ask(tag))["status"] == "up"
        house.advance(1)
        assert shown(house.ask(tag))["status"] == "down"
        assert shown(house.ask(everything)) == {"status": "down", "total": 2, "grace": 0, "down": 1}
        labels = [shown(house.ask(project_badge_urls("", PROJECT, each)["shields"]))["label"] for each in ("a/b", ALL)]
        assert labels == ["a/b", house.world.projects[PROJECT].name]


def test_more_tags_than_are_remembered() -> None:
    """Whoever knows the project's addresses may ask for any tag: what is remembered of them does not grow for ever."""
    with DoorStage() as house:
        house.check(9, name="web", tags="prod")
        for number in range(COUNTS_MAX):
            house.ask(project_badge_urls("", PROJECT, str(number))["json3"])
        assert shown(house.ask(project_badge_urls("", PROJECT, "prod")["json3"]))["total"] == 1
        assert len(house.badges._counts) == 1


def test_what_nobody_has_shown() -> None:
    """A wrong key, form or signature is 404, whatever exists."""
    with DoorStage() as house:
        right, other = (project_badge_urls("", PROJECT, tag)["svg"] for tag in ("prod", "dev"))
        asked = [
            "/b/2/11111111-0000-4000-8000-000000000001.svg",
            "/b/2/------------------------------------.svg",
            check_badge_url("", CHECK).replace("svg", "png"),
            right.replace("prod", "dev"),
            other.replace("/badge/", "/badge/x"),
            "/b/",
            "/badge/",
        ]
        assert [house.ask(url).status for url in asked] == [404] * len(asked)


def test_methods() -> None:
    """A badge can be read, from any page, and no more."""
    with DoorStage() as house:
        url = check_badge_url("", CHECK)
        whole, head, preflight = (house.ask(url, method) for method in ("GET", "HEAD", "OPTIONS"))
        assert head.headers == whole.headers
        assert (head.status, head.body) == (200, b"")
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert house.ask(url, "POST").status == 405


def test_many_checks_are_counted_in_slices() -> None:
    """Between two slices others have their turn; all checks are found and counted in the end."""
    with DoorStage() as house:
        last = [house.check(100 + number) for number in range(SLICE)][-1]
        for url in (check_badge_url("", last), project_badge_urls("", PROJECT, ALL)["json"]):
            line = house.line()
            line.send(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert line.replies() == []
            house.clock.advance(PAUSE_S)
            assert line.reply().status == 200
            line.hang_up()
