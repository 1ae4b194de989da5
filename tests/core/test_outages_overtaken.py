"""Outages while other things happen: answers come late, sites are paused and deleted, messages wait, clocks are set."""

from __future__ import annotations

import pytest

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Attribution
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges
from pingmon.core.site.site import PartnerSilence
from pingmon.core.units import DAEMON
from pingmon.core.world import events as e
from tests.core.worlds import H1, H2, HOUR, MINUTE, S1, S2, T0, URL, A, B, Log, Saves, bad, good, two_sites

T = T0 + 2 * HOUR
"""Until when partners ask for silence here."""


@pytest.fixture
def log() -> Log:
    """A log with two channels."""
    made = Log()
    made.channel(H1)
    made.channel(H2)
    return made


@pytest.fixture
def hosted(log: Log) -> Log:
    """A log with a site that is up, and its partner."""
    log.partner()
    log.site()
    return log


# --- late, twice, gone --------------------------------------------------------------------------------------------


def test_an_answer_to_an_overtaken_question_tells_nobody_and_answers_nothing(hosted: Log) -> None:
    """The question that overtook it still waits for its own."""
    hosted.fails()
    first = hosted.world.sites[S1].inquiry
    assert first is not None
    hosted.recovers()
    late = e.PartnerAnswered(first.question.id, A, PartnerAnswer("ok"), 5)
    assert hosted.add(S1, late).channels == ()
    assert (hosted.asked, hosted.news()) == ([("a", 200)], [])


def test_a_question_is_the_same_after_a_crash(hosted: Log) -> None:
    """Its id and content are part of the saved world; an answer that was logged twice tells users once."""
    hosted.fails()
    saves = Saves(hosted)
    saves.save()
    restored = saves.restored()
    assert list(restored.inquiring) == [S1]
    inquiry = hosted.world.sites[S1].inquiry
    assert inquiry is not None
    assert restored.sites[S1].inquiry == inquiry
    for _ in range(2):
        hosted.add(S1, e.PartnerAnswered(inquiry.question.id, A, PartnerAnswer("ok"), 5))
    assert hosted.news() == ["down"]


def test_users_do_not_wait_for_a_partner_that_was_deleted(hosted: Log) -> None:
    """They are told at once; its answer, should it come, does nothing."""
    hosted.partner(B, slug="b")
    hosted.site(S2, host="b")
    hosted.fails(S1)
    hosted.fails(S2)
    inquiry = hosted.world.sites[S1].inquiry
    assert inquiry is not None
    assert hosted.add(A, e.PartnerDeleted()).channels == (H1,)
    assert (hosted.asked, hosted.news()) == ([("b", 503)], ["down"])
    hosted.add(S1, e.PartnerAnswered(inquiry.question.id, A, PartnerAnswer("until", T), 5))
    assert hosted.world.sites[S1].silence is None
    hosted.recovers(S1)
    assert hosted.news() == ["up"]


def test_an_answer_about_a_site_that_was_deleted_is_counted_and_may_silence_the_others(log: Log) -> None:
    """The partner did answer."""
    two_sites(log, scope="partner")
    log.fails(S1)
    inquiry = log.world.sites[S1].inquiry
    assert inquiry is not None
    log.add(S1, e.SiteDeleted())
    assert log.asked == []
    assert log.add(S1, e.PartnerAnswered(inquiry.question.id, A, PartnerAnswer("until", T), 5)).result == "unknown"
    assert (log.world.partners[A].answers, log.world.partners[A].silent_until) == ({"until": 1}, T)


def test_a_pause_calls_the_question_about_an_outage_off(hosted: Log) -> None:
    """Whoever pauses a site knows; an alert would never be closed."""
    hosted.fails()
    inquiry = hosted.world.sites[S1].inquiry
    assert inquiry is not None
    hosted.add(S1, e.SitePaused())
    assert hosted.asked == []
    hosted.add(S1, e.PartnerAnswered(inquiry.question.id, A, PartnerAnswer("ok"), 5))
    hosted.add(S1, e.SiteResumed())
    hosted.probe(S1, good())
    assert (hosted.asked, hosted.news()) == ([], [])


def test_a_pause_leaves_the_question_about_a_recovery(hosted: Log) -> None:
    """The site was back before, and users who know of the outage are told so."""
    hosted.fails()
    hosted.answer()
    hosted.recovers()
    hosted.add(S1, e.SitePaused())
    hosted.add(S1, e.SiteResumed())
    hosted.news()
    hosted.probe(S1, good())
    assert hosted.answer().channels == (H1,)
    assert (hosted.news(), hosted.world.sites[S1].told) == (["up"], False)


