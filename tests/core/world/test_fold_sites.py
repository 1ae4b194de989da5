"""What entries about sites and partners do to the world, and what they cannot do."""

from __future__ import annotations

import pytest

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Attribution, Hosting, PartnerChanges, PartnerSpec
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.world import events as e
from pingmon.testing import bad
from tests.core.worlds import H1, S1, S2, T0, URL, A, B, Log, P, Q, Saves, state


@pytest.fixture
def log() -> Log:
    made = Log()
    made.channel(H1)
    return made


def test_a_site_is_made_once_in_a_project_that_is_there_and_has_room(log: Log) -> None:
    """However many are on their way at once."""
    spec = SiteSpec(url=URL)
    assert log.add(S1, e.SiteCreated(Q, spec)).result == "unknown"
    assert log.add(S1, e.SiteCreated(P, spec, most=1)).result == "created"
    assert log.add(S2, e.SiteCreated(P, spec, most=1)).result == "full"
    again = log.add(S1, e.SiteCreated(P, SiteSpec(url="http://other.example/"), most=1))
    assert (again.result, again.site) == ("exists", log.world.sites[S1])
    assert log.world.sites[S1].spec == spec
    assert list(log.world.members[P].sites) == [S1]


@pytest.mark.parametrize(
    "event",
    [
        e.SiteChanged(SiteChanges(name="x")),
        e.SiteDeleted(),
        e.SitePaused(),
        e.SiteResumed(),
        e.SiteProbed((bad(),)),
        e.SiteHostSeen(),
        e.PartnerAnswered("x_1", A, PartnerAnswer("ok"), 1),
        e.PartnerChanged(PartnerChanges(name="x")),
        e.PartnerDeleted(),
    ],
)
def test_events_about_what_is_gone_do_nothing(log: Log, event: e.Event) -> None:
    """A deleted site or partner stays deleted."""
    log.site()
    log.add(S1, e.SiteDeleted())
    before = state(log.world) | {"seq": None}
    assert log.add(S1, event).result == "unknown"
    assert state(log.world) | {"seq": None} == before


def test_the_flips_of_a_site_are_told_to_those_who_keep_history(log: Log) -> None:
    """Each change of its status is one; a look that changes nothing is none."""
    log.site(host="")
    outcomes = [
        log.probe(S1, bad()),
        log.probe(S1, bad(), bad("berlin"), bad("tokyo"), asked=2),
        log.probe(S1, bad()),
        log.recovers(),
        log.add(S1, e.SitePaused()),
        log.add(S1, e.SitePaused()),
        log.add(S1, e.SiteResumed()),
    ]
    assert [flip and flip.new for flip in (outcome.flip for outcome in outcomes)] == [
        *("suspect", "down", None, "up", "paused", None, "new")
    ]
    assert all(outcome.site is not None and outcome.id == S1 for outcome in outcomes)


def test_an_hour_that_has_ended_changes_nothing_of_a_site(log: Log) -> None:
    """It is for those who keep history."""
    before = log.site()
    assert log.add(S1, e.SiteProbed(hour=e.Hour(T0, 60, 1))).site == before


def test_who_hosts_a_site_is_kept_with_what_says_so(log: Log) -> None:
    """A lookup that failed changes nothing."""
    log.site(host="auto")
    found = Attribution("a", "cname", "hosts.example", "shop.hosts.example")
    log.add(S1, e.SiteHostSeen(found))
    assert log.world.sites[S1].hosting == Hosting(found, T0, T0)
    log.add(S1, e.SiteHostSeen(None, ("cname",)))
    assert log.world.sites[S1].hosting == Hosting(found, T0, T0)


def test_a_partner_is_made_once(log: Log) -> None:
    """Sites know it by its slug, the log by its id."""
    known = log.partner(A)
    for id, slug in ((B, "a"), (A, "b")):
        outcome = log.add(id, e.PartnerCreated(PartnerSpec(slug=slug)))
        assert (outcome.result, outcome.id, outcome.partner) == ("exists", A, known)
    assert list(log.world.partners) == [A]


def test_a_partner_is_changed_and_deleted(log: Log) -> None:
    """What an update does not set stays."""
    log.partner(secret="whsec_x")
    outcome = log.add(A, e.PartnerChanged(PartnerChanges(name="Example", max_suppression=60)))
    assert outcome.partner == log.world.partners[A]
    spec = log.world.partners[A].spec
    assert (spec.name, spec.max_suppression, spec.secret) == ("Example", 60, "whsec_x")
    assert log.add(A, e.PartnerDeleted()).partner is not None
    assert log.world.partners == {}


def test_sites_partners_questions_and_silences_are_restored(log: Log) -> None:
    """From a snapshot alone; what was deleted does not come back."""
    log.partner(scope="partner")
    log.partner(B, slug="b")
    log.site(S1)
    log.site(S2, host="b")
    log.fails(S1)
    log.fails(S2)
    log.until(T0 + 5, S2)
    log.answer(id=S1)
    log.recovers(S1)
    log.add(B, e.PartnerDeleted())
    saves = Saves(log)
    saves.save()
    restored = saves.restored()
    assert restored.sites[S1].inquiry is not None
    assert len(restored.owed) == 1
    assert state(restored) == state(log.world)
