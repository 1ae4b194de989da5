"""Checks over the API: made, found, changed, paused, resumed and deleted."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from h2.events import StreamEnded
from twisted.logger import LogLevel, capturedLogs
from twisted.web.iweb import IResponse

from pingmon.api.api import ApiSettings
from pingmon.api.call import PAUSE_S, SLICE
from pingmon.core.units import DAEMON
from pingmon.core.world.events import CheckExpired
from pingmon.testing import PROJECT
from tests.api.stage import CHECKS, OTHER_PROJECT, ApiStage
from tests.door.test_http2 import Client

# --- creating -----------------------------------------------------------------------------------------------------


def test_create() -> None:
    """A new check has what was sent, defaults for the rest, and is the project's own."""
    house = ApiStage()
    reply = house.post(CHECKS, {"name": "Backup", "tags": "prod db", "timeout": 300, "unknown": None})
    assert reply.status == 201
    shown = reply.json
    assert (shown["name"], shown["slug"], shown["timeout"], shown["grace"]) == ("Backup", "", 300, 3600)
    assert (shown["status"], shown["n_pings"], shown["channels"]) == ("new", 0, "")
    assert house.world.checks[shown["uuid"]].project == PROJECT


def test_a_field_that_is_misspelt_is_ignored_and_warned_of() -> None:
    """On creating and changing, checks and sites; what was read may be sent back whole. None is repeated at length."""
    house = ApiStage()
    ignored = "ignored, because there are no such fields: "
    bare = "it has no channels: nobody is told when it goes down"
    for path, more in ((CHECKS, {"timeout": 300}), ("/api/v3/sites/", {"url": "https://x.example/"})):
        made = house.post(path, {**more, "timout": 5, "name": "x"}).json
        assert made["warnings"] == [bare, f"{ignored}timout"]
        place = path + made["uuid"]
        assert house.get(place).json["warnings"] == [bare]
        assert house.post(place, {**made, "name": "y"}).json["warnings"] == [bare]
        many = {"n" * 99: 2} | {str(number): 0 for number in range(99)}
        assert house.post(place, many).json["warnings"] == [
            bare, f"{ignored}{'n' * 50}, {', '.join(str(number) for number in range(9))}"
        ]  # fmt: skip


def test_versions_before_3_make_the_slug_from_the_name() -> None:
    """Version 1 and 2 give a named check its slug, on creation and on update."""
    house = ApiStage()
    shown = house.post("/api/v1/checks/", {"name": "Nightly Backup"}).json
    assert shown["slug"] == "nightly-backup"
    path = f"/api/v2/checks/{shown['uuid']}"
    assert house.post(path, {"name": "Morning"}).json["slug"] == "morning"
    assert house.post(path, {"tags": "x"}).json["slug"] == "morning"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": None}, "json validation error: name is not a string"),
        ({"timeout": True}, "json validation error: timeout is not a number"),
        ({"tz": "Mars", "grace": 1}, "json validation error: grace is too small"),
        ({"unique": ["desc"]}, "json validation error: an item in 'unique' has unexpected value"),
        ({"name": "a\0"}, "json validation error: name contains characters that cannot be stored"),
        ({"channels": "nobody"}, "invalid channel identifier: nobody"),
        ({"channels": ","}, "empty channel identifier"),
    ],
)
def test_errors(body: dict[str, Any], text: str) -> None:
    """Fields that cannot be used are told in the words of the API, and no check is made."""
    house = ApiStage()
    reply = house.post(CHECKS, body)
    assert (reply.status, reply.error) == (400, text)
    assert house.world.checks == {}


def test_channels() -> None:
    """Channels are assigned by name, id or `*`, and shown as sorted ids."""
    house = ApiStage()
    ids = sorted([house.new_channel("ops"), house.new_channel("dev")])
    id = house.new_check(channels="*")
    assert house.get(CHECKS + id).json["channels"] == ",".join(ids)
    assert house.post(CHECKS + id, {"channels": "ops"}).json["channels"] in ids
    assert house.post(CHECKS + id, {"channels": ""}).json["channels"] == ""


