"""Tests of `pingmon.sites.own_health`: a sick place pages nobody, and the operator hears of it once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.logger import LogLevel, capturedLogs

from pingmon.sites.own_health import MANY
from pingmon.testing import result
from tests.sites.places import Place, url

CANARIES = ("http://canary-1.example/", "http://canary-2.example/", "http://canary-3.example/")


@pytest.fixture(autouse=True)
def logs() -> Iterator[Sequence[dict[str, Any]]]:
    """What is logged meanwhile."""
    with capturedLogs() as events:
        yield events


def errors(logs: Sequence[dict[str, Any]]) -> int:
    """How often the operator was told that something is wrong."""
    return sum(event["log_level"] == LogLevel.error for event in logs)


def many(place: Place, count: int = 2 * MANY) -> None:
    """As many sites, each up."""
    for number in range(1, count + 1):
        place.site(number, interval=60)
    place.advance(62)


def downs(place: Place) -> list[str]:
    return [flip.subject for flip in place.flips if flip.new == "down"]


def suspects(place: Place) -> int:
    return sum(flip.new == "suspect" for flip in place.flips)


# --- the breaker --------------------------------------------------------------------------------------------------


def test_when_most_sites_fail_only_here_looks_count_for_nothing_until_it_is_over(
    logs: Sequence[dict[str, Any]],
) -> None:
    place = Place()
    many(place)
    for number in range(1, 2 * MANY + 1):
        place.prober.faults[url(number)] = "timeout"
    place.advance(62)
    assert "fail only here" in place.rounds.health().trouble
    asked = len(place.verifiers.asked)
    assert asked <= 2 * MANY
    place.advance(30)
    assert len(place.verifiers.asked) - asked <= MANY, "verifiers are not asked about looks that count for nothing"
    place.advance(600)
    assert downs(place) == []
    assert errors(logs) == 1
    place.prober.faults.clear()
    place.advance(200)
    assert place.rounds.health().trouble == ""
    assert errors(logs) == 1
    assert all(site.status == "up" for site in place.world.sites.values())


def test_a_real_outage_of_most_sites_does_not_trip_the_breaker() -> None:
    """The verifiers see it too."""
    place = Place()
    many(place)
    for number in range(1, 2 * MANY + 1):
        place.fail(number, "timeout", "timeout", "timeout", "timeout")
    place.advance(72)
    assert len(downs(place)) == 2 * MANY
    assert place.rounds.health().trouble == ""


def test_a_few_sites_that_fail_only_here_do_not_trip_it() -> None:
    place = Place()
    many(place)
    for number in range(1, MANY):
        place.prober.faults[url(number)] = "timeout"
    place.advance(130)
    assert place.rounds.health().trouble == ""
    assert suspects(place) >= MANY - 1


def test_fewer_than_ten_sites_never_trip_it() -> None:
    place = Place()
    many(place, MANY - 1)
    for number in range(1, MANY):
        place.prober.faults[url(number)] = "timeout"
    place.advance(300)
    assert place.rounds.health().trouble == ""


def test_after_the_breaker_a_real_outage_is_found() -> None:
    """It holds for a minute and then looks count again, so nothing is hidden for good."""
    place = Place()
    many(place)
    for number in range(1, 2 * MANY + 1):
        place.prober.faults[url(number)] = "timeout"
    place.advance(62)
    assert place.rounds.health().trouble
    for number in range(1, 2 * MANY + 1):
        place.fail(number, "timeout", "timeout", "timeout", "timeout")
    place.advance(125)
    assert len(downs(place)) == 2 * MANY


# --- canaries -----------------------------------------------------------------------------------------------------


def test_while_most_canaries_fail_too_no_site_is_even_suspected(logs: Sequence[dict[str, Any]]) -> None:
    place = Place(verified=False, canaries=CANARIES)
    site = place.site(interval=60)
    place.advance(1)
    for address in (url(1), *CANARIES[:2]):
        place.prober.faults[address] = "timeout"
    place.advance(600)
    assert place.status(site) == "unknown", "it is not known how it is"
    assert suspects(place) == 0
    assert errors(logs) == 1
    assert "canaries" in place.rounds.health().trouble
    del place.prober.faults[CANARIES[0]]
    place.advance(120)
    assert place.rounds.health().trouble == ""
    assert place.status(site) == "down"
    assert errors(logs) == 1


def test_while_all_is_well_canaries_are_looked_at_every_ten_minutes() -> None:
    place = Place(canaries=CANARIES)
    place.site(interval=60)
    place.advance(1300)
    assert [round(at / 100) for at, seen in place.prober.looked if seen == CANARIES[0]] == [0, 6, 12]


def test_a_canary_that_is_no_good_is_told_before_any_site_fails(logs: Sequence[dict[str, Any]]) -> None:
    place = Place(canaries=CANARIES[:1])
    place.prober.faults[CANARIES[0]] = "status"
    place.advance(1)
    assert "canaries" in place.rounds.health().trouble
    assert errors(logs) == 1


def test_trouble_with_canaries_is_over_when_they_are_well_again_also_if_no_site_fails() -> None:
    place = Place(canaries=CANARIES)
    place.site(interval=3600)
    place.prober.faults = dict.fromkeys((url(1), *CANARIES), "timeout")
    place.advance(30)
    assert place.rounds.health().trouble
    place.prober.faults.clear()
    place.advance(30)
    assert place.rounds.health().trouble == ""


def test_canaries_are_left_alone_when_the_daemon_stops(logs: Sequence[dict[str, Any]]) -> None:
    place = Place(canaries=CANARIES)
    place.prober.holds = True
    place.advance(1)
    result(place.watch.stop())
    place.prober.let_go()
    assert errors(logs) == 0
    assert place.rounds.health().trouble == ""


def test_one_look_at_the_canaries_serves_all_sites_that_fail_at_the_same_time() -> None:
    place = Place(verified=False, canaries=CANARIES[:1])
    for number in range(1, 31):
        place.site(number, interval=3600)
        place.fail(number)
    place.advance(2)
    assert [seen for _, seen in place.prober.looked].count(CANARIES[0]) == 1


def test_who_stops_waiting_for_the_canaries_keeps_nobody_else_from_hearing() -> None:
    place = Place(canaries=CANARIES[:1])
    place.prober.holds = True
    bad = place.prober.seen(url(1))
    place.prober.faults[url(1)] = "timeout"
    bad = place.prober.seen(url(1))
    first, second = place.node.confirmed(bad), place.node.confirmed(bad)
    first.addErrback(lambda failure: failure.trap(CancelledError))
    first.cancel()
    place.prober.let_go()
    assert result(second) == bad


def test_canaries_that_cannot_be_looked_at_speak_against_the_place() -> None:
    place = Place(canaries=CANARIES[:1])
    place.prober.faults = {url(1): "timeout", CANARIES[0]: "void"}
    assert result(place.node.confirmed(place.prober.seen(url(1)))).fault == "void"
