"""The history of a site over the API: flips, rounds, hours, uptime."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.api import site_history as history
from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.units import SECOND
from pingmon.core.world.events import Hour, PartnerAnswered, SitePaused, SiteProbed, SiteResumed
from pingmon.testing import START_S
from pingmon.wire.api.query_parameters import PAGE_MAX
from tests.api.stage import ApiStage

DAY_S = 86_400
UNTIL_MIDNIGHT_S = -START_S % DAY_S


@pytest.fixture
def house() -> ApiStage:
    """A house at midnight."""
    house = ApiStage()
    house.advance(UNTIL_MIDNIGHT_S)
    return house


def up(house: ApiStage, **fields: Any) -> tuple[str, str]:
    """A site that is up, and its path."""
    id = house.new_site(**fields)
    house.probe(id, house.look())
    return id, f"/api/v3/sites/{id}"


def asked(house: ApiStage, path: str, key: str | None = None) -> Any:
    reply = house.get(path, key)
    assert reply.status == 200, reply.body
    return reply.json


# --- flips --------------------------------------------------------------------------------------------------------


def test_flips_say_what_decided_them(house: ApiStage) -> None:
    """Newest first, with the status before and after, the code, and who saw what; also for readers."""
    id, path = up(house)
    house.outage(id)
    flips = asked(house, f"{path}/flips/", house.ro)["flips"]
    assert [(flip["old"], flip["new"], flip["code"], flip["up"]) for flip in flips] == [
        ("down", "up", 200, 1),
        ("suspect", "down", 503, 0),
        ("up", "suspect", 503, 0),
        ("new", "up", 200, 1),
    ]
    assert flips[1]["looks"][0]["class"] == "status"
    assert asked(house, f"{path}/flips/?limit=1&before={flips[0]['seq']}", house.ro)["flips"] == [flips[1]]
    assert house.get(f"{path}/flips/?limit=0").error == "limit must be a number from 1 to 1000"


# --- rounds and hours ---------------------------------------------------------------------------------------------


def test_rounds_say_who_saw_what(house: ApiStage) -> None:
    """Here and elsewhere; hours are no rounds."""
    id, path = up(house)
    house.submit(id, SiteProbed(hour=Hour(house.now, 12)))
    house.probe(id, house.look("timeout", 0), house.look("", 200, "tokyo"), asked=1, quorum=1)
    rounds = asked(house, f"{path}/probes/", house.ro)
    assert rounds["next"] is None
    assert [(seen["summary"], seen["asked"]) for seen in rounds["probes"]] == [
        ("timed out (here); ok (tokyo)", 1),
        ("ok", 0),
    ]


def test_hours_are_the_sums_that_were_logged(house: ApiStage) -> None:
    """Newest first; rounds are no hours."""
    id, path = up(house)
    for hour in range(3):
        house.submit(id, SiteProbed(hour=Hour(house.now + hour * 3600 * SECOND, 12, median=30 + hour)))
    hours = asked(house, f"{path}/hours/", house.ro)
    assert [(hour["start"][11:16], hour["median"]) for hour in hours["hours"]] == [
        ("02:00", 32),
        ("01:00", 31),
        ("00:00", 30),
    ]
    assert hours["next"] is None


@pytest.mark.parametrize("what", ["probes", "hours"])
def test_paging(house: ApiStage, what: str) -> None:
    """`next` leads from page to page, through entries of the other kind, to the end."""
    id, path = up(house)
    for number in range(5):
        house.probe(id, house.look())
        house.submit(id, SiteProbed(hour=Hour(house.now + number * 3600 * SECOND, 1)))
    every = asked(house, f"{path}/{what}/")[what]
    found: list[Any] = []
    query = "?limit=2"
    while True:
        page = asked(house, f"{path}/{what}/{query}")
        assert len(page[what]) <= 2
        found += page[what]
        if page["next"] is None:
            break
        query = f"?limit=2&before={page['next']}"
    assert found == every
    assert len(every) == (6 if what == "probes" else 5)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_an_hour_that_a_restart_has_parted_is_one_on_whatever_page_it_stands(house: ApiStage, limit: int) -> None:
    """Also with rounds between its parts."""
    id, path = up(house)
    for hour, probes in ((0, 1), (1, 2), (1, 3), (1, 4), (2, 5)):
        house.submit(id, SiteProbed(hour=Hour(house.now + hour * 3600 * SECOND, probes)))
        house.probe(id, house.look())
    found: list[int] = []
    page: dict[str, Any] = {"next": 10**9}
    while page["next"] is not None:
        page = asked(house, f"{path}/hours/?limit={limit}&before={page['next']}")
        found += [hour["probes"] for hour in page["hours"]]
    assert found == [5, 9, 1]


def test_a_long_search_is_broken_off_and_can_be_taken_up(house: ApiStage) -> None:
    """A request looks through a bounded number of entries; `next` says where it stopped."""
    id, path = up(house)
    for _ in range(history.SCAN_MAX):
        house.submit(id, SiteProbed(hour=Hour(house.now, 1)))
    page = asked(house, f"{path}/probes/")
    assert page["probes"] == []
    rest = asked(house, f"{path}/probes/?before={page['next']}")
    assert (len(rest["probes"]), rest["next"]) == (1, None)


# --- uptime -------------------------------------------------------------------------------------------------------


def test_uptime_by_day_and_month(house: ApiStage) -> None:
    """Thirty days and twelve months unless asked otherwise; seconds of all kinds add up to the time."""
    id, path = up(house)
    house.advance(DAY_S / 2)
    house.outage(id, 60)
    house.advance(DAY_S / 2 - 60 + 10)
    shown = asked(house, f"{path}/uptime/", house.ro)
    assert (len(shown["days"]), len(shown["months"])) == (30, 12)
    today, yesterday, before = shown["days"][:3]
    assert (today["date"], today["uptime"], today["up"]) == ("2023-11-16", 1.0, 10)
    assert yesterday == {
        "date": "2023-11-15",
        "uptime": (DAY_S - 60) / DAY_S,
        "up": DAY_S - 60,
        "down": 60,
        "suppressed": 0,
        "unknown": 0,
        "unwatched": 0,
    }
    assert (before["uptime"], before["unwatched"]) == (None, DAY_S)
    (month, *_) = shown["months"]
    assert (month["month"], month["down"], month["up"]) == ("2023-11", 60, DAY_S - 60 + 10)


def test_as_many_days_and_months_as_asked(house: ApiStage) -> None:
    """None at all too, and not too many."""
    _, path = up(house)
    shown = asked(house, f"{path}/uptime/?days=2&months=0")
    assert ([day["date"] for day in shown["days"]], shown["months"]) == (["2023-11-15", "2023-11-14"], [])
    assert asked(house, f"{path}/uptime/?days=0&months=0") == {"days": [], "months": []}
    assert house.get(f"{path}/uptime/?days=367").error == "days must be a number from 0 to 366"
    assert house.get(f"{path}/uptime/?months=37").error == "months must be a number from 0 to 36"


def today(house: ApiStage, path: str) -> dict[str, Any]:
    (line,) = asked(house, f"{path}/uptime/?days=1&months=0")["days"]
    assert isinstance(line, dict)
    return line


def until(house: ApiStage, id: str, partner: str, seconds: int, *, question: str = "q") -> None:
    answer = PartnerAnswer("until", house.now + seconds * SECOND)
    house.submit(id, PartnerAnswered(question, partner, answer, 5))


def go_down(house: ApiStage, id: str) -> None:
    """Down by three failing looks, 20 s after the first one."""
    for _ in range(3):
        house.probe(id, house.look("status", 503))
        house.advance(10)


def test_an_outage_that_the_host_knew_of_is_suppressed(house: ApiStage) -> None:
    """From its answer until the instant that it named."""
    partner = house.new_partner("hosty", webhook="https://hooks.example/")
    id, path = up(house, host="hosty")
    house.advance(100)
    go_down(house, id)
    until(house, id, partner, 300)
    house.advance(1000)
    line = today(house, path)
    assert (line["up"], line["down"], line["suppressed"]) == (100, 30 + 700, 300)


def test_an_outage_in_the_silence_of_all_of_a_hosts_sites(house: ApiStage) -> None:
    """The word was given for another site; the outage that began in it is suppressed until it ends."""
    partner = house.new_partner("hosty", webhook="https://hooks.example/", scope="partner")
    other, _ = up(house, host="hosty")
    id, path = up(house, host="hosty")
    until(house, other, partner, 500)
    house.advance(100)
    go_down(house, id)
    house.advance(70)
    line = today(house, path)
    assert (line["up"], line["down"], line["suppressed"]) == (100, 0, 100)


def test_more_flips_and_answers_than_one_page_holds(house: ApiStage) -> None:
    """All of them count."""
    partner = house.new_partner("hosty")
    id, path = up(house, host="hosty")
    for _ in range(PAGE_MAX // 3 + 2):
        house.advance(100)
        house.outage(id, 50)
    for number in range(PAGE_MAX + 2):
        until(house, id, partner, 1, question=f"q{number}")
    line = today(house, path)
    assert (line["down"], line["up"], line["unknown"]) == (335 * 50, 335 * 100, 0)


def test_beyond_the_most_that_is_read_nothing_is_known(house: ApiStage) -> None:
    """A site that changes without end costs a bounded number of reads, and its older time is unknown."""
    id, path = up(house)
    for number in range(history.UPTIME_MAX + 2):
        house.advance(1)
        house.submit(id, SiteResumed() if number % 2 else SitePaused())
    line = today(house, path)
    assert (line["up"], line["unknown"], line["unwatched"]) == (0, 3, history.UPTIME_MAX - 1)
