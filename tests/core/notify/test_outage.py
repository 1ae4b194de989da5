"""How an outage is told while it lasts: held, told, to the next step, again, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from pingmon.core.check.settings import CheckChanges
from pingmon.core.notify.alert_rules import AlertRuleChanges, AlertRules, EscalationStep
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.maintenance import WindowChanges, WindowSpec
from pingmon.core.notify.notification import FOREVER, Acknowledged, Audience
from pingmon.core.notify.outage import next_review
from pingmon.core.notify.silences import depends
from pingmon.core.site.settings import SiteChanges
from pingmon.core.units import HOUR, MINUTE, SECOND
from pingmon.core.world import events as e
from tests.core.worlds import C1, C2, C3, H1, H2, H3, S1, T0, Log, P, Q

W = "abababab-abab-4bab-8bab-abababababab"


@pytest.fixture
def log() -> Log:
    log = Log()
    for channel in (H1, H2, H3):
        log.channel(channel)
    return log


def alerts(**rules: Any) -> AlertRules:
    return AlertRules(**rules)


def review(log: Log, id: str = C1) -> int:
    """Review the outage when that is due next; the instant."""
    at = next_review(log.world, log.world.subject(id))
    assert at is not None, "nothing will fall due"
    log.now = max(at, log.now)
    log.add(id, e.OutageReviewed())
    return log.now


def due(log: Log, id: str = C1) -> int | None:
    return next_review(log.world, log.world.subject(id))


def owed(log: Log) -> list[tuple[str, str, int, int]]:
    """What is owed: to whom, up or down, the how-manieth reminder, which step."""
    return [(each.channel, each.flip.new, each.reminder, each.step) for each in log.world.owed.values()]


def deliver(log: Log) -> None:
    for message in list(log.world.owed.values()):
        log.add(message.channel, e.NotificationDelivered(message.id, 3, 200))


def audience(log: Log, id: str = C1) -> Audience:
    found = log.world.subject(id).audience
    assert found is not None
    return found


# --- failures in a row --------------------------------------------------------------------------------------------


def test_nobody_is_told_before_so_many_failures_in_a_row(log: Log) -> None:
    log.check(channels=(H1,), alerts=alerts(notify_after=3))
    log.ping(signal="fail")
    log.ping(signal="fail", at=T0 + 1)
    assert (log.world.checks[C1].status, owed(log)) == ("down", [])
    outcome = log.ping(signal="fail", at=T0 + 2)
    assert (owed(log), outcome.channels) == ([(H1, "down", 0, 0)], (H1,))


def test_a_success_in_between_begins_anew_and_says_nothing(log: Log) -> None:
    log.check(channels=(H1,), alerts=alerts(notify_after=2))
    for signal in ("fail", "success", "fail", "success"):
        assert log.ping(signal=signal).channels == ()
    assert owed(log) == []


def test_silence_is_told_when_so_many_occurrences_have_passed(log: Log) -> None:
    """Which nobody logs: so the outage is reviewed at that time."""
    log.check(channels=(H1,), timeout=600, grace=60, alerts=alerts(notify_after=3))
    log.ping()
    log.expire()
    assert owed(log) == []
    assert review(log) == T0 + (3 * 600 + 60) * SECOND
    assert owed(log) == [(H1, "down", 0, 0)]


def test_fewer_failures_that_suffice_are_looked_at_at_once(log: Log) -> None:
    log.check(channels=(H1,), alerts=alerts(notify_after=3))
    log.ping(signal="fail")
    changes = CheckChanges(alerts=AlertRuleChanges(notify_after=1))
    log.add(C1, e.CheckChanged(changes))
    assert owed(log) == [(H1, "down", 0, 0)]


def test_one_whose_schedule_runs_out_first_is_held_for_ever(log: Log) -> None:
    log.check(channels=(H1,), kind="oncalendar", schedule="2023-11-14 22:30:00", alerts=alerts(notify_after=2))
    log.ping()
    log.expire()
    assert (audience(log).held_until, due(log)) == (FOREVER, None)


# --- maintenance --------------------------------------------------------------------------------------------------


def window(log: Log, minutes: int = 60, **spec: Any) -> None:
    log.add(W, e.WindowCreated(P, WindowSpec(name="disks", start=T0, end=T0 + minutes * MINUTE, **spec)))


def test_an_outage_in_maintenance_is_told_at_its_end_if_it_lasts(log: Log) -> None:
    """The flip says why nobody was told; the message, that it was kept back."""
    window(log)
    log.check(channels=(H1,))
    outcome = log.ping(signal="fail")
    assert outcome.flip is not None
    assert outcome.flip.silenced is not None
    assert (outcome.flip.silenced.by, outcome.flip.silenced.name, owed(log)) == ("maintenance", "disks", [])
    assert review(log) == T0 + HOUR
    assert owed(log) == [(H1, "down", 0, 0)]


def test_one_that_ends_in_maintenance_is_told_to_nobody(log: Log) -> None:
    window(log)
    log.check(channels=(H1,))
    log.ping(signal="fail")
    log.ping(at=T0 + 1)
    assert (owed(log), log.world.outages, due(log)) == ([], {}, None)


def test_one_that_was_told_before_is_told_to_be_over_in_maintenance_too(log: Log) -> None:
    """But nobody is told further, or again, meanwhile."""
    log.check(channels=(H1,), alerts=alerts(remind_every=600, escalation=(EscalationStep(600, (H2,)),)))
    log.ping(signal="fail")
    deliver(log)
    window(log)
    assert (review(log), owed(log)) == (T0 + 10 * MINUTE, [])
    assert due(log) == T0 + HOUR
    log.add(C1, e.OutageAcknowledged("ada"))
    assert (review(log), owed(log), due(log)) == (T0 + HOUR, [], None)
    log.ping(at=log.now + 1)
    assert owed(log) == [(H1, "up", 0, 0)]


def test_maintenance_that_ends_early_or_is_longer_is_looked_at(log: Log) -> None:
    window(log)
    log.check(channels=(H1,))
    log.ping(signal="fail")
    log.add(W, e.WindowChanged(WindowChanges(end=T0 + 2 * HOUR)))
    assert (review(log), owed(log), due(log)) == (T0, [], T0 + 2 * HOUR)
    log.add(W, e.WindowDeleted())
    assert (review(log), owed(log)) == (T0, [(H1, "down", 0, 0)])


def test_windows_of_others_hold_nothing(log: Log) -> None:
    window(log, tags="web")
    log.check(channels=(H1,), tags="db")
    log.ping(signal="fail")
    log.add(W, e.WindowChanged(WindowChanges(name="hard disks")))
    assert (owed(log), due(log)) == ([(H1, "down", 0, 0)], None)


def test_of_two_windows_the_one_that_closes_last_counts(log: Log) -> None:
    window(log, 10)
    log.add(W[::-1], e.WindowCreated(P, WindowSpec(start=T0, end=T0 + HOUR)))
    log.check(channels=(H1,))
    log.ping(signal="fail")
    assert due(log) == T0 + HOUR


def test_a_window_is_made_once_and_no_more_than_there_may_be(log: Log) -> None:
    window(log)
    again = e.WindowCreated(P, WindowSpec())
    assert log.add(W, again).result == "exists"
    assert log.add(W[::-1], e.WindowCreated(P, WindowSpec(), most=1)).result == "full"
    assert log.add(W[::-1], e.WindowCreated("nobody", WindowSpec())).result == "unknown"
    assert log.add(W[::-1], e.WindowDeleted()).result == "unknown"
    assert log.world.windows.keys() == {W}


# --- parents ------------------------------------------------------------------------------------------------------


def family(log: Log) -> None:
    """A site, and a check that depends on it and has a minute of grace."""
    log.site(S1, host="", name="uplink")
    log.check(channels=(H2,), grace=60, alerts=alerts(parent=S1))


def test_nobody_is_told_of_what_depends_on_something_that_is_down(log: Log) -> None:
    """When that is back, the other gets the time to come back too."""
    family(log)
    log.fails(S1)
    outcome = log.ping(signal="fail")
    assert outcome.flip is not None
    assert outcome.flip.silenced is not None
    assert (outcome.flip.silenced.by, outcome.flip.silenced.name) == ("parent", "uplink")
    assert (due(log), log.world.held_by) == (None, {S1: {C1: None}})
    log.now += HOUR
    log.recovers(S1)
    assert due(log) == log.now + MINUTE
    review(log)
    assert [each for each in owed(log) if each[0] == H2] == [(H2, "down", 0, 0)]


def test_what_comes_back_with_it_is_told_to_nobody(log: Log) -> None:
    family(log)
    log.fails(S1)
    log.ping(signal="fail")
    log.recovers(S1)
    log.ping()
    assert [each for each in owed(log) if each[0] == H2] == []


def test_the_parent_of_a_parent_counts_and_a_circle_ends(log: Log) -> None:
    log.check(C2, alerts=alerts(parent=C1))
    family(log)
    log.add(S1, e.SiteChanged(SiteChanges(alerts=AlertRuleChanges(parent=C2))))
    log.fails(S1)
    log.ping(C2, signal="fail")
    silenced = [outcome.flip.silenced for outcome in log.outcomes if outcome.flip is not None and outcome.flip.silenced]
    assert [each.id for each in silenced] == [S1]


@pytest.mark.parametrize("how", ["deleted", "paused", "no parent"])
def test_a_parent_that_is_one_no_more_holds_nothing(log: Log, how: str) -> None:
    family(log)
    log.fails(S1)
    log.ping(signal="fail")
    if how == "deleted":
        log.add(S1, e.SiteDeleted())
    elif how == "paused":
        log.add(S1, e.SitePaused())
    else:
        log.add(C1, e.CheckChanged(CheckChanges(alerts=AlertRuleChanges(parent=""))))
    if how != "no parent":
        assert review(log) == log.now
    assert [each for each in owed(log) if each[0] == H2] == [(H2, "down", 0, 0)]


def test_a_check_that_is_deleted_holds_nothing_and_what_is_not_there_is_not_released(log: Log) -> None:
    log.check(C1)
    log.check(C2, channels=(H1,), alerts=alerts(parent=C1))
    log.ping(C1, signal="fail")
    log.ping(C2, signal="fail")
    log.add(C2, e.CheckDeleted())
    log.add(C1, e.CheckDeleted())
    assert (log.world.outages, log.world.held_by) == ({}, {})


def test_a_parent_that_is_back_finds_nobody_who_is_deleted(log: Log) -> None:
    log.check(C1)
    log.check(C2, channels=(H1,), alerts=alerts(parent=C1))
    log.ping(C1, signal="fail")
    log.ping(C2, signal="fail")
    log.add(C2, e.CheckDeleted())
    log.ping(C1)
    assert (log.world.held_by, owed(log)) == ({}, [])


def test_a_site_that_was_held_is_looked_at_when_its_settings_change(log: Log) -> None:
    window(log)
    log.site(S1, host="")
    log.fails(S1)
    assert owed(log) == []
    log.add(S1, e.SiteChanged(SiteChanges(name="shop")))
    assert (review(log, S1), due(log, S1)) == (log.now, T0 + HOUR)


# --- steps and reminders ------------------------------------------------------------------------------------------


def test_each_step_is_told_so_long_after_the_first_message(log: Log) -> None:
    """And all who were told hear that it is over."""
    steps = (EscalationStep(600, (H1, H2)), EscalationStep(1800, (H3, "deleted")))
    log.check(channels=(H1,), alerts=alerts(escalation=steps))
    log.ping(signal="fail")
    deliver(log)
    assert (review(log), owed(log)) == (T0 + 10 * MINUTE, [(H2, "down", 0, 1)])
    deliver(log)
    assert (review(log), owed(log)) == (T0 + 30 * MINUTE, [(H3, "down", 0, 2)])
    assert due(log) is None
    log.ping(at=T0 + 31 * MINUTE)
    assert owed(log) == [(H1, "up", 0, 0), (H2, "up", 0, 0), (H3, "up", 0, 0)]


def test_a_step_tells_no_channel_that_wants_no_downs(log: Log) -> None:
    log.add(H2, e.ChannelChanged(settings=ChannelSettings(down=False)))
    log.check(channels=(H1,), alerts=alerts(escalation=(EscalationStep(600, (H2, H3)),)))
    log.ping(signal="fail")
    deliver(log)
    review(log)
    assert owed(log) == [(H3, "down", 0, 1)]


def test_who_was_told_is_reminded_as_long_as_it_lasts(log: Log) -> None:
    log.check(channels=(H1, H2), alerts=alerts(remind_every=600))
    log.ping(signal="fail")
    deliver(log)
    assert (review(log), owed(log)) == (T0 + 10 * MINUTE, [(H1, "down", 1, 0), (H2, "down", 1, 0)])
    assert [message.id for message in log.world.owed.values()] == [f"{H1}.9", f"{H2}.9"]
    deliver(log)
    assert (review(log), owed(log)) == (T0 + 20 * MINUTE, [(H1, "down", 2, 0), (H2, "down", 2, 0)])
    assert audience(log).heard == (H1, H2)


def test_nobody_is_reminded_of_what_still_waits_to_be_told(log: Log) -> None:
    """Reminders of one who cannot be told do not pile up, and an up takes the place of the one that waits."""
    log.check(channels=(H1, H2), alerts=alerts(remind_every=600))
    log.ping(signal="fail")
    (first, *_) = log.world.owed
    log.add(H1, e.NotificationDelivered(first, 3, 200))
    review(log)
    assert owed(log) == [(H2, "down", 0, 0), (H1, "down", 1, 0)]
    review(log)
    assert owed(log) == [(H2, "down", 0, 0), (H1, "down", 1, 0)]
    outcome = log.ping(at=log.now + 1)
    assert [(each.owed.channel, each.became) for each in outcome.ended] == [(H1, "replaced"), (H2, "replaced")]
    ups = list(log.world.owed.values())
    assert [(each.channel, each.down_from) for each in ups] == [(H1, None), (H2, T0)]


def test_a_reminder_that_is_lost_is_told_to_nobody_else(log: Log) -> None:
    log.check(channels=(H1,), alerts=alerts(remind_every=600))
    log.ping(signal="fail")
    deliver(log)
    review(log)
    (id,) = log.world.owed
    log.add(H1, e.NotificationAbandoned(id, 3, "status 400"))
    assert owed(log) == []


def test_the_project_says_what_holds_where_nothing_else_is_said(log: Log) -> None:
    log.add(P, e.ProjectAlertRulesChanged(remind_every=300))
    log.check(C1, channels=(H1,))
    log.check(C2, channels=(H1,), alerts=alerts(remind_every=0, escalation=()))
    log.add(P, e.ProjectAlertRulesChanged(escalation=(EscalationStep(60, (H3,)),)))
    for id in (C1, C2):
        log.ping(id, signal="fail")
    assert (due(log, C1), due(log, C2)) == (T0 + MINUTE, None)
    assert log.add("nobody", e.ProjectAlertRulesChanged(remind_every=3)).result == "unknown"


def test_a_channel_that_is_taken_off_hears_nothing_more(log: Log) -> None:
    log.check(channels=(H1, H2), alerts=alerts(remind_every=600))
    log.ping(signal="fail")
    deliver(log)
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H1,))))
    review(log)
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H1, H2))))
    deliver(log)
    log.ping(at=log.now + 1)
    assert owed(log) == [(H1, "up", 0, 0)]


# --- acknowledged -------------------------------------------------------------------------------------------------


def test_an_outage_that_somebody_sees_to_is_told_no_further_but_its_end(log: Log) -> None:
    """What waits of reminders and steps is void; the up remembers who it was."""
    steps = (EscalationStep(60, (H2,)), EscalationStep(1800, (H3,)))
    log.check(channels=(H1,), alerts=alerts(remind_every=120, escalation=steps))
    log.ping(signal="fail")
    deliver(log)
    review(log)
    review(log)
    assert owed(log) == [(H2, "down", 0, 1), (H1, "down", 1, 0)]
    outcome = log.add(C1, e.OutageAcknowledged("ada"))
    assert {(each.became, each.why) for each in outcome.ended} == {("void", "it was acknowledged by ada")}
    assert (owed(log), due(log)) == ([], None)
    assert audience(log).acknowledged == Acknowledged(log.now, "ada")
    log.ping(at=log.now + 1)
    assert owed(log) == [(H1, "up", 0, 0), (H2, "up", 0, 0)]
    assert audience(log).acknowledged == Acknowledged(log.now, "ada")


def test_only_an_outage_that_is_there_can_be_acknowledged_and_once(log: Log) -> None:
    log.check(channels=(H1,))
    assert log.add(C1, e.OutageAcknowledged()).result == "unknown"
    assert log.add("nobody", e.OutageAcknowledged()).result == "unknown"
    flip = log.ping(signal="fail").flip
    assert flip is not None
    assert log.add(C1, e.OutageAcknowledged(flip=flip.seq - 1)).result == "unknown"
    assert log.add(C1, e.OutageAcknowledged(flip=flip.seq)).result == "done"
    assert log.add(C1, e.OutageAcknowledged("bob")).result == "exists"
    assert audience(log).acknowledged == Acknowledged(T0, "")
    log.ping(at=T0 + 1)
    log.ping(signal="fail", at=T0 + 2)
    assert audience(log).acknowledged is None


def test_one_that_is_acknowledged_while_it_is_held_is_told_all_the_same(log: Log) -> None:
    """Once: nobody has heard of it yet."""
    window(log)
    log.check(channels=(H1,), alerts=alerts(remind_every=60))
    log.ping(signal="fail")
    log.add(C1, e.OutageAcknowledged("ada"))
    review(log)
    assert (owed(log), due(log)) == ([(H1, "down", 0, 0)], None)


# --- reviews ------------------------------------------------------------------------------------------------------


def test_a_review_that_comes_early_or_twice_or_for_nothing_does_nothing(log: Log) -> None:
    log.check(channels=(H1,), alerts=alerts(remind_every=600))
    log.add(C1, e.OutageReviewed())
    log.ping(signal="fail")
    log.add(C1, e.OutageReviewed())
    log.add("nobody", e.OutageReviewed())
    assert owed(log) == [(H1, "down", 0, 0)]
    deliver(log)
    review(log)
    log.add(C1, e.OutageReviewed())
    assert owed(log) == [(H1, "down", 1, 0)]
    log.add(C1, e.CheckPaused())
    assert (due(log), log.world.outages) == (None, {})


def test_what_is_timed_moves_with_the_clock(log: Log) -> None:
    log.check(channels=(H1,), alerts=alerts(remind_every=600))
    log.ping(signal="fail")
    log.add(C1, e.OutageAcknowledged("ada"))
    log.add("daemon", e.ClockStepped(HOUR))
    found = audience(log)
    assert (found.told_at, found.held_until, found.reminded) == (T0 + HOUR, 0, T0 + HOUR)
    assert found.acknowledged == Acknowledged(T0 + HOUR, "ada")
    assert found.flip is not None
    assert found.flip.at == T0 + HOUR


def test_changes_to_rules_leave_out_what_stays(log: Log) -> None:
    rules = alerts(notify_after=2, remind_every=60)
    assert AlertRuleChanges(remind_every=None).applied_to(rules) == alerts(notify_after=2)
    assert AlertRuleChanges().applied_to(rules) is rules
    assert CheckChanges(alerts=UNSET).alerts is UNSET


def test_what_depends_on_what(log: Log) -> None:
    """So that nothing is made to depend on itself."""
    family(log)
    world = log.world
    assert depends(world, world.checks[C1], S1)
    assert depends(world, world.sites[S1], S1)
    assert not depends(world, world.sites[S1], C1)


def test_windows_of_another_project_are_not_looked_at(log: Log) -> None:
    log.add(Q, e.ProjectCreated("second", "otherkey"))
    log.check(channels=(H1,), alerts=alerts(notify_after=2))
    log.ping(signal="fail")
    log.add(W, e.WindowCreated(Q, WindowSpec(start=T0, end=T0 + HOUR)))
    log.add(W, e.WindowDeleted())
    assert due(log) != log.now


@pytest.mark.parametrize("how", ["middle deleted", "middle alone", "parent moved", "child moved"])
def test_who_is_held_by_the_parent_of_a_parent_is_looked_at_when_that_line_is_cut(log: Log, how: str) -> None:
    log.add(Q, e.ProjectCreated("second", "otherkey"))
    log.check(C1)
    log.check(C2, alerts=alerts(parent=C1))
    log.check(C3, channels=(H1,), alerts=alerts(parent=C2))
    log.ping(C1, signal="fail")
    log.ping(C3, signal="fail")
    assert due(log, C3) is None
    if how == "middle deleted":
        log.add(C2, e.CheckDeleted())
    elif how == "middle alone":
        log.add(C2, e.CheckChanged(CheckChanges(alerts=AlertRuleChanges(parent=""))))
    else:
        log.add(C1 if how == "parent moved" else C3, e.CheckMoved(Q))
    review(log, C3)
    assert audience(log, C3).told_at == log.now
