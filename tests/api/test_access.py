"""Who is let into the API, by which method, and what everybody else is told."""

from __future__ import annotations

import json

import pytest
from twisted.logger import capturedLogs

from pingmon import __version__
from pingmon.api.api import Api, ApiSettings
from pingmon.api.routes import ROUTES
from pingmon.testing import PROJECT
from pingmon.wire.api.status import Problem
from tests.api.stage import CHECKS, OTHER_PROJECT, ApiStage
from tests.door.stage import UNKNOWN, errors

HOST = "Host: pingmon.example"


# --- keys ---------------------------------------------------------------------------------------------------------


def test_no_key() -> None:
    """Without a key, or with what is none by its length, it is missing; an empty header hides a key in the body."""
    house = ApiStage()
    body = json.dumps({"api_key": house.rw}).encode()
    asked = [
        house.ask("GET", CHECKS),
        house.ask("GET", CHECKS + f"?api_key={house.rw}"),
        house.ask("GET", CHECKS, body),
        house.ask("POST", CHECKS, body, headers={"X-Api-Key": ""}),
        house.ask("POST", CHECKS, b'{"api_key": 5}'),
        house.get(CHECKS, "foo"),
        house.get(CHECKS, house.rw + "x"),
    ]
    assert [(reply.status, reply.error) for reply in asked] == [(401, "missing api key")] * len(asked)


def test_wrong_key() -> None:
    """An unknown key, a read-only key where more is needed, and the operator's key are wrong."""
    house = ApiStage()
    operator = house.new_key(PROJECT, "operator")
    id = house.new_check()
    asked = [
        house.get(CHECKS, "x" * 32),
        house.ask("POST", CHECKS, json.dumps({"api_key": "é" * 32}).encode()),
        house.get(CHECKS, operator),
        house.post(CHECKS, {}, house.ro),
        house.delete(CHECKS + id, house.ro),
        house.get(CHECKS + f"{id}/pings/", house.ro),
        house.get("/api/v3/channels/", house.ro),
        house.get(CHECKS, house.new_key(UNKNOWN, "rw")),
    ]
    assert [(reply.status, reply.error) for reply in asked] == [(401, "wrong api key")] * len(asked)


def test_a_key_in_the_body() -> None:
    """A POST may carry its key in the body."""
    house = ApiStage()
    assert house.ask("POST", CHECKS, json.dumps({"api_key": house.rw}).encode()).status == 201


def test_order_of_judgement() -> None:
    """An unreadable body is told before the key, the key before the check, the check before its fields."""
    house = ApiStage()
    assert house.ask("POST", CHECKS + UNKNOWN, b"{").status == 400
    assert house.post(CHECKS + UNKNOWN, {"name": 1}, "x" * 32).status == 401
    assert house.post(CHECKS + UNKNOWN, {"name": 1}).status == 404
    assert house.post(CHECKS + house.new_check(), {"name": 1}).status == 400


def test_another_projects_check_does_not_exist() -> None:
    """What belongs to another project is answered exactly as what does not exist."""
    house = ApiStage()
    id = house.new_check()
    key = house.new_project(OTHER_PROJECT)
    for method, end in [
        ("GET", ""), ("POST", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"),
        ("GET", "/pings/"), ("GET", "/pings/1/body"), ("GET", "/flips/"),
    ]:  # fmt: skip
        other = house.ask(method, CHECKS + id + end, key=key)
        missing = house.ask(method, CHECKS + UNKNOWN + end, key=house.rw)
        assert (other.status, other.body) == (missing.status, missing.body) == (404, b'{"error":"not found"}')
    assert house.get(CHECKS, key).json == {"checks": []}
    assert house.get(CHECKS + id).status == 200


def test_too_many_requests() -> None:
    """Past its rate a key is told how long to wait; other keys are not affected."""
    house = ApiStage(ApiSettings(keys_per_second=1, keys_at_once=3))
    statuses = [house.get(CHECKS, house.ro).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = house.get(CHECKS, house.ro)
    assert refused.error == "rate limit exceeded"
    assert refused.headers["Retry-After"] == "1"
    assert house.get(CHECKS).status == 200
    house.advance(1)
    assert house.get(CHECKS, house.ro).status == 200


def test_a_script_that_sets_up_a_project_meets_no_limit() -> None:
    """A thousand requests at once are taken by default; only then it is told to wait."""
    house = ApiStage(ApiSettings())
    assert {house.get("/api/v3/status/").status for _ in range(1000)} == {200}
    refused = house.get("/api/v3/status/")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")


# --- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"a":"\xff"}',
        b'{"\xff":1}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b'{"name":"\\ud800"}',
        b"[" * 60_000,
        b'{"a":NaN}',
        b" ",
    ],
)
def test_unreadable_bodies(body: bytes) -> None:
    """What is not JSON is told so, and nothing is logged about it."""
    with capturedLogs() as logged:
        reply = ApiStage().ask("POST", CHECKS, body)
    assert (reply.status, reply.error) == (400, "could not parse request body")
    assert errors(logged) == []


