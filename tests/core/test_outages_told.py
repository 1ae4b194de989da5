"""Who is told of an outage and when, partner and users, entry by entry.

Source: the partner webhook, and the site monitoring spec where that leaves something open.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.partner.inquiry import AnswerKind
from pingmon.core.partner.partner import Attribution, HostRule, PartnerChanges
from pingmon.core.site.escalation import silent_until
from pingmon.core.site.probe_schedule import next_probe
from pingmon.core.site.settings import SiteChanges
from pingmon.core.site.site import PartnerSilence
from pingmon.core.units import SECOND
from pingmon.core.world import events as e
from tests.core.worlds import H1, HOUR, MINUTE, S1, S2, T0, A, B, Log, T, bad, good, two_sites

# --- before the users are told ------------------------------------------------------------------------------------


def test_without_a_partner_users_are_told_at_once(log: Log) -> None:
    """Nobody is asked, neither now nor at the recovery."""
    log.site()
    outcome = log.fails()
    assert outcome.channels == (H1,)
    assert (log.asked, log.news()) == ([], ["down"])
    assert log.recovers().channels == (H1,)
    assert (log.asked, log.news()) == ([], ["up"])


def test_a_partner_without_a_webhook_is_as_none(log: Log) -> None:
    """It only gives a name to the host."""
    log.partner(webhook="")
    log.site()
    log.fails()
    assert (log.asked, log.news()) == ([], ["down"])


@pytest.mark.parametrize("kind", ["ok", "expired", "malformed", "refused", "no answer"])
def test_a_partner_is_asked_before_users_are_told_and_any_answer_but_an_instant_tells_them(
    hosted: Log, kind: AnswerKind
) -> None:
    """A down is asked about with its code, and users wait for no more than the answer."""
    assert hosted.fails().channels == ()
    assert (hosted.asked, hosted.news()) == ([("a", 503)], [])
    assert hosted.answer(kind).channels == (H1,)
    assert (hosted.asked, hosted.news()) == ([], ["down"])
    assert hosted.world.partners[A].answers == {kind: 1}


def test_the_answer_to_a_question_decides_on_the_very_message_that_waited_for_it(silent: Log) -> None:
    """An instant keeps this message back, and nobody is asked or told of this outage until then."""
    silent.now = T - SECOND
    silent.fails()
    assert (silent.asked, silent.news()) == ([], [])
    assert silent.world.partners[A].answers == {"until": 1}


def test_in_silence_probing_and_history_go_on(silent: Log) -> None:
    """Only questions and messages stop."""
    silent.now += HOUR
    assert [flip.new for flip in (silent.recovers().flip, silent.fails().flip) if flip] == ["up", "down"]
    assert (silent.asked, silent.news()) == ([], [])


def test_a_partner_that_may_not_silence_users_only_stops_questions(log: Log) -> None:
    """Users are told when it answers, and of each later way down at once."""
    log.partner(suppress_users=False)
    log.site()
    log.fails()
    assert (log.until(T).channels, log.news()) == ((H1,), ["down"])
    log.now += MINUTE
    log.recovers()
    assert (log.asked, log.news()) == ([], ["up"])
    log.fails()
    assert (log.asked, log.news()) == ([], ["down"])


def test_nobody_is_told_that_pingmon_is_blind_nor_that_it_sees_again(log: Log) -> None:
    """It is no news of the site; but the history has it. What users know of an outage before stays to be closed."""
    log.site(host="")
    blind, seen = log.probe(S1, bad(fault="void")), log.probe(S1, good())
    assert [flip and (flip.old, flip.new) for flip in (blind.flip, seen.flip)] == [("up", "unknown"), ("unknown", "up")]
    assert (blind.channels, seen.channels, log.news()) == ((), (), [])
    log.fails()
    assert log.probe(S1, bad(fault="void")).flip is None
    log.recovers()
    assert log.news() == ["again up"]


def test_a_site_without_channels_goes_down_and_comes_back_untold(log: Log) -> None:
    """Nothing is owed to anybody."""
    log.site(host="", channels=("gone",))
    assert log.fails().channels == ()
    assert log.world.sites[S1].told
    assert log.recovers().channels == ()
    assert (log.world.sites[S1].told, log.world.owed) == (False, {})


# --- the recovery -------------------------------------------------------------------------------------------------


def test_a_recovery_is_asked_about_with_the_code_that_was_seen_before_users_are_told(told: Log) -> None:
    """Once, and whatever the partner says, users that know of the outage learn that it is over."""
    told.recovers()
    assert (told.asked, told.news()) == ([("a", 200)], [])
    told.until(T)
    assert (told.asked, told.news()) == ([], ["up"])


def test_a_recovery_in_silence_is_told_to_nobody_and_the_silence_stays(silent: Log) -> None:
    """No down went out, so no up does; the partner named the end of its maintenance."""
    silent.now += HOUR
    silent.recovers()
    silent.fails()
    silent.recovers()
    assert (silent.asked, silent.news()) == ([], [])
    assert silent.world.sites[S1].silence == PartnerSilence(A, T)


def test_users_who_know_of_an_outage_are_told_of_the_recovery_also_in_silence(hosted: Log) -> None:
    """Nobody is left with an alert that is never closed; the question is spared."""
    hosted.fails()
    question = hosted.inquiry()
    hosted.answer("no answer")
    hosted.answer("until", T, to=question)
    assert hosted.news() == ["down"]
    hosted.recovers()
    assert (hosted.asked, hosted.news()) == ([], ["up"])


def test_a_recovery_after_silence_is_asked_about_and_users_who_never_knew_are_not_told(silent: Log) -> None:
    """The partner was asked about the outage, so it hears of the end."""
    silent.now = T + SECOND
    silent.recovers()
    assert silent.asked == [("a", 200)]
    silent.answer()
    assert silent.news() == []


def test_a_partner_that_was_not_asked_about_an_outage_is_not_asked_about_its_end(log: Log) -> None:
    """Its host was found while it was down; the users, who know, are told at once."""
    rules = (HostRule("cname", "hosts.example"),)
    log.partner(rules=rules)
    log.site(host="auto")
    log.fails()
    assert log.news() == ["down"]
    log.add(S1, e.SiteHostSeen(Attribution("a", "cname", "hosts.example", "shop.hosts.example")))
    assert log.world.host_of(log.world.sites[S1]) == log.world.partners[A]
    log.recovers()
    assert (log.asked, log.news()) == ([], ["up"])


def test_whoever_was_asked_about_the_outage_is_asked_about_its_end_also_if_the_host_has_changed(hosted: Log) -> None:
    """A partner that took note of an outage can strike it out."""
    hosted.partner(B, slug="b")
    hosted.fails()
    hosted.answer()
    hosted.add(S1, e.SiteChanged(SiteChanges(host="b")))
    hosted.recovers()
    assert hosted.asked == [("a", 200)]


def test_a_recovery_that_overtakes_the_question_about_the_outage_is_told_to_the_partner_alone(hosted: Log) -> None:
    """It may have had the question; the users had nothing."""
    hosted.fails()
    hosted.recovers()
    assert hosted.asked == [("a", 200)]
    hosted.answer()
    assert (hosted.asked, hosted.news()) == ([], [])


def test_an_outage_that_overtakes_the_question_about_the_recovery_leaves_the_alert_open(hosted: Log) -> None:
    """Users are told of both outages and of one recovery, the last."""
    hosted.fails()
    hosted.answer()
    hosted.recovers()
    hosted.fails()
    assert hosted.asked == [("a", 503)]
    hosted.until(T)
    assert (hosted.news(), hosted.world.sites[S1].told) == (["down"], True)
    hosted.recovers()
    assert hosted.news() == ["up"]


def test_an_outage_in_silence_leaves_an_alert_open_that_is_still_to_be_closed(log: Log) -> None:
    """The silence began while users waited to hear that the outage before it was over."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.answer(id=S1)
    assert log.news() == ["down"]
    log.recovers(S1)
    log.fails(S2)
    log.until(T, S2)
    log.fails(S1)
    assert (log.asked, log.news()) == ([], [])
    log.recovers(S1)
    assert log.news() == ["up"]


