"""What is to be said of an outage while it lasts: why nobody is told of it, who sees to it, and who hears of it next.

    kind            topic   said when
    few_failures    told    it has failed fewer times in a row (`count`) than it must (`of`) for people to be told
    maintenance     told    it is down in maintenance
    parent_down     told    what it depends on is down
    acknowledged    told    somebody sees to it
    told_then       next    nothing holds it any more, and people are told then
    reminder        next    who was told is told again
    step            next    the channels of the next step of the escalation are told

Each fact names the flip and the entry that has set what it follows from. What was held by maintenance or by a parent in
the past is not known any more, and what would have followed then neither: of the past, less is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.check import Check
from pingmon.core.check.failures import failed_often_at, failures_by
from pingmon.core.facts import Fact
from pingmon.core.flip import Flip, Silenced
from pingmon.core.notify.notification import FOREVER, Audience
from pingmon.core.notify.outage import listeners, newly_told, rules_of
from pingmon.core.notify.silences import silenced
from pingmon.core.units import SECOND
from pingmon.core.world.outcome import Subject
from pingmon.core.world.world import World

WINDOWS: Final = 8
"""Windows, one after the other, that put off what is said to happen next."""


class OutageEvidence(Struct, frozen=True, kw_only=True):
    """What is known of an outage at `now` besides the world. Numbers are entries of the log.

    `settings` and `rules` have set what holds for it and for its project, `acknowledged` says that somebody sees to it,
    if that is near. `silenced` is what silences it now, until when, and by which entry. `past`: `now` is past.
    """

    now: int
    settings: int
    rules: int = 0
    acknowledged: int = 0
    silenced: tuple[Silenced, int, int] | None = None
    past: bool = False


def outage_facts(world: World, subject: Subject, seen: OutageEvidence) -> list[Fact]:
    """All that there is to say of the subject's outage, but for the messages; nothing if there is none."""
    audience = subject.audience
    if subject.status != "down" or audience is None or audience.new != "down":
        return []
    known, flip = _acknowledged(audience, seen), audience.flip
    if flip is None or (audience.told_at and (known or seen.past or not _has_more(world, subject, audience))):
        return known
    held = [*_silenced(flip, seen), *_few_failures(subject, flip, seen)]
    return [*known, *(held or ([] if seen.past else _next(world, subject, audience, flip, seen)))]


def _acknowledged(audience: Audience, seen: OutageEvidence) -> list[Fact]:
    known = audience.acknowledged
    if known is None:
        return []
    entries = (audience.seq, seen.acknowledged) if seen.acknowledged else (audience.seq,)
    return [Fact(topic="told", kind="acknowledged", entries=entries, at=known.at, who=known.by)]


def _has_more(world: World, subject: Subject, audience: Audience) -> bool:
    """Whether anybody will be told of it before it is over."""
    rules = rules_of(world, subject)
    return bool(rules.remind_every) or audience.steps < len(rules.escalation)


def _silenced(flip: Flip, seen: OutageEvidence) -> Iterator[Fact]:
    if seen.silenced is not None:
        why, until, entry = seen.silenced
        kind = "maintenance" if why.by == "maintenance" else "parent_down"
        ends = until if until < FOREVER else None
        yield Fact(topic="told", kind=kind, entries=(flip.seq, entry), until=ends, who=why.name)


def _few_failures(subject: Subject, flip: Flip, seen: OutageEvidence) -> Iterator[Fact]:
    if not isinstance(subject, Check):
        return
    often = subject.spec.alerts.notify_after
    enough = failed_often_at(subject, flip, often)
    if enough is None or enough > seen.now:
        yield Fact(
            topic="told",
            kind="few_failures",
            entries=(flip.seq, seen.settings),
            until=enough,
            count=failures_by(subject, flip, seen.now, often),
            of=often,
        )


def _next(world: World, subject: Subject, audience: Audience, flip: Flip, seen: OutageEvidence) -> Iterator[Fact]:
    """What follows by itself, as long as nothing comes."""
    own, rules, soonest = subject.spec.alerts, rules_of(world, subject), max(audience.held_until, seen.now)
    if not audience.told_at:
        yield from _due(world, subject, "told_then", soonest, (flip.seq,))
        return
    if rules.remind_every and listeners(world, subject, audience):
        at = max(audience.reminded + rules.remind_every * SECOND, soonest)
        yield from _due(world, subject, "reminder", at, (flip.seq, _set_by(own.remind_every, seen)))
    for step in rules.escalation[audience.steps :]:
        fresh = newly_told(world, audience, flip, step)
        if fresh:
            at = max(audience.told_at + step.after * SECOND, soonest)
            who = ", ".join(world.channels[id].name or world.channels[id].kind for id in fresh)
            for fact in _due(world, subject, "step", at, (flip.seq, _set_by(own.escalation, seen))):
                yield replace(fact, count=len(fresh), who=who)
            return


def _set_by(own: object, seen: OutageEvidence) -> int:
    """The entry that has set a rule: its `own`, or that of its project."""
    return seen.rules if own is None else seen.settings


def _due(world: World, subject: Subject, kind: str, at: int, entries: tuple[int, ...]) -> Iterator[Fact]:
    """What falls due `at`, or when the maintenance is over that there is then; nothing if no end can be seen."""
    for _ in range(WINDOWS):
        found = silenced(world, subject, at)
        if found is None:
            yield Fact(topic="next", kind=kind, entries=entries, at=at)
            return
        at = found[1]
