"""Tests of `pingmon.sites.partner_inquiries`: partners are asked before users are told, and once, over restarts too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel, capturedLogs

from pingmon.core.partner.inquiry import PartnerAnswer, PartnerQuestion
from pingmon.core.partner.partner import Partner, PartnerChanges, PartnerSpec
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import (
    AnyEvent,
    ChannelCreated,
    PartnerAnswered,
    PartnerChanged,
    PartnerCreated,
    PartnerDeleted,
    SiteChanged,
    SiteCreated,
    SiteDeleted,
    SitePaused,
    SiteProbed,
)
from pingmon.resubmit import LOG_AGAIN_S
from pingmon.sites.partner_inquiries import LOGGING_MAX, STOP_S, Inquiries
from pingmon.testing import PROJECT, Rig, result, uuid

OK = PartnerAnswer("ok")
HOOK = "https://hooks.example/downtime"


class FakePartners:
    """Partners whose answers come when the test gives them, or `at_once`. `asked` in order, `called_off` likewise."""

    def __init__(self) -> None:
        self.asked: list[PartnerQuestion] = []
        self.of: list[Partner] = []
        self.called_off: list[str] = []
        self.open: dict[str, Deferred[PartnerAnswer]] = {}
        self.at_once: PartnerAnswer | None = None
        self.breaks = False

    def ask(self, partner: Partner, question: PartnerQuestion, /) -> Deferred[PartnerAnswer]:
        assert question.id not in self.open, "asked twice at a time"
        self.asked.append(question)
        self.of.append(partner)
        if self.breaks:
            raise ZeroDivisionError
        if self.at_once is not None:
            return succeed(self.at_once)

        def called_off(_: object) -> None:
            self.called_off.append(question.id)
            del self.open[question.id]

        self.open[question.id] = Deferred(called_off)
        return self.open[question.id]

    def answer(self, question: PartnerQuestion, answer: PartnerAnswer) -> None:
        self.open.pop(question.id).callback(answer)


class Desk:
    """A rig with inquiries over partners under the test's control."""

    def __init__(self, rig: Rig | None = None) -> None:
        self.rig = rig or Rig()
        self.clock = self.rig.time.clock
        self.partners = FakePartners()
        self.inquiries = Inquiries(self.rig.monitor, self.partners, self.clock, budget_s=10.0)
        self.inquiries.start()
        self.clock.advance(0)

    def partner(self, slug: str = "example", **spec: Any) -> Id:
        number = len(self.rig.world.partners) + 1
        made = PartnerCreated(PartnerSpec(slug=slug, **({"webhook": HOOK} | spec)))
        return self.rig.submit(uuid(number, "a"), made).id

    def site(self, number: int = 1, host: str = "example") -> Id:
        """A site that is up, with a channel of its own."""
        channel = uuid(number, "d")
        self.rig.submit(channel, ChannelCreated(PROJECT, "webhook", f"hook {number}", {"url_down": "http://x/"}, ""))
        spec = SiteSpec(url=f"https://site{number}.example/", host=host, channels=(channel,))
        site = self.rig.submit(uuid(number, "e"), SiteCreated(PROJECT, spec)).id
        self.look(site)
        return site

    def look(self, site: Id, fault: Any = "", times: int = 1) -> None:
        for _ in range(times):
            seen = ProbeResult(at=self.rig.now, code=403 if fault == "status" else 200, fault=fault)
            self.rig.submit(site, SiteProbed((seen,)))

    def down(self, site: Id) -> None:
        """Let the site be found down; and its partner be asked."""
        self.look(site, "status", 3)
        self.clock.advance(0)

    def up(self, site: Id) -> None:
        """Let the site be found back; and its partner be asked."""
        self.look(site, "", 2)
        self.clock.advance(0)

    def answer(self, answer: PartnerAnswer) -> None:
        """Answer the newest question."""
        self.partners.answer(self.partners.asked[-1], answer)

    @property
    def told(self) -> list[tuple[Id, str]]:
        """The sites of which users are to be told, and what."""
        return [(owed.flip.subject, owed.flip.new) for owed in self.rig.world.owed.values()]

    def events(self) -> list[PartnerAnswered]:
        """The answers in the log."""
        entries = result(self.rig.journal.entries(None, limit=100_000))
        return [entry.event for entry in entries if isinstance(entry.event, PartnerAnswered)]

    def restarted(self, away_s: float = 0.0) -> Desk:
        """The next daemon over the same log, after this one was killed."""
        self.rig.journal.fail_next(1000)
        self.close()
        return Desk(self.rig.restarted(clean=False, away_s=away_s))

    def close(self) -> None:
        stopped = self.inquiries.stop()
        self.clock.advance(STOP_S)
        result(stopped)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def until(desk: Desk, seconds: float = 3600) -> PartnerAnswer:
    return PartnerAnswer("until", desk.rig.now + round(seconds * SECOND))


