"""The fold: what each event does, and that saving, restoring and replaying give the same world."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.flip import Deaf, Flip
from pingmon.core.notify.alert_rules import AlertRuleChanges, EscalationStep
from pingmon.core.notify.maintenance import WindowSpec
from pingmon.core.units import DAEMON, HOUR, SECOND
from pingmon.core.world import events as e
from pingmon.core.world.fold import fold
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.world import World
from tests.core.worlds import C1, C2, C3, H1, H2, H3, T0, Log, P, Q, Saves, replayed, state


@pytest.fixture
def log() -> Log:
    return Log()


def creating(slug: str, project: str = P) -> e.PingReceived:
    return e.PingReceived(create=e.NewCheck(project, slug))


def test_every_event_has_a_fold() -> None:
    """An event the fold did not know would stop the daemon on replay; the type checker finds it as well."""
    assert set(e.ALL) == {event for kind in e.Event.__subclasses__() for event in kind.__subclasses__()}
    for event in e.ALL:
        log = Log()  # whatever the event is about is there
        for made in (log.channel, log.check, log.site, log.partner):
            made(C1)
        hull: Any = event(**dict.fromkeys(event.__struct_fields__))
        with suppress(AttributeError, TypeError):  # the fold knows the event, and finds nothing in it
            fold(log.world, e.Entry(9, T0, C1, hull))


def test_of_two_racing_first_pings_the_first_in_the_log_creates_the_check(log: Log) -> None:
    """The second one changes nothing and learns which check it is about."""
    log.channel()
    first, second = log.add(C1, creating("job")), log.add(C2, creating("job"))
    assert (first.result, first.id) == ("created", C1)
    assert first.check is not None
    assert (first.check.spec.name, first.check.spec.slug, first.check.spec.channels) == ("job", "job", (H1,))
    assert (first.check.n_pings, first.check.status) == (1, "up")
    assert second == Outcome("exists", C1)
    assert C2 not in log.world.checks


def test_a_creating_ping_finds_ambiguous_slugs_and_unknown_projects(log: Log) -> None:
    """Nothing is created in either case."""
    log.check(C1, slug="twice")
    log.check(C2, slug="twice")
    assert log.add(C3, creating("twice")).result == "ambiguous"
    assert log.add(C3, creating("job", Q)).result == "unknown"
    assert log.add(C3, e.CheckCreated(Q, CheckSpec())).result == "unknown"
    assert log.add(H1, e.ChannelCreated(Q, "webhook", "", {}, "")).result == "unknown"


@pytest.mark.parametrize(
    "event",
    [
        e.PingReceived(),
        e.CheckChanged(CheckChanges(name="x")),
        e.CheckDeleted(),
        e.CheckPaused(),
        e.CheckResumed(),
        e.CheckExpired(T0, 1),
    ],
)
def test_events_about_a_check_that_is_gone_do_nothing(log: Log, event: e.Event) -> None:
    """A deleted check stays deleted."""
    log.check()
    log.add(C1, e.CheckDeleted())
    assert log.add(C1, event).result == "unknown"
    assert log.world.checks == {}


def test_unique_fields_find_the_oldest_check_that_equals_in_all_of_them(log: Log) -> None:
    """Two racing upserts give one check."""
    log.check(C1, name="backup", tags="a")
    log.check(C2, name="backup", tags="b")
    wanted = CheckSpec(name="backup", tags="b", slug="s")
    assert log.add(C3, e.CheckCreated(P, wanted, ("name", "tags"))).id == C2
    assert log.add(C3, e.CheckCreated(P, wanted, ("name", "slug"))).result == "created"
    assert log.add(Q, e.CheckCreated(P, wanted, ("slug", "tags"))).id == C3


def by_slug(log: Log) -> dict[str, list[str]]:
    """The ids of the project's checks by their slugs."""
    members = log.world.members[P]
    return {slug: [members.checks[born] for born in members.named(slug)] for slug in members.slugs}


def test_slugs_follow_changes_and_deletions(log: Log) -> None:
    """The lookup by slug never shows a check under a slug that it does not have."""
    log.check(C1, slug="one")
    log.check(C2, slug="one")
    log.add(C1, e.CheckChanged(CheckChanges(slug="two")))
    assert by_slug(log) == {"one": [C2], "two": [C1]}
    log.add(C2, e.CheckDeleted())
    assert by_slug(log) == {"two": [C1]}
    assert list(log.world.members[P].checks.values()) == [C1]
    log.check(C2, slug="two")
    log.check(C3, slug="two")
    assert by_slug(log) == {"two": [C1, C2, C3]}
    log.add(C1, e.CheckDeleted())
    assert by_slug(log) == {"two": [C2, C3]}


