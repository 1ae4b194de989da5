"""What is to be said of an outage while it lasts, and the entries of the log that it rests on."""

from __future__ import annotations

from typing import Any

import pytest

from pingmon.core.check.settings import CheckChanges
from pingmon.core.facts import Fact
from pingmon.core.notify.alert_rules import AlertRuleChanges, AlertRules, EscalationStep
from pingmon.core.notify.maintenance import WindowSpec
from pingmon.core.notify.outage_facts import OutageEvidence, outage_facts
from pingmon.core.notify.silences import silenced
from pingmon.core.world import events as e
from tests.core.worlds import C1, C2, H1, H2, H3, MINUTE, S1, T0, Log, P

WINDOW = "abababab-abab-4bab-8bab-abababababab"
SETTINGS, RULES, ACKNOWLEDGED, SILENCER = 900, 901, 902, 903
"""Entries that the facts rest on, as they are told."""


@pytest.fixture
def log() -> Log:
    log = Log()
    for channel in (H1, H2, H3):
        log.channel(channel)
    return log


def facts(log: Log, minute: float, id: str = C1, *, past: bool = False) -> list[Fact]:
    """What is said so many minutes after the beginning."""
    now = T0 + round(minute * MINUTE)
    found = None if past else silenced(log.world, log.world.subject(id), now)
    by = None if found is None else (*found, SILENCER)
    seen = OutageEvidence(now=now, settings=SETTINGS, rules=RULES, acknowledged=ACKNOWLEDGED, silenced=by, past=past)
    return outage_facts(log.world, log.world.subject(id), seen)


def said(log: Log, minute: float, id: str = C1, **more: Any) -> list[tuple[str, float | None, str]]:
    """Kinds, minutes that they name, and names."""
    return [
        (fact.kind, None if at is None else (at - T0) / MINUTE, fact.who)
        for fact in facts(log, minute, id, **more)
        for at in [fact.at if fact.until is None else fact.until]
    ]


def fails(log: Log, **rules: Any) -> int:
    """A check with these rules fails; the entry that says so."""
    log.check(channels=(H1,), timeout=600, grace=60, alerts=AlertRules(**rules))
    flip = log.ping(signal="fail").flip
    assert flip is not None
    return flip.seq


def window(log: Log, minute: int, until: int) -> None:
    spec = WindowSpec(name="disks", start=T0 + minute * MINUTE, end=T0 + until * MINUTE)
    log.add(f"{minute:08}{WINDOW[8:]}", e.WindowCreated(P, spec))


def review(log: Log, minute: float) -> None:
    log.now = T0 + round(minute * MINUTE)
    log.add(C1, e.OutageReviewed())


def test_nothing_is_said_of_what_is_well_or_of_an_outage_that_people_simply_hear_of(log: Log) -> None:
    log.check(C2)
    fails(log)
    assert (facts(log, 1, C2), facts(log, 1)) == ([], [])


def test_an_outage_with_too_few_failures_says_how_many_there_are_and_when_there_are_enough(log: Log) -> None:
    """Each time that passes in silence is one, though nothing is logged of it; of the past it is as well known."""
    flip = fails(log, notify_after=3)
    (few,) = facts(log, 1)
    assert (few.kind, few.entries, few.count, few.of, few.until) == (
        "few_failures", (flip, SETTINGS), 1, 3, T0 + 21 * MINUTE,
    )  # fmt: skip
    assert [facts(log, minute)[0].count for minute in (10.9, 11, 20.9)] == [1, 2, 2]
    assert facts(log, 1, past=True) == [few]
    assert said(log, 21) == [("told_then", 21, "")]


def test_a_schedule_that_runs_out_never_fails_often_enough(log: Log) -> None:
    log.check(kind="oncalendar", schedule="2023-11-14 22:30:00", alerts=AlertRules(notify_after=2))
    log.ping()
    log.expire()
    assert said(log, 300) == [("few_failures", None, "")]


def test_maintenance_says_until_when_and_then_people_are_told(log: Log) -> None:
    window(log, 0, 10)
    flip = fails(log)
    (held,) = facts(log, 5)
    assert (held.kind, held.entries, held.until, held.who) == (
        "maintenance", (flip, SILENCER), T0 + 10 * MINUTE, "disks",
    )  # fmt: skip
    log.add(f"{0:08}{WINDOW[8:]}", e.WindowDeleted())
    assert said(log, 9) == [("told_then", 9, "")]
    assert facts(log, 9, past=True) == []


def test_what_waits_for_a_parent_says_for_which_and_then_until_when_it_may_come_back(log: Log) -> None:
    log.site(S1, host="", name="uplink")
    log.check(channels=(H2,), grace=60, alerts=AlertRules(parent=S1, notify_after=2))
    log.fails(S1)
    log.ping(signal="fail")
    assert [each[0::2] for each in said(log, 1)] == [("parent_down", "uplink"), ("few_failures", "")]
    log.ping(signal="fail")
    assert said(log, 1) == [("parent_down", None, "uplink")]
    log.recovers(S1)
    assert said(log, 0.5) == [("told_then", 1, "")]


