"""Projects and keys over the API, for the operator alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pingmon.api import keys as api_keys
from pingmon.api import projects as api_projects
from pingmon.api.call import ApiSettings
from pingmon.api.credentials import find_key
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import DAEMON
from pingmon.core.world.events import (
    CheckCreated,
    KeyRevoked,
    NewCheck,
    NotificationDelivered,
    NotificationFailed,
    PingReceived,
    ProjectCreated,
)
from pingmon.testing import PROJECT, uuid
from tests.api.stage import OTHER_PROJECT, ApiStage
from tests.door.stage import UNKNOWN

PROJECTS = "/api/v3/projects/"
KEYS = "/api/v3/keys/"
OWN_KEYS = f"{PROJECTS}{PROJECT}/keys/"
NOW_TEXT = "2023-11-14T22:13:20+00:00"


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


def test_a_ping_key_of_elsewhere_is_taken_over(house: ApiStage) -> None:
    """Older ones of Healthchecks have capitals, hyphens and underscores. What is so already troubles no log."""
    key = "Ab-_5678901234567890xY"
    assert post(house, f"{PROJECTS}{PROJECT}/rotate-ping-key", {"ping_key": key})["ping_key"] == key
    assert house.world.ping_keys == {key: PROJECT}
    seq = house.world.seq
    assert post(house, f"{PROJECTS}{PROJECT}/rotate-ping-key", {"ping_key": key})["ping_key"] == key
    assert house.world.seq == seq
    house.new_project(OTHER_PROJECT)
    taken = house.post(f"{PROJECTS}{OTHER_PROJECT}/rotate-ping-key", {"ping_key": key}, house.operator)
    assert (taken.status, taken.error) == (400, "json validation error: ping_key is taken")
    assert house.world.ping_keys[key] == PROJECT


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("x" * 21, "does not match pattern"),
        ("x" * 23, "does not match pattern"),
        ("x" * 21 + "ä", "does not match pattern"),
        ("x" * 21 + "/", "does not match pattern"),
        (5, "is not a string"),
    ],
)
def test_what_can_be_no_ping_key(house: ApiStage, key: object, error: str) -> None:
    """It changes nothing."""
    before = dict(house.world.ping_keys)
    reply = house.post(f"{PROJECTS}{PROJECT}/rotate-ping-key", {"ping_key": key}, house.operator)
    assert (reply.status, reply.error) == (400, f"json validation error: ping_key {error}")
    assert house.world.ping_keys == before


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
    assert listed.json["keys"][-1] == shown | {"last_used": NOW_TEXT}
    assert text[8:].encode() not in listed.body


def test_an_operator_gets_further_keys(house: ApiStage) -> None:
    """They open what is the operator's, and belong to no project."""
    made = post(house, KEYS, {"name": "laptop"})
    text = made.pop("key")
    assert (made["role"], made["project"], made["name"]) == ("operator", None, "laptop")
    assert house.get(KEYS, text).json["keys"][-1] == made | {"last_used": NOW_TEXT}
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
    before = set(house.world.keys)
    reply = house.post(path, body, house.operator)
    assert reply.status == 400
    assert text in reply.error or reply.error == "could not parse request body"
    assert set(house.world.keys) == before


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


# --- what becomes of keys -----------------------------------------------------------------------------------------


def test_when_a_key_was_used(house: ApiStage) -> None:
    """To within an hour: not each request is written into the log."""

    def used() -> str | None:
        (shown,) = [key for key in house.get(KEYS, house.operator).json["keys"] if key["role"] == "ro"]
        told: str | None = shown["last_used"]
        return told

    assert used() is None
    house.get("/api/v3/checks/", house.ro)
    assert used() == NOW_TEXT
    seq = house.world.seq
    house.advance(3599)
    house.get("/api/v3/checks/", house.ro)
    assert house.world.seq == seq
    house.advance(1)
    house.get("/api/v3/checks/", house.ro)
    assert used() == "2023-11-14T23:13:20+00:00"


def test_that_a_key_is_used_needs_no_disk(house: ApiStage) -> None:
    """What is only read is answered while the journal takes nothing, and the use is noted later."""
    house.journal.fail_next()
    assert house.get("/api/v3/checks/", house.ro).status == 200
    assert house.get("/api/v3/checks/", house.ro).status == 200
    keys = house.get(KEYS, house.operator).json["keys"]
    assert [key["last_used"] for key in keys if key["role"] == "ro"] == [NOW_TEXT]


