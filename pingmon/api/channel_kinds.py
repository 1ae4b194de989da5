"""The kinds of channels, and what the API knows of each. How they are told: `delivery.channel_kinds`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from pingmon.core.address_policy import AddressPolicy
from pingmon.wire.api.webhook_channel import changed_value, doubts, unreachable, webhook_value


class Kind(Struct, frozen=True):
    """What the API knows of a kind of channel.

    `judged` makes complete settings of what a client sent, or raises `Invalid`; `changed` those of what it sent about
    settings that there are. `unreachable` says why a receiver can never be told, `doubts` what may not be meant so.
    """

    judged: Callable[[object], dict[str, object]]
    changed: Callable[[Mapping[str, object], object], dict[str, object]]
    unreachable: Callable[[Mapping[str, Any], AddressPolicy], str | None]
    doubts: Callable[[Mapping[str, Any]], Iterable[str]]


KINDS: Final[dict[str, Kind]] = {"webhook": Kind(webhook_value, changed_value, unreachable, doubts)}