def test_a_pause_ends_an_outage_that_users_know_of(hosted: Log) -> None:
    """What comes after it is a new beginning: nothing to call off, and the next outage is told."""
    hosted.fails()
    hosted.answer()
    hosted.add(S1, e.SitePaused())
    hosted.add(S1, e.SiteResumed())
    assert hosted.news() == ["down"]
    hosted.probe(S1, good())
    assert (hosted.asked, hosted.news()) == ([], [])
    hosted.fails()
    hosted.answer()
    assert hosted.news() == ["down"]


# --- what is owed -------------------------------------------------------------------------------------------------


def test_nothing_is_owed_about_a_site_that_was_deleted(hosted: Log) -> None:
    """Neither a message nor a question."""
    hosted.site(S2, host="")
    hosted.fails(S1)
    hosted.fails(S2)
    for id in (S1, S2):
        hosted.add(id, e.SiteDeleted())
    assert (hosted.asked, hosted.world.owed, hosted.world.outbox) == ([], {}, {})


def test_a_down_that_was_not_delivered_is_told_by_the_up(log: Log) -> None:
    """One message instead of two."""
    log.site()
    log.fails()
    log.now += MINUTE
    log.recovers()
    (owed,) = log.world.owed.values()
    assert (owed.flip.new, owed.down_from) == ("up", T0)


@pytest.mark.parametrize("looks", [(good(),), (bad(), good())], ids=["well at once", "suspect first"])
def test_a_down_from_before_a_pause_is_void_once_the_site_is_up(log: Log, looks: tuple[ProbeResult, ...]) -> None:
    """It would be an alert that is never closed."""
    log.site()
    log.fails()
    log.add(S1, e.SitePaused())
    log.add(S1, e.SiteResumed())
    assert len(log.world.owed) == 1
    for look in looks:
        log.probe(S1, look)
    assert (log.world.sites[S1].status, log.news()) == ("up", [])


@pytest.mark.parametrize("events", [(), (e.SitePaused(), e.SiteResumed())], ids=["false alarm", "pause"])
def test_an_up_that_waits_for_its_delivery_is_not_lost_to_what_comes_after_it(
    log: Log, events: tuple[e.Event, ...]
) -> None:
    """It closes an alert, so only a new outage overtakes it."""
    log.site()
    log.fails()
    assert log.news() == ["down"]
    log.recovers()
    for event in events:
        log.add(S1, event)
    log.probe(S1, bad())
    log.probe(S1, good())
    assert (log.world.sites[S1].status, log.news()) == ("up", ["up"])


def test_who_was_told_of_a_sites_outage_in_anothers_stead_is_told_of_its_end(hosted: Log) -> None:
    """As with checks; also if another outage came before the first was called off, and not of the next one."""
    hosted.fails()
    hosted.answer()
    (lost,) = hosted.world.owed
    assert hosted.add(H1, e.NotificationAbandoned(lost, 1, "status 410")).channels == (H2,)
    assert hosted.news(H2) == ["down"]
    assert hosted.world.sites[S1].relayed == (H2,)
    hosted.recovers()
    hosted.fails()
    hosted.answer()
    hosted.recovers()
    outcome = hosted.answer()
    assert outcome.channels == (H1, H2)
    assert outcome.site == hosted.world.sites[S1]
    assert hosted.world.sites[S1].relayed == ()
    hosted.news(H2)
    hosted.fails()
    assert hosted.answer().channels == (H1,)


def test_a_set_clock_moves_sites_and_messages_but_neither_silences_nor_questions(hosted: Log) -> None:
    """A partner named its instant by its own clock, and a question stays what it was."""
    hosted.add(S1, e.SiteHostSeen(None))
    hosted.fails()
    hosted.until(T)
    hosted.now = T
    hosted.fails()
    before = hosted.world.sites[S1]
    assert hosted.add(DAEMON, e.ClockStepped(-HOUR)).everything
    after = hosted.world.sites[S1]
    assert (after.since, after.incident, after.hosting.since) == (T0 - HOUR, T0 - HOUR, T0 - HOUR)
    assert before.last is not None
    assert after.last is not None
    assert after.last.at == before.last.at - HOUR
    assert before.inquiry is not None
    assert after.inquiry is not None
    assert after.inquiry.question == before.inquiry.question
    assert after.inquiry.flip.at == T0 - HOUR
    assert after.silence == before.silence == PartnerSilence(A, T)


def test_a_site_under_a_new_address_has_to_be_looked_at_anew(hosted: Log) -> None:
    """Its host is to be found again, and failures of the old address do not count with those of the new."""
    hosted.add(S1, e.SiteHostSeen(Attribution("a", "cname", "hosts.example", "x")))
    hosted.probe(S1, bad())
    hosted.probe(S1, bad())
    assert hosted.add(S1, e.SiteChanged(SiteChanges(name="shop", url=URL))).site is not None
    assert (hosted.world.sites[S1].failures, hosted.world.sites[S1].hosting.looked) == (2, T0)
    hosted.add(S1, e.SiteChanged(SiteChanges(url="http://other.example/")))
    assert (hosted.world.sites[S1].failures, hosted.world.sites[S1].hosting.looked) == (0, 0)
    assert hosted.world.sites[S1].status == "suspect"


