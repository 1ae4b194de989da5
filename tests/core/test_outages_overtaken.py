"""Outages that something overtakes: late answers, crashes, pauses, other addresses, set clocks, and anything at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Attribution, Partner, PartnerChanges, PartnerSpec
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.site.site import PartnerSilence, Site
from pingmon.core.units import DAEMON, SECOND
from pingmon.core.world import events as e
from tests.core.worlds import (
    H1,
    H2,
    HOOK,
    HOUR,
    MINUTE,
    S1,
    S2,
    T0,
    URL,
    A,
    B,
    Log,
    P,
    Saves,
    T,
    bad,
    good,
    replayed,
    state,
    two_sites,
)

# --- late, twice, gone --------------------------------------------------------------------------------------------


def test_an_answer_to_an_overtaken_question_tells_nobody_and_answers_nothing(hosted: Log) -> None:
    """The question that overtook it still waits for its own."""
    hosted.fails()
    first = hosted.inquiry()
    hosted.recovers()
    assert hosted.answer("ok", to=first).channels == ()
    assert (hosted.asked, hosted.news()) == ([("a", 200)], [])


def test_a_question_is_the_same_after_a_crash(hosted: Log) -> None:
    """Its id and content are part of the saved world; an answer that was logged twice tells users once."""
    hosted.fails()
    saves = Saves(hosted)
    saves.save()
    restored = saves.restored()
    assert list(restored.inquiring) == [S1]
    inquiry = hosted.inquiry()
    assert restored.sites[S1].inquiry == inquiry
    for _ in range(2):
        hosted.answer("ok", to=inquiry)
    assert hosted.news() == ["down"]


def test_users_do_not_wait_for_a_partner_that_was_deleted(hosted: Log) -> None:
    """They are told at once; its answer, should it come, does nothing."""
    hosted.partner(B, slug="b")
    hosted.site(S2, host="b")
    hosted.fails(S1)
    hosted.fails(S2)
    inquiry = hosted.inquiry()
    assert hosted.add(A, e.PartnerDeleted()).channels == (H1,)
    assert (hosted.asked, hosted.news()) == ([("b", 503)], ["down"])
    hosted.answer("until", T, to=inquiry)
    assert hosted.world.sites[S1].silence is None
    hosted.recovers(S1)
    assert hosted.news() == ["up"]


def test_an_answer_about_a_site_that_was_deleted_is_counted_and_may_silence_the_others(log: Log) -> None:
    """The partner did answer."""
    two_sites(log, scope="partner")
    log.fails(S1)
    inquiry = log.inquiry()
    log.add(S1, e.SiteDeleted())
    assert log.asked == []
    assert log.answer("until", T, to=inquiry).result == "unknown"
    assert (log.world.partners[A].answers, log.world.partners[A].silent_until) == ({"until": 1}, T)


def test_a_pause_calls_the_question_about_an_outage_off(hosted: Log) -> None:
    """Whoever pauses a site knows; an alert would never be closed."""
    hosted.fails()
    inquiry = hosted.inquiry()
    hosted.add(S1, e.SitePaused())
    assert hosted.asked == []
    hosted.answer("ok", to=inquiry)
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


def test_a_partner_that_was_asked_about_one_address_is_not_told_of_another(told: Log) -> None:
    """The users, who know of the outage, learn that it is over without it."""
    told.add(S1, MOVED)
    it = told.world.sites[S1]
    assert (it.status, it.told, it.partner_told, it.word) == ("down", True, None, None)
    told.recovers()
    assert (told.asked, told.news()) == ([], ["up"])


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
    assert hosted.inquiry().question.url == "http://other.example/"
    hosted.answer()
    assert hosted.news() == ["down"]


def test_a_new_address_that_is_well_makes_no_news_of_an_outage_that_nobody_knew_of(hosted: Log) -> None:
    """Neither to users nor to the partner whose question was called off."""
    hosted.fails()
    hosted.add(S1, MOVED)
    hosted.recovers()
    assert (hosted.asked, hosted.news()) == ([], [])


def test_a_recovery_whose_question_is_called_off_by_a_new_address_is_told_at_once(told: Log) -> None:
    """Users who know of the outage must not wait for ever."""
    told.recovers()
    outcome = told.add(S1, MOVED)
    assert outcome.channels == (H1,)
    assert outcome.site == told.world.sites[S1]
    assert (told.asked, told.news(), told.world.sites[S1].told) == ([], ["up"], False)


def test_a_recovery_that_only_the_partner_would_have_heard_of_ends_with_its_question(hosted: Log) -> None:
    """Users never knew of the outage."""
    hosted.fails()
    hosted.recovers()
    assert hosted.asked == [("a", 200)]
    assert hosted.add(S1, MOVED).channels == ()
    assert (hosted.asked, hosted.news()) == ([], [])


def test_a_silence_about_one_address_is_none_about_another(silent: Log) -> None:
    """Even if both are hosted by who asked for it."""
    silent.add(S1, e.SiteChanged(SiteChanges(url="http://other.example/")))
    assert silent.world.sites[S1].silence is None
    silent.fails()
    assert silent.asked == [("a", 503)]


def test_an_answer_about_an_address_that_the_site_has_left_is_counted_and_no_more(hosted: Log) -> None:
    """The one about its present address counts."""
    hosted.fails()
    first = hosted.inquiry()
    hosted.add(S1, e.SiteChanged(SiteChanges(url="http://other.example/")))
    assert hosted.answer("until", T, to=first).site == hosted.world.sites[S1]
    it = hosted.world.sites[S1]
    assert (it.silence, it.word, hosted.world.partners[A].answers) == (None, None, {"until": 1})
    hosted.fails()
    hosted.until(T)
    assert hosted.world.sites[S1].silence == PartnerSilence(A, T)


# --- whatever happens, in whatever order ---

SITES: Final = (S1, S2)
HOSTS: Final = {"a": A, "b": B}
CHANNELS: Final = {S1: (H1,), S2: (H1, H2)}
OTHERS: Final = {S1: {H2}, S2: set[str]()}


class Users:
    """What the people behind the channels know, told from what was ever owed to them; and who asked for silence.

    It knows nothing of `escalation`: `alerts` are the channels that were told that a site is down and not yet that it
    is back, `silences` until when a partner has asked for silence about a site ("": about all of its sites).
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.alerts: set[tuple[str, str]] = set()
        self.outages: set[str] = set()
        self.silences: dict[tuple[str, str], int] = {}
        self.outdated: set[str] = set()
        """Questions about an address that their site has left."""
        self._seen: set[str] = set()

    def heard(self, stream: str, event: e.Event) -> None:
        """Take in what an entry did, and that nobody was told of what they should not know."""
        world = self.log.world
        if isinstance(event, e.PartnerAnswered) and event.answer.until is not None and event.partner in world.partners:
            scope = world.partners[event.partner].spec.scope
            if scope == "partner" or event.id not in self.outdated:
                self.silences[event.partner, stream if scope == "site" else ""] = event.answer.until
        site = world.sites.get(stream)
        if isinstance(event, e.SitePaused | e.SiteDeleted) and not (site and site.told):
            self.alerts -= {(stream, channel) for channel in CHANNELS[stream]}  # nobody's concern any more
        if isinstance(event, e.NotificationDelivered):  # perhaps in another channel's stead
            self.alerts |= {(id, stream) for id, site in world.sites.items() if stream in OTHERS[id] & {*site.relayed}}
        fresh = [owed for id, owed in world.owed.items() if id not in self._seen and owed.relays is None]
        self._seen |= set(world.owed)
        for owed in fresh:
            place = (owed.flip.subject, owed.channel)
            if owed.flip.new == "up":
                assert place in self.alerts, "users were told that it is back, and did not know that it was down"
                self.alerts.discard(place)
            else:
                told = world.sites[owed.flip.subject]
                assert told.status == "down"
                assert not self.hushed(told, self.asked(event, told)), "told in silence"
                self.alerts.add(place)
        downs = [owed.flip.subject for owed in fresh if owed.flip.new == "down" and owed.channel == H1]
        if site is None or site.status != "down":
            self.outages.discard(stream)
        assert not self.outages.intersection(downs), "told twice of one outage"
        self.outages.update(downs)

    def asked(self, event: e.Event, site: Site) -> Partner | None:
        """Who had a word in whether users are told: who answered, or who hosts the site."""
        partners = self.log.world.partners
        return partners.get(event.partner) if isinstance(event, e.PartnerAnswered) else self.log.world.host_of(site)

    def hushed(self, site: Site, partner: Partner | None) -> bool:
        """Whether `partner` may keep news of the site from its users now, and does."""
        if partner is None or not partner.spec.webhook or not partner.spec.suppress_users:
            return False
        own = self.silences.get((partner.id, site.id), 0)
        whole = self.silences.get((partner.id, ""), 0) if partner.spec.scope == "partner" else 0
        return self.log.now < max(own, whole)