def test_unique() -> None:
    """With `unique`, an equal check is changed and answered 200; a missing field or none at all makes a new one."""
    house = ApiStage()
    id = house.new_check(name="db", tags="a")
    upsert = house.post(CHECKS, {"name": "db", "unique": ["name"], "tags": "b", "grace": 60})
    assert (upsert.status, upsert.json["uuid"], upsert.json["tags"]) == (200, id, "b")
    assert house.post(CHECKS, {"name": "db", "unique": ["name", "slug"]}).status == 201
    assert house.post(CHECKS, {"name": "db", "unique": []}).status == 201
    assert house.post(CHECKS, {"name": "db", "tags": "other", "unique": ["name", "tags"]}).status == 201


def test_unique_by_timeout_works_with_a_schedule() -> None:
    """A timeout that a schedule overrides still counts for `unique`, so the same request twice makes one check."""
    house = ApiStage()
    body = {"schedule": "0 5 * * *", "timeout": 300, "unique": ["timeout"]}
    assert [house.post(CHECKS, body).status for _ in range(2)] == [201, 200]


def test_a_refused_schedule_is_told_with_what_is_wrong_in_it() -> None:
    """Clients that compare error texts find the one they know; `why` is for whoever wrote the schedule."""
    assert ApiStage().post(CHECKS, {"schedule": "59 59 9 * * *"}).json == {
        "error": "json validation error: schedule is not a valid cron or OnCalendar expression",
        "why": "six fields: cron has five; for seconds use OnCalendar, `09:59:59`",
    }


@pytest.mark.parametrize("schedule", ["Thu,Fri 2012-*-1,5 11:12:13", "2012-01-01"])
def test_a_schedule_whose_occurrences_are_all_past_is_refused(schedule: str) -> None:
    """The check could never alarm."""
    answer = ApiStage().post(CHECKS, {"schedule": schedule})
    assert (answer.status, answer.json["error"]) == (
        400,
        "json validation error: schedule has no occurrence in the future",
    )


def test_a_schedule_by_name_comes_back_as_it_was_sent() -> None:
    """A tool that sends `@daily` again and again changes nothing; the five fields are beside it."""
    house = ApiStage()
    id = house.new_check(schedule="@daily", tz="Europe/Riga")
    shown = house.post(f"{CHECKS}{id}", {"schedule": "@daily"}).json
    assert (shown["schedule"], shown["schedule_means"], shown["tz"]) == ("@daily", "0 0 * * *", "Europe/Riga")


def test_upsert_does_not_unpause() -> None:
    """Changing a paused check leaves it paused."""
    house = ApiStage()
    id = house.new_check(name="db")
    house.post(f"{CHECKS}{id}/pause")
    assert house.post(CHECKS, {"name": "db", "unique": ["name"], "tags": "x"}).json["status"] == "paused"


def test_too_many_checks() -> None:
    """A full project takes no more checks, but still changes those it has."""
    house = ApiStage(ApiSettings(max_checks=1, keys_per_second=0))
    house.new_check(name="db")
    reply = house.post(CHECKS, {"name": "web"})
    assert (reply.status, reply.error) == (403, "too many checks: a project may have 1")
    assert house.post(CHECKS, {"name": "db", "unique": ["name"]}).status == 200


# --- reading ------------------------------------------------------------------------------------------------------


def test_list_and_its_filters() -> None:
    """The list is narrowed by tags, all of which must be there, and by slug, of which the last counts."""
    house = ApiStage()
    for slug, tags in [("a", "prod db"), ("b", "prod"), ("c", "db,prod")]:
        house.new_check(slug=slug, tags=tags)

    def slugs(query: str) -> str:
        return "".join(check["slug"] for check in house.get(f"{CHECKS}?{query}").json["checks"])

    assert slugs("") == "abc"
    assert slugs("tag=prod") == "ab"
    assert slugs("tag=prod&tag=db") == "a"
    assert slugs("tag=pro") == slugs("tag=PROD") == slugs("tag=") == slugs("tag=%00") == slugs("tag=%ff") == ""
    assert slugs("slug=a&slug=b") == "b"
    assert slugs("slug=") == "abc"
    assert slugs("tag=db&slug=b") == ""
    assert slugs("name=zzz") == "abc"


