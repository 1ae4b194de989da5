"""Tests of `pingmon.sites.site_watch`: when sites are looked at, and who is told what was seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs

from pingmon.core.site.probe_result import Fault
from pingmon.core.site.probe_schedule import phase
from pingmon.core.site.settings import SiteChanges
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import AnyEvent, SiteChanged, SiteDeleted, SitePaused, SiteResumed
from pingmon.journal import JournalUnavailable
from pingmon.sites.site_watch import AGAIN_S
from pingmon.testing import result, uuid
from tests.sites.places import Place, url


def attempted(place: Place, site: Id, event: AnyEvent) -> None:
    """Submit `event`, if the disk takes it."""
    place.monitor.submit(site, event).addErrback(lambda failure: failure.trap(JournalUnavailable))


# --- when ---------------------------------------------------------------------------------------------------------


def test_a_new_site_is_looked_at_at_once_and_is_up() -> None:
    place = Place()
    site = place.site(interval=300)
    place.advance(1)
    assert place.status(site) == "up"
    assert len(place.times()) == 1


def test_a_healthy_site_is_looked_at_on_its_own_grid_and_only_its_first_look_is_logged() -> None:
    place = Place()
    site = place.site(interval=60)
    place.advance(600)
    start = place.now / SECOND - place.time.steady()
    later = place.times()[1:]
    assert len(later) in (9, 10)
    assert {round(start + at - phase(site, 60)) % 60 for at in later} == {0}
    assert len(place.logged(site)) == 1


def test_sites_that_were_made_together_are_looked_at_spread_over_the_interval() -> None:
    place = Place()
    sites = [place.site(number, interval=60) for number in range(1, 61)]
    place.advance(65)
    place.prober.looked.clear()
    place.advance(60)
    assert len(place.prober.looked) == len(sites)
    seconds = [int(at) for at, _ in place.prober.looked]
    assert max(map(seconds.count, seconds)) <= 60 // 4


def test_after_a_restart_a_site_is_looked_at_when_its_turn_comes() -> None:
    place = Place()
    site = place.site(interval=300)
    place.advance(1)
    result(place.watch.stop())
    again = place.restarted()
    again.advance(300)
    assert len(again.times()) == 1
    assert again.status(site) == "up"


def test_a_suspended_machine_does_not_make_up_for_what_it_missed() -> None:
    place = Place()
    for number in range(1, 31):
        place.site(number, interval=60)
    place.advance(61)
    place.prober.looked.clear()
    place.time.sleep(3600)
    place.advance(1)
    assert len(place.prober.looked) < 10


def test_one_look_at_a_site_is_under_way_at_a_time() -> None:
    place = Place()
    place.site(interval=60)
    place.prober.holds = True
    place.advance(200)
    assert len(place.times()) == 1
    place.prober.let_go()
    place.advance(61)
    assert len(place.times()) == 2


def test_a_paused_site_is_not_looked_at_until_it_is_resumed() -> None:
    place = Place()
    site = place.site(interval=60)
    place.advance(1)
    place.submit(site, SitePaused())
    place.advance(300)
    assert len(place.times()) == 1
    place.submit(site, SiteResumed())
    place.advance(1)
    assert len(place.times()) == 2


def test_pausing_or_deleting_a_site_ends_the_look_at_it() -> None:
    place = Place()
    ends: tuple[AnyEvent, ...] = (SitePaused(), SiteDeleted())
    for number, event in enumerate(ends, 1):
        site = place.site(number)
        place.fail(number)
        place.prober.holds = True
        place.advance(1)
        place.submit(site, event)
        place.prober.let_go()
        place.advance(400)
        assert len(place.times(number)) == 1
        assert place.logged(site) == []
        assert place.watch.latest(site) is None


def test_a_site_with_a_new_url_is_looked_at_there_at_once_and_the_old_look_counts_for_nothing() -> None:
    place = Place()
    site = place.site(interval=86_400)
    place.fail()
    place.prober.holds = True
    place.advance(1)
    place.submit(site, SiteChanged(SiteChanges(url=url(2))))
    place.prober.holds = False
    place.prober.let_go()
    assert place.status(site) == "new"
    place.advance(1)
    assert place.status(site) == "up"


def test_a_clock_that_is_set_back_during_a_look_puts_the_next_one_off_by_nothing() -> None:
    place = Place()
    site = place.site(interval=300)
    place.fail(1, "status", "status", "status", "status")
    place.advance(1)
    place.prober.holds = True
    place.advance(31)
    place.time.set_wall(-7200)
    place.prober.holds = False
    place.prober.let_go()
    place.prober.looked.clear()
    place.advance(62)
    assert len(place.times()) >= 2
    assert place.status(site) == "down"


def test_the_sites_times_move_along_when_the_wall_clock_is_set() -> None:
    place = Place()
    place.site(interval=60)
    place.advance(1)
    place.time.set_wall(-86_400)
    place.advance(61)
    assert len(place.times()) == 2


def test_a_look_that_cannot_be_logged_is_made_again_soon() -> None:
    place = Place()
    site = place.site(interval=86_400)
    place.advance(1)
    place.fail(1, "status", "status", "status", "status")
    place.journal.fail_next(1)
    asked = place.watch.probe(site)
    with pytest.raises(JournalUnavailable):
        result(asked)
    assert place.status(site) == "up"
    place.advance(AGAIN_S + 1)
    assert place.status(site) == "down"


def test_a_look_that_saw_nothing_is_made_again_soon() -> None:
    place = Place()
    site = place.site(interval=86_400)
    place.fail(1, "void")
    place.advance(1)
    place.fail(1, "status", "status", "status", "status")
    place.advance(AGAIN_S + 1)
    assert place.status(site) == "down"


def test_a_fault_of_our_own_in_a_round_is_reported() -> None:
    place = Place()
    site = place.site()
    place.fail(1, "status")
    place.prober.broken_after = 1
    with capturedLogs() as events:
        place.advance(1)
    assert [event["log_level"] for event in events if "while looking at site" in str(event.get("log_format"))] != []
    assert place.status(site) == "suspect"


# --- probing now --------------------------------------------------------------------------------------------------


def test_a_probe_that_is_asked_for_is_made_at_once_and_its_consequences_are_logged_when_it_is_told() -> None:
    place = Place()
    site = place.site(interval=3600)
    place.advance(1)
    place.fail(1, "dns", "dns", "dns", "dns")
    look = result(place.watch.probe(site))
    assert look.fault == "dns"
    assert place.status(site) == "down"


def test_who_asks_for_a_probe_that_is_under_way_joins_it() -> None:
    place = Place()
    site = place.site()
    place.prober.holds = True
    place.advance(1)
    first, second = place.watch.probe(site), place.watch.probe(site)
    second.addErrback(lambda failure: failure.trap(CancelledError))
    second.cancel()
    place.prober.let_go()
    assert result(first).good
    assert len(place.times()) == 1


def test_there_is_no_probe_of_what_is_not_watched() -> None:
    place = Place()
    site = place.site()
    place.submit(site, SitePaused())
    for id in (site, uuid(9, "5")):
        with pytest.raises(KeyError):
            result(place.watch.probe(id))


def test_stopping_ends_looks_under_way_and_whoever_waits_for_one() -> None:
    """Nobody is told of an older look instead."""
    place = Place()
    site = place.site()
    place.advance(1)
    place.prober.holds = True
    waiting = place.watch.probe(site)
    result(place.watch.stop())
    with pytest.raises(CancelledError):
        result(waiting)


# --- health -------------------------------------------------------------------------------------------------------


def test_a_start_that_is_late_shows_in_the_health_report_for_a_minute() -> None:
    place = Place()
    place.site(interval=60)
    place.advance(1)
    assert place.watch.health().late_s <= 1
    place.advance(61, step=9)
    assert place.watch.health().late_s > 1
    place.advance(120)
    assert place.watch.health().late_s <= 1
    assert place.watch.health().sites == 1


@settings(max_examples=25)
@given(st.data())
def test_whatever_happens_every_watched_site_is_looked_at_again(data: st.DataObject) -> None:
    place = Place(verified=data.draw(st.booleans()))
    sites = [place.site(number, interval=60) for number in (1, 2, 3)]
    for _ in range(data.draw(st.integers(1, 12))):
        number = data.draw(st.integers(1, 3))
        site = sites[number - 1]
        what = data.draw(
            st.sampled_from(["pause", "resume", "fail", "void", "heal", "clock", "sleep", "advance", "disk"])
        )
        if what == "pause":
            attempted(place, site, SitePaused())
        elif what == "resume":
            attempted(place, site, SiteResumed())
        elif what == "fail":
            votes: list[Fault] = data.draw(st.lists(st.sampled_from(["status", "", "void"]), min_size=3, max_size=3))
            place.fail(number, "status", *votes)
        elif what == "void":
            place.fail(number, "void")
        elif what == "heal":
            place.heal(number)
        elif what == "clock":
            place.time.set_wall(data.draw(st.integers(-100_000, 100_000)))
        elif what == "sleep":
            place.time.sleep(data.draw(st.integers(0, 5000)))
        elif what == "disk":
            place.journal.fail_next(1)
        place.advance(data.draw(st.integers(0, 90)))
    place.prober.looked.clear()
    place.advance(330)
    for number, site in enumerate(sites, 1):
        assert bool(place.times(number)) == (place.status(site) != "paused")
