"""Who is told what after a flip, and what became of each message.

A notification is one message to one channel about one flip; no channel is owed two about the same one. It lives in the
folded state until the log says that it was delivered or given up, so it survives every restart; its id is derived from
the flip and never changes. How it ended is kept beside the flips (`Delivery`).

A newer flip of the same subject overtakes: the older message is dropped, and the newer one makes up for it. Whoever has
not heard of an outage hears of both its ends in one message, `was down from … to …`: in the way up, or, if that was
overtaken too, in the next way down (`missed`). If the older one turns out to have arrived after all, the newer one
tells of its own flip alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.units import SECOND, Id

GIVE_UP_AFTER: Final = 24 * 3600 * SECOND
"""Microseconds after which a message that cannot be delivered is given up; quiet hours come on top."""
TRIED_MAX: Final = 32
"""Attempts of a message that are remembered, the newest ones; a day has about as many."""

FOREVER: Final = 1 << 62
"""An instant that does not come."""

Became: TypeAlias = Literal["delivered", "nothing to send", "given up", "replaced", "void"]


class Attempted(Struct, frozen=True, omit_defaults=True, gc=False):
    """One attempt: when it ended, how long it took, the answer's status if it has one, and the error if it failed."""

    at: int
    took_ms: int
    status: int | None = None
    error: str = ""


class Missed(Struct, frozen=True, omit_defaults=True, gc=False):
    """Outages that were over before the channel could be told of any: how many, from when to when."""

    since: int
    until: int
    count: int = 1


class Notification(Struct, frozen=True, omit_defaults=True, gc=False):
    """A message that is owed to `channel` since `created`. `attempts` counts those that failed.

    `down_from`: for an up whose down never arrived, when the check had gone down; `missed` are outages before that.
    `replaces`: id of the undelivered message this one overtook, which is kept in `overtook`. `relays`: id of the
    channel that could not be told, when this message goes elsewhere in its stead, and `relays_error` why. `error`: why
    the last attempt failed (of the lost one, at first). `receipt`: what the receiver calls the message that it has
    about the same outage. `entry`: by which entry it became owed, if not by that of its flip. `reminder`: the
    how-manieth one it is, if it tells again. `step`: the step of the escalation that it belongs to, if it does.
    """

    id: str
    channel: Id
    flip: Flip
    created: int
    attempts: int = 0
    error: str = ""
    down_from: int | None = None
    replaces: str | None = None
    relays: Id | None = None
    relays_error: str = ""
    tried: tuple[Attempted, ...] = ()
    missed: Missed | None = None
    overtook: Notification | None = None
    receipt: str = ""
    entry: int = 0
    reminder: int = 0
    step: int = 0

    @property
    def owed_by(self) -> int:
        """The entry of the log by which it became owed."""
        return self.entry or self.flip.seq

    @property
    def place(self) -> int:
        """The entry of the flip that it is about, or that made it due. What became of the message is kept there."""
        return self.entry if self.reminder else self.flip.first or self.flip.seq


