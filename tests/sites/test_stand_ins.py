"""Tests of `pingmon.sites.stand_ins` and of what they decide: other sites speak for pingmon's own place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from twisted.logger import LogLevel, capturedLogs

from pingmon.core.site.probe_result import Fault
from pingmon.core.units import Id
from pingmon.core.world.events import SiteProbed
from pingmon.sites.own_health import OTHERS_MAX_S
from pingmon.sites.stand_ins import STAND_INS, StandIns, network_of
from tests.sites.places import Place, url

VOID: tuple[Fault, ...] = ("void", "void", "void")


@pytest.fixture(autouse=True)
def logs() -> Iterator[Sequence[dict[str, Any]]]:
    """What is logged meanwhile."""
    with capturedLogs() as events:
        yield events


def errors(logs: Sequence[dict[str, Any]]) -> list[str]:
    return [event["trouble"] for event in logs if event["log_level"] == LogLevel.error and "trouble" in event]


def spread(place: Place, count: int) -> list[Id]:
    """So many sites, each in a network of its own, and all seen well."""
    for number in range(1, count + 1):
        place.prober.addresses[url(number)] = f"192.0.{number}.1"
    sites = [place.site(number, interval=60) for number in range(1, count + 1)]
    place.advance(61)
    return sites


def statuses(place: Place, sites: Sequence[Id]) -> set[str]:
    return {place.status(site) for site in sites}


# --- who is asked -------------------------------------------------------------------------------------------------


def test_some_others_are_looked_at_each_in_a_network_of_its_own_and_not_the_one_that_fails() -> None:
    """Those that were well of late first; one dead server has one voice."""
    place = Place(verified=False)
    sites = spread(place, 12)
    stand_ins = StandIns(place.prober, Random(3))
    for number, site in enumerate(sites):
        stand_ins.well(site, f"192.0.2.{number}" if number < 6 else f"198.51.{number}.1")
    place.prober.looked.clear()
    latest = {site: place.prober.seen(url(number)) for number, site in enumerate(sites[:9], 1)}
    looks = stand_ins.look(sites[0], place.world.sites, latest)
    asked = {seen for _, seen in place.prober.looked}
    assert len(looks) == len(asked) == STAND_INS
    assert not asked & {url(number) for number in range(1, 7)}, "in the network of the one that fails"
    assert {url(number) for number in range(7, 10)} <= asked, "those that were well"


def test_sites_that_were_never_seen_well_are_told_apart_by_their_hosts_names() -> None:
    """At a start without a network nothing else is known of them."""
    place = Place(verified=False)
    sites = [place.site(number, interval=60) for number in (1, 2)]
    stand_ins = StandIns(place.prober, Random(3))
    stand_ins.well(sites[0], "")
    assert len(stand_ins.look(sites[0], place.world.sites, {})) == 1


def test_networks_are_24_bits_wide_or_48() -> None:
    """By IP version."""
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_of("shop.example") == "shop.example"


# --- without verifiers and canaries -------------------------------------------------------------------------------


def test_a_pingmon_that_is_cut_off_suspects_no_site_and_tells_its_operator_once(logs: Sequence[dict[str, Any]]) -> None:
    """Before the first message, not after it."""
    place = Place(verified=False)
    sites = spread(place, 6)
    place.prober.faults = {url(number): "timeout" for number in range(1, 7)}
    place.advance(600)
    assert statuses(place, sites) == {"unknown"}
    assert [flip.new for flip in place.flips if flip.new in ("suspect", "down")] == []
    assert errors(logs) == ["most of the 5 other sites that were looked at fail"]
    place.prober.faults = {}
    place.advance(120)
    assert statuses(place, sites) == {"up"}
    assert place.rounds.health().trouble == ""


def test_a_site_that_fails_while_others_are_well_is_down_after_three_looks() -> None:
    """As fast as ever."""
    place = Place(verified=False)
    sites = spread(place, 6)
    place.fail(1, "timeout")
    place.advance(81)
    assert place.status(sites[0]) == "down"
    assert statuses(place, sites[1:]) == {"up"}


def test_all_sites_on_one_server_go_down_with_it() -> None:
    """There is nobody to ask, and no other site is of another opinion."""
    place = Place(verified=False)
    sites = [place.site(number, interval=60) for number in range(1, 7)]
    place.advance(61)
    place.prober.faults = {url(number): "timeout" for number in range(1, 7)}
    place.advance(90)
    assert statuses(place, sites) == {"down"}


def test_an_outage_of_half_of_all_networks_is_told_because_the_others_are_well() -> None:
    """Those that were well of late are asked."""
    place = Place(verified=False)
    sites = spread(place, 12)
    place.prober.faults = {url(number): "timeout" for number in range(1, 7)}
    place.advance(400)
    assert statuses(place, sites[:6]) == {"down"}
    assert statuses(place, sites[6:]) == {"up"}


def test_an_outage_of_everything_is_told_after_an_hour(logs: Sequence[dict[str, Any]]) -> None:
    """Nothing that fails is unknown for ever because nobody vouches for pingmon."""
    place = Place(verified=False)
    sites = spread(place, 6)
    place.prober.faults = {url(number): "timeout" for number in range(1, 7)}
    place.advance(OTHERS_MAX_S - 120)
    assert statuses(place, sites) == {"unknown"}
    place.advance(400)
    assert statuses(place, sites) == {"down"}
    assert len(errors(logs)) == 1


def test_where_no_other_site_is_left_to_ask_pingmon_does_not_call_itself_sick() -> None:
    """All are known to be down, so nobody speaks against pingmon's own place any more."""
    place = Place(verified=False)
    sites = spread(place, 6)
    place.prober.faults = {url(number): "timeout" for number in range(1, 7)}
    place.advance(OTHERS_MAX_S + 400)
    assert statuses(place, sites) == {"down"}
    assert place.rounds.health().trouble == ""


