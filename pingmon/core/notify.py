"""Who is told what after a flip, and when a delivery is tried again.

A notification is one message to one channel about one check or site. It lives in the folded state until the log says
that it was delivered or abandoned, so it survives every restart; its id is derived from the flip and never changes.

A newer flip of the same subject overtakes: the older message is dropped, and the newer one says from when on it was
down. If the older one turns out to have arrived after all, the newer one says no more than its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.ids import Id
from pingmon.core.times import SECOND

RETRY_AFTER_S: Final = (5, 30, 120, 600, 1800, 3600)
"""Seconds between attempts; the last one repeats until `GIVE_UP_AFTER_S` have passed since the first was due."""
GIVE_UP_AFTER_S: Final = 24 * 3600
JITTER: Final = 0.1
"""A wait is stretched by up to this share, so that retries of many channels do not march in step."""


class Channel(Struct, frozen=True, omit_defaults=True, gc=False):
    """A place where people or programs are told. `value` holds the kind's own settings, `secret` signs messages."""

    id: Id
    project: Id
    kind: str
    name: str
    value: dict[str, object]
    secret: str
    born: int
    created: int
    last_delivered: int | None = None
    last_error: str = ""


class Notification(Struct, frozen=True, omit_defaults=True, gc=False):
    """A message that is owed to `channel`. `attempts` counts the failed ones, `next_at` is when the next is due.

    `down_from`: for an up whose down was never delivered, when the check had gone down. `replaces`: id of the
    undelivered message this one overtook. `relays`: id of the channel that could not be told, when this message goes
    elsewhere in its stead, and `relays_error` why. `error`: why the last attempt failed (of the lost one, at first).
    """

    id: str
    channel: Id
    flip: Flip
    created: int
    next_at: int
    attempts: int = 0
    error: str = ""
    down_from: int | None = None
    replaces: str | None = None
    relays: Id | None = None
    relays_error: str = ""


def matters(flip: Flip) -> bool:
    """Whether people are told of `flip`: every way down, and the way back up."""
    return flip.new == "down" or (flip.old == "down" and flip.new == "up")


def notification(flip: Flip, channel: Id, now: int, pending: Notification | None) -> Notification:
    """What `channel` is owed after `flip`; `pending` is its undelivered message about the same check, if any."""
    fresh = Notification(id=f"{channel}.{flip.seq}", channel=channel, flip=flip, created=now, next_at=now)
    if pending is None:
        return fresh
    down_from = pending.flip.at if flip.new == "up" and pending.flip.new == "down" else None
    return replace(fresh, down_from=down_from, replaces=pending.id)


def delivered_after_all(waiting: Notification) -> Notification:
    """`waiting`, once the message it overtook has arrived nevertheless."""
    return replace(waiting, down_from=None, replaces=None)


def relayed(lost: Notification, error: str, others: Iterable[Id], now: int) -> list[Notification]:
    """The messages that tell the project's other channels of one that was abandoned. A relay is not relayed again."""
    if lost.relays is not None:
        return []
    return [
        replace(
            lost,
            id=f"{lost.id}.{channel}",
            channel=channel,
            created=now,
            next_at=now,
            attempts=0,
            error=error,
            replaces=None,
            relays=lost.channel,
            relays_error=error,
        )
        for channel in others
        if channel != lost.channel
    ]


def retry_at(owed: Notification, now: int, *, spread: float, asked_s: float | None) -> int | None:
    """When to try again after a failed attempt at `now`; None when it is time to give up.

    `spread` in [0, 1) places the attempt within its jitter; `asked_s` is the receiver's `Retry-After`, in seconds,
    which may lengthen the wait but never past the end.
    """
    end = owed.created + GIVE_UP_AFTER_S * SECOND
    step = RETRY_AFTER_S[min(owed.attempts, len(RETRY_AFTER_S) - 1)]
    wait = max(step * (1 + JITTER * spread), asked_s or 0.0)
    due = now + round(wait * SECOND)
    if now >= end:
        return None
    return min(due, max(end, now + SECOND))
