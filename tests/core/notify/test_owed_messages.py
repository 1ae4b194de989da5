"""Who is owed a message after a flip, and what is kept of how it ended."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.check.settings import CheckChanges
from pingmon.core.flip import Flip
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.notification import Attempted, Audience, Delivery
from pingmon.core.notify.owed_messages import told
from pingmon.core.site.settings import SiteChanges
from pingmon.core.units import SECOND
from pingmon.core.world import events as e
from pingmon.core.world.outcome import Outcome
from pingmon.testing import bad, good
from tests.core.worlds import C1, C2, C3, H1, H2, H3, S1, T0, Log, P

GONE = 10**6


@pytest.fixture
def log() -> Log:
    log = Log()
    log.channel(H1)
    log.channel(H2)
    log.check(channels=(H1,))
    return log


def sends(log: Log, channel: str = H1) -> Outcome:
    """The first message that is owed to the channel arrives."""
    return log.add(channel, e.NotificationDelivered(next(iter(log.world.outbox[channel])), 3, 200))


def loses(log: Log, channel: str = H1) -> Outcome:
    """The receiver wants no more, and all that is owed to the channel is given up."""
    id = next(iter(log.world.outbox[channel]))
    return log.add(channel, e.NotificationFailed(id, 3, "status 410", log.now + 5, given_up=log.now))


def only(outcome: Outcome) -> Delivery:
    (ended,) = outcome.ended
    return ended


def owed(log: Log, channel: str = H1) -> tuple[str, int | None]:
    """What the channel is owed, and from when on it was down, if it says so."""
    (message,) = log.world.outbox[channel].values()
    return message.flip.new, message.down_from


# --- told ---------------------------------------------------------------------------------------------------------


def test_told_means_that_a_message_was_delivered(log: Log) -> None:
    """Not that one is owed, has failed or was given up; and not of an outage that is over."""
    log.ping(signal="fail")
    assert not told(log.world.checks[C1])
    (id,) = log.world.owed
    log.add(H1, e.NotificationFailed(id, 3, "status 500", T0 + 5))
    assert not told(log.world.checks[C1])
    sends(log)
    assert told(log.world.checks[C1])
    log.ping()
    assert not told(log.world.checks[C1])


def test_an_alert_that_nobody_could_be_given_is_not_told_until_another_channel_has_it(log: Log) -> None:
    """Who hears of it in another's stead counts."""
    log.ping(signal="fail")
    loses(log)
    assert not told(log.world.checks[C1])
    sends(log, H2)
    assert told(log.world.checks[C1])


def test_where_there_was_nothing_to_send_nobody_was_told(log: Log) -> None:
    """The channel wants no message of this kind."""
    log.ping(signal="fail")
    (id,) = log.world.owed
    assert only(log.add(H1, e.NotificationDelivered(id, 0, nothing=True))).became == "nothing to send"
    assert (told(log.world.checks[C1]), log.world.channels[H1].last_delivered) == (False, None)


def test_of_a_site_that_an_older_pingmon_saved_its_own_word_counts(log: Log) -> None:
    """It kept no more of it than that users were to be told."""
    site = log.site(host="")
    log.fails()
    down = log.world.sites[S1]
    assert not told(down)
    sends(log)
    assert told(log.world.sites[S1])
    assert told(replace(down, audience=None))
    assert not told(replace(down, audience=None, told=False))
    assert not told(replace(down, audience=replace(down.audience or Audience(0, "up", ()), new="up")))
    assert not told(site)


def test_an_outage_that_a_pause_has_ended_says_nothing_of_the_next_one(log: Log) -> None:
    """Of which nobody is told as long as its host asks for silence."""
    log.partner()
    log.site()
    log.fails()
    log.answer()
    sends(log)
    for event in (e.SitePaused(), e.SiteResumed()):
        log.add(S1, event)
    log.probe(S1, good())
    log.fails()
    log.until(log.now + 3600 * SECOND)
    assert log.world.sites[S1].status == "down"
    assert not told(log.world.sites[S1])


# --- the way up ---------------------------------------------------------------------------------------------------