def test_a_false_alarm_while_the_partner_is_asked_about_a_recovery_changes_nothing(hosted: Log) -> None:
    """The up still says from when on the site was down, for nobody has been told."""
    hosted.fails()
    hosted.answer()
    hosted.now += MINUTE
    hosted.recovers()
    hosted.probe(S1, bad())
    hosted.probe(S1, good())
    hosted.answer()
    (owed,) = hosted.world.owed.values()
    assert (owed.flip.new, owed.down_from) == ("up", T0)


# --- when the silence ends ----------------------------------------------------------------------------------------


def test_a_site_that_is_still_down_when_its_silence_ends_is_looked_at_asked_about_and_told(silent: Log) -> None:
    """An instant is no acknowledgement: at its end all begins anew, with the outage's own beginning."""
    assert next_probe(silent.world.sites[S1], T - SECOND, silence(silent)) == T
    silent.now = T
    assert (silent.fails().flip, silent.asked) == (None, [("a", 503)])
    silent.answer()
    (owed,) = silent.world.owed.values()
    assert (owed.flip.at, owed.flip.new, owed.flip.looks[0].at) == (T0, "down", T)
    assert silent.news() == ["down"]
    silent.recovers()
    silent.answer()
    assert silent.news() == ["up"]


def silence(log: Log, id: str = S1) -> int:
    """Until when the site is silent."""
    site = log.world.sites[id]
    return silent_until(site, log.world.host_of(site))