def test_an_http_status_is_believed_while_others_do_not_answer() -> None:
    """Whoever sent it was reached."""
    place = Place(verified=False)
    sites = spread(place, 6)
    place.prober.faults = {url(number): "timeout" for number in range(2, 7)}
    place.fail(1, "status")
    place.advance(90)
    assert place.status(sites[0]) == "down"
    assert statuses(place, sites[1:]) <= {"up", "unknown"}


def test_an_http_status_is_not_believed_while_somebody_answers_with_one_for_all() -> None:
    """A portal on the way, say."""
    place = Place(verified=False)
    sites = spread(place, 6)
    place.prober.faults = {url(number): "status" for number in range(1, 7)}
    place.advance(600)
    assert statuses(place, sites) == {"unknown"}


def test_other_sites_are_not_asked_again_and_again_about_one_that_is_known_to_be_down() -> None:
    """It would be a burden to them."""
    place = Place(verified=False)
    spread(place, 3)
    place.fail(1, "timeout")
    place.advance(120)
    place.prober.looked.clear()
    place.advance(600)
    assert len(place.times(2)) == 10


# --- with verifiers -----------------------------------------------------------------------------------------------


def test_where_verifiers_can_look_no_other_site_is_asked() -> None:
    """They know better."""
    place = Place()
    spread(place, 6)
    place.fail(1, "timeout", "timeout", "timeout", "timeout")
    place.prober.looked.clear()
    place.advance(60)
    assert len([seen for _, seen in place.prober.looked if seen != url(1)]) == 5


def test_a_site_that_fails_while_no_verifier_can_look_is_down_when_other_sites_are_well() -> None:
    """By three looks and the one that was made at once, and the round says how sure that is."""
    place = Place()
    sites = spread(place, 6)
    place.fail(1, "timeout", *VOID)
    place.advance(90)
    site = place.world.sites[sites[0]]
    assert (site.status, site.last and site.last.place) == ("down", "well")
    flip = next(flip for flip in place.flips if flip.new == "down")
    assert (flip.subject, flip.place) == (sites[0], "well")


def test_a_status_that_was_received_is_told_though_no_verifier_can_look_and_there_is_no_other_site() -> None:
    """Two verifiers configured and none reachable: that was silent for ever."""
    place = Place()
    site = place.site(interval=300)
    place.fail(1, "status", *VOID)
    place.advance(31)
    assert place.status(site) == "down"


def test_a_site_that_times_out_while_no_verifier_can_look_is_told_after_five_minutes() -> None:
    """Although nobody vouches for pingmon's own place."""
    place = Place()
    site = place.site(interval=300)
    place.fail(1, "timeout", *VOID)
    place.advance(200)
    assert place.status(site) == "unknown"
    place.advance(60)
    down = place.world.sites[site]
    assert (down.status, down.last and down.last.place) == ("down", "unsure")


def test_a_pingmon_that_is_cut_off_from_sites_and_verifiers_tells_nothing() -> None:
    """It first suspects the sites, and then itself; what it did not see is not logged again and again."""
    place = Place()
    sites = spread(place, 6)
    for number in range(1, 7):
        place.fail(number, "timeout", *VOID)
    place.advance(1200)
    assert statuses(place, sites) == {"unknown"}
    assert [flip for flip in place.flips if flip.new == "down"] == []
    assert len(place.events(SiteProbed, of=sites[0])) <= 4
    for number in range(1, 7):
        place.heal(number)
    place.advance(120)
    assert statuses(place, sites) == {"up"}