class Town:
    """A log of two sites and two partners in which anything may happen, with its users."""

    def __init__(self) -> None:
        self.log = Log()
        self.users = Users(self.log)
        self.saves = Saves(self.log)
        self.questions: list[tuple[str, str, str]] = []
        for channel in (H1, H2):
            self.log.channel(channel)

    def add(self, stream: str, event: e.Event) -> None:
        if isinstance(event, e.PartnerChanged) and event.changes.scope == "site":
            self.users.silences.pop((stream, ""), None)
        if isinstance(event, e.PartnerDeleted):  # another one of its slug and id has nothing of its
            self.users.silences = {key: until for key, until in self.users.silences.items() if key[0] != stream}
        moves = isinstance(event, e.SiteChanged) and stream in self.log.world.sites and event.changes.url is not UNSET
        if moves:
            self.users.outdated |= {question for site, question, _ in self.questions if site == stream}
        if moves or isinstance(event, e.SiteDeleted):
            self.users.silences = {key: until for key, until in self.users.silences.items() if key[1] != stream}
        self.log.now += 1  # messages of one instant may be restored in another order
        self.log.add(stream, event)
        self.users.heard(stream, event)
        self.note_questions()
        self.check()

    def note_questions(self) -> None:
        """Keep what was ever asked, so that it can be answered late."""
        for id in self.log.world.inquiring:
            inquiry = self.log.inquiry(id)
            if (id, inquiry.question.id, inquiry.partner) not in self.questions:
                self.questions.append((id, inquiry.question.id, inquiry.partner))

    def check(self) -> None:
        """What holds at every moment."""
        world = self.log.world
        assert set(world.inquiring) == {id for id, site in world.sites.items() if site.inquiry is not None}
        for id, site in world.sites.items():
            if site.inquiry is not None and site.inquiry.flip.new == "down":
                assert site.status == "down"
            asked_of_recovery = site.inquiry is not None and site.inquiry.flip.new == "up"
            assert not site.told or site.status == "down" or asked_of_recovery, "an alert that nothing will close"
            if site.inquiry is not None:
                assert site.inquiry.question.url == site.spec.url, "a stranger is told of an address"
            for channel in CHANNELS[id]:
                assert ((id, channel) in self.users.alerts) == site.told

    # --- what may happen ------------------------------------------------------------------------------------------

    def look(self, id: str, what: str) -> None:
        now = self.log.now
        looks, asked = {
            "good": ((good(at=now),), 0),
            "bad": ((bad(at=now),), 0),
            "all good": ((good(at=now), good("v", now), good("w", now)), 2),
            "all bad": ((bad(at=now), bad("v", now), bad("w", now)), 2),
            "mixed": ((bad(at=now), bad("v", now), good("w", now)), 2),
            "void": ((bad(at=now, fault="void"), good("v", now)), 2),
            "blind": ((bad(at=now, fault="void"), bad("v", now, fault="void")), 1),
        }[what]
        self.add(id, e.SiteProbed(looks, asked, asked, place="unsure" if asked else ""))

    def reply(self, which: int, until: int | None, shared: bool) -> None:
        """Answer one of the last questions, whether it still matters or not."""
        if self.questions:
            site, question, partner = self.questions[-1 - which % min(3, len(self.questions))]
            answer = (
                PartnerAnswer("ok") if until is None else PartnerAnswer("until", self.log.now + until, shared=shared)
            )
            self.add(site, e.PartnerAnswered(question, partner, answer, 1))

    def deliver(self, channel: str, what: str) -> None:
        for id in list(self.log.world.outbox.get(channel, {}))[:1]:
            event: e.Event = {
                "delivered": e.NotificationDelivered(id, 1, 200),
                "failed": e.NotificationFailed(id, 1, "no", self.log.now + SECOND),
                "abandoned": e.NotificationAbandoned(id, 1, "no"),
            }[what]
            self.add(channel, event)

    def pass_time(self, seconds: int) -> None:
        self.log.now += seconds * SECOND

    def settle(self) -> None:
        """Every partner answers, every silence ends, and every site that is down is seen to be down once more."""
        for _ in range(2):
            for id in list(self.log.world.inquiring):
                inquiry = self.log.inquiry(id)
                self.add(id, e.PartnerAnswered(inquiry.question.id, inquiry.partner, PartnerAnswer("ok"), 1))
            self.log.now = max([self.log.now, *self.users.silences.values()])
            for id, site in list(self.log.world.sites.items()):
                if site.status == "down" and site.inquiry is None:
                    self.look(id, "all bad")