def test_a_key_takes_another_ones_place(house: ApiStage) -> None:
    """The old one opens for a day as well, and then nothing any more; both keep their name and their rights."""
    old = post(house, OWN_KEYS, {"role": "ro", "name": "laptop"})
    new = post(house, f"{KEYS}{old['uuid']}/rotate")
    assert (new["role"], new["name"], new["project"]) == ("ro", "laptop", PROJECT)
    assert new["key"] != old["key"]
    shown = {key["uuid"]: key["expires"] for key in house.get(KEYS, house.operator).json["keys"]}
    assert (shown[old["uuid"]], shown[new["uuid"]]) == ("2023-11-15T22:13:20+00:00", None)
    checks = "/api/v3/checks/"
    assert [house.get(checks, key["key"]).status for key in (old, new)] == [200, 200]
    house.advance(86_400)
    assert [house.get(checks, key["key"]).status for key in (old, new)] == [401, 200]


def test_a_leaked_key_is_replaced_at_once(house: ApiStage) -> None:
    """Without an overlap the old one is revoked; a key that is not there is told."""
    old = post(house, KEYS, {"name": "laptop"})
    new = post(house, f"{KEYS}{old['uuid']}/rotate", {"overlap": 0})
    assert [house.get(KEYS, key["key"]).status for key in (old, new)] == [401, 200]
    assert house.post(f"{KEYS}{old['uuid']}/rotate", {}, house.operator).status == 404
    assert house.post(f"{KEYS}{new['uuid']}/rotate", {"overlap": -1}, house.operator).error.endswith("too small")


def test_a_key_that_is_replaced_again_lives_no_longer(house: ApiStage) -> None:
    """Neither one whose overlap runs nor one whose overlap is over opens for longer than was said first."""
    old = post(house, OWN_KEYS, {"role": "ro"})
    post(house, f"{KEYS}{old['uuid']}/rotate", {"overlap": 60})
    post(house, f"{KEYS}{old['uuid']}/rotate", {"overlap": 3600})
    house.advance(60)
    assert house.get("/api/v3/checks/", old["key"]).status == 401
    post(house, f"{KEYS}{old['uuid']}/rotate")
    assert house.get("/api/v3/checks/", old["key"]).status == 401


# --- what becomes of projects -------------------------------------------------------------------------------------


def test_defaults_for_checks_that_a_first_ping_makes(house: ApiStage) -> None:
    """They are judged as a check's fields are, shown, and replaced as a whole."""
    channel = house.new_channel()
    wanted = {"grace": 600, "schedule": "0 5 * * *", "tz": "Europe/Berlin", "tags": "cron", "channels": channel}
    assert post(house, PROJECTS + PROJECT, {"defaults": wanted})["defaults"] == wanted
    assert house.get(PROJECTS + PROJECT, house.operator).json["defaults"] == wanted
    first = PingReceived("start", create=NewCheck(PROJECT, "backup"))
    spec = house.world.checks[house.submit(uuid(9), first).id].spec
    assert (spec.name, spec.slug, spec.kind, spec.grace, spec.tags) == ("backup", "backup", "cron", 600, "cron")
    assert spec.channels == (channel,)
    assert post(house, PROJECTS + PROJECT, {"defaults": {"timeout": 60}})["defaults"] == {"timeout": 60}
    seq = house.world.seq
    assert post(house, PROJECTS + PROJECT, {"defaults": {"timeout": 60}})["defaults"] == {"timeout": 60}
    assert house.world.seq == seq


@pytest.mark.parametrize(
    ("defaults", "text"),
    [
        (None, "defaults is not an object"),
        ({"grace": 1}, "grace is too small"),
        ({"channels": "nobody"}, "invalid channel identifier: nobody"),
        ({"schedule": "x"}, "schedule is not a valid cron or OnCalendar expression"),
    ],
)
def test_what_cannot_be_defaults_is_told(house: ApiStage, defaults: Any, text: str) -> None:
    """And nothing changes, the name neither."""
    reply = house.post(PROJECTS + PROJECT, {"name": "other", "defaults": defaults}, house.operator)
    assert (reply.status, reply.error.removeprefix("json validation error: ")) == (400, text)
    assert house.world.projects[PROJECT].name == "project"


