"""How a flip becomes messages that are owed: the one place where the outbox is filled, for checks and for sites.

A way down is owed to the channels that the check or site has then, in the place of a group to its members, unless it is
held (`outage`). A way up is owed to those that were to hear of the way down, and to those that heard of it in another's
stead: a channel that came later knows of no outage. One that is told of no way down, because somebody turned that off,
is told of every way up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import (
    Attempted,
    Audience,
    Delivery,
    Notification,
    attempted,
    delivered_after_all,
    matters,
    notification,
    relayed,
)
from pingmon.core.notify.outage import further, held, listeners
from pingmon.core.notify.trouble import Trouble
from pingmon.core.site.site import Site
from pingmon.core.units import Id
from pingmon.core.world.outcome import Subject, Topic
from pingmon.core.world.world import World

S = TypeVar("S", bound=Subject)


def owe(world: World, now: int, subject: Subject, flip: Flip) -> tuple[Id, ...]:
    """Owe `flip` to the subject's channels, in place of all that is still owed about it. Returns those channels.

    A way up may be no news, as after an outage that a pause has ended. Then a way down that is still owed is void, and
    a way up that is still owed stays. A subject that is paused or resumed overtakes nothing.
    """
    if flip.new not in ("up", "down"):
        return ()
    if matters(flip):
        if flip.new == "down":
            until, parent = held(world, subject, flip, now)
            if until:
                kept_back = Audience(flip.seq, "down", (), flip=flip, held_until=until, held_by=parent)
                world.keep(replace(subject, audience=kept_back))
                return ()
        elif _was_held(subject.audience):
            world.keep(replace(subject, audience=Audience(flip.seq, "up", ())))
            return ()
        return owe_anew(world, now, subject, flip)
    for owed in world.owed_about(subject):
        if owed.flip.new == "down":
            world.settle(owed, "void", now, why="the outage ended with a pause")
    audience = subject.audience
    if audience is not None and audience.new == "down":
        audience = None
    world.keep(replace(subject, relayed=(), audience=audience))
    return ()


def review(world: World, now: int, subject: Subject) -> tuple[Id, ...]:
    """Owe what is due of the subject's outage, see `outage`. Returns the channels that are owed something new."""
    audience = subject.audience
    if subject.status != "down" or audience is None or audience.flip is None:
        return ()
    until, parent = held(world, subject, audience.flip, now)
    if until:
        world.keep(replace(subject, audience=replace(audience, held_until=until, held_by=parent)))
        return ()
    if not audience.told_at:
        return owe_anew(world, now, subject, audience.flip)
    return further(world, now, subject, replace(audience, held_until=0, held_by=""), audience.flip)


def _was_held(audience: Audience | None) -> bool:
    """Whether nobody was told of the way down."""
    return audience is not None and audience.flip is not None and not audience.told_at


def owe_beside(world: World, now: int, subject: Subject, flip: Flip) -> tuple[Id, ...]:
    """Owe `flip` to the subject's channels beside all that is still owed about it. Returns those channels."""
    told = tuple(channel for channel in world.reached(subject.spec.channels) if _wants(world, channel, flip))
    for channel in told:
        world.owe(notification(flip, channel, now, None))
    return told


def owe_anew(world: World, now: int, subject: Topic, flip: Flip) -> tuple[Id, ...]:
    """Owe `flip`, which is news, to those who are to hear of it, in place of what is still owed about the subject."""
    stale, before = [owed for owed in world.owed_about(subject) if matters(owed.flip)], subject.audience
    told = _recipients(world, subject, flip)
    pending = {owed.channel: owed for owed in stale if not owed.reminder}
    fresh = {
        channel: notification(
            flip,
            channel,
            now,
            pending.get(channel),
            heard=before is None or channel in before.heard,
            receipt=_receipt(before, flip, channel),
        )
        for channel in told
    }
    for owed in stale:
        if owed.channel in fresh:
            world.settle(owed, "replaced", now, by=fresh[owed.channel].id)
        else:
            world.settle(owed, "void", now, why=f"it is {flip.new} again, and this channel is not told of that")
    for message in fresh.values():
        world.owe(message)
    if flip.new == "up":
        known = None if before is None else before.acknowledged
        world.keep(replace(subject, audience=Audience(flip.seq, "up", told, acknowledged=known), relayed=()))
    else:
        audience = Audience(flip.seq, "down", told, flip=flip, told_at=now, reminded=now)
        if before is not None and before.seq == flip.seq:  # it was held until now
            audience = replace(audience, acknowledged=before.acknowledged)
        world.keep(replace(subject, audience=audience))
    return told


def _receipt(before: Audience | None, flip: Flip, channel: Id) -> str:
    """What the channel calls the message about the way down that `flip` ends."""
    return "" if before is None or flip.new == "down" else before.receipts.get(channel, "")


def _recipients(world: World, subject: Topic, flip: Flip) -> tuple[Id, ...]:
    own, before = world.reached(subject.spec.channels), subject.audience
    if flip.new == "down":
        told = own
    elif before is None:
        told = (*own, *world.reached(subject.relayed))
    else:
        told = (*listeners(world, subject, before), *(id for id in own if not world.channels[id].settings.down))
    return tuple(channel for channel in dict.fromkeys(told) if _wants(world, channel, flip))


def _wants(world: World, channel: Id, flip: Flip) -> bool:
    return world.channels[channel].settings.wants(flip)


