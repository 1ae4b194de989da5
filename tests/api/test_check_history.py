"""The history of a check over the API: pings, bodies, flips, and paging through them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pingmon.api.call import PAGE
from pingmon.api.check_history import LOOK_BACK, NEAR, SCAN_MAX
from pingmon.core.world.events import CheckMoved, Event
from pingmon.testing import START_S
from tests.api.stage import OTHER_PROJECT, ApiStage

A = "aaaaaaaa-0000-4000-8000-000000000000"


@pytest.fixture
def house() -> ApiStage:
    """A house with time that goes on by itself, one second for each ping."""
    return ApiStage()


def with_pings(house: ApiStage, count: int, **fields: Any) -> str:
    """The path of a check with so many pings, alternating start and success, a second apart."""
    id = house.new_check(**fields)
    for n in range(count):
        house.ping(id, "start" if n % 2 == 0 else "success")
        house.advance(1)
    return f"/api/v3/checks/{id}"


def numbers(house: ApiStage, path: str) -> list[int]:
    return [ping["n"] for ping in house.get(path).json["pings"]]


# --- pings --------------------------------------------------------------------------------------------------------


def test_pings_newest_first(house: ApiStage) -> None:
    """Pings come newest first, each with its number, and successes with the time since their start."""
    path = with_pings(house, 4)
    pings = house.get(f"{path}/pings/").json["pings"]
    assert [(ping["n"], ping["type"], ping.get("duration")) for ping in pings] == [
        (4, "success", 1.0),
        (3, "start", None),
        (2, "success", 1.0),
        (1, "start", None),
    ]
    assert pings[3]["date"] == "2023-11-14T22:13:20.000000+00:00"


def test_a_hundred_unless_asked_otherwise(house: ApiStage) -> None:
    """Without a limit, the newest hundred are told."""
    path = with_pings(house, 105)
    assert numbers(house, f"{path}/pings/") == list(range(105, 5, -1))


def test_paging(house: ApiStage) -> None:
    """`before` and `limit` page through everything; a page that ends inside a run still tells its duration."""
    path = with_pings(house, 10)
    assert numbers(house, f"{path}/pings/?limit=3") == [10, 9, 8]
    assert numbers(house, f"{path}/pings/?limit=3&before=8") == [7, 6, 5]
    assert numbers(house, f"{path}/pings/?before=1") == numbers(house, f"{path}/pings/?before=0") == []
    assert numbers(house, f"{path}/pings/?before=999") == list(range(10, 0, -1))
    assert house.get(f"{path}/pings/?limit=1").json["pings"][0]["duration"] == 1.0


def test_pages_by_type(house: ApiStage) -> None:
    """`type` picks signals, several of them if asked; numbers and durations stay what they are."""
    path = with_pings(house, 10)
    pings = house.get(f"{path}/pings/?type=success&limit=2&before=9").json["pings"]
    assert [(ping["n"], ping["duration"]) for ping in pings] == [(8, 1.0), (6, 1.0)]
    assert numbers(house, f"{path}/pings/?type=success&type=start&limit=2") == [10, 9]
    assert numbers(house, f"{path}/pings/?type=log") == []


def every(house: ApiStage, path: str, query: str) -> tuple[list[int], int]:
    """The numbers on all pages that `next` leads to, and how many pages there are."""
    found: list[int] = []
    pages, before = 0, ""
    while before is not None:
        page = house.get(f"{path}/pings/?{query}{before and '&before='}{before}").json
        found += [ping["n"] for ping in page["pings"]]
        pages, before = pages + 1, page["next"]
    return found, pages


@pytest.mark.parametrize("limit", [1, 3, 5, 10, 11])
def test_next_leads_through_all_pages(house: ApiStage, limit: int) -> None:
    """It is null at the end, also where that is the end of a page."""
    path = with_pings(house, 10)
    assert every(house, path, f"limit={limit}") == (list(range(10, 0, -1)), -(-10 // limit))
    assert every(house, path, f"limit={limit}&type=start")[0] == [9, 7, 5, 3, 1]


def test_pings_that_come_between_two_pages_shift_nothing(house: ApiStage) -> None:
    """`next` names a ping, however many are newer by then."""
    path = with_pings(house, 10)
    next = house.get(f"{path}/pings/?limit=3").json["next"]
    house.ping(path.rpartition("/")[2])
    page = house.get(f"{path}/pings/?limit=3&before={next}").json["pings"]
    assert [(ping["n"], ping.get("duration")) for ping in page] == [(7, None), (6, 1.0), (5, None)]


def test_a_start_long_before_a_page_is_found(house: ApiStage) -> None:
    """Other pings may lie between a run's start and its end."""
    id = house.new_check()
    house.ping(id, "start")
    for _ in range(LOOK_BACK - 1):
        house.advance(1)
        house.ping(id, "log")
    house.advance(1)
    house.ping(id, "success")
    (newest,) = house.get(f"/api/v3/checks/{id}/pings/?limit=1").json["pings"]
    assert (newest["type"], newest["duration"]) == ("success", LOOK_BACK)


