"""Reads from the journal what a check or site was at an instant. What is made of it is up to `core.world.past`."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from pingmon.api.call import Call
from pingmon.core.check.check import Check
from pingmon.core.flip import Flip
from pingmon.core.units import DAEMON, Id
from pingmon.core.world.events import (
    CheckChanged,
    CheckMoved,
    ClockStepped,
    Entry,
    Event,
    ListeningResumed,
    PingReceived,
    ProjectDefaultsChanged,
    SiteChanged,
    SiteProbed,
)
from pingmon.core.world.outcome import Subject
from pingmon.core.world.past import rebuilt
from pingmon.core.world.world import World

LOOK_BACK: Final = 300
"""Pings or rounds of probes that are folded, at most, the newest."""
PAGE: Final = 1000
FLIPS: Final = 10
"""Flips whose entries are looked for: more than one is not told after its time, unless a clock was set."""
OTHERS_MAX: Final = 1000
"""Changes of settings, times of deafness and the like that are folded, of each kind."""


class AsItWas(Struct, frozen=True):
    """A world with one check or site in it, as entry `upto` of its stream left it.

    `kept`: the pings or probes that made its state are still there.
    """

    world: World
    upto: int
    kept: bool


async def as_it_was(call: Call, subject: Subject, instant: int) -> AsItWas:
    """The check or site as it was at `instant` (microseconds since the epoch), which is not before its birth.

    Where the clock was set, an instant that came twice is the last one.
    """
    now = call.world
    partners = [] if isinstance(subject, Check) else list(now.partners)
    channels = [now.channels[id] for id in now.members[subject.project].channels]
    last, history, measured = now.seq, call.history, PingReceived if isinstance(subject, Check) else SiteProbed
    upto = await _newest(call, subject, instant)
    edge = await history.events(subject.id, measured, upto=upto, skip=LOOK_BACK - 1, limit=1)
    start = edge[0].seq if edge else subject.born
    own = await _entries(call, subject.id, start, upto)
    first = next((entry.seq for entry in own if isinstance(entry.event, measured)), upto + 1)
    rows = await history.flips(subject.id, upto=first - 1, limit=1)
    before = msgspec.json.decode(rows[0].body, type=Flip) if rows else None
    entries = [*await _before(call, subject, start), *own]
    for stream, kind in ((DAEMON, ListeningResumed), (DAEMON, ClockStepped)):
        found = await history.events(stream, kind, upto=last, limit=OTHERS_MAX)
        entries += [entry for entry in found if entry.seq > subject.born and entry.at <= instant]
    for partner in partners:
        found = await history.entries(partner, limit=OTHERS_MAX)
        entries += [entry for entry in found if entry.at <= instant]
    there = [channel for channel in channels if channel.born <= upto]
    world = rebuilt(subject, there, sorted(entries, key=lambda entry: entry.seq), before, first)
    return AsItWas(world, upto, kept=not _is_measured(before) or any(map(_counts, own)))


async def _newest(call: Call, subject: Subject, instant: int) -> int:
    """The newest entry of its stream that is not after `instant`; or was, if it led to a flip and was trimmed since."""
    last = call.world.seq
    known, after = subject.born, last
    while known < after:
        middle = (known + after) // 2
        page = await call.history.entries(subject.id, after=middle, limit=1)
        if page and page[0].seq <= after and page[0].at <= instant:
            known = page[0].seq
        else:
            after = middle
    for row in await call.history.flips(subject.id, upto=last, end=instant + 1, limit=FLIPS):
        if row.seq > known and not await _entries(call, subject.id, row.seq, row.seq):
            return row.seq
    return known


async def _entries(call: Call, id: Id, start: int, upto: int) -> list[Entry]:
    """All entries of a stream from `start` to `upto`."""
    found: list[Entry] = []
    after = start - 1
    while after < upto:
        page = await call.history.entries(id, after=after, limit=min(PAGE, upto - after))
        found += [entry for entry in page if entry.seq <= upto]
        after = page[-1].seq if page else upto
    return found


async def _before(call: Call, subject: Subject, start: int) -> list[Entry]:
    """Its birth, if that is kept, and what has set its settings, of all that was before the entry `start`."""
    born = await _entries(call, subject.id, subject.born, subject.born)
    found = born if start > subject.born else []
    kinds: tuple[type[Event], ...] = (CheckChanged, CheckMoved) if isinstance(subject, Check) else (SiteChanged,)
    for kind in kinds:
        found += await call.history.events(subject.id, kind, upto=start - 1, limit=OTHERS_MAX)
    if isinstance(subject, Check):
        made = next((entry.event for entry in born if isinstance(entry.event, PingReceived)), None)
        project = subject.project if made is None or made.create is None else made.create.project
        found += await call.history.events(project, ProjectDefaultsChanged, upto=subject.born, limit=1)
    return found


def _is_measured(flip: Flip | None) -> bool:
    """Whether pings or probes led to a flip."""
    return flip is not None and flip.new not in ("new", "paused")


def _counts(entry: Entry) -> bool:
    """Whether the state of a check or site follows from an entry, whatever was before."""
    event = entry.event
    return isinstance(event, SiteProbed) or (isinstance(event, PingReceived) and event.signal in ("success", "fail"))
