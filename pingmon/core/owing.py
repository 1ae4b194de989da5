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

    One that is paused or resumed overtakes nothing: what is owed about it goes out.
    """
    if flip.new not in ("up", "down"):
        return ()
    stale = world.forget_owed(subject)
    if not notify.matters(flip):
        return ()
    told = [channel for channel in subject.spec.channels if channel in world.channels]
    if flip.new == "up":
        told += [channel for channel in subject.relayed if channel not in told]
    for channel in told:
        world.owe(notify.notification(flip, channel, now, stale.get(channel)))
    if subject.relayed:
        world.keep(replace(subject, relayed=()))
    return tuple(told)
