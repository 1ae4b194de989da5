"""Trouble of pingmon itself, of which its operator is told: what is wrong, since when, and who was told.

It is told as an outage is, and so holds for it whatever holds for messages. It belongs to no project: its channels may
be of several. There are no steps, reminders or windows for it, and nobody is told in another's stead.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.notify.notification import Audience, audience_shifted
from pingmon.core.units import HOUR, Id

AGAIN: Final = HOUR
"""One that comes back within so many microseconds is over only when it has been gone for as long."""


class TroubleSpec(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who is told. The rest is what messages ask of the settings of all that they are about."""

    channels: tuple[Id, ...]
    name: str = "pingmon"
    tags: str = ""


class Trouble(Struct, frozen=True, omit_defaults=True, gc=False):
    """One kind of trouble, newest as it is. `kind` tells it from others, for ever; `text` and `detail` are for people.

    `since` is when it began, or ended (microseconds since the epoch). `again`: it came back soon after it had ended.
    """

    id: Id
    kind: str
    text: str
    detail: str
    spec: TroubleSpec
    born: int
    since: int
    status: Literal["down", "up"] = "down"
    again: bool = False
    audience: Audience | None = None
    relayed: tuple[Id, ...] = ()

    def gone_for(self, hold: int) -> int:
        """For how many microseconds it must be gone before it is over, if `hold` will do for one that does not flap."""
        return max(AGAIN, hold) if self.again else hold


def began(before: Trouble | None, trouble: Trouble, seq: int) -> tuple[Trouble, Flip]:
    """The trouble once it has begun, by the entry `seq`; `before` is the same kind as it was, if it was ever there."""
    since = trouble.since
    if before is not None:
        again = trouble.since - before.since < AGAIN
        trouble = replace(trouble, born=before.born, again=again, audience=before.audience)
        since = before.since
    return trouble, Flip(seq, trouble.id, trouble.since, "up", "down", "trouble", since)


def ended(trouble: Trouble, at: int, seq: int) -> tuple[Trouble, Flip]:
    """The trouble once it has ended, at `at`."""
    flip = Flip(seq, trouble.id, at, "down", "up", "trouble", trouble.since)
    return replace(trouble, status="up", since=at), flip


def shifted(trouble: Trouble, by: int) -> Trouble:
    """The trouble after the wall clock was set by `by`: what was measured on the old clock moves along."""
    audience = None if trouble.audience is None else audience_shifted(trouble.audience, by)
    return replace(trouble, since=trouble.since + by, audience=audience)