@pytest.mark.parametrize("body", [b"[]", b"123", b'"x"', b"true"])
def test_bodies_that_are_no_object(body: bytes) -> None:
    """JSON that is no object is told so."""
    reply = ApiStage().ask("POST", CHECKS, body)
    assert (reply.status, reply.error) == (400, "json validation error: value is not an object")


@pytest.mark.parametrize("body", [b"", b"null", b"{}"])
def test_empty_bodies(body: bytes) -> None:
    """Nothing and null are an empty object, which makes a check with defaults."""
    house = ApiStage()
    assert house.ask("POST", CHECKS, body, key=house.rw).status == 201


def test_long_bodies() -> None:
    """A body of the limit is read, one byte more is too much."""
    house = ApiStage()
    body = json.dumps({"desc": "x" * 50}).encode()
    assert house.ask_door("POST", CHECKS, HOST, body=body.ljust(65_536)).status == 201
    reply = house.ask_door("POST", CHECKS, HOST, body=body.ljust(65_537))
    assert (reply.status, reply.error) == (413, "the request body is longer than 65536 bytes")


# --- paths, methods, hosts ----------------------------------------------------------------------------------------


def test_every_route_has_its_own_endpoint() -> None:
    """No route shadows another one: Klein would let the second of a name replace the first without a word."""
    assert len(Api.app.endpoints) == len(ROUTES) + 2
    assert all(operation.summary.endswith(".") for route in ROUTES for operation in route.operations.values())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_slash_more_or_less(version: int) -> None:
    """Every path is served with and without its last slash, never redirected."""
    house = ApiStage()
    id = house.new_check()
    for end in ("checks", f"checks/{id}", f"checks/{id}/pings", f"checks/{id}/flips", "channels", "status"):
        for slash in ("", "/"):
            assert house.get(f"/api/v{version}/{end}{slash}").status == 200
    for slash in ("", "/"):
        assert house.post(f"/api/v{version}/checks/{id}/pause{slash}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api", "/api/", "/api/v4/checks/", "/api/v03/checks/", "/api/checks/", "/api/v2/", "/api/v3//checks/",
        "/api/v3/checks/nonsense", "/api/v3/checks/nonsense/flips/", f"/api/v3/checks/{UNKNOWN}/x",
        f"/api/v3/checks/{UNKNOWN}/pings/{'9' * 5000}/body", "/api/v3/%2e%2e/", "/api/v3/checks/%00",
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(path: str) -> None:
    """An unknown path or version is a 404 in JSON, not a redirect, and nothing is logged."""
    with capturedLogs() as logged:
        reply = ApiStage().ask("GET", path)
    assert (reply.status, reply.error) == (404, "not found")
    assert errors(logged) == []


def test_upper_case_ids_are_the_same_check() -> None:
    """The hexadecimal digits of an id may be written in either case."""
    house = ApiStage()
    id = house.new_check()
    assert house.get(CHECKS + id.upper()).json["uuid"] == id


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("checks/", "DELETE", "GET, HEAD, POST, OPTIONS"),
        ("checks/", "PATCH", "GET, HEAD, POST, OPTIONS"),
        (f"checks/{UNKNOWN}", "PUT", "GET, HEAD, POST, DELETE, OPTIONS"),
        (f"checks/{UNKNOWN}/pause", "GET", "POST, OPTIONS"),
        (f"checks/{UNKNOWN}/pause", "HEAD", "POST, OPTIONS"),
        ("status/", "POST", "GET, HEAD, OPTIONS"),
    ],
)
def test_wrong_methods(path: str, method: str, allowed: str) -> None:
    """A method that a path does not know is told with those that it knows."""
    reply = ApiStage().ask(method, f"/api/v3/{path}")
    assert reply.status == 405
    assert reply.headers["Allow"] == allowed
    assert method == "HEAD" or reply.error == "method not allowed"


def test_preflight() -> None:
    """OPTIONS needs no key and says what scripts of other origins may do, also where nothing exists."""
    reply = ApiStage().ask("OPTIONS", CHECKS + UNKNOWN)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Access-Control-Allow-Headers"] == "X-Api-Key, Content-Type"
    assert reply.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, DELETE, OPTIONS"
    assert ApiStage().ask("OPTIONS", "/api/v3/status/").status == 204


