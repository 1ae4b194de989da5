"""How an outage is told while it lasts: at once, later, again, to more people, or no more.

    held            nobody is told, or no further: too few failures in a row, maintenance, or a parent that is down
    told            the channels of the check or site are owed the way down, by `owed_messages`
    step by step    the channels of the escalation, each so long after the first message
    again           a reminder to all who were to hear of it, every so often
    acknowledged    somebody sees to it: no more steps, no more reminders

What was told is told to its end: whoever heard of an outage hears that it is over, in maintenance too. What was held
to its end is told to nobody.

All this is a function of the state and of an instant. `next_review` says when there may be something to do; then an
entry is logged (`OutageReviewed`), and `review` does it. To review an outage too early or twice does nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from pingmon.core.check.check import Check
from pingmon.core.check.failures import failed_often_at
from pingmon.core.flip import Flip
from pingmon.core.notify.alert_rules import EscalationStep, ProjectAlertRules
from pingmon.core.notify.notification import FOREVER, Acknowledged, Audience, notification
from pingmon.core.notify.silences import chance, silenced
from pingmon.core.units import SECOND, Id
from pingmon.core.world.outcome import Subject, Topic
from pingmon.core.world.world import World


def held(world: World, subject: Subject, flip: Flip, now: int) -> tuple[int, Id]:
    """Until when nobody is told of the outage that began with `flip`, and by which parent; (0, "") if people are."""
    found = silenced(world, subject, now)
    if found is not None:
        why, until = found
        return until, why.id if why.by == "parent" else ""
    if isinstance(subject, Check) and subject.spec.alerts.notify_after > 1:
        until_failed = failed_often_at(subject, flip, subject.spec.alerts.notify_after)
        if until_failed is None or until_failed > now:
            return until_failed or FOREVER, ""
    return 0, ""


def rules_of(world: World, subject: Subject) -> ProjectAlertRules:
    """What holds for the subject, by itself or by its project."""
    return world.projects[subject.project].alerts.for_subject(subject.spec.alerts)


def next_review(world: World, subject: Subject) -> int | None:
    """When it is to be looked again who is told of the subject's outage; None if nothing will fall due by itself."""
    audience = subject.audience
    if subject.status != "down" or audience is None or audience.flip is None:
        return None
    if audience.held_until:
        return audience.held_until if audience.held_until < FOREVER else None
    if audience.acknowledged is not None:
        return None
    rules, due = rules_of(world, subject), []
    if rules.remind_every:
        due.append(audience.reminded + rules.remind_every * SECOND)
    if audience.steps < len(rules.escalation):
        due.append(audience.told_at + rules.escalation[audience.steps].after * SECOND)
    return min(due, default=None)


def further(world: World, now: int, subject: Subject, audience: Audience, flip: Flip) -> tuple[Id, ...]:
    """Owe what has fallen due of an outage that people were told of. Returns the channels that are owed something."""
    rules, told = rules_of(world, subject), list[Id]()
    if audience.acknowledged is None:
        for step in rules.escalation[audience.steps :]:
            if audience.told_at + step.after * SECOND > now:
                break
            number, fresh = audience.steps + 1, newly_told(world, audience, flip, step)
            for channel in fresh:
                world.owe(replace(notification(flip, channel, now, None), step=number))
            told += fresh
            audience = replace(audience, steps=number, escalated=(*audience.escalated, *fresh))
        if rules.remind_every and audience.reminded + rules.remind_every * SECOND <= now:
            number = audience.reminders + 1
            waiting = {owed.channel for owed in world.owed_about(subject)}
            for channel in listeners(world, subject, audience):
                if channel not in waiting:
                    owed = notification(flip, channel, now, None)
                    world.owe(replace(owed, id=f"{channel}.{world.seq}", reminder=number))
                    told.append(channel)
            audience = replace(audience, reminders=number, reminded=now)
    world.keep(replace(subject, audience=audience))
    return tuple(told)


def newly_told(world: World, audience: Audience, flip: Flip, step: EscalationStep) -> list[Id]:
    """The channels that hear of the outage by this step of the escalation, and not before."""
    knowing = {*audience.owed, *audience.escalated}
    return [id for id in world.reached(step.channels) if id not in knowing and world.channels[id].settings.wants(flip)]


def listeners(world: World, subject: Topic, audience: Audience) -> tuple[Id, ...]:
    """The channels that hear how the outage goes on: that were to hear of it, or did so in another's stead."""
    own = [channel for channel in world.reached(subject.spec.channels) if channel in audience.owed]
    return tuple(dict.fromkeys((*own, *world.reached((*audience.escalated, *subject.relayed)))))


def is_acknowledgeable(subject: Subject, flip: int) -> bool:
    """Whether the subject is in the outage that began with the entry `flip` (0: in any), so that one may see to it."""
    audience = subject.audience
    return subject.status == "down" and audience is not None and audience.new == "down" and flip in (0, audience.seq)


def acknowledged(world: World, now: int, subject: Subject, by: str) -> None:
    """Tell nobody any more of an outage that somebody sees to, but that it is over."""
    audience = subject.audience
    assert audience is not None
    for owed in world.owed_about(subject):
        if owed.reminder or owed.step:
            world.settle(owed, "void", now, why=f"it was acknowledged{by and f' by {by}'}")
    world.keep(replace(subject, audience=replace(audience, acknowledged=Acknowledged(now, by))))


def release(world: World, parent: Id, now: int, *, back: bool) -> None:
    """Have those outages looked at again that nobody was told of because `parent` was down.

    If it is `back`, what depends on it is given the time to come back as well.
    """
    for id in world.held_by.pop(parent, ()):
        subject = world.known(id)
        if subject is not None and subject.audience is not None and subject.audience.held_by == parent:
            until = now + chance(subject) if back else now
            world.keep(replace(subject, audience=replace(subject.audience, held_until=until, held_by="")))


def look_again(world: World, project: Id, now: int) -> None:
    """Have all outages of the project that are held looked at again at once: what held them may be gone.

    That is after a change to who depends on whom, or to a window, which are rare.
    """
    for id in list(world.outages):
        subject = world.subject(id)
        audience = subject.audience
        if subject.project == project and audience is not None and audience.held_until:
            world.keep(replace(subject, audience=replace(audience, held_until=now, held_by="")))