def lines(logged: Sequence[Any], level: Any) -> list[str]:
    return [
        event["log_format"].format(**event)
        for event in logged
        if event["log_level"] is level and event["log_namespace"].startswith("pingmon.sites")
    ]


# --- one question -------------------------------------------------------------------------------------------------


def test_the_partner_is_asked_at_once_and_the_users_wait_for_its_answer(desk: Desk) -> None:
    partner, site = desk.partner(), desk.site()
    desk.down(site)
    (question,) = desk.partners.asked
    assert (question.url, question.code, question.host) == ("https://site1.example/", 403, "example")
    assert [asked.id for asked in desk.partners.of] == [partner]
    assert desk.told == []
    desk.rig.advance(1.25)
    desk.answer(OK)
    assert desk.events() == [PartnerAnswered(question.id, partner, OK, 1250)]
    assert desk.told == [(site, "down")]
    assert (desk.inquiries.under_way, desk.inquiries._current) == (0, {})


def test_the_partner_is_asked_of_the_recovery_too_if_it_was_asked_of_the_outage(desk: Desk) -> None:
    desk.partner()
    site = desk.site()
    desk.partners.at_once = OK
    desk.down(site)
    desk.up(site)
    assert [question.code for question in desk.partners.asked] == [403, 200]
    assert desk.told == [(site, "up")]


def test_a_site_without_a_partner_asks_nobody(desk: Desk) -> None:
    desk.partner()
    site = desk.site(host="")
    desk.down(site)
    assert desk.partners.asked == []
    assert desk.told == [(site, "down")]


def test_an_answer_that_asks_for_silence_keeps_it_from_the_users(desk: Desk) -> None:
    desk.partner()
    site = desk.site()
    desk.down(site)
    desk.answer(until(desk))
    assert desk.told == []
    assert desk.rig.world.sites[site].inquiry is None


def test_a_question_is_asked_once_however_much_happens_meanwhile(desk: Desk) -> None:
    partner = desk.partner()
    site, other = desk.site(1), desk.site(2)
    desk.down(site)
    desk.rig.submit(site, SiteChanged(SiteChanges(name="shop")))
    desk.rig.submit(partner, PartnerChanged(PartnerChanges(name="Example")))
    desk.look(site, "status", 2)
    desk.down(other)
    desk.rig.advance(5)
    assert [question.id[:36] for question in desk.partners.asked] == [site, other]
    assert desk.partners.called_off == []


def test_what_the_same_commit_overtakes_is_not_asked_at_all(desk: Desk) -> None:
    desk.partner()
    site = desk.site()
    desk.look(site, "status", 3)
    desk.look(site, "", 2)
    desk.clock.advance(0)
    assert [question.code for question in desk.partners.asked] == [200]


# --- what is called off -------------------------------------------------------------------------------------------


def test_a_question_that_is_overtaken_is_called_off_and_the_new_one_asked(desk: Desk) -> None:
    desk.partner()
    site = desk.site()
    desk.down(site)
    desk.up(site)
    down, up = desk.partners.asked
    assert (down.code, up.code) == (403, 200)
    assert desk.partners.called_off == [down.id]
    assert desk.inquiries.under_way == 1
    desk.answer(OK)
    assert [event.id for event in desk.events()] == [up.id]


@pytest.mark.parametrize("gone", ["site", "pause", "partner"])
def test_when_the_site_is_paused_or_it_or_its_partner_deleted_nobody_is_asked_any_more(desk: Desk, gone: str) -> None:
    """And users of a site whose partner is gone are told."""
    partner, site = desk.partner(), desk.site()
    desk.down(site)
    deeds: dict[str, tuple[str, AnyEvent]] = {
        "site": (site, SiteDeleted()),
        "pause": (site, SitePaused()),
        "partner": (partner, PartnerDeleted()),
    }
    desk.rig.submit(*deeds[gone])
    desk.clock.advance(0)
    assert desk.partners.called_off == [desk.partners.asked[0].id]
    assert desk.partners.open == {}
    assert desk.events() == []
    assert desk.told == ([(site, "down")] if gone == "partner" else [])


