"""The API where only the daemon's owner can get: who shows no key is the operator there, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from treq.testing import StubTreq
from twisted.web.resource import Resource

from pingmon.api.api import OWNER, Api, ApiSettings
from pingmon.testing import PROJECT, uuid
from pingmon.wire.api.status import Problem
from tests.api.stage import ApiStage


@pytest.fixture
def house() -> ApiStage:
    """A house whose client comes in by the owner's way."""
    house = ApiStage()
    owners = Api(
        house.monitor,
        house.journal,
        ApiSettings(),
        health=lambda: [Problem("it rains", "take an umbrella")],
        clock=house.clock,
        random_bytes=house.random_bytes,
        keyless=True,
    )
    root = Resource()
    root.putChild(b"api", owners.resource())
    house.treq = StubTreq(root)
    return house


def test_who_shows_no_key_is_the_operator(house: ApiStage) -> None:
    """For what is the operator's; all else is in a project, and none was said."""
    assert house.ask("GET", "/api/v3/projects/").status == 200
    assert house.ask("POST", "/api/v3/keys/", b"{}").status == 201
    for method, path in (("GET", "checks/"), ("POST", "checks/"), ("GET", "sites/")):
        reply = house.ask(method, f"/api/v3/{path}")
        assert (reply.status, reply.error) == (401, "missing api key")


def test_the_owner_names_a_project_for_what_is_in_one(house: ApiStage) -> None:
    """And may do there what its keys may; in no other, and not without a name."""
    named = {"X-Project": PROJECT}
    for method, path, status in (("GET", "checks/", 200), ("POST", "checks/", 201), ("GET", "projects/", 200)):
        assert house.ask(method, f"/api/v3/{path}", headers=named).status == status
    assert [check.project for check in house.world.checks.values()] == [PROJECT]
    assert house.ask("GET", "/api/v3/checks/", headers={"X-Project": PROJECT.upper()}).status == 200
    for name in ("", "My project", uuid(77)):
        assert house.ask("GET", "/api/v3/checks/", headers={"X-Project": name}).error == "not found"
    assert house.ask("GET", "/api/v3/checks/", headers=named, key="x" * 32).error == "wrong api key"


def test_where_there_are_keys_naming_a_project_is_nothing() -> None:
    """Whoever is not the owner needs its key."""
    assert ApiStage().ask("GET", "/api/v3/checks/", headers={"X-Project": PROJECT}).error == "missing api key"


def test_a_key_that_is_shown_counts(house: ApiStage) -> None:
    """A project's stays a project's, and a wrong one is wrong."""
    assert house.get("/api/v3/checks/").status == 200
    assert house.get("/api/v3/projects/").error == "wrong api key"
    assert house.get("/api/v3/projects/", "hco_" + "x" * 28).error == "wrong api key"
    assert house.ask("POST", "/api/v3/keys/", b'{"api_key": ""}').error == "missing api key"


def test_nobody_can_show_what_stands_for_no_key(house: ApiStage) -> None:
    """It is not among the keys, and cannot be revoked."""
    assert OWNER.id not in house.world.keys
    assert house.ask("DELETE", f"/api/v3/keys/{OWNER.id}").error == "not found"
    listed: Any = house.ask("GET", "/api/v3/keys/").json
    assert OWNER.id not in [key["uuid"] for key in listed["keys"]]


def test_the_owner_sees_why_something_is_wrong(house: ApiStage) -> None:
    """As everybody does who shows a key."""
    (problem,) = house.ask("GET", "/api/v3/status/").json["problems"]
    assert problem == {"text": "it rains", "detail": "take an umbrella"}
