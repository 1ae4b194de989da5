"""What entries about trouble of pingmon itself do to the world. Part of `fold`, which is to be called instead."""

from __future__ import annotations

from typing import assert_never

from pingmon.core.notify.owed_messages import owe_anew
from pingmon.core.notify.trouble import Trouble, TroubleSpec, began, ended
from pingmon.core.world import events
from pingmon.core.world.events import Entry
from pingmon.core.world.outcome import Outcome
from pingmon.core.world.world import World


def trouble_event(world: World, entry: Entry, event: events.AnyTroubleEvent) -> Outcome:
    """What an entry about a trouble does: whom it names, or who was told of it, is owed a message."""
    before = world.troubles.get(entry.stream)
    match event:
        case events.TroubleBegan():
            if before is not None and before.status == "down":
                return Outcome("exists", entry.stream)
            spec = TroubleSpec(event.channels)
            fresh = Trouble(entry.stream, event.kind, event.text, event.detail, spec, entry.seq, event.since)
            after, flip = began(before, fresh, entry.seq)
        case events.TroubleEnded():
            if before is None or before.status == "up":
                return Outcome("unknown", entry.stream)
            after, flip = ended(before, event.until, entry.seq)
        case _:
            assert_never(event)
    world.put_trouble(after)
    return Outcome("done", after.id, flip=flip, channels=owe_anew(world, entry.at, after, flip))
