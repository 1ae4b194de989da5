"""Projects and keys over the API, for the operator alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pingmon.api import keys as api_keys
from pingmon.api import projects as api_projects
from pingmon.api.credentials import find_key
from pingmon.core.units import DAEMON
from pingmon.core.world.events import KeyRevoked, ProjectCreated
from pingmon.testing import PROJECT, uuid
from tests.api.stage import OTHER_PROJECT, ApiStage
from tests.door.stage import UNKNOWN

PROJECTS = "/api/v3/projects/"
KEYS = "/api/v3/keys/"
OWN_KEYS = f"{PROJECTS}{PROJECT}/keys/"


@pytest.fixture
def house() -> ApiStage:
    return ApiStage()


def post(house: ApiStage, path: str, body: object = None) -> Any:
    reply = house.post(path, body, house.operator)
    assert reply.status in (200, 201), reply.body
    return reply.json


# --- projects -----------------------------------------------------------------------------------------------------


def test_a_name_makes_a_project_that_can_be_pinged(house: ApiStage) -> None:
    """With a ping key of its own, shown as often as it is asked for."""
    made = house.post(PROJECTS, {"name": "Büro"}, house.operator)
    assert made.status == 201
    shown = made.json
    assert re.fullmatch("[a-z0-9]{22}", shown["ping_key"])
    assert (shown["name"], shown["checks"], shown["created"]) == ("Büro", 0, "2023-11-14T22:13:20+00:00")
    assert house.world.ping_keys[shown["ping_key"]] == shown["uuid"]
    assert house.get(PROJECTS + shown["uuid"], house.operator).json == shown
    assert [each["name"] for each in house.get(PROJECTS, house.operator).json["projects"]] == ["project", "Büro"]


def test_a_project_is_renamed(house: ApiStage) -> None:
    """What changes nothing does not trouble the log."""
    assert post(house, PROJECTS + PROJECT, {"name": "Servers"})["name"] == "Servers"
    seq = house.world.seq
    assert post(house, PROJECTS + PROJECT, {"name": "Servers"})["name"] == "Servers"
    assert post(house, PROJECTS + PROJECT)["name"] == "Servers"
    assert house.world.seq == seq


def test_a_rotated_ping_key_names_nothing_at_once(house: ApiStage) -> None:
    """The new one is in the answer, and all else is as it was."""
    house.new_check(slug="job")
    before = house.get(PROJECTS + PROJECT, house.operator).json
    after = post(house, f"{PROJECTS}{PROJECT}/rotate-ping-key")
    assert house.world.ping_keys == {after["ping_key"]: PROJECT}
    assert before.pop("ping_key") != after.pop("ping_key")
    assert before == after
    assert after["checks"] == 1


def test_names_are_judged(house: ApiStage) -> None:
    """And nothing is made or changed."""
    for path in (PROJECTS, PROJECTS + PROJECT):
        assert house.post(path, {"name": " "}, house.operator).error == "json validation error: name is empty"
    assert house.post(PROJECTS, {}, house.operator).error == "json validation error: name is missing"
    assert [project.name for project in house.world.projects.values()] == ["project"]


def test_there_are_so_many_projects(house: ApiStage) -> None:
    """When there are as many as there may be, no more are made."""
    for number in range(api_projects.MAX_PROJECTS - 1):
        house.submit(uuid(number), ProjectCreated("p", f"key{number}"))
    reply = house.post(PROJECTS, {"name": "one more"}, house.operator)
    assert (reply.status, reply.error) == (403, "too many projects: there may be 1000")


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "role"), [(None, "rw"), ({"role": "ro"}, "ro"), ({"role": "rw"}, "rw")])
def test_a_project_gets_keys_of_its_own(house: ApiStage, body: Any, role: str) -> None:
    """Each is shown once, opens its project as its role says, and is listed without what opens anything."""
    made = house.post(OWN_KEYS, body, house.operator)
    assert made.status == 201
    shown = made.json
    text = shown.pop("key")
    assert (shown["role"], shown["prefix"], shown["project"], shown["name"]) == (role, text[:8], PROJECT, "")
    assert house.get("/api/v3/checks/", text).status == 200
    assert house.post("/api/v3/checks/", {}, text).status == (201 if role == "rw" else 401)
    assert house.get(PROJECTS, text).error == "wrong api key"
    listed = house.get(OWN_KEYS, house.operator)
    assert listed.json["keys"][-1] == shown
    assert text[8:].encode() not in listed.body


def test_an_operator_gets_further_keys(house: ApiStage) -> None:
    """They open what is the operator's, and belong to no project."""
    made = post(house, KEYS, {"name": "laptop"})
    text = made.pop("key")
    assert (made["role"], made["project"], made["name"]) == ("operator", None, "laptop")
    assert house.get(KEYS, text).json["keys"][-1] == made
    assert house.get(OWN_KEYS, text).json["keys"] == house.get(KEYS, text).json["keys"][:2]