def test_a_channel_that_was_never_told_of_the_outage_hears_of_both_its_ends(log: Log) -> None:
    """The message about the way down was given up, which is not the same as delivered."""
    log.ping(signal="fail")
    loses(log)
    log.ping(at=T0 + 9)
    assert owed(log) == ("up", T0)


def test_a_channel_that_heard_of_the_outage_hears_of_its_end_only(log: Log) -> None:
    """It knows from when on it was down."""
    log.ping(signal="fail")
    sends(log)
    log.ping(at=T0 + 9)
    assert owed(log) == ("up", None)


def test_a_channel_that_came_during_the_outage_hears_nothing_of_its_end(log: Log) -> None:
    """It was not to hear of its beginning."""
    log.ping(signal="fail")
    sends(log)
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H1, H2))))
    assert log.ping(at=T0 + 9).channels == (H1,)


def test_a_channel_that_is_taken_off_is_owed_nothing_more(log: Log) -> None:
    """Neither what waits for it nor the way up; what others have heard in its stead is called off there."""
    log.ping(signal="fail")
    gone = only(log.add(C1, e.CheckChanged(CheckChanges(channels=(H2,)))))
    assert (gone.became, gone.why) == ("void", "the channel was taken off")
    assert log.ping(at=T0 + 9).channels == ()


def test_a_site_loses_what_is_owed_to_a_channel_that_is_taken_off(log: Log) -> None:
    """As a check does; any other change leaves it."""
    log.site(host="")
    log.fails()
    log.add(S1, e.SiteChanged(SiteChanges(name="shop")))
    assert owed(log) == ("down", None)
    log.add(S1, e.SiteChanged(SiteChanges(channels=())))
    assert log.world.owed == {}


def test_each_channel_hears_of_a_flip_once(log: Log) -> None:
    """Those that were to hear of it anyway do not hear of it in another's stead as well."""
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H1, H2))))
    log.ping(signal="fail")
    assert loses(log).channels == ()
    assert len(log.world.outbox[H2]) == 1


# --- how messages end ---------------------------------------------------------------------------------------------


def test_a_delivered_message_tells_of_all_its_attempts(log: Log) -> None:
    """When, how long, and with which result."""
    log.ping(signal="fail")
    (id,) = log.world.owed
    log.add(H1, e.NotificationFailed(id, 7, "status 500", T0 + 5), T0 + 1)
    ended = only(log.add(H1, e.NotificationDelivered(id, 3, 204), T0 + 6))
    assert (ended.became, ended.at, ended.owed.channel) == ("delivered", T0 + 6, H1)
    assert ended.owed.tried == (Attempted(T0 + 1, 7, error="status 500"), Attempted(T0 + 6, 3, 204))


def test_a_message_that_is_overtaken_names_the_one_that_took_its_place(log: Log) -> None:
    """So that nobody wonders where it went."""
    log.ping(signal="fail")
    (down,) = log.world.owed
    ended = only(log.ping(at=T0 + 9))
    assert (ended.owed.id, ended.became, ended.by) == (down, "replaced", next(iter(log.world.owed)))


def test_a_message_that_arrives_after_it_was_overtaken_was_delivered(log: Log) -> None:
    """It was on its way; and what overtook it says no more of it."""
    log.ping(signal="fail")
    (down,) = log.world.owed
    log.ping(at=T0 + 9)
    ended = only(log.add(H1, e.NotificationDelivered(down, 3, 200), T0 + 10))
    assert (ended.owed.id, ended.became, ended.after_all) == (down, "delivered", True)
    assert owed(log) == ("up", None)
    assert log.add(H1, e.NotificationDelivered(f"{H1}.99", 3, 200)).ended == ()


def test_what_had_nothing_to_send_after_it_was_overtaken_is_left_as_it_was(log: Log) -> None:
    """Nothing arrived."""
    log.ping(signal="fail")
    (down,) = log.world.owed
    log.ping(at=T0 + 9)
    assert log.add(H1, e.NotificationDelivered(down, 0, nothing=True)).ended == ()