Act = Callable[[Town], object]

PARTNERS = st.sampled_from(sorted(HOSTS))
SPEC = st.fixed_dictionaries(
    {"scope": st.sampled_from(["site", "partner"]), "suppress_users": st.booleans()},
    optional={"webhook": st.sampled_from(["", HOOK])},
)


def an_event(stream: str, event: e.Event) -> Act:
    return lambda town: town.add(stream, event)


def a_site(id: str, host: str) -> Act:
    return an_event(id, e.SiteCreated(P, SiteSpec(url=URL, host=host, channels=CHANNELS[id])))


def a_partner(slug: str, spec: dict[str, Any]) -> Act:
    return an_event(HOSTS[slug], e.PartnerCreated(PartnerSpec(**{"webhook": HOOK} | spec, slug=slug)))


def a_move(id: str) -> Act:
    """To an address at which the site never was."""
    return lambda town: town.add(id, e.SiteChanged(SiteChanges(url=f"{URL}{town.log.world.seq}")))


def a_change(slug: str, spec: dict[str, Any]) -> Act:
    return an_event(HOSTS[slug], e.PartnerChanged(PartnerChanges(**spec)))


LOOKS = st.builds(
    lambda id, whats: lambda town: [town.look(id, what) for what in whats],
    st.sampled_from(SITES),
    st.sampled_from(
        [
            *(2 * [["bad", "all bad"], ["all good"]]),
            *(["bad"] * 3, ["good"], ["all bad"], ["bad"], ["mixed"], ["void"], ["blind"]),
        ]
    ),
)
REPLIES = st.builds(
    lambda which, until, shared: lambda town: town.reply(which, until, shared),
    st.integers(0, 2),
    st.sampled_from([None, None, 2 * MINUTE, HOUR, 3 * HOUR]),
    st.booleans(),
)
TIMES = st.builds(lambda seconds: lambda town: town.pass_time(seconds), st.sampled_from([1, 30, 600, 4000]))
MAIL = st.builds(
    lambda channel, what: lambda town: town.deliver(channel, what),
    st.sampled_from([H1, H2]),
    st.sampled_from(["delivered", "failed", "abandoned"]),
)
USERS = st.builds(an_event, st.sampled_from(SITES), st.sampled_from([e.SitePaused(), e.SiteResumed(), e.SiteDeleted()]))
USERS |= st.builds(a_site, st.sampled_from(SITES), st.sampled_from(["a", "b", ""])) | st.builds(
    a_move, st.sampled_from(SITES)
)
OPERATORS = st.one_of(
    st.builds(a_partner, PARTNERS, SPEC),
    st.builds(a_change, PARTNERS, SPEC),
    st.builds(lambda slug: an_event(HOSTS[slug], e.PartnerDeleted()), PARTNERS),
    st.builds(
        lambda id, host: an_event(id, e.SiteChanged(SiteChanges(host=host))),
        st.sampled_from(SITES),
        st.sampled_from(["a", "b", ""]),
    ),
)
SAVING = st.just(lambda town: town.saves.save())
OFTEN = st.sampled_from([*[LOOKS] * 3, *[REPLIES] * 2, TIMES]).flatmap(lambda act: act)
ACTS = st.sampled_from([*[OFTEN] * 6, MAIL, USERS, OPERATORS, SAVING]).flatmap(lambda act: act)
BEGINNINGS = st.tuples(SPEC, SPEC).map(
    lambda specs: [a_partner("a", specs[0]), a_partner("b", specs[1]), a_site(S1, "a"), a_site(S2, "a")]
)


