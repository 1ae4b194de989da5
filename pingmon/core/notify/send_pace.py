"""Whether what waits for a channel goes one by one, or as one digest; and when.

A channel is sent so many messages within a minute one by one (`over`). Beyond that they gather until the oldest has
waited for half a minute, and then one digest tells all that waits. It also tells what has waited as long for another
reason, because the channel failed or was slow, say. What is late, because the channel has just answered again or its
quiet hours have ended, is told at once. A few messages are told one by one in any case where that is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from pingmon.core.units import SECOND

WINDOW: Final = 60 * SECOND
GATHER: Final = 30 * SECOND
FEW: Final = 3
"""Messages that are sent one by one although they have waited."""

Pace: TypeAlias = Literal["one by one", "digest"]


def pace(over: int, sent: Sequence[int], waiting: int, oldest: int, now: int, *, late: bool = False) -> Pace | int:
    """How a channel is told next; or, if nothing goes now, the instant at which that is to be decided anew.

    `sent`: when the last messages left one by one, in order; `over` of them are enough. `waiting` messages, at least
    one, wait, the `oldest` since when: if there were enough when it came, it waits for a digest. With an `over` of 0
    there are no digests.
    """
    if not over:
        return "one by one"
    ripe = late or now - oldest >= GATHER
    if ripe and waiting > FEW:
        return "digest"
    if len(sent) < over or sent[-over] <= oldest - WINDOW:
        return "one by one"
    if ripe:
        return "digest" if waiting > 1 else "one by one"
    return oldest + GATHER