def test_what_is_held_no_more_as_the_line_was_cut_is_said_to_be_told_then(log: Log) -> None:
    log.site(S1, host="")
    log.check(C2, alerts=AlertRules(parent=S1))
    log.check(channels=(H2,), alerts=AlertRules(parent=C2))
    log.fails(S1)
    log.ping(signal="fail")
    assert [each[0] for each in said(log, 1)] == ["parent_down"]
    log.add(C2, e.CheckDeleted(), T0 + MINUTE)
    assert [each[0] for each in said(log, 1)] == ["told_then"]


def test_of_what_will_not_fail_often_enough_any_more_nothing_is_said_to_follow(log: Log) -> None:
    """Its schedule has no further occurrence."""
    rules = AlertRules(notify_after=2)
    log.check(channels=(H1,), kind="oncalendar", schedule="2023-11-14 22:30:00", alerts=rules)
    log.ping()
    log.expire()
    assert [each[0] for each in said(log, 90)] == ["few_failures"]


def test_reminders_and_the_next_step_are_said_with_what_set_them(log: Log) -> None:
    """By the check itself, or by its project. Steps that tell nobody new are no steps."""
    steps = (EscalationStep(60, (H1,)), EscalationStep(600, (H1, H2, H3)))
    flip = fails(log, remind_every=1800, escalation=steps)
    assert said(log, 1) == [("reminder", 30, ""), ("step", 10, "hook 2, hook 3")]
    assert [fact.entries for fact in facts(log, 1)] == [(flip, SETTINGS)] * 2
    assert facts(log, 1)[1].count == 2
    review(log, 10)
    assert said(log, 11) == [("reminder", 30, "")]
    log.add(P, e.ProjectAlertRulesChanged(remind_every=3600, escalation=(EscalationStep(1200, (H3,)),)))
    log.add(C1, e.CheckChanged(CheckChanges(alerts=AlertRuleChanges(remind_every=None, escalation=None))))
    assert [fact.entries for fact in facts(log, 12)] == [(flip, RULES)]
    assert facts(log, 12, past=True) == []


def test_what_follows_from_the_rules_of_the_project_rests_on_them(log: Log) -> None:
    log.add(P, e.ProjectAlertRulesChanged(remind_every=3600, escalation=(EscalationStep(1200, (H3,)),)))
    flip = fails(log)
    assert [(fact.kind, fact.entries) for fact in facts(log, 12)] == [
        ("reminder", (flip, RULES)),
        ("step", (flip, RULES)),
    ]


def test_what_falls_due_in_maintenance_is_said_to_come_at_its_end(log: Log) -> None:
    """Of windows that follow each other, at that of the last. While there is maintenance, nothing else is said."""
    fails(log, remind_every=1800)
    window(log, 20, 40)
    window(log, 40, 60)
    assert said(log, 1) == [("reminder", 60, "")]
    assert said(log, 30) == [("maintenance", 40, "disks")]
    for minute in range(60, 240, 20):
        window(log, minute, minute + 20)
    assert said(log, 1) == []


def test_nobody_is_reminded_where_there_is_nobody(log: Log) -> None:
    log.check(alerts=AlertRules(remind_every=60))
    log.ping(signal="fail")
    assert facts(log, 1) == []


def test_an_outage_that_somebody_sees_to_is_told_no_further(log: Log) -> None:
    """One that is held still says why."""
    flip = fails(log, remind_every=1800)
    log.now += MINUTE
    log.add(C1, e.OutageAcknowledged("ada"))
    (known,) = facts(log, 2)
    assert (known.kind, known.entries, known.at, known.who) == (
        "acknowledged", (flip, ACKNOWLEDGED), T0 + MINUTE, "ada",
    )  # fmt: skip
    assert facts(log, 2, past=True) == [known]
    window(log, 0, 10)
    log.check(C2, channels=(H1,))
    log.ping(C2, signal="fail")
    log.add(C2, e.OutageAcknowledged())
    assert said(log, 2, C2) == [("acknowledged", 1, ""), ("maintenance", 10, "disks")]


def test_an_acknowledgement_far_back_rests_on_the_flip_alone(log: Log) -> None:
    flip = fails(log)
    log.add(C1, e.OutageAcknowledged("ada"))
    seen = OutageEvidence(now=T0, settings=SETTINGS)
    assert [fact.entries for fact in outage_facts(log.world, log.world.checks[C1], seen)] == [(flip,)]


def test_what_is_said_to_come_comes_then(log: Log) -> None:
    """As the reviews make it."""
    window(log, 8, 12)
    fails(log, remind_every=600, escalation=(EscalationStep(1500, (H2,)),))
    for minute in (12, 22):
        (reminder, _) = facts(log, minute - 1) if minute == 22 else facts(log, 7)
        assert reminder.at == T0 + minute * MINUTE
        for message in list(log.world.owed.values()):
            log.add(message.channel, e.NotificationDelivered(message.id, 1, 200))
        review(log, minute)
        assert [each.reminder for each in log.world.owed.values()] == [(minute - 2) // 10]


def test_a_site_in_maintenance_says_so_and_has_no_failures_in_a_row(log: Log) -> None:
    window(log, 0, 10)
    log.site(S1, host="")
    log.fails(S1)
    assert said(log, 1, S1) == [("maintenance", 10, "disks")]