def test_a_message_about_what_is_deleted_or_up_after_a_pause_is_void(log: Log) -> None:
    """There is nothing left to tell."""
    log.ping(signal="fail")
    for event in (e.CheckPaused(), e.CheckResumed()):
        log.add(C1, event)
    assert (only(log.ping()).became, log.world.owed) == ("void", {})
    log.ping(signal="fail")
    assert only(log.add(C1, e.CheckDeleted())).why == "the check was deleted"
    log.site(host="")
    log.fails()
    assert only(log.add(S1, e.SiteDeleted())).why == "the site was deleted"


def test_a_relay_that_is_still_owed_when_the_outage_ends_is_void(log: Log) -> None:
    """The channel is not even the check's own."""
    log.ping(signal="fail")
    loses(log)
    ended = only(log.ping(at=T0 + 1))
    assert (ended.owed.channel, ended.became) == (H2, "void")


def test_all_that_waits_for_a_receiver_that_wants_no_more_is_given_up_at_once(log: Log) -> None:
    """With one attempt and one entry, however much it is; what falls due later is not."""
    for number in range(5):
        log.check(f"cccccccc-0000-4000-8000-00000000001{number}", channels=(H1,))
        log.ping(f"cccccccc-0000-4000-8000-00000000001{number}", "fail")
    log.ping(signal="fail", at=T0 + 1)
    outcome = loses(log)
    assert [ended.became for ended in outcome.ended] == ["given up"] * 5
    assert (len(log.world.outbox[H1]), len(log.world.outbox[H2])) == (1, 5)
    assert outcome.channels == (H2,)


def test_who_is_owed_what_one_receiver_could_not_be_told_is_not_owed_it_for_another(log: Log) -> None:
    """Also of news that stand beside those about the way down and up."""
    log.channel(H3)
    log.now = round(datetime(2026, 1, 3, tzinfo=UTC).timestamp()) * SECOND
    log.check(C2, kind="oncalendar", schedule="2026-01-02", channels=(H1, H2))
    log.ping(C2)
    log.add(C2, e.ScheduleEnded())
    for gone in (H1, H2):
        loses(log, gone)
    (told,) = log.world.outbox[H3].values()
    assert (told.flip.cause, told.relays) == ("ended", H1)


def test_who_has_heard_of_the_way_up_hears_of_it_in_nobodys_stead_after_a_pause(log: Log) -> None:
    """A check that is paused and up again has made no news; the way up before is still owed to one channel."""
    log.ping(signal="fail")
    loses(log)
    sends(log, H2)
    log.ping()
    sends(log, H2)
    log.add(C1, e.CheckPaused())
    log.ping()
    loses(log)
    assert log.world.owed == {}


def test_a_message_that_nobody_could_ever_send_is_given_up_alone(log: Log) -> None:
    """Its channel is well."""
    log.ping(signal="fail")
    (id,) = log.world.owed
    outcome = log.add(H1, e.NotificationAbandoned(id, 0, "the URL is neither http nor https"))
    assert (only(outcome).became, log.world.channels[H1].failing) == ("given up", None)
    assert log.add(H1, e.NotificationAbandoned(id, 0, "again")).result == "unknown"


# --- channels -----------------------------------------------------------------------------------------------------


def test_a_channel_that_fails_is_tried_when_its_event_says(log: Log) -> None:
    """Its failure is one for all that waits for it; a delivery ends it."""
    log.ping(signal="fail")
    (id,) = log.world.owed
    log.add(H1, e.NotificationFailed(id, 3, "status 503", T0 + GONE, held=True))
    failing = log.world.channels[H1].failing
    assert failing is not None
    assert (failing.attempts, failing.retry_at, failing.held) == (1, T0 + GONE, True)
    sends(log)
    assert log.world.channels[H1].failing is None
    assert log.add(H1, e.NotificationFailed(id, 3, "status 503", T0)).result == "unknown"
    assert log.world.channels[H1].failing is not None


