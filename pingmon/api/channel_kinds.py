"""The kinds of channels, and what the API knows of each. How they are told: `delivery.channel_kinds`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from pingmon.core.address_policy import AddressPolicy
from pingmon.core.notify.allowed import Allowed
from pingmon.wire.api import apprise_channel as apprise
from pingmon.wire.api import command_channel as command
from pingmon.wire.api import email_channel as email
from pingmon.wire.api import group_channel as group
from pingmon.wire.api import service_channels
from pingmon.wire.api import webhook_channel as webhook
from pingmon.wire.api.channel_settings import Setting


class Kind(Struct, frozen=True):
    """What the API knows of a kind of channel.

    `settings` describes its settings to clients. `judged` makes complete settings of what a client sent, or raises
    `Invalid`; `changed` those of what it sent about settings that there are. `unreachable` says why a receiver can
    never be told, `doubts` what may not be meant so. `receiver`: who is asked whether he wants messages, if anybody is.
    """

    settings: Mapping[str, Setting]
    judged: Callable[[object], dict[str, object]]
    changed: Callable[[Mapping[str, object], object], dict[str, object]]
    unreachable: Callable[[Mapping[str, Any], Allowed], str | None]
    doubts: Callable[[Mapping[str, Any]], Iterable[str]]
    receiver: Callable[[Mapping[str, Any]], str] | None = None


def _by_address(
    refusal: Callable[[Mapping[str, Any], AddressPolicy], str | None],
) -> Callable[[Mapping[str, Any], Allowed], str | None]:
    return lambda settings, allowed: refusal(settings, allowed.addresses)


KINDS: Final[dict[str, Kind]] = {
    "webhook": Kind(
        webhook.SETTINGS,
        webhook.webhook_value,
        webhook.changed_value,
        _by_address(webhook.unreachable),
        webhook.doubts,
    ),
    "apprise": Kind(
        apprise.SETTINGS, apprise.apprise_value, apprise.changed_value, apprise.unreachable, apprise.doubts
    ),
    "email": Kind(
        email.SETTINGS,
        email.email_value,
        email.changed_email,
        _by_address(email.unreachable),
        email.doubts,
        email.receiver,
    ),
    "command": Kind(
        command.SETTINGS, command.command_value, command.changed_value, command.unreachable, command.doubts
    ),
    "group": Kind(group.SETTINGS, group.group_value, group.changed_value, _by_address(group.unreachable), group.doubts),
} | {
    name: Kind(
        each.settings, each.judged, each.changed, _by_address(service_channels.unreachable), service_channels.no_doubts
    )
    for name, each in service_channels.SERVICE_SETTINGS.items()
}
