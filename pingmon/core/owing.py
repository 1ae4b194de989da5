"""How a flip becomes messages that are owed: the one place where the outbox is filled, for checks and for sites."""

from __future__ import annotations

from msgspec.structs import replace

from pingmon.core import notify
from pingmon.core.flip import Flip
from pingmon.core.ids import Id
from pingmon.core.parts import Subject
from pingmon.core.world import World


def owe(world: World, now: int, subject: Subject, flip: Flip) -> tuple[Id, ...]:
    """Owe `flip` to the subject's channels, in place of all that is still owed about it; which channels those are.

    A way up that is no news (of an outage that a pause has ended, say) makes a way down that is still owed void, and
    leaves a way up that is. A subject that is paused or resumed overtakes nothing: what is owed about it goes out.
    """
    if flip.new not in ("up", "down"):
        return ()
    told: dict[Id, None] = {}
    if notify.matters(flip):
        told = _owed_anew(world, now, subject, flip)
    else:
        for owed in world.owed_about(subject):
            if owed.flip.new == "down":
                world.settle(owed)
    if flip.new == "up" and subject.relayed:
        world.keep(replace(subject, relayed=()))
    return tuple(told)


def owe_beside(world: World, now: int, subject: Subject, flip: Flip) -> tuple[Id, ...]:
    """Owe `flip` to the subject's channels beside all that is still owed about it; which channels those are."""
    told = tuple(channel for channel in subject.spec.channels if channel in world.channels)
    for channel in told:
        world.owe(notify.notification(flip, channel, now, None))
    return told


def _owed_anew(world: World, now: int, subject: Subject, flip: Flip) -> dict[Id, None]:
    stale = world.forget_owed(subject)
    told = dict.fromkeys(channel for channel in subject.spec.channels if channel in world.channels)
    if flip.new == "up":
        told |= dict.fromkeys(subject.relayed)
    for channel in told:
        world.owe(notify.notification(flip, channel, now, stale.get(channel)))
    return told