def test_a_revoked_key_is_wrong_at_once(house: ApiStage) -> None:
    """Of whatever kind; its last state is the answer, and the others go on opening."""
    house.new_project(OTHER_PROJECT)
    for key, path in ((house.rw, "/api/v3/checks/"), (house.operator, PROJECTS)):
        assert house.get(path, key).status == 200
        found = find_key(house.world, key)
        assert found is not None
        gone = house.delete(KEYS + found.id, house.operator)
        assert (gone.status, gone.json["uuid"], gone.json["prefix"]) == (200, found.id, key[:8])
        refused = house.get(path, key)
        assert (refused.status, refused.error) == (401, "wrong api key")
    assert house.get("/api/v3/checks/", house.ro).status == 200


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        (OWN_KEYS, {"role": "operator"}, "role has unexpected value"),
        (OWN_KEYS, {"role": None}, "role has unexpected value"),
        (OWN_KEYS, {"name": 1}, "name is not a string"),
        (KEYS, {"name": "x" * 101}, "name is too long"),
        (KEYS, {"name": "\ud800"}, "name contains characters that cannot be stored"),
    ],
)
def test_what_cannot_be_a_key_is_told(house: ApiStage, path: str, body: dict[str, Any], text: str) -> None:
    """And none is made."""
    before = dict(house.world.keys)
    reply = house.post(path, body, house.operator)
    assert reply.status == 400
    assert text in reply.error or reply.error == "could not parse request body"
    assert house.world.keys == before


def test_there_are_so_many_keys(house: ApiStage) -> None:
    """When there are as many as there may be, no more are made."""
    while len(house.world.keys) < api_keys.MAX_KEYS:
        house.new_key(PROJECT, "ro")
    for path in (KEYS, OWN_KEYS):
        reply = house.post(path, {}, house.operator)
        assert (reply.status, reply.error) == (403, "too many keys: there may be 10000")


# --- who may ------------------------------------------------------------------------------------------------------

ROUTES = [
    ("GET", PROJECTS),
    ("POST", PROJECTS),
    ("GET", PROJECTS + PROJECT),
    ("POST", PROJECTS + PROJECT),
    ("POST", f"{PROJECTS}{PROJECT}/rotate-ping-key"),
    ("GET", OWN_KEYS),
    ("POST", OWN_KEYS),
    ("GET", KEYS),
    ("POST", KEYS),
    ("DELETE", KEYS + UNKNOWN),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_projects_and_keys_are_the_operators(house: ApiStage, method: str, path: str) -> None:
    """A project's key is wrong here, also for its own project."""
    for key in (house.rw, house.ro):
        assert house.ask(method, path, b'{"name": "x"}', key=key).error == "wrong api key"
    assert house.ask(method, path, b'{"name": "x"}').error == "missing api key"


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if PROJECT in route[1]] + ROUTES[-1:])
def test_what_is_not_there_is_not_found(house: ApiStage, method: str, path: str) -> None:
    """Whatever else is wrong with the request."""
    reply = house.ask(method, path.replace(PROJECT, UNKNOWN), b'{"name": 1}', key=house.operator)
    assert (reply.status, reply.error) == (404, "not found")


def test_a_key_that_goes_meanwhile_is_gone(house: ApiStage) -> None:
    """The order of the log decides: who revokes it second is told that there is none."""
    found = find_key(house.world, house.new_key(DAEMON, "operator"))
    assert found is not None
    house.journal.at_once = False
    house.monitor.submit(DAEMON, KeyRevoked(found.id))
    replies: list[Any] = []
    asked = house.treq.delete(f"http://pingmon.example{KEYS}{found.id}", headers={"X-Api-Key": house.operator})
    asked.addCallback(replies.append)
    house.treq.flush()
    house.journal.flush()
    house.treq.flush()
    assert [reply.code for reply in replies] == [404]