def test_head_is_get_without_the_body() -> None:
    """HEAD gives the headers of GET, the length too, and no body."""
    house = ApiStage()
    id = house.new_check()
    for path in (CHECKS, CHECKS + id, "/api/v3/status/"):
        head = house.ask("HEAD", path, key=house.rw)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(house.get(path).body))


def test_every_answer_may_be_read_by_scripts_and_is_not_kept() -> None:
    """Good or bad, an answer has the CORS headers and forbids caches."""
    house = ApiStage()
    for reply in (house.get(CHECKS), house.get(CHECKS, "x"), house.get("/api/v9/"), house.ask("PUT", CHECKS)):
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example", "ü.example", "a..b", "x:999999", "x y", "[::1", "x/../y", "x@y"]
)
def test_broken_hosts(host: str) -> None:
    """A Host header that can be no host is the client's error, in JSON, and nothing is logged."""
    with capturedLogs() as logged:
        reply = ApiStage().ask_door("GET", "/api/v3/status/", f"Host: {host}")
    assert (reply.status, reply.error) == (400, "invalid host")
    assert errors(logged) == []


def test_broken_paths_and_methods() -> None:
    """A path that is no UTF-8, and a method that is no word, are the client's errors, and nothing is logged."""
    house = ApiStage()
    with capturedLogs() as logged:
        assert house.ask_door("GET", "/api/v3/%ff%fe", HOST).error == "invalid url format"
        assert house.ask_door("G" * 65, CHECKS, HOST).error == "invalid method"
        assert house.ask_door("GET", f"http://a..b{CHECKS}", HOST).error == "invalid host"
        assert house.ask_door("FOO_BAR", CHECKS, HOST).error == "method not allowed"
    assert errors(logged) == []


# --- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("mon.example:8000", "http://mon.example:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("my_backend", "http://my_backend"),
        ("", "http://192.0.2.1:80"),  # to which it is connected
    ],
)
def test_addresses_follow_the_request(host: str, base: str) -> None:
    """Without a configured base URL, addresses start with what the client asked, or else was connected to."""
    house = ApiStage()
    fields, version = ([f"Host: {host}"], "1.1") if host else ([], "1.0")
    reply = house.ask_door("POST", CHECKS, *fields, version=version)
    assert reply.json["ping_url"] == f"{base}/ping/{reply.json['uuid']}"


def test_addresses_follow_the_settings() -> None:
    """With a base URL, addresses start with it; the ping URL has the configured path."""
    house = ApiStage(ApiSettings(base_url="https://mon.example/sub", ping_path="/"))
    shown = house.post("/api/v2/checks/", {}).json
    assert shown["ping_url"] == f"https://mon.example/sub/{shown['uuid']}"
    assert shown["pause_url"] == f"https://mon.example/sub/api/v2/checks/{shown['uuid']}/pause"


# --- the daemon's own state ---------------------------------------------------------------------------------------


FULL = Problem("the journal takes no events", "the disk is full; make room")


def test_status_for_anybody() -> None:
    """The daemon says OK while it is well, and else what is wrong but not why; nobody needs a key for that."""
    house = ApiStage()
    reply = house.ask("GET", "/api/v3/status/")
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"OK", "text/plain")
    house.health = lambda: [FULL]
    reply = house.ask("GET", "/api/v1/status", headers={"X-Api-Key": ""})
    assert reply.status == 503
    assert reply.json == {"problems": ["the journal takes no events"]}


def test_status_for_those_who_have_a_key() -> None:
    """Whatever its role: the version, and of each problem why and what to do. A wrong key is told so."""
    house = ApiStage()
    for key in (house.ro, house.rw, house.operator):
        assert house.get("/api/v3/status/", key).json == {"version": __version__, "problems": [], "warnings": []}
    house.health = lambda: [FULL]
    reply = house.get("/api/v3/status/", house.ro)
    assert reply.status == 503
    detail = {"text": "the journal takes no events", "detail": "the disk is full; make room"}
    assert reply.json == {"version": __version__, "problems": [detail], "warnings": []}
    assert house.get("/api/v3/status/", "x" * 32).error == "wrong api key"


def test_status_is_asked_at_the_rate_of_the_key() -> None:
    """As all else that a key is shown for."""
    house = ApiStage(ApiSettings(keys_per_second=1, keys_at_once=1))
    assert [house.get("/api/v3/status/").status for _ in range(3)] == [200, 429, 429]
    assert house.ask("GET", "/api/v3/status/").status == 200


def test_the_target_says_more_than_the_host_header() -> None:
    """An absolute target names whom the client asks, whatever the header says (RFC 9112 3.2.2)."""
    house = ApiStage()
    reply = house.ask_door("POST", f"http://good.example{CHECKS}", "Host: other.example")
    assert reply.json["ping_url"] == f"http://good.example/ping/{reply.json['uuid']}"