def test_an_answer_that_has_come_is_logged_even_if_its_question_is_overtaken_meanwhile(desk: Desk) -> None:
    """It may ask for silence, and it counts."""
    partner, site = desk.partner(), desk.site()
    desk.rig.alarms.stop()
    desk.down(site)
    desk.rig.journal.fail_next(1)
    known = until(desk)
    desk.answer(known)
    desk.up(site)
    assert len(desk.partners.asked) == 2
    assert desk.partners.called_off == []
    desk.rig.advance(LOG_AGAIN_S[0])
    assert [event.answer for event in desk.events()] == [known]
    assert desk.rig.world.partners[partner].answers == {"until": 1}


# --- restarts and the journal -------------------------------------------------------------------------------------


def test_what_was_being_asked_when_pingmon_was_killed_is_asked_again_with_the_same_id(desk: Desk) -> None:
    desk.partner()
    site = desk.site()
    desk.down(site)
    after = desk.restarted(away_s=7200)
    assert after.partners.asked == desk.partners.asked
    assert after.inquiries.overdue(after.rig.now) == 0
    after.answer(OK)
    assert after.told == [(site, "down")]
    assert after.restarted().partners.asked == []


def test_what_was_waiting_at_the_start_is_asked_even_if_nothing_else_happens(desk: Desk) -> None:
    desk.partner()
    for number in (1, 2, 3):
        desk.down(desk.site(number))
    assert len(desk.restarted().partners.asked) == 3


@pytest.mark.parametrize("failures", [1, 4])
def test_an_answer_that_cannot_be_logged_is_kept_and_the_partner_not_asked_again(desk: Desk, failures: int) -> None:
    desk.partner()
    site = desk.site()
    desk.down(site)
    desk.rig.alarms.stop()  # its signs of life would use up the failures
    desk.rig.journal.fail_next(failures)
    desk.answer(OK)
    desk.rig.advance(sum(LOG_AGAIN_S[:failures]) - 0.5)
    assert desk.told == []
    desk.rig.advance(1)
    assert desk.told == [(site, "down")]
    assert len(desk.partners.asked) == len(desk.events()) == 1


def test_stopping_calls_off_what_is_asked_and_the_next_start_asks_again(desk: Desk) -> None:
    desk.partner()
    desk.down(desk.site())
    result(desk.inquiries.stop())
    assert desk.partners.called_off == [desk.partners.asked[0].id]
    assert desk.events() == []
    assert Desk(desk.rig.restarted()).partners.asked == desk.partners.asked


def test_stopping_leaves_an_answer_the_time_to_get_into_the_log_but_not_for_ever(desk: Desk) -> None:
    desk.partner()
    desk.rig.alarms.stop()
    for number, failures in ((1, 1), (2, 100)):
        desk.down(desk.site(number))
        desk.rig.journal.fail_next(failures)
        desk.answer(OK)
        stopped = desk.inquiries.stop()
        desk.clock.advance(LOG_AGAIN_S[0])
        assert bool(stopped.called) is (failures == 1)
        desk.clock.advance(STOP_S)
        result(stopped)
        desk.inquiries._running = True
    assert len(desk.events()) == 1


def test_nothing_is_asked_after_stopping(desk: Desk) -> None:
    desk.partner()
    site, other = desk.site(1), desk.site(2)
    desk.look(other, "status", 3)
    result(desk.inquiries.stop())
    desk.down(site)
    desk.rig.advance(60)
    assert desk.partners.asked == []
    assert desk.clock.getDelayedCalls() == [desk.rig.alarms._ticker._loop.call]


def test_a_storm_of_answers_leaves_room_in_the_journal(desk: Desk) -> None:
    """Ten thousand sites of one partner may be down at once."""
    desk.partner()
    count = LOGGING_MAX + 50
    for number in range(count):
        desk.look(desk.site(number), "status", 3)
    submit, waiting = desk.rig.monitor.submit, list[tuple[Any, Deferred[Any]]]()

    def slow(*event: Any) -> Deferred[Any]:
        waiting.append((event, Deferred()))
        return waiting[-1][1]

    desk.rig.monitor.submit = slow  # type: ignore[method-assign, assignment]
    desk.partners.at_once = OK
    desk.clock.advance(0)
    assert (len(desk.partners.asked), len(waiting)) == (count, LOGGING_MAX)
    for event, done in waiting:
        done.callback(result(submit(*event)))
    assert len(desk.events()) == len(waiting) == count
    assert desk.inquiries.under_way == 0


# --- what goes wrong ----------------------------------------------------------------------------------------------


