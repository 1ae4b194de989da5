"""Partners over the API, for the operator alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pingmon.api.partners import MAX_PARTNERS
from pingmon.core.partner.partner import PartnerSpec
from pingmon.core.world.events import PartnerCreated, PartnerDeleted
from pingmon.testing import uuid
from tests.api.stage import PARTNERS, ApiStage
from tests.door.stage import UNKNOWN

RULE = {"kind": "cname", "value": "hosty.example"}


def test_a_slug_makes_a_partner() -> None:
    """Its secret is made and shown in this answer, and never again."""
    house = ApiStage()
    made = house.post(PARTNERS, {"slug": "hosty", "webhook": "https://hooks.example/"}, house.operator)
    assert made.status == 201
    shown = made.json
    secret = shown.pop("secret")
    assert re.fullmatch("whsec_[A-Za-z0-9+/]{32}", secret)
    assert house.world.partners[shown["uuid"]].spec.secret == secret
    assert (shown["slug"], shown["scope"], shown["max_suppression"]) == ("hosty", "site", 86_400)
    assert house.get(PARTNERS + shown["uuid"], house.operator).json == shown
    assert house.get(PARTNERS, house.operator).json == {"partners": [shown]}


def test_a_partner_may_bring_its_secret_or_have_none() -> None:
    """What is given is taken."""
    house = ApiStage()
    given = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
    for slug, secret in (("a", given), ("b", "")):
        made = house.post(PARTNERS, {"slug": slug, "secret": secret}, house.operator).json
        assert made["secret"] == secret


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "slug is missing"),
        ({"slug": "auto"}, "slug is reserved"),
        ({"slug": "taken"}, "slug is taken"),
        ({"slug": "x", "scope": "world"}, "scope has unexpected value"),
        ({"slug": "x", "rules": [RULE]}, "rules: cname hosty.example belongs to taken"),
    ],
)
def test_what_cannot_be_a_partner_is_told(body: dict[str, Any], text: str) -> None:
    """And none is made."""
    house = ApiStage()
    house.new_partner("taken", rules=[RULE])
    reply = house.post(PARTNERS, body, house.operator)
    assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert len(house.world.partners) == 1


def test_a_change_sets_what_is_sent() -> None:
    """The slug stays; what changes nothing does not trouble the log."""
    house = ApiStage()
    id = house.new_partner("hosty", rules=[RULE])
    seq = house.world.seq
    assert house.post(PARTNERS + id, {"slug": "hosty"}, house.operator).status == 200
    assert house.world.seq == seq
    changed = house.post(PARTNERS + id, {"name": "Hosty Inc.", "secret": ""}, house.operator).json
    assert (changed["name"], changed["rules"]) == ("Hosty Inc.", [RULE])
    assert "secret" not in changed
    refused = house.post(PARTNERS + id, {"slug": "other"}, house.operator)
    assert refused.error == "json validation error: slug cannot be changed"


def test_a_deleted_partner_is_shown_once_more() -> None:
    """And then there is none, and its slug is free."""
    house = ApiStage()
    id = house.new_partner("hosty")
    assert house.delete(PARTNERS + id, house.operator).json["uuid"] == id
    for method in ("GET", "POST", "DELETE"):
        assert house.ask(method, PARTNERS + id, key=house.operator).error == "not found"
    assert house.get(PARTNERS + UNKNOWN, house.operator).status == 404
    house.new_partner("hosty")


def test_there_are_so_many_partners() -> None:
    """When there are as many as there may be, no more are made."""
    house = ApiStage()
    for number in range(MAX_PARTNERS):
        house.submit(uuid(number), PartnerCreated(PartnerSpec(slug=f"p{number}")))
    reply = house.post(PARTNERS, {"slug": "more"}, house.operator)
    assert (reply.status, reply.error) == (403, "too many partners: there may be 1000")


# --- keys ---------------------------------------------------------------------------------------------------------


def test_projects_keys_are_wrong_here() -> None:
    """Partners are the operator's."""
    house = ApiStage()
    id = house.new_partner()
    for key in (house.rw, house.ro):
        asked = [house.get(PARTNERS, key), house.post(PARTNERS, {"slug": "x"}, key)]
        asked += [house.get(PARTNERS + id, key), house.post(PARTNERS + id, {}, key), house.delete(PARTNERS + id, key)]
        assert [(reply.status, reply.error) for reply in asked] == [(401, "wrong api key")] * 5
    assert house.ask("GET", PARTNERS).error == "missing api key"


def test_the_operators_key_is_wrong_elsewhere() -> None:
    """It has no project."""
    house = ApiStage()
    site = house.new_site()
    for path in ("checks/", "channels/", "sites/", f"sites/{site}", f"sites/{site}/uptime/"):
        assert house.get(f"/api/v3/{path}", house.operator).error == "wrong api key"


# --- races --------------------------------------------------------------------------------------------------------


def post_late(house: ApiStage, path: str, body: dict[str, Any], stream: str, winner: Any) -> tuple[int, dict[str, Any]]:
    """The answer to a POST that was judged before `winner` was logged, and logged after it."""
    house.journal.at_once = False
    house.monitor.submit(stream, winner)
    replies: list[Any] = []
    asked = house.treq.post(
        f"http://pingmon.example{path}", headers={"X-Api-Key": house.operator}, data=json.dumps(body).encode()
    )
    asked.addCallback(replies.append)
    house.treq.flush()
    house.journal.flush()
    house.treq.flush()
    raw: list[bytes] = []
    house.treq.content(replies[0]).addCallback(raw.append)
    return replies[0].code, json.loads(raw[0])


def test_of_two_partners_with_one_slug_the_first_in_the_log_is_made() -> None:
    """The other one is told that the slug is taken."""
    house = ApiStage()
    first = PartnerCreated(PartnerSpec(slug="hosty"))
    assert post_late(house, PARTNERS, {"slug": "hosty"}, uuid(1), first) == (
        400,
        {"error": "json validation error: slug is taken"},
    )


def test_a_partner_that_goes_meanwhile_is_gone() -> None:
    """The order of the log decides."""
    house = ApiStage()
    id = house.new_partner()
    assert post_late(house, PARTNERS + id, {"name": "x"}, id, PartnerDeleted())[0] == 404