def test_a_read_only_key_finds_checks_by_unique_key() -> None:
    """A read-only key sees no id, but may ask for a check by the key that it sees instead."""
    house = ApiStage()
    id = house.new_check(name="db")
    (listed,) = house.get(CHECKS, house.ro).json["checks"]
    assert "uuid" not in listed
    path = CHECKS + listed["unique_key"]
    assert house.get(path, house.ro).json == listed
    assert house.get(path).json["uuid"] == id
    assert house.get(CHECKS + id, house.ro).json == listed
    assert house.get(CHECKS + "0" * 40, house.ro).status == 404
    assert house.post(path).status == 405


def test_what_pings_do_is_shown() -> None:
    """Status, times and duration follow the pings, in each version's words."""
    house = ApiStage()
    id = house.new_check(timeout=60, grace=60)
    house.ping(id, "start")
    house.advance(5)
    shown = house.get(CHECKS + id).json
    assert (shown["status"], shown["started"], shown["next_ping"]) == ("new", True, "2023-11-14T22:13:20+00:00")
    assert house.get(f"/api/v1/checks/{id}").json["status"] == "started"
    house.ping(id)
    shown = house.get(CHECKS + id).json
    assert (shown["status"], shown["started"], shown["last_duration"], shown["n_pings"]) == ("up", False, 5, 2)
    assert shown["next_ping"] == "2023-11-14T22:14:25+00:00"
    house.advance(61)
    assert house.get(CHECKS + id).json["status"] == "grace"
    check = house.world.checks[id]
    house.advance(60)
    house.submit(id, CheckExpired(check.deadline or 0, check.armed_by))
    assert house.get(CHECKS + id).json["status"] == "down"


def test_while_pingmon_is_deaf_no_silent_check_is_called_down() -> None:
    """Whoever polls the API is not paged by pingmon's own outage: the API knows no more than the flips do."""
    house = ApiStage()
    id = house.new_check(timeout=60, grace=60)
    house.ping(id)
    house.monitor.deafness.begin(house.monitor.now(), "disk")
    house.advance(3600)
    assert house.get(CHECKS + id).json["status"] == "grace"
    assert house.get(f"{CHECKS}{id}/flips/").json["flips"][0]["up"] == 1


def test_a_list_of_many_checks() -> None:
    """A thousand checks come in one answer, in order of creation."""
    house = ApiStage()
    for n in range(1000):
        house.check(n, name=str(n))
    assert [check["name"] for check in house.get(CHECKS).json["checks"]] == [str(n) for n in range(1000)]


def test_a_long_list_leaves_turns_to_others_and_is_still_that_of_one_moment() -> None:
    """What is asked while it is made does not wait for it, and it shows no ping that came meanwhile."""
    house = ApiStage()
    ids = [house.new_check(name=str(n)) for n in range(2 * SLICE + 1)]
    replies: list[IResponse] = []
    listing = house.treq.get(f"http://pingmon.example{CHECKS}", headers={"X-Api-Key": house.rw})
    listing.addCallback(replies.append)
    house.treq.flush()
    house.ping(ids[-1])
    assert house.get(f"{CHECKS}{ids[-1]}").json["n_pings"] == 1
    for _ in range(2):
        house.clock.advance(PAUSE_S / 2)
        assert not replies, "the journal's thread has its time"
        house.clock.advance(PAUSE_S / 2)
    house.treq.flush()
    bodies: list[bytes] = []
    house.treq.content(replies[0]).addCallback(bodies.append)
    house.treq.flush()
    shown = json.loads(bodies[0])["checks"]
    assert [check["uuid"] for check in shown] == ids
    assert shown[-1]["n_pings"] == 0


