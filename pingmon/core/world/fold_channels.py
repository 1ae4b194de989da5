"""What entries about channels and messages do to the world. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from msgspec import UNSET
from msgspec.structs import replace

from pingmon.core.changes import applied
from pingmon.core.notify.channel import GROUP, Channel, answers, asked, failed, renewed
from pingmon.core.notify.notification import Attempted, attempted
from pingmon.core.notify.owed_messages import arrived_after_all, delivered, delivered_through, given_up, regroup
from pingmon.core.units import Id
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.project import is_full
from pingmon.core.world.world import World


def channel_event(world: World, entry: Entry, event: events.AnyChannelEvent) -> Outcome:
    """What an entry about a channel, or about a message to it, does."""
    if isinstance(event, events.ChannelCreated):
        return _channel_created(world, entry, event)
    channel = world.channels.get(entry.stream)
    if channel is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.ChannelChanged() | events.ChannelDeleted() if channel.kind == GROUP:
            regroup(world, entry.at, channel, partial(_change, world, entry, event, channel))
        case events.ChannelChanged() | events.ChannelDeleted():
            _change(world, entry, event, channel)
            return _hushed(world, channel.id, "its new receiver has not confirmed yet", entry.at)
        case events.ChannelSecretRenewed():
            world.put_channel(renewed(channel, event.secret, event.old_until))
        case events.ChannelTested():
            if not event.error:  # one that fails says no more than itself: what is owed is tried when it is due
                world.put_channel(answers(channel))
        case events.NotificationDelivered():
            return _delivered(world, entry, event, channel)
        case events.NotificationFailed():
            return _failed(world, entry, event, channel)
        case events.NotificationAbandoned():
            return _abandoned(world, entry, event, channel)
        case _:
            assert_never(event)
    return Outcome("done", channel.id)


def _change(world: World, entry: Entry, event: events.ChannelChanged | events.ChannelDeleted, channel: Channel) -> None:
    if isinstance(event, events.ChannelDeleted):
        world.drop_channel(channel, entry.at)
    else:
        changed = answers(applied(event, channel))
        world.put_channel(changed if event.secret is UNSET else replace(changed, old_secret="", old_until=0))


def _channel_created(world: World, entry: Entry, event: events.ChannelCreated) -> Outcome:
    members = world.members.get(event.project)
    if members is None:
        return Outcome("unknown", entry.stream)
    if is_full(members.channels, event.most):
        return Outcome("full", entry.stream)
    kept = (event.project, event.kind, event.name, event.value, event.secret)
    world.put_channel(Channel(entry.stream, *kept, entry.seq, entry.at, settings=event.settings, consent=event.consent))
    return Outcome("created", entry.stream)


def consent_event(world: World, entry: Entry, event: events.AnyConsentEvent) -> Outcome:
    """What an entry about what a receiver wants does."""
    channel = world.channels.get(entry.stream)
    if channel is None:
        return Outcome("unknown", entry.stream)
    match event:
        case events.ConsentAsked():
            if channel.consent:
                world.put_channel(asked(channel, entry.at, event.error, event.retry_at))
        case events.ChannelConfirmed():
            world.put_channel(replace(answers(channel), consent=""))
        case events.ChannelUnsubscribed():
            world.put_channel(replace(answers(channel), consent="unsubscribed"))
            return _hushed(world, channel.id, "its receiver has unsubscribed", entry.at)
        case _:
            assert_never(event)
    return Outcome("done", channel.id)


def _hushed(world: World, channel: Id, why: str, at: int) -> Outcome:
    """Owe the channel nothing more if it may not be told; others are told instead."""
    told: dict[Id, None] = {}
    for lost in () if world.reached([channel]) else list(world.outbox.get(channel, {}).values()):
        told |= dict.fromkeys(given_up(world, lost, why, at))
    return Outcome("done", channel, channels=tuple(told))


def _delivered(world: World, entry: Entry, event: events.NotificationDelivered, channel: Channel) -> Outcome:
    attempt = None if event.nothing else Attempted(entry.at, event.took_ms, event.status)
    if attempt is not None:
        world.put_channel(replace(answers(channel), last_delivered=entry.at))
    if event.through:
        delivered_through(world, channel.id, event.through, attempt, entry.at, event.id)
        return Outcome("done", channel.id)
    owed = world.owed.get(event.id)
    if owed is not None:
        delivered(world, owed, attempt, entry.at, event.receipt)
        return Outcome("done", channel.id)
    arrived_after_all(world, channel.id, event.id, attempt, entry.at, event.receipt)
    return Outcome("unknown", channel.id)


def _failed(world: World, entry: Entry, event: events.NotificationFailed, channel: Channel) -> Outcome:
    how = {"held": event.held, "same_round": event.same_round}
    world.put_channel(failed(channel, entry.at, event.error, event.retry_at, **how))
    owed = world.owed.get(event.id)
    if owed is not None:
        world.owe(attempted(owed, Attempted(entry.at, event.took_ms, error=event.error)))
    told: dict[Id, None] = {}
    for lost in list(world.outbox.get(channel.id, {}).values()) if event.given_up else ():
        if lost.created <= event.given_up:
            told |= dict.fromkeys(given_up(world, lost, event.error, entry.at))
    return Outcome("unknown" if owed is None else "done", channel.id, channels=tuple(told))


def _abandoned(world: World, entry: Entry, event: events.NotificationAbandoned, channel: Channel) -> Outcome:
    world.put_channel(replace(channel, last_error=event.error))
    owed = world.owed.get(event.id)
    if owed is None:
        return Outcome("unknown", channel.id)
    lost = attempted(owed, Attempted(entry.at, event.took_ms, error=event.error))
    return Outcome("done", channel.id, channels=given_up(world, lost, event.error, entry.at))
