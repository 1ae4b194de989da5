"""Who was told of the newest change of status that people are told of, and who is about to be.

    kind             said when
    delivered        a channel has taken the message; `why` says so if that was a digest
    waiting          it will be tried again, or for the first time; `why` the last attempt failed, if one did
    given_up, replaced, void, nothing_to_send     (what became of it otherwise; see `notification.Became`)
    more             there are more channels than are told of one by one (`count`)
    told_of          to those who may not see channels: how many of all messages were delivered (`count`)
    nobody           there were no channels that could be told
    unheard          nobody was told for another reason; `why`: `maintenance`, `parent`, `before` (nobody had been told
                     of the way down), or nothing (it is not known)
    reminded         a reminder became due (`count`: the how-manieth), and none after it
    nothing_yet      there was no such change so far
    no_channels      there are none now

Each fact names the flip, and the entry that says what became of the message, if that is near.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.facts import Fact
from pingmon.core.flip import Flip
from pingmon.core.notify.notification import Delivery, Notification

MOST: Final = 10
"""Channels that are told of one by one."""


class Message(Struct, frozen=True):
    """A message about the flip in question: to the channel called `name`, and what became of it by `entry`, if ended.

    `retry_at` is when its channel, which fails, is tried again (microseconds since the epoch).
    """

    owed: Notification
    name: str
    ended: Delivery | None = None
    entry: int = 0
    retry_at: int | None = None


def as_of(message: Message, now: int) -> Message | None:
    """The message as it was known at `now`; None if it was not owed yet."""
    if message.owed.created > now:
        return None
    tried = tuple(attempt for attempt in message.owed.tried if attempt.at <= now)
    if tried == message.owed.tried and (message.ended is None or message.ended.at <= now):
        return message
    errors = [attempt.error for attempt in tried if attempt.error]
    owed = replace(message.owed, tried=tried, attempts=len(errors), error=errors[-1] if errors else "")
    return Message(owed, message.name)


def told_facts(
    flip: Flip | None,
    messages: Sequence[Message],
    *,
    channels: int,
    settings: int,
    short: bool = False,
    unheard: str | None = None,
    by: str = "",
) -> Iterator[Fact]:
    """What is to be said of `messages`, all about `flip`. `channels`: how many there are by the entry `settings`.

    `short`: for those who may not see channels. `unheard`: why nobody was told, and `by` what; None: for want of
    channels; `held`: as other facts say.
    """
    if not channels:
        yield Fact(topic="told", kind="no_channels", entries=(settings,))
    if flip is None:
        yield Fact(topic="told", kind="nothing_yet", entries=(settings,))
    elif not messages and unheard == "held":
        return
    elif not messages and unheard is not None:
        yield Fact(topic="told", kind="unheard", entries=(flip.seq,), at=flip.at, who=by, why=unheard, flip=flip)
    elif not messages:
        yield Fact(topic="told", kind="nobody", entries=(flip.seq,), at=flip.at, flip=flip)
    elif short:
        told = sum(message.ended is not None and message.ended.became == "delivered" for message in messages)
        yield Fact(topic="told", kind="told_of", entries=(flip.seq,), at=flip.at, count=told, flip=flip)
    else:
        yield from (_fact(flip, message) for message in messages[:MOST])
        if len(messages) > MOST:
            yield Fact(topic="told", kind="more", entries=(flip.seq,), count=len(messages) - MOST)


def newest_reminder(flip: Flip, owed: Iterable[Notification]) -> list[Fact]:
    """The newest reminder of the outage that began with `flip`, if one is among those that were `owed`."""
    about = [each for each in owed if each.reminder and (each.flip.first or each.flip.seq) == flip.seq]
    newest = max(about, key=lambda each: each.place, default=None)
    if newest is None:
        return []
    entries = (flip.seq, newest.place)
    return [Fact(topic="told", kind="reminded", entries=entries, at=newest.created, count=newest.reminder)]


def _fact(flip: Flip, message: Message) -> Fact:
    owed, ended = message.owed, message.ended
    entries = (flip.seq, message.entry) if message.entry else (flip.seq,)
    if ended is None:
        return Fact(
            topic="told",
            kind="waiting",
            entries=entries,
            at=owed.created,
            until=message.retry_at,
            count=owed.attempts,
            who=message.name,
            why=owed.error,
            flip=flip,
        )
    kind = ended.became.replace(" ", "_")
    why = "in a digest" if ended.became == "delivered" and ended.by else ended.why
    return Fact(topic="told", kind=kind, entries=entries, at=ended.at, who=message.name, why=why, flip=flip)