@pytest.mark.parametrize("leaves", [False, True])
def test_a_long_list_is_sent_as_its_client_takes_it(leaves: bool) -> None:
    """Slice by slice, whole and with its length, to a client that is slow; one that leaves meanwhile harms nobody."""
    house = ApiStage()
    for n in range(3 * SLICE):
        house.check(n, name=str(n))
    whole = house.get(CHECKS)
    line = house.line()
    line.wire.slow = True
    with capturedLogs() as logged:
        line.send(f"GET {CHECKS} HTTP/1.1\r\nHost: pingmon.example\r\nX-Api-Key: {house.rw}\r\n\r\n".encode())
        house.clock.pump([PAUSE_S] * 5)
        sizes = [len(line.wire.value())]
        while len(line.replies()[0].body) < len(whole.body) and len(sizes) < (3 if leaves else 9):
            line.producer.resumeProducing()
            sizes.append(len(line.wire.value()))
        if not leaves:
            assert line.reply().json == whole.json
            assert line.reply().headers["Content-Length"] == str(len(whole.body))
            assert max(after - before for before, after in pairwise(sizes)) < len(whole.body) / 2
            line.producer.resumeProducing()
            line.wire.slow = False
            line.send(b"GET /api/v3/status/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.replies()[1].status == 200
        line.hang_up()
        house.clock.advance(1)
    assert not [event for event in logged if event["log_level"] >= LogLevel.warn]


def test_a_long_list_over_http2_waits_for_the_client_to_make_room() -> None:
    """It is longer than a stream's window; one that is given up in the middle harms nobody."""
    house = ApiStage()
    for n in range(3 * SLICE):
        house.check(n, name=str(n))
    client: Any = Client(house)  # type: ignore[arg-type]  # it has what the client needs
    with capturedLogs() as logged:
        given_up, stream = (client.ask(CHECKS, "GET", ("x-api-key", house.rw)) for _ in range(2))
        house.clock.pump([PAUSE_S] * 5)
        client.flush()
        client.h2.reset_stream(given_up)
        client.h2.increment_flow_control_window(1_000_000)
        client.flush()
        for room in (10_000, 100_000):
            assert not client.of(StreamEnded, stream)
            client.h2.increment_flow_control_window(room, stream)
            client.flush()
        assert len(json.loads(client.body(stream))["checks"]) == 3 * SLICE
        client.line.hang_up()
        house.clock.advance(1)
    assert not [event for event in logged if event["log_level"] >= LogLevel.warn]


# --- changing -----------------------------------------------------------------------------------------------------


def test_update_sets_only_what_was_sent() -> None:
    """Fields that were not sent stay, and `unique` does not matter."""
    house = ApiStage()
    id = house.new_check(name="db", tags="a", timeout=60)
    before = house.get(CHECKS + id).json
    after = house.post(CHECKS + id, {"tags": "b", "unique": ["name"]}).json
    assert after == before | {"tags": "b"}


def test_an_update_that_changes_nothing_is_not_logged() -> None:
    """Setting a check to what it is costs no entry of the log."""
    house = ApiStage()
    id = house.new_check(name="db")
    seq = house.world.seq
    assert house.post(CHECKS + id, {"name": "db"}).status == house.post(CHECKS + id).status == 200
    assert house.world.seq == seq


def test_pause_and_resume() -> None:
    """Pausing is answered alike however often it is asked; only a paused check can be resumed."""
    house = ApiStage()
    id = house.new_check()
    house.ping(id)
    assert [house.post(f"{CHECKS}{id}/pause").json["status"] for _ in range(2)] == ["paused", "paused"]
    resumed = house.post(f"{CHECKS}{id}/resume")
    assert (resumed.status, resumed.json["status"], resumed.json["last_ping"]) == (200, "new", None)
    again = house.post(f"{CHECKS}{id}/resume")
    assert (again.status, again.error) == (409, "check is not paused")


def test_delete() -> None:
    """A deleted check is shown once more, without channels, and then exists no longer, for pings neither."""
    house = ApiStage()
    house.new_channel()
    id = house.new_check(name="db", channels="*")
    gone = house.delete(CHECKS + id)
    assert (gone.status, gone.json["name"], gone.json["uuid"], gone.json["channels"]) == (200, "db", id, "")
    assert house.get(CHECKS + id).status == house.delete(CHECKS + id).status == 404
    assert house.ping(id).result == "unknown"


# --- under a UUID that is known -----------------------------------------------------------------------------------

KNOWN = "0b5f31c2-9c39-4f0e-8f26-6b5a52a7d0c1"


def named(id: Any = KNOWN, **fields: Any) -> dict[str, Any]:
    """A request for the check with this UUID."""
    return {"uuid": id, "unique": ["uuid"], **fields}


def test_a_check_that_moves_here_keeps_its_uuid() -> None:
    """With `uuid` in `unique` it is made under that, and changed by the next request; its ping URL follows."""
    house = ApiStage()
    made = house.post(CHECKS, named(name="Backup", timeout=300))
    assert (made.status, made.json["uuid"]) == (201, KNOWN)
    assert made.json["ping_url"].endswith(f"/ping/{KNOWN}")
    assert not any("ignored" in warning for warning in made.json["warnings"])
    again = house.post(CHECKS, named(timeout=600))
    assert (again.status, again.json["uuid"], again.json["timeout"], again.json["name"]) == (200, KNOWN, 600, "Backup")
    assert len(house.world.checks) == 1


def test_a_uuid_alone_names_nothing() -> None:
    """Who reads a check and creates one with what was read gets another one, as of the reference server."""
    house = ApiStage()
    for body in ({"uuid": KNOWN}, {"uuid": KNOWN, "unique": ["name"], "name": "x"}, {"uuid": None}, {"uuid": 5}):
        reply = house.post(CHECKS, body)
        assert (reply.status, reply.json["uuid"] == KNOWN) == (201, False)
    assert house.post(CHECKS, {"unique": ["uuid"]}).status == 201


def test_a_uuid_is_read_in_either_case() -> None:
    """It is shown in small letters."""
    house = ApiStage()
    made = house.post(CHECKS, named(KNOWN.upper()))
    assert (made.status, made.json["uuid"]) == (201, KNOWN)
    again = house.post(CHECKS, named(KNOWN.upper(), name="Backup"))
    assert (again.status, again.json["name"]) == (200, "Backup")
    assert house.get(f"{CHECKS}{KNOWN.upper()}").json["uuid"] == KNOWN


@pytest.mark.parametrize("id", [KNOWN[:-1], f"{KNOWN}\n", KNOWN.replace("-", ""), "x"])
def test_a_uuid_has_one_form(id: str) -> None:
    """The one in which it is shown, but for the case of its letters."""
    reply = ApiStage().post(CHECKS, named(id))
    assert (reply.status, reply.error) == (400, "json validation error: uuid does not match pattern")


def test_a_uuid_is_text() -> None:
    """Nothing else."""
    reply = ApiStage().post(CHECKS, named(None))
    assert (reply.status, reply.error) == (400, "json validation error: uuid is not a string")


def test_a_uuid_that_was_anything_here_is_not_given_again() -> None:
    """What is or was another project's, and what was deleted: its jobs may still send, and it has a history.

    Keys are something else, and nobody pings them.
    """
    house = ApiStage()
    other = house.new_project(OTHER_PROJECT)
    theirs = house.post(CHECKS, {"name": "theirs"}, other).json["uuid"]
    gone = house.new_check(name="gone")
    house.delete(f"{CHECKS}{gone}")
    partner = house.new_partner()
    for id in (theirs, gone, house.new_site(), house.new_channel(), partner, PROJECT, OTHER_PROJECT, DAEMON):
        reply = house.post(CHECKS, named(id, name="mine"))
        assert (reply.status, reply.error) == (409, "uuid was in use here before"), id
    assert house.get(f"{CHECKS}{theirs}", other).json["name"] == "theirs"
    house.delete(f"{CHECKS}{theirs}", other)
    assert house.post(CHECKS, named(theirs)).status == 409
    assert house.post(CHECKS, named(next(iter(house.world.keys)))).status == 201


def test_of_two_projects_that_want_a_uuid_at_once_the_first_has_it() -> None:
    """The other is told so, and changes nothing."""
    house = ApiStage()
    other = house.new_project(OTHER_PROJECT)
    house.journal.at_once = False
    replies: dict[str, IResponse] = {}
    for name, key in (("first", house.rw), ("second", other)):
        asked = house.treq.post(f"http://pingmon.example{CHECKS}", json=named(name=name), headers={"X-Api-Key": key})
        asked.addCallback(lambda reply, name=name: replies.update({name: reply}))
        house.treq.flush()
    house.journal.flush()
    house.treq.flush()
    assert {name: reply.code for name, reply in replies.items()} == {"first": 201, "second": 409}
    assert (house.world.checks[KNOWN].project, house.world.checks[KNOWN].spec.name) == (PROJECT, "first")
