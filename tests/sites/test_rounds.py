"""Tests of `pingmon.sites.rounds`: what follows from a look, and what is logged of it."""

from __future__ import annotations

from pingmon.core.site.failures import FORBIDDEN_NAME, NOT_ALLOWED
from pingmon.core.site.probe_result import Fault
from pingmon.core.units import HOUR
from pingmon.core.world.events import SiteProbed
from pingmon.sites.rounds import ROUNDS
from pingmon.sites.site_watch import AGAIN_S
from pingmon.testing import result
from tests.sites.places import Place, url


def test_a_first_failure_is_confirmed_at_once_here_and_by_the_verifiers() -> None:
    place = Place()
    site = place.site(interval=300)
    place.advance(1)
    place.fail(1, "status", "status", "timeout", "status")
    place.advance(300)
    first, suspect, confirmed = place.logged(site)
    assert [look.fault for look in first.looks] == [""]
    assert (len(suspect.looks), suspect.asked) == (1, 0)
    assert [look.node for look in confirmed.looks] == ["", "v0", "v1", "v2"]
    assert (confirmed.asked, confirmed.quorum, confirmed.place) == (3, 2, "unsure")
    down = place.world.sites[site]
    assert (down.status, down.since) == ("down", suspect.looks[0].at)


def test_that_a_name_leads_nowhere_is_confirmed_by_verifiers_that_may_not_look_there_either() -> None:
    """A domain that is suspended leads to a private address for all. What only verifiers may not see says nothing."""
    nowhere, forbidden = FORBIDDEN_NAME(why="a null address"), NOT_ALLOWED(why="address 0.0.0.0 is reserved")
    place, other = Place(), Place()
    cases: list[tuple[Place, Fault, str]] = [(place, "dns", nowhere), (other, "connect", "")]
    for each, fault, detail in cases:
        site = each.site(interval=300)
        each.advance(1)
        each.fail(1, fault, "void", "void", "void")
        each.prober.details[url(1)], each.verifiers.details[url(1)] = detail, forbidden
        each.advance(300)
        looks = each.logged(site)[2].looks
        assert [look.fault for look in looks] == [fault, *["dns" if fault == "dns" else "void"] * 3]
    (down,) = place.world.sites
    assert place.status(down) == "down"
    assert {look.detail for look in place.logged(down)[2].looks} == {nowhere}


def test_a_blip_is_a_false_alarm() -> None:
    """The second look from here and most verifiers see nothing wrong."""
    place = Place()
    site = place.site(interval=300)
    place.advance(1)
    place.fail()
    place.advance(300)
    assert [flip.new for flip in place.flips] == ["up", "suspect", "up"]
    assert place.status(site) == "up"


def test_a_down_site_is_looked_at_every_thirty_seconds_and_is_up_when_a_verifier_says_so_too() -> None:
    place = Place()
    site = place.site(interval=300)
    place.fail(1, "status", "status", "status", "status")
    place.advance(10)
    assert place.status(site) == "down"
    place.prober.looked.clear()
    place.advance(90)
    assert len(place.times()) == 3
    place.prober.faults.clear()
    place.advance(30)
    assert place.status(site) == "down", "no verifier has seen it well"
    place.heal()
    place.advance(60)
    assert place.status(site) == "up"


def test_an_undecided_site_is_tried_again_with_back_off() -> None:
    place = Place()
    site = place.site(interval=600)
    place.fail(1, "status", "status", "", "void")
    place.advance(5)
    assert place.status(site) == "unknown"
    place.prober.looked.clear()
    place.advance(200)
    waits = [round(later - earlier) for earlier, later in zip(place.times(), place.times()[1:], strict=False)]
    assert waits == [30, 60]
    place.fail(1, "status", "status", "status", "status")
    place.advance(600)
    assert place.status(site) == "down"


def test_without_verifiers_three_failures_ten_seconds_apart_are_down_and_two_good_looks_up() -> None:
    place = Place(verified=False)
    site = place.site(interval=300)
    place.fail(1, "timeout")
    place.advance(11, step=0.25)
    assert place.status(site) == "suspect"
    place.advance(10, step=0.25)
    assert place.status(site) == "down"
    assert [round(at) for at in place.times()] == [0, 10, 20]
    place.heal()
    place.advance(61)
    assert place.status(site) == "up"
    assert place.verifiers.asked == []


def test_a_place_that_cannot_look_says_nothing_of_sites() -> None:
    place = Place()
    site = place.site(interval=60)
    place.advance(1)
    place.fail(1, "void")
    place.advance(300)
    assert place.status(site) == "unknown"
    assert [flip.new for flip in place.flips] == ["up", "unknown"]
    assert place.verifiers.asked == []


def test_who_sees_nothing_for_three_looks_does_not_know_how_the_site_is() -> None:
    """And finds out again by itself."""
    place = Place()
    site = place.site(interval=300)
    place.advance(1)
    place.fail(1, "void")
    for _ in range(2):
        assert result(place.watch.probe(site)).fault == "void"
        assert (place.status(site), place.rounds.health().blind) == ("up", 0)
    place.advance(AGAIN_S + 1)
    assert (place.status(site), place.rounds.health().blind) == ("unknown", 1)
    assert place.verifiers.asked == []
    place.heal()
    place.advance(AGAIN_S + 1)
    assert (place.status(site), place.rounds.health().blind) == ("up", 0)


def test_the_address_at_which_a_site_is_well_is_passed_on() -> None:
    place = Place()
    site = place.site()
    place.advance(1)
    assert place.addresses == [(site, "192.0.2.1")]


def test_verifiers_are_not_asked_about_a_site_that_only_pingmon_can_reach() -> None:
    place = Place()
    site = place.site(local_only=True)
    place.fail(1, "connect", "", "", "")
    place.advance(30)
    assert place.status(site) == "down"
    assert place.verifiers.asked == []


def test_who_waits_for_verifiers_shows_in_the_health_report_for_a_minute() -> None:
    """They look at so many sites at once and no more."""
    place = Place()
    for number in range(1, ROUNDS + 2):
        place.site(number, interval=300)
        place.fail(number, "status", "status", "status", "status")
    place.prober.holds = True
    place.advance(1)
    place.prober.let_go()
    assert len(place.verifiers.asked) == ROUNDS
    place.advance(12)
    place.prober.let_go()
    assert len(place.verifiers.asked) == ROUNDS + 1
    assert 11 < place.rounds.health().queued_s < 13
    place.advance(61)
    assert place.rounds.health().queued_s == 0


# --- hours --------------------------------------------------------------------------------------------------------


def test_what_an_hour_of_probes_measured_is_logged_once() -> None:
    place = Place()
    site = place.site(interval=60)
    place.advance(2 * 3600)
    hours = [event.hour for event in place.events(SiteProbed, of=site) if event.hour is not None]
    assert len(hours) in (1, 2)
    assert all(hour.start % HOUR == 0 and hour.slowest == hour.median == 7 for hour in hours)
    assert max(hour.probes for hour in hours) in (59, 60, 61)


def test_stopping_logs_the_hour_that_had_begun() -> None:
    place = Place()
    site = place.site()
    place.advance(1)
    result(place.watch.stop())
    newest = place.events(SiteProbed, of=site)[-1]
    assert newest.hour is not None
    assert newest.hour.probes == 1
