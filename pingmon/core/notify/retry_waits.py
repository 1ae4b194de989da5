"""When a channel that fails is tried again: after growing waits, whatever is owed to it."""

from __future__ import annotations

from typing import Final

from pingmon.core.notify.channel import Channel
from pingmon.core.units import SECOND

RETRY_AFTER_S: Final = (5, 30, 120, 600, 1800, 3600)
"""Seconds between attempts at a channel that fails; the last wait repeats."""
JITTER: Final = 0.1
"""A wait is stretched by up to this share, so that retries of many channels do not come all at once."""
NEWS_S: Final = 60
"""Seconds from a failed attempt on, after which a message that has come since is a reason to try again."""


def retry_at(channel: Channel, now: int, *, spread: float, asked_s: float | None, last_call: int) -> int:
    """When to try again after one more attempt at `channel`, which failed at `now`.

    `spread` in [0, 1) places it within its jitter. `asked_s` is the receiver's `Retry-After`, in seconds, which may
    lengthen the wait, but never past `last_call`, when its oldest message is to be given up.
    """
    attempts = 0 if channel.failing is None else channel.failing.attempts
    step = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S) - 1)]
    wait = max(step * (1 + JITTER * spread), asked_s or 0.0)
    return min(now + round(wait * SECOND), max(last_call, now + SECOND))