def test_a_check_can_be_paused_and_resumed(log: Log) -> None:
    """The flips are known, nobody is told."""
    log.channel()
    log.check(channels=(H1,))
    assert log.add(C1, e.CheckPaused()).flip == Flip(4, C1, T0, "new", "paused", since=T0)
    assert log.add(C1, e.CheckResumed()).flip == Flip(5, C1, T0, "paused", "new", since=T0)
    assert log.world.owed == {}


def test_a_flip_owes_one_message_to_each_channel_of_the_check_that_exists(log: Log) -> None:
    """Channels that were never made, or belong to others, are passed over."""
    log.channel(H1)
    log.channel(H2)
    log.check(channels=(H1, "gone"))
    outcome = log.ping(signal="fail")
    assert outcome.channels == (H1,)
    assert [owed.id for owed in log.world.outbox[H1].values()] == [f"{H1}.{outcome.flip.seq if outcome.flip else 0}"]
    assert H2 not in log.world.outbox


def test_only_the_newest_flip_of_a_check_is_owed(log: Log) -> None:
    """The queue never holds a stale down behind an up."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    log.ping(at=T0 + 9)
    (owed,) = log.world.outbox[H1].values()
    assert (owed.flip.new, owed.down_from) == ("up", T0)


def test_a_delivered_message_is_owed_no_more(log: Log) -> None:
    """And the channel knows when it last worked."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (id,) = log.world.owed
    log.add(H1, e.NotificationFailed(id, 10, "status 500", T0 + 5 * SECOND))
    assert log.world.owed[id].attempts == 1
    assert log.world.channels[H1].last_error == "status 500"
    assert log.add(H1, e.NotificationDelivered(id, 10, 200), T0 + 6).result == "done"
    assert log.world.owed == {} == log.world.outbox
    assert (log.world.channels[H1].last_delivered, log.world.channels[H1].last_error) == (T0 + 6, "")


def test_a_down_that_arrived_after_it_was_overtaken_is_not_told_again(log: Log) -> None:
    """The up then says no more than that it is up."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (down,) = log.world.owed
    log.ping(at=T0 + 9)
    assert log.add(H1, e.NotificationDelivered(down, 10, 200)).result == "unknown"
    (up,) = log.world.owed.values()
    assert up.down_from is None


def test_messages_about_several_checks_wait_side_by_side(log: Log) -> None:
    """Delivering one leaves the other, and a result for neither changes nothing."""
    log.channel()
    for check in (C1, C2):
        log.check(check, channels=(H1,))
        log.ping(check, "fail")
    first, second = log.world.owed
    assert log.add(H1, e.NotificationDelivered(f"{H1}.99", 1)).result == "unknown"
    log.add(H1, e.NotificationDelivered(first, 1, 200))
    assert list(log.world.outbox[H1]) == [second] == list(log.world.owed)


def test_an_expiry_that_came_too_late_changes_nothing(log: Log) -> None:
    """The ping before it in the log moved the deadline."""
    log.check()
    log.ping()
    stale = log.world.checks[C1]
    assert stale.deadline is not None
    log.ping(at=T0 + 1)
    outcome = log.add(C1, e.CheckExpired(stale.deadline, stale.armed_by))
    assert (outcome.flip, log.world.checks[C1].status) == (None, "up")


def test_what_is_said_of_unknown_messages_and_channels_does_nothing(log: Log) -> None:
    """A result that comes twice, or for a channel that is gone."""
    for event in (
        e.NotificationDelivered("x.1", 1),
        e.NotificationFailed("x.1", 1, "e", T0),
        e.NotificationAbandoned("x.1", 1, "e"),
    ):
        assert log.add(H1, event).result == "unknown"


def test_an_abandoned_message_is_owed_to_the_other_channels_of_the_project(log: Log) -> None:
    """And to nobody once the check has flipped again."""
    log.channel(H1)
    log.channel(H2)
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (id,) = log.world.owed
    assert log.add(H1, e.NotificationAbandoned(id, 1, "status 410")).channels == (H2,)
    (relay,) = log.world.owed.values()
    assert (relay.channel, relay.relays, relay.error) == (H2, H1, "status 410")
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H2,))))
    log.ping(at=T0 + 1)
    (up,) = log.world.owed.values()
    assert (up.channel, up.flip.new, up.down_from) == (H2, "up", T0)


def test_a_relay_that_was_not_sent_is_overtaken_by_the_recovery(log: Log) -> None:
    """A stale down never reaches a channel that is not even the check's own."""
    log.channel(H1)
    log.channel(H2)
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (id,) = log.world.owed
    log.add(H1, e.NotificationAbandoned(id, 1, "status 410"))
    log.ping(at=T0 + 1)
    assert [owed.channel for owed in log.world.owed.values()] == [H1]