@pytest.mark.parametrize(
    ("event", "well"),
    [
        (e.ChannelChanged(name="ops"), True),
        (e.ChannelTested(5, 200), True),
        (e.ChannelTested(5, error="status 500"), False),
        (e.ChannelSecretRenewed("whsec_y"), False),
    ],
)
def test_a_change_or_a_test_that_went_well_is_a_reason_to_try_again(log: Log, event: e.Event, well: bool) -> None:
    """A new secret alone is none, nor is a test that failed."""
    log.ping(signal="fail")
    (id,) = log.world.owed
    log.add(H1, e.NotificationFailed(id, 3, "status 500", T0 + GONE))
    assert log.add(H1, event).result == "done"
    assert (log.world.channels[H1].failing is None) == well


def test_a_channels_settings_change_as_they_are_given(log: Log) -> None:
    """The others stay."""
    log.add(H1, e.ChannelChanged(value={"url_down": "http://y/"}))
    assert (log.world.channels[H1].name, log.world.channels[H1].value) == ("hook 1", {"url_down": "http://y/"})
    log.add(H1, e.ChannelSecretRenewed("whsec_y", T0 + 9))
    channel = log.world.channels[H1]
    assert (channel.secret, channel.old_secret, channel.old_until) == ("whsec_y", "whsec_x", T0 + 9)


def test_a_deleted_channel_is_owed_nothing_and_no_check_or_site_has_it(log: Log) -> None:
    """Nor is anybody told in its stead, or it in theirs."""
    log.site(channels=(H1, H2), host="")
    log.fails()
    log.ping(signal="fail")
    loses(log)
    sends(log, H2)
    sends(log, H2)
    assert log.world.checks[C1].relayed == (H2,)
    log.ping(at=T0 + 1)
    ended = log.add(H2, e.ChannelDeleted()).ended
    assert [each.why for each in ended] == ["the channel was deleted"]
    assert (log.world.sites[S1].spec.channels, list(log.world.channels)) == ((H1,), [H1])
    log.ping(signal="fail", at=T0 + 2)
    log.ping(signal="fail", at=T0 + 2)
    log.add(H1, e.ChannelDeleted())
    assert (log.world.checks[C1].spec.channels, log.world.owed, log.world.members[P].channels) == ((), {}, {})
    assert log.add(H1, e.ChannelDeleted()).result == "unknown"
    log.probe(S1, bad())


def test_a_deleted_channel_hears_nothing_in_anothers_stead(log: Log) -> None:
    """Of an outage that it had heard of so."""
    log.ping(signal="fail")
    loses(log)
    sends(log, H2)
    log.add(H2, e.ChannelDeleted())
    assert log.world.checks[C1].relayed == ()
    assert log.ping(at=T0 + 1).channels == (H1,)


def test_the_end_of_a_schedule_that_was_told_says_nothing_of_who_heard_of_the_way_up(log: Log) -> None:
    """It is beside the flip: whoever hears of it alone has not heard of the flip."""
    log.now = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    log.check(C2, kind="oncalendar", schedule="2026-01-02", channels=(H1, H2))
    log.ping(C2, "fail")
    sends(log, H1)
    log.now += 30 * 3600 * SECOND
    log.ping(C2)
    log.add(C2, e.ScheduleEnded())
    before = log.world.checks[C2].audience
    ended = next(id for id, owed in log.world.outbox[H1].items() if owed.flip.cause == "ended")
    log.add(H1, e.NotificationDelivered(ended, 3, 200))
    assert log.world.checks[C2].audience == before
    assert before is not None


# --- receipts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True], ids=["in time", "after it was overtaken"])
def test_the_way_up_knows_what_the_receiver_calls_the_message_about_the_way_down(log: Log, late: bool) -> None:
    """So that a kind which can do so changes that message, instead of sending another one."""
    log.ping(signal="fail")
    (down,) = log.world.owed
    arrives = e.NotificationDelivered(down, 3, 200, receipt="m-1")
    if late:
        log.ping(at=T0 + 9)
        log.add(H1, arrives, T0 + 10)
    else:
        log.add(H1, arrives, T0 + 8)
        log.ping(at=T0 + 9)
    (up,) = log.world.owed.values()
    assert (up.flip.new, up.receipt) == ("up", "m-1")
    log.add(H1, e.NotificationDelivered(up.id, 3, 200, receipt="m-2"), T0 + 11)
    log.ping(at=T0 + 12, signal="fail")
    assert [(each.flip.new, each.receipt) for each in log.world.owed.values()] == [("down", "")]


