"""What a channel is told, and when: the settings that channels of every kind have."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pingmon.core.flip import Flip
from pingmon.core.notify.quiet_hours import quiet_until

DIGEST_OVER: Final = 20
"""Messages within a minute that a channel is sent one by one, if it does not say otherwise."""


class ChannelSettings(Struct, frozen=True, omit_defaults=True, gc=False):
    """`up` and `down`: whether it is told that something came back or went down.

    `quiet`: hours in which it is told nothing (see `quiet_hours`), by the clock of `tz`; what came meanwhile is told
    when they end. Checks and sites with the tag `urgent` do not wait for that. `digest_over`: how many messages it is
    sent within a minute one by one, before it is sent digests; 0 is no limit.
    """

    up: bool = True
    down: bool = True
    quiet: str = ""
    tz: str = "UTC"
    urgent: str = ""
    digest_over: int = DIGEST_OVER

    def wants(self, flip: Flip) -> bool:
        """Whether it is told of `flip`. That a schedule has run out is neither up nor down."""
        if flip.cause == "ended":
            return self.up or self.down
        return self.down if flip.new == "down" else self.up

    def quiet_until(self, now: int) -> int | None:
        """Until when it is told nothing but what is urgent; None if it is told all (microseconds since the epoch)."""
        return quiet_until(self.quiet, self.tz, now) if self.quiet else None

    def is_urgent(self, tags: str) -> bool:
        """Whether what has these tags is told at any hour."""
        return bool(self.urgent) and self.urgent in tags.split(" ")