def test_who_was_told_of_a_down_in_anothers_stead_is_told_of_the_recovery_too(log: Log) -> None:
    """Nobody is left with an alarm that is never called off; the next one concerns them no more."""
    log.channel(H1)
    log.channel(H2)
    log.check(channels=(H1,))
    log.ping(signal="fail")
    (id,) = log.world.owed
    log.add(H1, e.NotificationAbandoned(id, 1, "status 410"))
    (relay,) = log.world.owed
    log.add(H2, e.NotificationDelivered(relay, 1, 200))
    assert log.ping(at=T0 + 1).channels == (H1, H2)
    assert log.ping(signal="fail", at=T0 + 2).channels == (H1,)


def test_nothing_is_owed_about_a_check_that_was_deleted(log: Log) -> None:
    """There is nothing left to tell of."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    log.add(C1, e.CheckDeleted())
    assert log.world.owed == {}


def test_what_is_owed_is_told_also_if_the_check_is_paused_meanwhile_but_not_once_it_is_up(log: Log) -> None:
    """A message leaves by being delivered, abandoned or overtaken; pausing does none of these."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    owed = dict(log.world.owed)
    log.add(C1, e.CheckPaused())
    log.add(C1, e.CheckResumed())
    assert log.world.owed == owed
    log.ping()
    assert log.world.owed == {}