# --- switches -----------------------------------------------------------------------------------------------------


def switched(*, up: bool = True, down: bool = True) -> Log:
    log = Log()
    log.channel(H1)
    log.channel(H2)
    log.add(H1, e.ChannelChanged(settings=ChannelSettings(up=up, down=down)))
    log.check(channels=(H1, H2))
    return log


def test_a_channel_that_wants_no_ups_is_owed_none() -> None:
    """And no down any more that it has not heard of."""
    log = switched(up=False)
    log.ping(signal="fail")
    assert owed(log)[0] == "down"
    log.ping()
    assert H1 not in log.world.outbox
    assert owed(log, H2)[0] == "up"


def test_a_channel_that_wants_no_downs_hears_of_each_outage_when_it_is_over() -> None:
    log = switched(down=False)
    log.ping(signal="fail", at=T0 + 5)
    assert H1 not in log.world.outbox
    log.ping(at=T0 + 9)
    assert owed(log) == ("up", T0 + 5)


def test_a_channel_that_wants_neither_hears_nothing_not_even_in_anothers_stead() -> None:
    log = switched(up=False, down=False)
    log.ping(signal="fail")
    loses(log, H2)
    log.ping()
    assert H1 not in log.world.outbox


def test_that_a_schedule_has_run_out_is_told_to_who_hears_anything() -> None:
    """It is neither up nor down."""
    flip = Flip(1, C1, T0, "up", "up", "ended")
    wants = [ChannelSettings(up=up, down=down).wants(flip) for up in (True, False) for down in (True, False)]
    assert wants == [True, True, True, False]


def test_what_has_the_urgent_tag_is_urgent() -> None:
    """A tag that only begins so is another one, and without such a tag nothing is."""
    assert [ChannelSettings(urgent="page").is_urgent(tags) for tags in ("a page", "pages", "")] == [True, False, False]
    assert not ChannelSettings().is_urgent("")


# --- digests ------------------------------------------------------------------------------------------------------

FLIPS = st.lists(st.tuples(st.sampled_from((C1, C2, C3)), st.booleans()), max_size=12)


@given(before=FLIPS, meanwhile=FLIPS, nothing=st.booleans())
def test_a_digest_comes_to_the_same_as_each_of_its_messages_alone(
    before: list[tuple[str, bool]], meanwhile: list[tuple[str, bool]], nothing: bool
) -> None:
    """Also of what was overtaken while it was on its way. Its one entry says of each that it was told in a digest."""
    one, each = Log(), Log()
    for log in (one, each):
        log.channel(H1)
        for id in (C1, C2, C3):
            log.check(id, channels=(H1,))
    for id, down in before:
        one.ping(id, "fail" if down else "success")
        each.ping(id, "fail" if down else "success")
    told = list(one.world.outbox.get(H1, {}).values())
    for id, down in meanwhile:
        one.ping(id, "fail" if down else "success")
        each.ping(id, "fail" if down else "success")
    through = max((owed.owed_by for owed in told), default=1)
    found = one.add(H1, e.NotificationDelivered("digest", 3, None if nothing else 200, nothing, through=through))
    ended: list[Delivery] = []
    for owed in told:
        ended += each.add(H1, e.NotificationDelivered(owed.id, 3, None if nothing else 200, nothing)).ended
    assert one.world.outbox == each.world.outbox
    assert one.world.checks == each.world.checks
    assert one.world.channels[H1].last_delivered == (None if nothing else T0)
    alike = [replace(delivery, by="digest" if delivery.became == "delivered" else "") for delivery in ended]
    assert sorted(found.ended, key=lambda delivery: delivery.owed.id) == sorted(alike, key=lambda it: it.owed.id)


