"""What each entry of the log does to the world.

`fold` is the only thing that changes a world, and it asks nothing but the entry: no clock, no chance, no I/O. The same
entries in the same order make the same world, on every machine and after every restart.
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from pingmon.core.changes import applied
from pingmon.core.check import check as checks
from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Deaf, Flip
from pingmon.core.notify import channel as channels
from pingmon.core.notify import notification as notify
from pingmon.core.notify import owed_messages as owing
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Attempted
from pingmon.core.site import site as sites
from pingmon.core.units import Id
from pingmon.core.world import events, fold_projects, fold_sites
from pingmon.core.world.events import Entry
from pingmon.core.world.parts import DaemonState, Outcome, is_full
from pingmon.core.world.world import World

MAX_DEAF_SPANS: Final = 32
"""Times of deafness that are remembered, the newest ones; each start and each full disk is one."""


def fold(world: World, entry: Entry) -> Outcome:
    """Take the next entry of the log into `world`, and say what it did."""
    world.seq, event = entry.seq, entry.event
    if isinstance(event, events.PingReceived):
        outcome = _ping_received(world, entry, event)
    else:
        outcome = _rare(world, entry, event)
    if world.ended:
        outcome, world.ended = replace(outcome, ended=tuple(world.ended)), []
    return outcome


def _rare(world: World, entry: Entry, event: events.AnyRareEvent) -> Outcome:
    match event:
        case events.CheckEvent():
            return _check_event(world, entry, event)
        case events.SiteEvent():
            return fold_sites.site_event(world, entry, event)
        case events.PartnerEvent():
            return fold_sites.partner_event(world, entry, event)
        case events.ChannelEvent():
            return _channel_event(world, entry, event)
        case events.ProjectEvent():
            return fold_projects.project_event(world, entry, event)
        case events.DaemonEvent():
            return _daemon_event(world, entry, event)
        case _:
            assert_never(event)


# --- checks -------------------------------------------------------------------------------------------------------


def _check_event(world: World, entry: Entry, event: events.AnyCheckEvent) -> Outcome:
    if isinstance(event, events.CheckCreated):
        return _check_created(world, entry, event)
    check = world.checks.get(entry.stream)
    if check is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.CheckChanged():
            after = checks.respecified(check, entry.seq, event.changes.applied_to(check.spec))
            owing.unowe(world, entry.at, check, after)
            return _changed(world, entry, after, None)
        case events.CheckDeleted():
            world.drop_check(check, entry.at)
            return Outcome("done", check.id, check)
        case events.CheckPaused():
            return _changed(world, entry, *checks.paused(check, entry.seq, entry.at))
        case events.CheckResumed():
            return _changed(world, entry, *checks.resumed(check, entry.seq, entry.at))
        case events.CheckExpired():
            return _check_expired(world, entry, event, check)
        case events.ScheduleEnded():
            return _schedule_ended(world, entry, check)
        case _:
            assert_never(event)


def _ping_received(world: World, entry: Entry, event: events.PingReceived) -> Outcome:
    check = world.checks.get(entry.stream)
    if check is None:
        if event.create is None:
            return Outcome("unknown", entry.stream)
        return _ping_creates(world, entry, event, event.create)
    return _changed(world, entry, *checks.pinged(check, entry.seq, entry.at, event))


def _ping_creates(world: World, entry: Entry, event: events.PingReceived, new: events.NewCheck) -> Outcome:
    members = world.members.get(new.project)
    if members is None:
        return Outcome("unknown", entry.stream)
    namesakes = members.slugs.get(new.slug, ())
    if namesakes:
        return Outcome("exists" if len(namesakes) == 1 else "ambiguous", namesakes[0])
    if is_full(members.checks, new.most):
        return Outcome("full", entry.stream)
    spec = CheckSpec(name=new.slug, slug=new.slug, channels=tuple(sorted(members.channels)))
    fresh = Check(entry.stream, new.project, spec, entry.seq, entry.at, entry.at)
    world.put_check(fresh)
    return replace(_changed(world, entry, *checks.pinged(fresh, entry.seq, entry.at, event)), result="created")


def _check_created(world: World, entry: Entry, event: events.CheckCreated) -> Outcome:
    if event.project not in world.members:
        return Outcome("unknown", entry.stream)
    twin = world.checks.get(entry.stream) or world.twin(event.project, event.spec, event.unique)
    if twin is not None:
        return Outcome("exists", twin.id, twin)
    if is_full(world.members[event.project].checks, event.most):
        return Outcome("full", entry.stream)
    fresh = Check(entry.stream, event.project, event.spec, entry.seq, entry.at, entry.at)
    world.put_check(fresh)
    return Outcome("created", fresh.id, fresh)


def _check_expired(world: World, entry: Entry, event: events.CheckExpired, check: Check) -> Outcome:
    after, flip = checks.expired(check, entry.seq, event.deadline, event.armed_by)
    if flip is not None:
        deaf = checks.overlap(world.daemon.deaf, event.deadline, check.spec.grace)
        flip = replace(flip, deaf=deaf)
    return _changed(world, entry, after, flip)


def _schedule_ended(world: World, entry: Entry, check: Check) -> Outcome:
    after, news = checks.schedule_ended(check, entry.seq, entry.at)
    world.keep_check(after)
    return Outcome("done", check.id, after, channels=owing.owe_beside(world, entry.at, after, news) if news else ())


def _changed(world: World, entry: Entry, after: Check, flip: Flip | None) -> Outcome:
    """Keep the check as it is now; owe what its flip makes due."""
    world.keep_check(after)
    if flip is None:
        return Outcome("done", after.id, after)
    told = owing.owe(world, entry.at, after, flip)
    return Outcome("done", after.id, world.checks[after.id], flip=flip, channels=told)


# --- channels -----------------------------------------------------------------------------------------------------


def _channel_event(world: World, entry: Entry, event: events.AnyChannelEvent) -> Outcome:
    if isinstance(event, events.ChannelCreated):
        return _channel_created(world, entry, event)
    channel = world.channels.get(entry.stream)
    if channel is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.ChannelChanged():
            world.put_channel(channels.answers(applied(event, channel)))
        case events.ChannelSecretRenewed():
            world.put_channel(channels.renewed(channel, event.secret, event.old_until))
        case events.ChannelDeleted():
            world.drop_channel(channel, entry.at)
        case events.ChannelTested():
            if not event.error:  # one that fails says no more than itself: what is owed is tried when it is due
                world.put_channel(channels.answers(channel))
        case events.NotificationDelivered():
            return _delivered(world, entry, event, channel)
        case events.NotificationFailed():
            return _failed(world, entry, event, channel)
        case events.NotificationAbandoned():
            return _abandoned(world, entry, event, channel)
        case _:
            assert_never(event)
    return Outcome("done", channel.id)


def _channel_created(world: World, entry: Entry, event: events.ChannelCreated) -> Outcome:
    members = world.members.get(event.project)
    if members is None:
        return Outcome("unknown", entry.stream)
    if is_full(members.channels, event.most):
        return Outcome("full", entry.stream)
    kept = (event.project, event.kind, event.name, event.value, event.secret)
    world.put_channel(Channel(entry.stream, *kept, entry.seq, entry.at))
    return Outcome("created", entry.stream)


def _delivered(world: World, entry: Entry, event: events.NotificationDelivered, channel: Channel) -> Outcome:
    attempt = None if event.nothing else Attempted(entry.at, event.took_ms, event.status)
    if attempt is not None:
        world.put_channel(replace(channels.answers(channel), last_delivered=entry.at))
    owed = world.owed.get(event.id)
    if owed is not None:
        owing.delivered(world, owed, attempt, entry.at)
        return Outcome("done", channel.id)
    owing.arrived_after_all(world, channel.id, event.id, attempt, entry.at)
    return Outcome("unknown", channel.id)


def _failed(world: World, entry: Entry, event: events.NotificationFailed, channel: Channel) -> Outcome:
    world.put_channel(channels.failed(channel, entry.at, event.error, event.retry_at, held=event.held))
    owed = world.owed.get(event.id)
    if owed is not None:
        world.owe(notify.attempted(owed, Attempted(entry.at, event.took_ms, error=event.error)))
    told: dict[Id, None] = {}
    for lost in list(world.outbox.get(channel.id, {}).values()) if event.given_up else ():
        if lost.created <= event.given_up:
            told |= dict.fromkeys(owing.given_up(world, lost, event.error, entry.at))
    return Outcome("unknown" if owed is None else "done", channel.id, channels=tuple(told))


def _abandoned(world: World, entry: Entry, event: events.NotificationAbandoned, channel: Channel) -> Outcome:
    world.put_channel(replace(channel, last_error=event.error))
    owed = world.owed.get(event.id)
    if owed is None:
        return Outcome("unknown", channel.id)
    lost = notify.attempted(owed, Attempted(entry.at, event.took_ms, error=event.error))
    return Outcome("done", channel.id, channels=owing.given_up(world, lost, event.error, entry.at))


# --- the daemon ---------------------------------------------------------------------------------------------------


def _daemon_event(world: World, entry: Entry, event: events.AnyDaemonEvent) -> Outcome:
    match event:
        case events.ListeningEnded():
            world.put_daemon(replace(world.daemon, ended=entry.at if event.since is None else event.since))
        case events.ListeningResumed():
            span = Deaf(event.since, entry.at, event.hold_until, event.cause)
            world.put_daemon(DaemonState(deaf=(*world.daemon.deaf, span)[-MAX_DEAF_SPANS:]))
        case events.ClockStepped():
            return _clock_stepped(world, entry, event)
        case _:
            assert_never(event)
    return Outcome()


def _clock_stepped(world: World, entry: Entry, event: events.ClockStepped) -> Outcome:
    by = event.by
    for check in list(world.checks.values()):
        world.keep_check(checks.shifted(check, entry.seq, by))
    for site in list(world.sites.values()):
        world.put_site(sites.shifted(site, by))
    for channel in list(world.channels.values()):
        world.put_channel(channels.shifted(channel, by))
    for owed in list(world.owed.values()):
        world.owe(notify.shifted(owed, by))
    spans = tuple(
        replace(span, since=span.since + by, until=span.until + by, hold_until=span.hold_until + by)
        for span in world.daemon.deaf
    )
    ended = None if world.daemon.ended is None else world.daemon.ended + by
    world.put_daemon(DaemonState(spans, ended))
    return Outcome(everything=True)