def test_an_up_that_waits_for_its_delivery_is_not_lost_to_a_pause(log: Log) -> None:
    """It closes an alert that somebody has."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    assert log.news() == ["down"]
    log.ping()
    log.add(C1, e.CheckPaused())
    log.add(C1, e.CheckResumed())
    log.ping()
    assert log.news() == ["up"]


def test_limits_are_judged_in_the_order_of_the_log(log: Log) -> None:
    """However many are on their way at once, no more are created than there may be."""
    log.channel(H1)
    assert log.add(H2, e.ChannelCreated(P, "webhook", "", {}, "", most=1)).result == "full"
    log.check(C1)
    assert log.add(C2, e.PingReceived(create=e.NewCheck(P, "job", most=1))).result == "full"
    assert log.add(C2, e.CheckCreated(P, CheckSpec(), most=1)).result == "full"
    assert log.add(C2, e.CheckCreated(P, CheckSpec(), most=2)).result == "created"


def test_an_alert_for_a_time_in_which_pingmon_was_deaf_says_so(log: Log) -> None:
    """The flip carries the deafness that may have swallowed the ping."""
    log.check(timeout=60, grace=60)
    log.ping()
    log.add(DAEMON, e.ListeningResumed(T0 + 30 * SECOND, T0 + 200 * SECOND), T0 + 130 * SECOND)
    outcome = log.expire()
    assert outcome.flip is not None
    assert outcome.flip.deaf == Deaf(T0 + 30 * SECOND, T0 + 130 * SECOND, T0 + 200 * SECOND)
    assert outcome.flip.at == T0 + 120 * SECOND


def test_an_alert_for_a_time_in_which_pingmon_listened_says_nothing_of_its_deafness(log: Log) -> None:
    """It heard nothing long before the ping was due, and that is over."""
    log.check(timeout=6000, grace=60)
    log.add(DAEMON, e.ListeningResumed(T0 - 30 * SECOND, T0 + SECOND), T0 - SECOND)
    log.ping()
    outcome = log.expire()
    assert outcome.flip is not None
    assert outcome.flip.deaf is None


def test_a_set_clock_moves_checks_messages_and_deafness_alike(log: Log) -> None:
    """Nothing is due earlier or later than it was in truth."""
    log.channel()
    log.check(channels=(H1,))
    log.ping(signal="fail")
    log.check(C2)
    log.ping(C2)
    log.add(DAEMON, e.ListeningResumed(T0, T0 + 5), T0 + 1)
    before, owed = log.world.checks[C2], next(iter(log.world.owed.values()))
    assert log.add(DAEMON, e.ClockStepped(-SECOND)).everything
    assert before.deadline is not None
    assert log.world.checks[C2].deadline == before.deadline - SECOND
    assert log.world.owed[owed.id].created == owed.created - SECOND
    assert log.world.daemon.deaf[0].hold_until == T0 + 5 - SECOND


def test_keys_are_found_by_their_prefix(log: Log) -> None:
    """Operator keys belong to no project."""
    for _ in range(2):  # a first start that was cut short may say it twice
        log.add(P, e.KeyCreated("k1", "rw", "hcw_abcd", "salt", "digest"))
    log.add(DAEMON, e.KeyCreated("k2", "operator", "hco_abcd", "salt", "digest"))
    assert log.world.keys_by_prefix == {"hcw_abcd": ("k1",), "hco_abcd": ("k2",)}
    assert log.world.keys["k1"].project == P
    assert log.world.keys["k2"].project is None


# --- saving, restoring, replaying ---------------------------------------------------------------------------------

STREAMS = st.sampled_from([C1, C2, C3])
CHANNELS = st.sampled_from([(), (H1,), (H1, H2)])
SLUGS = st.sampled_from(["", "a", "b"])
RULES = st.builds(
    AlertRuleChanges,
    notify_after=st.integers(1, 2),
    remind_every=st.sampled_from([None, 0, 2]),
    escalation=st.sampled_from([None, (EscalationStep(1, (H2,)), EscalationStep(3, (H1, H3)))]),
    parent=st.sampled_from(["", C1, C2]),
)
OPEN = WindowSpec(start=T0, end=T0 + 20 * SECOND)
EVENTS = st.one_of(
    st.tuples(STREAMS, st.builds(e.PingReceived, signal=st.sampled_from(["success", "fail", "start", "log"]))),
    st.tuples(STREAMS, st.builds(creating, SLUGS)),
    st.tuples(
        STREAMS,
        st.builds(lambda slug, channels: e.CheckCreated(P, CheckSpec(slug=slug, channels=channels)), SLUGS, CHANNELS),
    ),
    st.tuples(STREAMS, st.builds(lambda slug: e.CheckChanged(CheckChanges(slug=slug)), SLUGS)),
    st.tuples(STREAMS, st.builds(lambda rules: e.CheckChanged(CheckChanges(alerts=rules)), RULES)),
    st.tuples(STREAMS, st.sampled_from([e.OutageReviewed(), e.OutageReviewed(), e.OutageAcknowledged("ada")])),
    st.tuples(st.just(C3), st.sampled_from([e.WindowCreated(P, OPEN), e.WindowDeleted()])),
    st.tuples(STREAMS, st.sampled_from([e.CheckDeleted(), e.CheckPaused(), e.CheckResumed()])),
    st.tuples(STREAMS, st.just("expire")),
    st.tuples(st.just(DAEMON), st.builds(e.ClockStepped, st.sampled_from([-SECOND, SECOND]))),
    st.tuples(st.just(DAEMON), st.just(e.ListeningEnded())),
    st.tuples(st.just(DAEMON), st.builds(e.ListeningResumed, st.just(T0), st.just(T0 + SECOND))),
    st.tuples(st.sampled_from([H1, H2]), st.sampled_from(["deliver", "fail", "abandon", "give up"])),
    st.tuples(st.sampled_from([H1, H2]), st.sampled_from([e.ChannelTested(1), e.ChannelDeleted()])),
    st.tuples(STREAMS, st.builds(lambda channels: e.CheckChanged(CheckChanges(channels=channels)), CHANNELS)),
    st.tuples(STREAMS, st.builds(e.CheckMoved, st.sampled_from([P, Q]))),
)


def acted(log: Log, stream: str, act: Any, at: int) -> None:
    check = log.world.checks.get(stream)
    if act == "expire":
        if check is not None and check.deadline is not None:
            log.add(stream, e.CheckExpired(check.deadline, check.armed_by), at)
    elif isinstance(act, str):
        for id in list(log.world.outbox.get(stream, {}))[:1]:
            event: e.Event = {
                "deliver": e.NotificationDelivered(id, 1, 200),
                "fail": e.NotificationFailed(id, 1, "no", at + SECOND),
                "abandon": e.NotificationAbandoned(id, 1, "no"),
                "give up": e.NotificationFailed(id, 1, "no", at + SECOND, given_up=at),
            }[act]
            log.add(stream, event, at)
    else:
        log.add(stream, act, at)


@settings(max_examples=150)
@given(acts=st.lists(EVENTS, max_size=40), save_at=st.integers(0, 40))
def test_a_saved_world_and_the_entries_after_it_are_the_world_of_all_entries(
    acts: list[tuple[str, Any]], save_at: int
) -> None:
    """Snapshot plus tail equals the fold of the log, for every history and every moment of saving.

    And no message about a flip ends twice in one channel.
    """
    log = Log()
    log.add(Q, e.ProjectCreated("second", "otherkey"))
    log.channel(H1)
    log.channel(H2)
    log.channel(H3, Q)
    saves = Saves(log)
    for number, (stream, act) in enumerate(acts):
        acted(log, stream, act, T0 + number * SECOND)
        if number == save_at or number == save_at // 2:
            saves.save()
    assert state(replayed(log)) == state(log.world)
    assert state(saves.restored()) == state(log.world)
    ended = [each.owed for outcome in log.outcomes for each in outcome.ended if not each.after_all]
    assert len({(owed.place, owed.channel) for owed in ended}) == len(ended)


def test_parts_that_are_gone_are_not_restored(log: Log) -> None:
    """A saved deletion brings nothing back."""
    log.check()
    log.add(C1, e.CheckDeleted())
    saves = Saves(log)
    saves.save()
    restored = saves.restored()
    assert state(restored) == state(log.world)


def test_what_is_owed_is_restored(log: Log) -> None:
    """The outbox survives a restart from a snapshot alone."""
    log.channel(H1)
    log.channel(H2)
    log.check(channels=(H1, H2))
    log.ping(signal="fail")
    saves = Saves(log)
    saves.save()
    restored = saves.restored()
    assert len(restored.owed) == 2
    assert state(restored) == state(log.world)


def test_people_are_told_once_that_a_schedule_has_run_out() -> None:
    """Beside what they are still owed, whatever pings come later; a new schedule that ends is told of again."""
    log = Log()
    log.channel()
    log.now = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    log.check(kind="oncalendar", schedule="2026-01-02", channels=(H1,))
    log.ping(signal="fail")
    log.now += 30 * HOUR
    log.ping()
    assert log.add(C1, e.ScheduleEnded()).channels == (H1,)
    assert [(owed.flip.new, owed.flip.cause) for owed in log.world.owed.values()] == [("up", ""), ("up", "ended")]
    log.ping()
    assert log.add(C1, e.ScheduleEnded()).channels == ()
    log.add(C1, e.CheckChanged(CheckChanges(name="renamed")))
    assert log.add(C1, e.ScheduleEnded()).channels == ()
    log.add(C1, e.CheckChanged(CheckChanges(schedule="2026-01-04")))
    assert log.add(C1, e.ScheduleEnded()).channels == ()  # it has an occurrence
    log.now += 72 * HOUR
    log.ping()
    assert log.add(C1, e.ScheduleEnded()).channels == (H1,)


def test_a_schedule_that_came_while_the_check_was_down_is_told_of_when_it_has_run_out_too() -> None:
    """That the one before had ended says nothing of it."""
    log = Log()
    log.channel()
    log.now = round(datetime(2026, 1, 3, tzinfo=UTC).timestamp()) * SECOND
    log.check(kind="oncalendar", schedule="2026-01-02", channels=(H1,))
    log.ping()
    assert log.add(C1, e.ScheduleEnded()).channels == (H1,)
    log.ping(signal="fail")
    log.add(C1, e.CheckChanged(CheckChanges(schedule="2026-01-04")))
    log.now += 72 * HOUR
    log.ping()
    assert log.add(C1, e.ScheduleEnded()).channels == (H1,)


@pytest.mark.parametrize("spec", [{}, {"kind": "cron", "schedule": "0 0 * * *"}])
def test_only_a_schedule_without_occurrences_can_end(spec: dict[str, Any]) -> None:
    """An event that came too late, or for another reason, changes nothing."""
    log = Log()
    log.channel()
    log.check(channels=(H1,), **spec)
    log.ping()
    assert log.add(C1, e.ScheduleEnded()).channels == ()


def test_what_is_restored_does_not_count_as_changed(log: Log) -> None:
    """Also while more is to come: at a start with a million checks their ids alone would take 16 MiB."""
    log.check(C1)
    world = World()
    world.put_project(log.world.projects[P])
    world.take_changed()
    world.put_saved([log.world.checks[C1]])
    assert world.checks == log.world.checks
    assert world.unsaved == 0