class Delivery(Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of a message, and when; `why` says more.

    `by` is the id of the newer one that took its place, or of the digest in which it was delivered.
    `after_all`: it was said to be replaced, and has arrived nevertheless.
    """

    owed: Notification
    became: Became
    at: int
    by: str = ""
    why: str = ""
    after_all: bool = False


class Acknowledged(Struct, frozen=True, gc=False):
    """That somebody sees to an outage: since when, and who."""

    at: int
    by: str


class Audience(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who was to be told of the flip `seq` of a check or site, by whichever way, and who has heard of it.

    `receipts` are what those call the message who gave it a name. The rest is about a way down, see `outage`: `flip` is
    kept as long as there is more to tell of it. Since `told_at` it is told; until then, or while it is told no further,
    it is held: until `held_until`, and if that is `FOREVER`, until `held_by` is back, which it depends on. `steps` of
    the escalation were told, to `escalated`, and `reminders`, the newest of them, or the first message, at `reminded`.
    """

    seq: int
    new: Literal["up", "down"]
    owed: tuple[Id, ...]
    heard: tuple[Id, ...] = ()
    receipts: dict[Id, str] = {}
    flip: Flip | None = None
    told_at: int = 0
    held_until: int = 0
    held_by: Id = ""
    steps: int = 0
    escalated: tuple[Id, ...] = ()
    reminders: int = 0
    reminded: int = 0
    acknowledged: Acknowledged | None = None


def matters(flip: Flip) -> bool:
    """Whether people are told of `flip`: every way down, and the way back up."""
    return flip.new == "down" or (flip.old == "down" and flip.new == "up")


def notification(
    flip: Flip, channel: Id, now: int, pending: Notification | None, *, heard: bool = True, receipt: str = ""
) -> Notification:
    """What `channel` is owed after `flip`; `pending` is its undelivered message about the same check, if any.

    `heard`: the channel has heard of what was before, as far as that is not pending, and calls it `receipt`.
    """
    fresh = Notification(id=f"{channel}.{flip.seq}", channel=channel, flip=flip, created=now, receipt=receipt)
    if pending is None:
        return fresh if heard or flip.new == "down" else replace(fresh, down_from=flip.since)
    fresh = replace(fresh, replaces=pending.id, overtook=replace(pending, overtook=None), missed=pending.missed)
    if flip.new == "up" and pending.flip.new == "down":
        return replace(fresh, down_from=pending.flip.at)
    if flip.new == "down" and pending.down_from is not None:
        return replace(fresh, missed=_also(pending.missed, pending.down_from, pending.flip.at))
    return fresh


def _also(missed: Missed | None, since: int, until: int) -> Missed:
    return Missed(since, until) if missed is None else Missed(missed.since, until, missed.count + 1)


def delivered_after_all(waiting: Notification, receipt: str = "") -> Notification:
    """`waiting`, once the message it overtook has arrived nevertheless, and is called `receipt`."""
    receipt = receipt if waiting.flip.new == "up" else ""
    return replace(waiting, down_from=None, replaces=None, missed=None, overtook=None, receipt=receipt)


def attempted(owed: Notification, attempt: Attempted) -> Notification:
    """`owed` after one more attempt."""
    owed = replace(owed, tried=(*owed.tried, attempt)[-TRIED_MAX:])
    if not attempt.error:
        return owed
    return replace(owed, attempts=owed.attempts + 1, error=attempt.error)


def relayed(lost: Notification, error: str, others: Iterable[Id], now: int) -> list[Notification]:
    """The messages that tell `others` of one that was given up. A relay is not relayed again, nor is a reminder.

    They have heard nothing of what was before, so a way up tells them from when on it was down.
    """
    if lost.relays is not None or lost.reminder:
        return []
    down_from = lost.down_from
    if down_from is None and lost.flip.new == "up" and matters(lost.flip):
        down_from = lost.flip.since
    return [
        Notification(
            id=f"{lost.id}.{channel}",
            channel=channel,
            flip=lost.flip,
            created=now,
            error=error,
            down_from=down_from,
            relays=lost.channel,
            relays_error=error,
            missed=lost.missed,
        )
        for channel in others
    ]


def audience_shifted(audience: Audience, by: int) -> Audience:
    """The audience after the wall clock was set by `by`: what was measured on the old clock moves along."""

    def moved(instant: int) -> int:
        return instant + by if 0 < instant < FOREVER else instant

    flip, known = audience.flip, audience.acknowledged
    return replace(
        audience,
        flip=None if flip is None else replace(flip, at=flip.at + by, since=flip.since + by),
        told_at=moved(audience.told_at),
        held_until=moved(audience.held_until),
        reminded=moved(audience.reminded),
        acknowledged=None if known is None else replace(known, at=known.at + by),
    )


def shifted(owed: Notification, by: int) -> Notification:
    """The message after the wall clock was set by `by`: what was measured on the old clock moves along."""
    flip, missed, overtook = owed.flip, owed.missed, owed.overtook
    return replace(
        owed,
        flip=replace(flip, at=flip.at + by, since=flip.since + by),
        created=owed.created + by,
        down_from=None if owed.down_from is None else owed.down_from + by,
        tried=tuple(replace(attempt, at=attempt.at + by) for attempt in owed.tried),
        missed=None if missed is None else replace(missed, since=missed.since + by, until=missed.until + by),
        overtook=None if overtook is None else shifted(overtook, by),
    )
