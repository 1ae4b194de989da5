"""When and how often people are told, over the API: rules of checks, sites and projects, parents, acknowledgements."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.core.world.events import PingReceived, SiteProbed
from pingmon.testing import PROJECT, bad
from pingmon.wire.api.check_fields import STEPS_MAX
from tests.api.stage import CHECKS, SITES, ApiStage
from tests.door.stage import UNKNOWN

PROJECT_URL = f"/api/v3/projects/{PROJECT}"


@pytest.mark.parametrize("kind", ["check", "site"])
def test_rules_are_set_changed_and_taken_back(kind: str) -> None:
    """What is not sent stays; `null` leaves it to the project; what is read can be sent back."""
    house = ApiStage()
    boss = house.new_channel("boss")
    url = CHECKS + house.new_check() if kind == "check" else SITES + house.new_site()
    steps = [{"after": 3600, "channels": ""}, {"after": 600, "channels": "boss"}]
    shown = house.post(url, {"remind_every": 3600, "escalation": steps}).json
    assert shown["remind_every"] == 3600
    assert shown["escalation"] == [{"after": 600, "channels": boss}, {"after": 3600, "channels": ""}]
    assert house.post(url, shown).json == shown
    shown = house.post(url, {"escalation": None}).json
    assert (shown["remind_every"], shown["escalation"], shown["acknowledged"]) == (3600, None, None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"notify_after": 0}, "notify_after is too small"),
        ({"notify_after": None}, "notify_after is not a number"),
        ({"remind_every": 59}, "remind_every is too small"),
        ({"remind_every": "1h"}, "remind_every is not a number"),
        ({"escalation": "boss"}, "escalation is not an array"),
        ({"escalation": ["boss"]}, "an item in 'escalation' is not an object with after and channels"),
        ({"escalation": [{"after": 60}]}, "an item in 'escalation' is not an object with after and channels"),
        ({"escalation": [{"after": 6, "channels": ""}]}, "after in 'escalation' is too small"),
        ({"escalation": [{"after": 60, "channels": ""}] * (STEPS_MAX + 1)}, "escalation has too many items"),
        ({"parent": "x"}, "parent does not match pattern"),
        ({"parent": UNKNOWN}, "parent is no check and no site of the project"),
    ],
)
def test_what_cannot_be_a_rule_is_told(body: dict[str, Any], text: str) -> None:
    house = ApiStage()
    check = house.new_check()
    for url in (CHECKS, CHECKS + check):
        reply = house.post(url, body)
        assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert len(house.world.checks) == 1


def test_who_is_told_later_must_be_a_channel() -> None:
    house = ApiStage()
    reply = house.post(CHECKS, {"escalation": [{"after": 60, "channels": "nobody"}]})
    assert (reply.status, reply.error) == (400, "invalid channel identifier: nobody")


def test_checks_and_sites_may_depend_on_each_other_but_not_in_a_circle() -> None:
    """A parent that is gone may stay in what is sent back."""
    house = ApiStage()
    site, check = house.new_site(), house.new_check()
    assert house.post(CHECKS + check, {"parent": site.upper()}).json["parent"] == site
    for url, parent in ((SITES + site, check), (SITES + site, site), (CHECKS + check, check)):
        assert house.post(url, {"parent": parent}).error == "json validation error: parent depends on this one"
    assert house.post(SITES, {"url": "http://a.example/", "parent": UNKNOWN}).status == 400
    assert house.delete(SITES + site).status == 200
    assert house.post(CHECKS + check, {"parent": site, "grace": 120}).json["grace"] == 120


def test_a_project_has_rules_for_those_that_have_none() -> None:
    house = ApiStage()
    made = house.post("/api/v3/projects/", {"name": "Shop", "remind_every": 600}, house.operator).json
    assert (made["remind_every"], made["escalation"]) == (600, [])
    boss = house.new_channel("boss")
    steps = [{"after": 600, "channels": boss}]
    shown = house.post(PROJECT_URL, {"escalation": steps}, house.operator).json
    assert (shown["remind_every"], shown["escalation"]) == (0, steps)
    seq = house.world.seq
    house.post(PROJECT_URL, {"escalation": steps}, house.operator)
    assert house.world.seq == seq
    reply = house.post(PROJECT_URL, {"remind_every": 5}, house.operator)
    assert (reply.status, reply.error) == (400, "json validation error: remind_every is too small")


def test_rules_may_be_among_the_defaults_for_checks_that_a_first_ping_makes() -> None:
    house = ApiStage()
    defaults = {"notify_after": 2, "escalation": [{"after": 600, "channels": house.new_channel("boss")}]}
    assert house.post(PROJECT_URL, {"defaults": defaults}, house.operator).json["defaults"] == defaults


@pytest.mark.parametrize("kind", ["check", "site"])
def test_an_outage_is_acknowledged_once(kind: str) -> None:
    """409 while there is none; who was first stays."""
    house = ApiStage()
    if kind == "check":
        url = CHECKS + (id := house.new_check())
    else:
        url = SITES + (id := house.new_site())
    reply = house.post(f"{url}/ack", {"by": "ada"})
    assert (reply.status, reply.error) == (409, f"{kind} is not down")
    if kind == "check":
        house.submit(id, PingReceived("fail"))
    else:
        house.submit(id, SiteProbed((bad(),)))
        house.submit(id, SiteProbed((bad(), bad("a"), bad("b")), 2, 2))
    known = house.post(f"{url}/ack/", {"by": "ada"}).json["acknowledged"]
    assert known == {"at": "2023-11-14T22:13:20+00:00", "by": "ada"}
    assert house.post(f"{url}/ack", {"by": "bob"}).json["acknowledged"] == known
    assert house.post(f"{url}/ack", {"by": "ada"}, house.ro).status == 401