@settings(max_examples=200)
@given(beginning=BEGINNINGS, acts=st.lists(ACTS, min_size=15, max_size=60))
def test_no_alert_is_false_or_lost_and_a_restart_changes_nothing(beginning: list[Act], acts: list[Act]) -> None:
    """Nobody is told in silence, nor twice of one outage; whoever was told is told of the end; in the end all know.

    And the log gives the same world again, replayed whole or from any snapshot on.
    """
    town = Town()
    for act in (*beginning, *acts):
        act(town)
    town.settle()
    assert all(site.told or site.status != "down" for site in town.log.world.sites.values())
    assert state(replayed(town.log)) == state(town.log.world)
    assert state(town.saves.restored()) == state(town.log.world)


@settings(max_examples=50)
@given(beginning=BEGINNINGS, acts=st.lists(OFTEN, min_size=10, max_size=40))
def test_every_outage_ends_in_peace(beginning: list[Act], acts: list[Act]) -> None:
    """Once all sites are well and all questions answered, no user is left with an alert."""
    town = Town()
    for act in (*beginning, *acts):
        act(town)
    for id in SITES:
        town.look(id, "all good")
        town.look(id, "all good")
    town.settle()
    assert town.users.alerts == set()
    assert {site.status for site in town.log.world.sites.values()} == {"up"}
