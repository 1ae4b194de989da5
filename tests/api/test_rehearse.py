"""Rehearsals over the API: other settings, tried on what was."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.api.rehearse import PAGE, PINGS_MAX
from pingmon.core.world.events import CheckPaused, CheckResumed, PingReceived
from pingmon.testing import result
from tests.api.stage import CHECKS, ApiStage

DAY_S = 86_400


@pytest.fixture
def house() -> ApiStage:
    return ApiStage()


def pinged(house: ApiStage, *gaps_s: int, **fields: Any) -> str:
    """A check that is pinged after each gap, and the last time right now."""
    id = house.new_check(**{"timeout": 3600, "grace": 300} | fields)
    house.ping(id)
    for gap in gaps_s:
        house.clock.advance(gap)
        house.ping(id)
    return id


def rehearsed(house: ApiStage, id: str, *, days: int | None = None, **fields: Any) -> Any:
    reply = house.post(f"{CHECKS}{id}/rehearse" + ("" if days is None else f"?days={days}"), fields)
    assert reply.status == 200, reply.body
    return reply.json


def test_other_settings_beside_todays(house: ApiStage) -> None:
    """A ping came ten minutes late once, and twenty minutes late once."""
    id = pinged(house, 3600, 4200, 3600, 4800, name="backup")
    shown = rehearsed(house, id, grace=900)
    assert shown["text"] == (
        "with this you would have had 1 alert since 2023-11-14 22:13:20 UTC; with today's settings 2"
    )
    assert shown["covers"] == {
        "from": "2023-11-14T22:13:20+00:00",
        "to": "2023-11-15T02:43:20+00:00",
        "days": 0.2,
        "pings": 5,
        "whole": True,
    }
    assert (shown["today"]["count"], shown["today"]["settings"]) == (2, {"grace": 300})
    assert shown["changed"] == {
        "settings": {"grace": 900},
        "count": 1,
        "down_seconds": 300,
        "alerts": [
            {
                "at": "2023-11-15T02:38:20+00:00",
                "until": "2023-11-15T02:43:20+00:00",
                "seconds": 300,
                "reason": "silence",
                "why": "the job reported no success in time",
                "exit_status": None,
                "entry": shown["changed"]["alerts"][0]["entry"],
            }
        ],
    }
    assert (shown["notes"], shown["warnings"]) == ([], [])


def test_nothing_is_changed(house: ApiStage) -> None:
    """And nothing is logged."""
    id = pinged(house, 4200)
    before, entries = house.get(f"{CHECKS}{id}").json, house.world.seq
    rehearsed(house, id, grace=900, schedule="0 5 * * *", tz="Asia/Tokyo")
    assert house.get(f"{CHECKS}{id}").json == before
    assert house.world.seq == entries


def test_the_fields_are_judged_as_in_an_update(house: ApiStage) -> None:
    """With the same errors, and the same warning of what there is not."""
    id = pinged(house)
    assert house.post(f"{CHECKS}{id}/rehearse", {"grace": 5}).error == "json validation error: grace is too small"
    assert house.post(f"{CHECKS}{id}/rehearse?days=0", {}).error == "days must be a number from 1 to 366"
    assert rehearsed(house, id, graze=5)["warnings"] == ["ignored, because there are no such fields: graze"]
    assert house.post(f"{CHECKS}{id}/rehearse", {}, house.ro).status == 401
    assert house.post(f"{CHECKS}11111111-0000-4000-8000-00000000000f/rehearse", {}).status == 404


def test_only_the_days_that_are_asked_for_count(house: ApiStage) -> None:
    """The last ping before them is replayed too: the silence that it began may end in them."""
    id = pinged(house, *[DAY_S] * 9)
    shown = rehearsed(house, id, days=3)
    assert shown["text"].endswith("3 alerts in the last 3 days; with today's settings 3")
    assert (shown["covers"]["days"], shown["covers"]["pings"], shown["covers"]["whole"]) == (3.0, 5, True)


def test_newest_alerts_come_first_and_one_that_lasts_has_no_end(house: ApiStage) -> None:
    """It has lasted until now."""
    id = pinged(house, 4200, 3600)
    house.clock.advance(4000)
    first, second = rehearsed(house, id)["today"]["alerts"]
    assert (first["until"], first["seconds"]) == (None, 100)
    assert second["until"] == "2023-11-14T23:23:20+00:00"


def test_pauses_of_that_time_count(house: ApiStage) -> None:
    """Nobody is told of a check that is paused."""
    id = pinged(house, 3600)
    house.submit(id, CheckPaused())
    house.clock.advance(DAY_S)
    house.submit(id, CheckResumed())
    house.ping(id)
    assert rehearsed(house, id)["today"]["count"] == 0


def test_a_check_that_was_never_pinged_had_no_alerts(house: ApiStage) -> None:
    """All of its time is covered."""
    shown = rehearsed(house, house.new_check(), grace=60)
    assert (shown["today"]["count"], shown["changed"]["count"]) == (0, 0)
    assert (shown["covers"]["pings"], shown["covers"]["whole"]) == (0, True)


def test_what_is_not_kept_is_not_covered(house: ApiStage) -> None:
    """The answer says from when on it is."""
    id = pinged(house, *[3600] * 9)
    for entry in result(house.journal.events(id, PingReceived, upto=house.world.seq, skip=4)):
        del house.memory.rows[entry.seq]
    shown = rehearsed(house, id)
    assert (shown["covers"]["pings"], shown["covers"]["whole"]) == (4, False)
    assert shown["covers"]["from"] == "2023-11-15T04:13:20+00:00"
    (note,) = shown["notes"]
    assert note == "the pings before 2023-11-15 04:13:20 UTC were not replayed: they are not kept, or too many"


def test_of_very_many_pings_the_newest_are_replayed(house: ApiStage) -> None:
    """In slices, so that others are served between them."""
    id = pinged(house, *[60] * (PINGS_MAX + PAGE))
    shown = rehearsed(house, id, timeout=60, grace=60)
    assert (shown["covers"]["pings"], shown["covers"]["whole"]) == (PINGS_MAX, False)
    assert shown["changed"]["count"] == 0


def test_what_a_filter_had_ignored_is_a_guess(house: ApiStage) -> None:
    """Its URL is not kept."""
    id = pinged(house, methods="POST")
    house.ping(id, "ign")
    shown = rehearsed(house, id, methods="")
    assert shown["notes"] == [
        "of 1 ping it is not kept what the job meant, because the settings of then ignored it: "
        "it is taken for a success, or a failure if it had an exit status"
    ]