def test_a_project_is_deleted_with_all_that_is_in_it(house: ApiStage) -> None:
    """Its last state is the answer; its keys open nothing, its ping URLs name nothing."""
    check, site, channel = house.new_check(), house.new_site(), house.new_channel()
    gone = house.delete(PROJECTS + PROJECT, house.operator)
    assert (gone.status, gone.json["checks"], gone.json["sites"], gone.json["channels"]) == (200, 1, 1, 1)
    world = house.world
    assert not {check, site, channel, PROJECT} & {*world.checks, *world.sites, *world.channels, *world.projects}
    assert house.get("/api/v3/checks/", house.rw).status == 401
    assert [key.role for key in world.keys.values()] == ["operator"]
    assert house.get(PROJECTS, house.operator).json["projects"] == []
    assert house.delete(PROJECTS + PROJECT, house.operator).status == 404


def test_a_check_moves_to_another_project(house: ApiStage) -> None:
    """Its URL and its history stay; it has all channels of where it comes to. UUIDs are read in either case."""
    other = house.new_project(OTHER_PROJECT)
    house.new_channel()
    channel = house.post("/api/v3/channels/", {"kind": "webhook", "value": {"url_down": "http://x.y/"}}, other).json[
        "id"
    ]
    check = house.new_check(slug="backup")
    house.ping(check)
    path = f"{PROJECTS}{OTHER_PROJECT.upper()}/take-check"
    moved = house.post(path, {"check": check.upper()}, house.operator)
    assert (moved.status, moved.json["uuid"], moved.json["channels"]) == (200, check, channel)
    assert house.get(f"/api/v3/checks/{check}", house.rw).status == 404
    shown = house.get(f"/api/v3/checks/{check}", other).json
    assert (shown["n_pings"], shown["slug"]) == (1, "backup")
    assert house.get(f"/api/v3/checks/{check}/pings/", other).json["pings"][0]["n"] == 1


def test_what_a_moved_check_is_called_is_told_where_it_is(house: ApiStage) -> None:
    """Its messages of before stay with the channel, which says no more of it than of one that was deleted."""
    other, channel = house.new_project(OTHER_PROJECT), house.new_channel()
    check = house.new_check(name="backup", channels="*")
    house.ping(check, "fail")
    house.post(f"{PROJECTS}{OTHER_PROJECT}/take-check", {"check": check}, house.operator)
    house.post(f"/api/v3/checks/{check}", {"name": "secret"}, other)
    (message,) = house.get(f"/api/v3/channels/{channel}/deliveries/", house.rw).json["deliveries"]
    assert (message["about"], "name" in message) == (check, False)


def test_a_check_that_cannot_move(house: ApiStage) -> None:
    """It must exist, and the project must have a place for it."""
    house.new_project(OTHER_PROJECT)
    path = f"{PROJECTS}{OTHER_PROJECT}/take-check"
    assert house.post(path, {"check": UNKNOWN}, house.operator).status == 404
    assert house.post(path, {}, house.operator).status == 404
    assert house.post(f"{PROJECTS}{UNKNOWN}/take-check", {"check": house.new_check()}, house.operator).status == 404
    check = house.new_check()
    house.api.take(ApiSettings(keys_per_second=0, max_checks=1))
    house.submit(uuid(8), CheckCreated(OTHER_PROJECT, CheckSpec()))
    full = house.post(path, {"check": check}, house.operator)
    assert (full.status, full.error) == (403, "too many checks: a project may have 1")


def test_a_new_project_hears_nothing_of_old_channels(house: ApiStage) -> None:
    """That somebody was told stays; who, and what went wrong on the way, is another project's."""
    other, channel = house.new_project(OTHER_PROJECT), house.new_channel()
    check = house.new_check(channels=channel)
    house.ping(check, "fail")
    (owed,) = house.world.owed.values()
    house.submit(channel, NotificationFailed(owed.id, 5, "could not reach ops.internal", 0))
    house.submit(channel, NotificationDelivered(owed.id, 5, 200))
    house.post(f"{PROJECTS}{OTHER_PROJECT}/take-check", {"check": check}, house.operator)
    (flip,) = house.get(f"/api/v3/checks/{check}/flips/", other).json["flips"]
    assert flip["told"] is True
    assert [(each["channel"], each["tried"], each["result"]) for each in flip["deliveries"]] == [("", [], "delivered")]