def test_a_site_is_looked_at_the_instant_at_which_the_silence_of_all_of_its_partners_sites_ends(log: Log) -> None:
    """Although it was another site's outage that the partner was asked about, and its word of another day."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.until(T)
    log.now += MINUTE
    log.fails(S2)
    for id in (S1, S2):
        assert next_probe(log.world.sites[id], T - SECOND, silence(log, id)) == T
    log.now = T
    log.fails(S2)
    assert [log.world.sites[id].inquiry is not None for id in (S1, S2)] == [False, True]


# --- how long all silences of an outage may last ------------------------------------------------------------------


def test_a_partner_that_always_asks_for_more_silence_gets_no_more_than_it_may(log: Log) -> None:
    """It is still asked, and what it says is counted; then users are told all the same."""
    log.partner(max_suppression=600)
    log.site()
    log.fails()
    log.until(log.now + 10 * MINUTE)
    log.now += 10 * MINUTE
    log.fails()
    assert (log.asked, log.news()) == ([("a", 503)], [])
    assert log.until(log.now + 10 * MINUTE).channels == (H1,)
    assert log.news() == ["down"]
    assert log.world.partners[A].answers == {"until": 2}


def test_a_silence_of_all_sites_that_is_renewed_again_and_again_keeps_no_outage_back_for_longer(log: Log) -> None:
    """Each has its own beginning, and whose question renewed it does not matter."""
    two_sites(log, scope="partner", max_suppression=600)
    log.fails(S1)
    log.until(log.now + 5 * MINUTE)
    log.now += MINUTE
    log.fails(S2)
    began = log.now
    log.now += 4 * MINUTE
    log.fails(S1)
    log.until(log.now + 10 * MINUTE)
    assert silence(log, S2) == began + 10 * MINUTE
    log.now = began + 10 * MINUTE
    log.fails(S2)
    assert log.until(log.now + 10 * MINUTE, S2).channels == (H1,)


def test_the_next_outage_may_be_silenced_anew(log: Log) -> None:
    """The bound is on what the users of one outage can be kept from."""
    log.partner(max_suppression=600)
    log.site()
    log.fails()
    log.until(log.now + 10 * MINUTE)
    log.now += 10 * MINUTE
    log.recovers()
    log.answer()
    log.fails()
    assert log.until(log.now + 10 * MINUTE).channels == ()
    assert silence(log) == log.now + 10 * MINUTE


@given(
    bound=st.integers(60, 7200),
    asks=st.lists(st.integers(61, 100_000), min_size=1, max_size=20),
    lasts=st.lists(st.floats(0, 35), min_size=1, max_size=7),
    takes=st.lists(st.floats(0, 10), min_size=1, max_size=7),
    whole=st.booleans(),
)
def test_a_partner_that_always_answers_an_instant_keeps_nothing_back_for_longer_than_it_may(
    bound: int, asks: list[int], lasts: list[float], takes: list[float], whole: bool
) -> None:
    """Users hear within its bound, the time of one look and that of one answer, from the first silence on."""
    log = Log()
    log.channel(H1)
    log.partner(max_suppression=bound, scope="partner" if whole else "site")
    log.site()
    log.fails()
    number, first, planned = 0, 0, log.now
    while not log.world.sites[S1].told:
        if log.world.sites[S1].inquiry is not None:
            log.now += round(takes[number % len(takes)] * SECOND)
            log.until(min(log.now + asks[number % len(asks)] * SECOND, log.now + bound * SECOND))
            first = first or log.now
        planned = max(log.now, next_probe(log.world.sites[S1], planned, silence(log)))
        log.now = planned + round(lasts[number % len(lasts)] * SECOND)
        log.fails()
        number += 1
        assert number < 1000
    assert log.now - first <= (bound + 35 + 10 + 35) * SECOND


def test_a_partner_can_ask_for_more_silence_when_the_first_is_over(hosted: Log) -> None:
    """It is asked anew, with another id."""
    hosted.fails()
    first = hosted.inquiry()
    hosted.until(T)
    hosted.now = T
    hosted.fails()
    assert first.question.id != hosted.inquiry().question.id
    hosted.until(T + HOUR)
    hosted.now = T + HOUR - SECOND
    hosted.fails()
    assert (hosted.asked, hosted.news()) == ([], [])


def test_a_silence_that_ends_tells_nobody_before_a_look_has_confirmed_the_outage(silent: Log) -> None:
    """A look that sees nothing, or too few that agree, is none."""
    silent.now = T
    silent.probe(S1, bad(fault="void"))
    silent.probe(S1, bad(), bad("berlin"), good("tokyo"), asked=2)
    silent.add(S1, e.SiteProbed(hour=e.Hour(T, 1, 1)))
    assert (silent.asked, silent.news()) == ([], [])


def test_when_a_silence_ends_verifiers_that_see_nothing_do_not_keep_the_outage_from_the_users(silent: Log) -> None:
    """They had confirmed it before; one that sees the site well does keep it."""
    silent.now = T
    silent.probe(S1, bad(), bad("berlin", fault="void"), good("tokyo"), asked=2)
    assert silent.asked == []
    silent.probe(S1, bad(), bad("berlin", fault="void"), bad("tokyo", fault="void"), asked=2)
    assert silent.asked == [("a", 503)]
    silent.answer()
    assert silent.news() == ["down"]


def test_what_is_told_after_a_silence_says_until_when_the_host_knew_of_it(silent: Log) -> None:
    """Of this outage; a silence about one before does not matter."""
    silent.now = T
    silent.fails()
    assert silent.inquiry().flip.known_until == T
    silent.answer("ok")
    silent.recovers()
    silent.answer("ok")
    silent.now = T + HOUR
    silent.fails()
    assert silent.inquiry().flip.known_until is None


def test_the_last_word_of_the_host_is_kept(hosted: Log) -> None:
    """Odd ones too."""
    hosted.fails()
    hosted.answer("malformed")
    word = hosted.world.sites[S1].word
    assert word is not None
    assert (word.partner, word.answer.kind) == (A, "malformed")


def test_without_verifiers_one_look_is_enough_to_confirm_an_outage_that_is_known(hosted: Log) -> None:
    """Three were needed to find it."""
    for _ in range(3):
        hosted.probe(S1, bad())
    hosted.until(T)
    hosted.now = T
    hosted.probe(S1, bad())
    assert hosted.asked == [("a", 503)]


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        (A, e.PartnerDeleted()),
        (A, e.PartnerChanged(PartnerChanges(webhook=""))),
        (A, e.PartnerChanged(PartnerChanges(suppress_users=False))),
        (S1, e.SiteChanged(SiteChanges(host=""))),
    ],
)
def test_what_takes_the_right_to_silence_away_ends_the_silence(silent: Log, stream: str, event: e.Event) -> None:
    """The next look that confirms the outage has it told."""
    silent.add(stream, event)
    silent.fails()
    assert (silent.asked, silent.news()) == ([], ["down"])


# --- what a silence is about --------------------------------------------------------------------------------------


def test_an_instant_silences_the_one_site_that_was_asked_about(log: Log) -> None:
    """A host that means one site does not mute thousands."""
    two_sites(log)
    log.fails(S1)
    log.until(T)
    log.fails(S2)
    assert (log.asked, log.world.partners[A].silent_until) == ([("a", 503)], None)


def test_an_instant_of_a_partner_of_that_scope_silences_all_its_sites(log: Log) -> None:
    """Its other sites are neither asked about nor told of, and all of them are looked at afresh at the end."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.until(T)
    log.fails(S2)
    assert (log.asked, log.news()) == ([], [])
    log.now = T
    log.fails(S1)
    log.fails(S2)
    assert log.asked == [("a", 503), ("a", 503)]