def test_a_relay_that_became_owed_while_a_digest_was_on_its_way_is_not_in_it(log: Log) -> None:
    """Although its flip is older than what the digest told of."""
    log.check(C2, channels=(H2,))
    log.ping(C1, "fail")
    log.ping(C2, "fail")
    (first,) = log.world.outbox[H2].values()
    through = first.owed_by
    loses(log, H1)
    log.add(H2, e.NotificationDelivered("digest", 3, 200, through=through))
    (relay,) = log.world.outbox[H2].values()
    assert relay.relays == H1
    assert relay.flip.seq < through < relay.owed_by


def test_a_digest_that_fails_is_one_failure_of_its_channel(log: Log) -> None:
    log.ping(C1, "fail")
    log.add(H1, e.NotificationFailed("digest", 3, "status 503", T0 + 5 * SECOND))
    failing = log.world.channels[H1].failing
    assert failing is not None
    assert failing.attempts == 1
    assert owed(log) == ("down", None)


# --- groups ---------------------------------------------------------------------------------------------------------


def grouped(log: Log, *members: str) -> Log:
    """The check has one channel, and a group of these, which is down then."""
    log.group(*members)
    log.add(C1, e.CheckChanged(CheckChanges(channels=(H1, H3))))
    log.ping(signal="fail")
    return log


def test_a_group_stands_for_its_members(log: Log) -> None:
    """Each hears of both ends of an outage once, though it is a channel of the check as well; a group hears nothing."""
    grouped(log, H1, H2)
    assert list(log.world.outbox) == [H1, H2]
    sends(log, H1)
    sends(log, H2)
    assert log.ping(at=T0 + 9).channels == (H1, H2)


def test_a_member_that_comes_during_an_outage_hears_nothing_of_its_end(log: Log) -> None:
    """As a channel that a check is given."""
    grouped(log, H1)
    log.add(H3, e.ChannelChanged(value={"channels": f"{H1},{H2}"}))
    assert log.ping(at=T0 + 9).channels == (H1,)


@pytest.mark.parametrize(
    "gone",
    [e.ChannelChanged(value={"channels": H1}), e.ChannelDeleted()],
    ids=["by a change of the group", "with the group"],
)
def test_a_member_that_is_taken_off_is_owed_nothing_more(log: Log, gone: e.Event) -> None:
    """About the checks that have it by the group; others keep it."""
    log.check(C2, channels=(H2,))
    log.ping(C2, "fail")
    grouped(log, H1, H2)
    ended = only(log.add(H3, gone))
    assert (ended.owed.channel, ended.owed.flip.subject, ended.became) == (H2, C1, "void")
    assert [each.flip.subject for each in log.world.outbox[H2].values()] == [C2]
    assert len(log.world.outbox[H1]) == 1
    assert log.ping(at=T0 + 9).channels == (H1,)


def test_a_channel_that_is_deleted_leaves_its_groups(log: Log) -> None:
    """A group may have no members left; then it tells nobody."""
    grouped(log, H2)
    log.add(H2, e.ChannelDeleted())
    assert log.world.channels[H3].members == ()
    assert log.world.channels[H1].members == ()
    assert log.ping(at=T0 + 9).channels == (H1,)


def test_a_group_in_a_group_leads_nowhere(log: Log) -> None:
    """No log that pingmon wrote has one; it makes no circle either."""
    grouped(log, H3, H2)
    assert list(log.world.outbox) == [H1, H2]


def test_what_is_given_up_is_told_to_channels_and_not_to_groups(log: Log) -> None:
    """Each of the others hears it once."""
    log.ping(signal="fail")
    log.group(H1, H2)
    assert loses(log).channels == (H2,)


def test_a_name_change_of_a_group_takes_nothing_off(log: Log) -> None:
    """Nor does a change of a check that leaves its channels."""
    grouped(log, H1, H2)
    assert log.add(H3, e.ChannelChanged(name="everybody")).ended == ()
    assert log.add(C1, e.CheckChanged(CheckChanges(name="x"))).ended == ()
    assert list(log.world.outbox) == [H1, H2]