def unowe(world: World, now: int, before: S, after: S) -> S:
    """Owe nothing to channels that the check or site had `before` a change of its settings, and has no more.

    Returns it as it is `after` that: they are to hear nothing more of its outage.
    """
    if before.spec.channels == after.spec.channels:
        return after
    return _taken_off(world, now, after, world.reached(before.spec.channels))


def regroup(world: World, now: int, group: Channel, change: Callable[[], None]) -> None:
    """Make a `change` to a group; to channels that it does not lead to any more, nothing is owed on its account."""
    members = world.members[group.project]
    led = [
        (id, world.reached(subject.spec.channels))
        for id, subject in ((id, world.subject(id)) for id in (*members.checks.values(), *members.sites))
        if group.id in subject.spec.channels
    ]
    change()
    for id, before in led:
        world.keep(_taken_off(world, now, world.subject(id), before))


def _taken_off(world: World, now: int, subject: S, before: Iterable[Id]) -> S:
    """Owe nothing about the subject to those who were told of it `before`, and are not any more; how it then is."""
    gone = set(before).difference(world.reached(subject.spec.channels))
    if not gone:
        return subject
    for owed in world.owed_about(subject):
        if owed.channel in gone:
            world.settle(owed, "void", now, why="the channel was taken off")
    audience = subject.audience
    if audience is None:
        return subject
    still, escalated = (tuple(id for id in ids if id not in gone) for ids in (audience.owed, audience.escalated))
    return replace(subject, audience=replace(audience, owed=still, escalated=escalated))


def delivered(
    world: World, owed: Notification, attempt: Attempted | None, at: int, receipt: str = "", digest: str = ""
) -> None:
    """Owe `owed` no more, and remember who has heard of its flip. `attempt` is None if there was nothing to send.

    `digest` is the id of the digest that told it.
    """
    if attempt is None:
        world.settle(owed, "nothing to send", at)
        return
    world.settle(attempted(owed, attempt), "delivered", at, by=digest)
    subject = world.topic(owed.flip.subject)
    if owed.relays is not None and owed.flip.new == "down":
        subject = replace(subject, relayed=(*subject.relayed, owed.channel))
    audience = subject.audience
    if audience is not None and audience.seq == owed.flip.seq:
        receipts = audience.receipts | {owed.channel: receipt} if receipt else audience.receipts
        heard = tuple(dict.fromkeys((*audience.heard, owed.channel)))
        subject = replace(subject, audience=replace(audience, heard=heard, receipts=receipts))
    world.keep(subject)


def delivered_through(world: World, channel: Id, through: int, attempt: Attempted | None, at: int, digest: str) -> None:
    """A digest has told `channel` all that it was owed by the entry `through`; some of that was overtaken meanwhile."""
    for owed in list(world.outbox.get(channel, {}).values()):
        if owed.owed_by <= through:
            delivered(world, owed, attempt, at, digest=digest)
        elif owed.overtook is not None and owed.overtook.owed_by <= through:
            _arrived_after_all(world, owed, attempt, at, digest=digest)


def arrived_after_all(world: World, channel: Id, id: str, attempt: Attempted | None, at: int, receipt: str) -> None:
    """The message `id` has arrived at `channel` although it was overtaken: what overtook it need not tell of it."""
    for waiting in world.outbox.get(channel, {}).values():
        if waiting.replaces == id:
            _arrived_after_all(world, waiting, attempt, at, receipt)
            return


def _arrived_after_all(
    world: World, waiting: Notification, attempt: Attempted | None, at: int, receipt: str = "", digest: str = ""
) -> None:
    """What `waiting` overtook has arrived."""
    if waiting.overtook is not None and attempt is not None:
        arrived = attempted(waiting.overtook, attempt)
        world.ended.append(Delivery(arrived, "delivered", at, digest, after_all=True))
    world.owe(delivered_after_all(waiting, receipt))


def given_up(world: World, lost: Notification, error: str, at: int) -> tuple[Id, ...]:
    """Give `lost` up, and owe its flip to those channels of the project that were not to hear of it. Returns those.

    Of trouble of pingmon itself nobody else is told: each of the operator's channels was to hear of it.
    """
    world.settle(lost, "given up", at, why=error)
    subject = world.topic(lost.flip.subject)
    if isinstance(subject, Trouble):
        return ()
    world.put_channel(replace(world.channels[lost.channel], given_up=at))
    audience = subject.audience
    know = set(
        world.reached(subject.spec.channels) if audience is None or audience.seq != lost.flip.seq else audience.owed
    )
    know.update(owed.channel for owed in world.owed_about(subject) if owed.flip.seq == lost.flip.seq)
    every = world.reached(world.members[subject.project].channels)
    others = [id for id in every if id != lost.channel and id not in know and _wants(world, id, lost.flip)]
    relays = relayed(lost, error, others, at)
    for relay in relays:
        world.owe(relay)
    if relays and audience is not None and audience.seq == lost.flip.seq:
        world.keep(replace(subject, audience=replace(audience, owed=(*audience.owed, *others))))
    return tuple(relay.channel for relay in relays)


def told(subject: Subject) -> bool:
    """Whether anybody has heard, by a message that was delivered, that the check or site is down, as it still is."""
    if subject.status != "down":
        return False
    if subject.audience is None:  # an older pingmon kept no more of it
        return isinstance(subject, Site) and subject.told
    return subject.audience.new == "down" and bool(subject.audience.heard)