def test_users_are_told_even_if_asking_breaks(desk: Desk) -> None:
    desk.partner()
    site = desk.site()
    desk.partners.breaks = True
    with capturedLogs() as logged:
        desk.down(site)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [ZeroDivisionError]
    assert desk.told == [(site, "down")]
    (event,) = desk.events()
    assert event.answer.kind == "no answer"


def test_users_are_told_even_if_the_partner_is_nowhere(desk: Desk) -> None:
    """The fold sees to that when it is deleted; nobody should wait for ever if it ever did not."""
    partner, site = desk.partner(), desk.site()
    desk.look(site, "status", 3)
    del desk.rig.world.partners[partner]
    desk.clock.advance(0)
    assert desk.partners.asked == []
    assert desk.told == [(site, "down")]


def test_one_site_that_breaks_does_not_keep_others_from_being_asked_about(desk: Desk) -> None:
    desk.partner()
    broken, well = desk.site(1), desk.site(2)
    desk.look(broken, "status", 3)
    desk.look(well, "status", 3)
    desk.rig.world.sites[broken] = object()  # type: ignore[assignment]
    with capturedLogs() as logged:
        desk.clock.advance(0)
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [AttributeError]
    assert [question.id[:36] for question in desk.partners.asked] == [well]


def test_how_long_an_answer_is_overdue_can_be_read(desk: Desk) -> None:
    """From the budget's end, until the answer is in the log; a clock that is set changes nothing."""
    desk.partner()
    first, second = desk.site(1), desk.site(2)
    assert desk.inquiries.overdue(desk.rig.now) == 0
    desk.down(first)
    desk.rig.advance(4)
    desk.down(second)
    desk.rig.advance(6)
    assert desk.inquiries.overdue(desk.rig.now) == 0
    desk.rig.time.set_wall(-3600)
    desk.rig.advance(3)
    assert desk.inquiries.overdue(desk.rig.now) == 3 * SECOND
    desk.partners.answer(desk.partners.asked[0], OK)
    assert desk.inquiries.overdue(desk.rig.now) == 0


# --- for the log --------------------------------------------------------------------------------------------------


def test_a_partner_whose_answers_are_odd_is_named_once_until_one_is_fine_again(desk: Desk) -> None:
    desk.partner("example")
    desk.partner("other")
    number = 0

    def hear(answer: PartnerAnswer, host: str = "example") -> None:
        nonlocal number
        number += 1
        desk.down(desk.site(number, host))
        desk.answer(answer)

    with capturedLogs() as logged:
        hear(PartnerAnswer("malformed", detail="said: <html>"))
        hear(PartnerAnswer("refused", detail="status 500"))
        hear(PartnerAnswer("no answer", detail="timed out"), "other")
        hear(PartnerAnswer("no answer", detail="timed out"))
        hear(OK)
        hear(OK)
        hear(PartnerAnswer("refused", detail="status 404"))
    told = [line.split(";")[0] for line in lines(logged, LogLevel.warn)]
    assert told == [
        "partner example gave no proper answer (malformed: said: <html>)",
        "partner other gave no proper answer (no answer: timed out)",
        "partner example gave no proper answer (refused: status 404)",
    ]
    assert lines(logged, LogLevel.info) == ["partner example answers again"]


def test_a_silence_that_is_asked_for_when_none_is_left_is_logged_as_such(desk: Desk) -> None:
    """Users are told, so it must not say that they are not."""
    desk.partner(max_suppression=60)
    site = desk.site()
    desk.down(site)
    desk.answer(until(desk, 60))
    desk.rig.advance(61)
    desk.down(site)
    with capturedLogs() as logged:
        desk.answer(until(desk, 60))
    assert len(lines(logged, LogLevel.info)) == 0
    (warned,) = lines(logged, LogLevel.warn)
    assert warned.startswith(f"partner example has silenced the outage of site {site[:8]} for as long as it may; users")
    assert desk.rig.world.sites[site].told


@pytest.mark.parametrize(("suppress", "what"), [(True, "users are not told"), (False, "pingmon asks it no more")])
def test_what_is_suppressed_is_logged_with_its_site_and_its_end(desk: Desk, suppress: bool, what: str) -> None:
    desk.partner(suppress_users=suppress)
    site = desk.site()
    desk.down(site)
    with capturedLogs() as logged:
        desk.answer(until(desk, 1800))
    assert lines(logged, LogLevel.info) == [
        f"partner example knows about site {site[:8]}: {what} until 2023-11-14T22:43:20+00:00"
    ]
    assert lines(logged, LogLevel.warn) == []