# --- another address ----------------------------------------------------------------------------------------------

MOVED = e.SiteChanged(SiteChanges(url="http://other.example/", host="auto"))


def test_a_partner_that_was_asked_about_one_address_is_not_told_of_another(hosted: Log) -> None:
    """The users, who know of the outage, learn that it is over without it."""
    hosted.fails()
    hosted.answer()
    assert hosted.news() == ["down"]
    hosted.add(S1, MOVED)
    it = hosted.world.sites[S1]
    assert (it.status, it.told, it.partner_told, it.word) == ("down", True, None, None)
    hosted.recovers()
    assert (hosted.asked, hosted.news()) == ([], ["up"])


def test_a_change_of_anything_but_the_address_leaves_the_partner_its_question(hosted: Log) -> None:
    """And its word and its silence."""
    hosted.fails()
    hosted.add(S1, e.SiteChanged(SiteChanges(name="shop", url=URL)))
    assert hosted.asked == [("a", 503)]
    hosted.until(T)
    hosted.add(S1, e.SiteChanged(SiteChanges(interval=60)))
    it = hosted.world.sites[S1]
    assert (it.silence, it.partner_told, it.word is None, it.moved) == (PartnerSilence(A, T), A, False, 0)


def test_an_outage_whose_question_is_called_off_by_a_new_address_is_told_if_that_is_down_too(hosted: Log) -> None:
    """By the next round; whoever hosts it there is asked first."""
    hosted.partner(B, slug="b")
    hosted.fails()
    hosted.add(S1, e.SiteChanged(SiteChanges(url="http://other.example/", host="b")))
    assert (hosted.asked, hosted.news()) == ([], [])
    hosted.fails()
    assert hosted.asked == [("b", 503)]
    inquiry = hosted.world.sites[S1].inquiry
    assert inquiry is not None
    assert inquiry.question.url == "http://other.example/"
    hosted.answer()
    assert hosted.news() == ["down"]


def test_a_new_address_that_is_well_makes_no_news_of_an_outage_that_nobody_knew_of(hosted: Log) -> None:
    """Neither to users nor to the partner whose question was called off."""
    hosted.fails()
    hosted.add(S1, MOVED)
    hosted.recovers()
    assert (hosted.asked, hosted.news()) == ([], [])


def test_a_recovery_whose_question_is_called_off_by_a_new_address_is_told_at_once(hosted: Log) -> None:
    """Users who know of the outage must not wait for ever."""
    hosted.fails()
    hosted.answer()
    assert hosted.news() == ["down"]
    hosted.recovers()
    outcome = hosted.add(S1, MOVED)
    assert outcome.channels == (H1,)
    assert outcome.site == hosted.world.sites[S1]
    assert (hosted.asked, hosted.news(), hosted.world.sites[S1].told) == ([], ["up"], False)


def test_a_recovery_that_only_the_partner_would_have_heard_of_ends_with_its_question(hosted: Log) -> None:
    """Users never knew of the outage."""
    hosted.fails()
    hosted.recovers()
    assert hosted.asked == [("a", 200)]
    assert hosted.add(S1, MOVED).channels == ()
    assert (hosted.asked, hosted.news()) == ([], [])


def test_a_silence_about_one_address_is_none_about_another(hosted: Log) -> None:
    """Even if both are hosted by who asked for it."""
    hosted.fails()
    hosted.until(T)
    hosted.add(S1, e.SiteChanged(SiteChanges(url="http://other.example/")))
    assert hosted.world.sites[S1].silence is None
    hosted.fails()
    assert hosted.asked == [("a", 503)]


def test_an_answer_about_an_address_that_the_site_has_left_is_counted_and_no_more(hosted: Log) -> None:
    """The one about its present address counts."""
    hosted.fails()
    first = hosted.world.sites[S1].inquiry
    assert first is not None
    hosted.add(S1, e.SiteChanged(SiteChanges(url="http://other.example/")))
    late = e.PartnerAnswered(first.question.id, A, PartnerAnswer("until", T), 5)
    assert hosted.add(S1, late).site == hosted.world.sites[S1]
    it = hosted.world.sites[S1]
    assert (it.silence, it.word, hosted.world.partners[A].answers) == (None, None, {"until": 1})
    hosted.fails()
    hosted.until(T)
    assert hosted.world.sites[S1].silence == PartnerSilence(A, T)
