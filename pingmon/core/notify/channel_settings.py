"""What a channel is told, and when: the settings that channels of every kind have."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

DIGEST_OVER: Final = 20
"""Messages within a minute that a channel is sent one by one, if it does not say otherwise."""


class ChannelSettings(Struct, frozen=True, omit_defaults=True, gc=False):
    """`digest_over`: how many messages a channel is sent within a minute, before it is sent digests; 0 is no limit."""

    digest_over: int = DIGEST_OVER