def test_little_more_is_read_than_is_shown() -> None:
    """If the starts of its runs are on a page or near, nothing is read beyond."""
    counted = Counted()
    house = counted.house = ApiStage(history=counted)
    path = with_pings(house, 500)
    assert len(house.get(f"{path}/pings/").json["pings"]) == PAGE
    assert sum(counted.asked) == PAGE + NEAR


def test_a_search_looks_through_so_many_pings_and_leads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type that does not occur costs no request more than another; each step reads a bounded part."""
    counted = Counted()
    house = counted.house = ApiStage(history=counted)
    path = with_pings(house, 7000)
    page = house.get(f"{path}/pings/?type=fail&limit=1").json
    assert page["pings"] == []
    assert page["next"] is not None
    assert sum(counted.asked) <= SCAN_MAX + 2 * (1 + LOOK_BACK)
    assert max(counted.asked) <= 1 + LOOK_BACK
    found, pages = every(house, path, "type=fail&limit=1")
    assert (found, pages) == ([], 2)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=", "limit=-1", "limit=1.5", "limit=%D9%A3"]
)
def test_bad_limits(house: ApiStage, query: str) -> None:
    """A limit that is no number from 1 to 1000 is told so."""
    reply = house.get(f"{with_pings(house, 1)}/pings/?{query}")
    assert (reply.status, reply.error) == (400, "limit must be a number from 1 to 1000")


def test_other_bad_queries(house: ApiStage) -> None:
    """Unknown types and numbers out of range are told so."""
    path = with_pings(house, 1)
    assert house.get(f"{path}/pings/?type=bang").error == "type must be one of success, start, fail, log, ign"
    assert house.get(f"{path}/pings/?before={'9' * 5000}").error == "before must be a number from 0 to 1000000000000000"


class Counted:
    """The history of `house`; `asked` are the limits of what was read."""

    house: ApiStage

    def __init__(self) -> None:
        self.asked: list[int] = []

    def flips(self, stream: str, **asked: Any) -> Deferred[Any]:
        return self.house.journal.flips(stream, **asked)

    def entries(self, stream: str | None, **asked: Any) -> Deferred[Any]:
        return self.house.journal.entries(stream, **asked)

    def flips_at(self, seqs: Collection[int]) -> Deferred[Any]:
        return self.house.journal.flips_at(seqs)

    def events(self, stream: str, kind: type[Event], **asked: Any) -> Deferred[Any]:
        self.asked.append(asked["limit"])
        return self.house.journal.events(stream, kind, **asked)


class Slow(Counted):
    """The history of `house`, read only after another ping has come."""

    def events(self, stream: str, kind: type[Event], **asked: Any) -> Deferred[Any]:
        self.house.ping(stream)
        return super().events(stream, kind, **asked)


def test_pings_that_arrive_meanwhile_do_not_shift_a_page() -> None:
    """A page is read as of the moment it was asked for."""
    slow = Slow()
    house = slow.house = ApiStage(history=slow)
    assert numbers(house, f"{with_pings(house, 3)}/pings/?limit=2") == [3, 2]


# --- bodies -------------------------------------------------------------------------------------------------------


def test_bodies_come_back_as_they_came(house: ApiStage) -> None:
    """A body is given back byte for byte, as text that no browser will take for anything else."""
    id = house.new_check()
    body = b"caf\xc3\xa9 \xff\x00 <script>"
    house.ping(id, "fail", body, exitstatus=7, rid=A, method="POST", addr="192.0.2.1", ua="curl")
    house.ping(id)
    ping = house.get(f"/api/v3/checks/{id}/pings/").json["pings"][1]
    assert ping["body_url"] == f"http://pingmon.example/api/v3/checks/{id}/pings/1/body"
    assert (ping["exitstatus"], ping["rid"], ping["remote_addr"]) == (7, A, "192.0.2.1")
    reply = house.get(ping["body_url"])
    assert (reply.status, reply.body) == (200, body)
    assert reply.headers["Content-Type"] == "text/plain"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("n", ["0", "2", "3", "999999999999999", "-1", "x", "%D9%A1", "1.0"])
def test_bodies_that_are_not_there(house: ApiStage, n: str) -> None:
    """No such ping, and no such body, are 404."""
    id = house.new_check()
    house.ping(id, "success", b"yes")
    house.ping(id, "success")
    assert house.get(f"/api/v3/checks/{id}/pings/1/body").status == 200
    assert house.get(f"/api/v3/checks/{id}/pings/{n}/body").error == "not found"


# --- flips --------------------------------------------------------------------------------------------------------


def flipping(house: ApiStage) -> str:
    """The path of a check that went up, down and up again, an hour apart, and was paused then."""
    id = house.new_check()
    for signal in ("success", "fail", "success"):
        house.ping(id, signal)
        house.advance(3600)
    house.post(f"/api/v3/checks/{id}/pause")
    return f"/api/v3/checks/{id}/flips/"


def test_flips_newest_first(house: ApiStage) -> None:
    """Flips come newest first, with the reason of a down."""
    flips = house.get(flipping(house)).json["flips"]
    assert [(flip["up"], flip["reason"]) for flip in flips] == [(0, ""), (1, ""), (0, "signal"), (1, "")]
    assert flips[3]["timestamp"] == "2023-11-14T22:13:20+00:00"


def test_flips_for_a_read_only_key(house: ApiStage) -> None:
    """A read-only key may ask for flips, by the key that it sees."""
    path = flipping(house)
    (listed,) = house.get("/api/v3/checks/", house.ro).json["checks"]
    by_key = house.get(f"/api/v3/checks/{listed['unique_key']}/flips/", house.ro)
    assert all("deliveries" not in flip for flip in by_key.json["flips"])
    assert by_key.json == house.get(path, house.ro).json
    assert len(by_key.json["flips"]) == 4


def test_a_flip_in_maintenance_or_below_a_parent_is_marked(house: ApiStage) -> None:
    """Whoever has the check now is told no names of the project that it was in."""
    parent = house.new_check(name="database")
    id = house.new_check(parent=parent)
    for each in (parent, id):
        house.ping(each, "fail")
    silenced = {"by": "parent", "id": parent, "name": "database"}
    path = f"/api/v3/checks/{id}/flips/"
    assert [flip["silenced"] for flip in house.get(path).json["flips"]] == [silenced]
    assert [flip["silenced"] for flip in house.get(f"/api/v3/checks/{parent}/flips/").json["flips"]] == [None]
    other = house.new_project(OTHER_PROJECT)
    house.submit(id, CheckMoved(OTHER_PROJECT))
    assert house.get(path, other).json["flips"][-1]["silenced"] == {"by": "parent", "id": "", "name": ""}


def test_flips_of_a_time(house: ApiStage) -> None:
    """`seconds`, `start` (inclusive) and `end` (exclusive) narrow the list, all together."""
    path = flipping(house)
    hour = START_S + 3600

    def count(query: str) -> int:
        return len(house.get(f"{path}?{query}").json["flips"])

    assert count("seconds=3600") == 2
    assert count("seconds=0") == count("seconds=") == 4
    assert count(f"start={hour}") == 3
    assert count(f"end={hour}") == 1
    assert count(f"start={hour}&end={hour + 1}") == 1
    assert count(f"start={START_S}&seconds=60") == 1


def test_paging_through_flips(house: ApiStage) -> None:
    """The `seq` of the last flip of a page leads to the next one."""
    path = flipping(house)
    every = house.get(path).json["flips"]
    page = house.get(f"{path}?limit=3").json["flips"]
    assert page == every[:3]
    assert house.get(f"{path}?limit=3&before={page[-1]['seq']}").json["flips"] == every[3:]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("seconds=31536001", "seconds must be a number from 0 to 31536000"),
        ("seconds=x", "seconds must be a number from 0 to 31536000"),
        ("start=", "start must be a number from 0 to 10000000000"),
        ("end=10000000001", "end must be a number from 0 to 10000000000"),
        ("limit=0", "limit must be a number from 1 to 1000"),
    ],
)
def test_bad_times(house: ApiStage, query: str, text: str) -> None:
    """A filter that cannot be understood is told so."""
    reply = house.get(f"/api/v3/checks/{house.new_check()}/flips/?{query}")
    assert (reply.status, reply.error) == (400, text)