def test_a_site_that_went_down_and_came_back_in_anothers_silence_is_nobodys_news(log: Log) -> None:
    """Also if the silence is over by then: nobody was told or asked of the outage."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.until(T)
    log.fails(S2)
    log.now = T + SECOND
    log.recovers(S2)
    assert (log.asked, log.news()) == ([], [])


def test_who_waits_for_an_answer_when_all_of_a_partners_sites_fall_silent_has_that_answer(log: Log) -> None:
    """It counts once, and the partner, which was not asked about that site, is not asked about its recovery."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.fails(S2)
    log.answer("until", T, S2, shared=True)
    log.until(T, S1)
    assert (log.asked, log.news()) == ([], [])
    assert log.world.partners[A].answers == {"until": 1}
    log.now = T
    log.recovers(S1)
    log.recovers(S2)
    assert list(log.world.inquiring) == [S1]


def test_an_answer_that_comes_while_all_of_the_partners_sites_are_silent_tells_nobody(log: Log) -> None:
    """No other answer than a new instant ends a silence."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.fails(S2)
    log.until(T, S1)
    log.answer("no answer", id=S2)
    assert (log.asked, log.news()) == ([], [])
    log.now = T
    log.fails(S2)
    assert log.asked == [("a", 503)]


def test_a_partner_that_loses_its_scope_loses_its_silence(log: Log) -> None:
    """Who sees that it meant one site can take back what it did to all."""
    two_sites(log, scope="partner")
    log.fails(S1)
    log.until(T)
    log.add(A, e.PartnerChanged(PartnerChanges(name="Example")))
    assert log.world.partners[A].silent_until == T
    log.add(A, e.PartnerChanged(PartnerChanges(scope="site")))
    log.fails(S2)
    assert (log.world.partners[A].silent_until, log.asked) == (None, [("a", 503)])


@pytest.mark.parametrize("scope", ["site", "partner"])
@pytest.mark.parametrize("later", [T - HOUR, T + HOUR])
def test_of_two_instants_the_newest_holds_whether_longer_or_shorter(log: Log, scope: str, later: int) -> None:
    """The last word of the host, also if it comes in answer to a question that no longer matters."""
    two_sites(log, scope=scope)
    log.fails()
    first = log.inquiry()
    log.until(T)
    log.answer("until", later, to=first)
    it = log.world.sites[S1]
    assert (it.silence == PartnerSilence(A, later)) is (scope == "site")
    assert (log.world.partners[A].silent_until == later) is (scope == "partner")
