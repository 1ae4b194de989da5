"""Maintenance windows over the API."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.api.maintenance import MAX_WINDOWS
from pingmon.core.notify.maintenance import WindowSpec
from pingmon.core.units import HOUR, SECOND
from pingmon.core.world.events import WindowCreated
from pingmon.testing import PROJECT, START, uuid
from pingmon.wire.time_texts import seconds_text
from tests.api.stage import OTHER_PROJECT, ApiStage
from tests.door.stage import UNKNOWN

WINDOWS = "/api/v3/maintenance/"
NOW = START // SECOND


def test_a_window_that_opens_once() -> None:
    """Instants are told in ISO 8601 or as Unix time, and shown in the former; and whether it is open now."""
    house = ApiStage()
    made = house.post(WINDOWS, {"name": "disks", "start": str(NOW - 60), "end": seconds_text(START + HOUR)})
    assert made.status == 201
    shown = made.json
    assert shown == {
        "uuid": shown["uuid"],
        "name": "disks",
        "subjects": "",
        "tags": "",
        "start": seconds_text(START - 60 * SECOND),
        "end": seconds_text(START + HOUR),
        "schedule": None,
        "tz": None,
        "duration": None,
        "open_until": seconds_text(START + HOUR),
        "opens": None,
    }
    assert house.get(WINDOWS + shown["uuid"]).json == shown
    assert house.get(WINDOWS).json == {"maintenance": [shown]}
    assert house.delete(WINDOWS + shown["uuid"]).json == shown
    assert house.get(WINDOWS).json == {"maintenance": []}


def test_a_window_that_comes_again_for_some_checks() -> None:
    house = ApiStage()
    check = house.new_check()
    body = {"schedule": "0 2 * * *", "tz": "Europe/Berlin", "duration": 1800, "subjects": check.upper(), "tags": "db"}
    shown = house.post(WINDOWS, body).json
    assert {name: shown[name] for name in body} == body | {"subjects": check}
    assert (shown["start"], shown["open_until"], shown["opens"]) == (None, None, "2023-11-15T01:00:00+00:00")
    seq = house.world.seq
    assert house.post(WINDOWS + shown["uuid"], {"duration": 1800}).json == shown
    assert house.world.seq == seq
    once = house.post(WINDOWS + shown["uuid"], {"start": str(NOW), "end": str(NOW + 60)}).json
    assert (once["schedule"], once["start"]) == (None, seconds_text(START))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "a window needs start and an end after it, or a schedule"),
        ({"start": "1", "end": "1"}, "a window needs start and an end after it, or a schedule"),
        ({"start": "1", "schedule": "* * * * *"}, "a window has start and end or a schedule, and not both"),
        ({"start": "soon", "end": "1"}, "start is no instant"),
        ({"schedule": "soon"}, "schedule is not a valid cron or OnCalendar expression"),
        ({"schedule": "@daily", "duration": 1}, "duration is too small"),
        ({"start": "1", "end": "2", "subjects": "x"}, "subjects has an id of no check and no site: x"),
    ],
)
def test_what_cannot_be_a_window_is_told(body: dict[str, Any], text: str) -> None:
    house = ApiStage()
    reply = house.post(WINDOWS, body)
    assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert house.world.windows == {}


def test_a_window_of_another_project_is_not_there() -> None:
    house = ApiStage()
    house.submit(uuid(9), WindowCreated(OTHER_PROJECT, WindowSpec(start=1, end=2)))
    for id in (uuid(9), UNKNOWN):
        replies = [house.get(WINDOWS + id), house.post(WINDOWS + id, {}), house.delete(WINDOWS + id)]
        assert [reply.status for reply in replies] == [404] * 3
    assert house.get(WINDOWS).json == {"maintenance": []}


def test_a_project_may_have_so_many() -> None:
    house = ApiStage()
    for number in range(MAX_WINDOWS):
        house.submit(uuid(number, "9"), WindowCreated(PROJECT, WindowSpec(start=1, end=2)))
    reply = house.post(WINDOWS, {"start": "1", "end": "2"})
    assert (reply.status, reply.error) == (403, f"too many maintenance windows: a project may have {MAX_WINDOWS}")


def test_a_project_that_is_deleted_has_no_windows_left() -> None:
    house = ApiStage()
    house.post(WINDOWS, {"start": "1", "end": "2"})
    assert house.delete(f"/api/v3/projects/{PROJECT}", house.operator).status == 200
    assert house.world.windows == {}
