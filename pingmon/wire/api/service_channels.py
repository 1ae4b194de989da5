"""The settings of channels of services that take JSON over HTTP, one table for each kind.

What is not said has a default; what has none is needed. `url` is the public service, unless it is somebody's own: an
ntfy, a Mattermost, a server of Telegram's Bot API. They come as an object or as that object's JSON in a string.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from pingmon.core.address_policy import AddressPolicy
from pingmon.wire.api.channel_settings import TEXT_MAX, Setting, settings_given, wrong
from pingmon.wire.api.check_fields import FieldRule, judged
from pingmon.wire.api.openapi import rule_schema
from pingmon.wire.api.webhook_channel import is_web_address, refusal


class ServiceSetting(Struct, frozen=True):
    """One setting: its rule, a sentence about it, and what it is if nothing is said; without that it is needed."""

    rule: FieldRule
    help: str
    default: object = None
    secret: bool = False


class ServiceSettings(Struct, frozen=True):
    """The settings of a kind, in the order they are judged."""

    table: Mapping[str, ServiceSetting]

    @property
    def settings(self) -> dict[str, Setting]:
        """What clients are told of them."""
        return {
            name: Setting(
                schema=rule_schema(each.rule), help=each.help, secret=each.secret, needed=each.default is None
            )
            for name, each in self.table.items()
        }

    def judged(self, value: object) -> dict[str, object]:
        """All settings. Raises `Invalid`, naming the first that cannot be used."""
        given = judged(settings_given(value), {name: each.rule for name, each in self.table.items()})
        settings = {name: given.get(name, each.default) for name, each in self.table.items()}
        for name, setting in settings.items():
            if setting is None:
                raise wrong(f"value needs a {name}")
        return settings

    def changed(self, settings: Mapping[str, object], value: object) -> dict[str, object]:
        """`settings` with those that `value` sets; the others stay. Raises `Invalid`."""
        return self.judged({**settings, **settings_given(value)})


def _text(pattern: str, help: str, default: object = None, *, secret: bool = False) -> ServiceSetting:
    return ServiceSetting(FieldRule(type="string", pattern=pattern), help, default, secret)


def _number(least: int, most: int, help: str, default: int) -> ServiceSetting:
    return ServiceSetting(FieldRule(type="integer", minimum=least, maximum=most), help, default)


def _url(help: str, default: object = None) -> ServiceSetting:
    def fault(url: str) -> str | None:
        return None if is_web_address(url) else "is not an http or https URL"

    return ServiceSetting(
        FieldRule(type="string", max_length=TEXT_MAX, wrong=fault), help, default, secret=default is None
    )


_SEVERITY: Final = FieldRule(type="string", values=("critical", "error", "warning", "info"))

SERVICE_SETTINGS: Final[dict[str, ServiceSettings]] = {
    "ntfy": ServiceSettings(
        {
            "topic": _text("[-_A-Za-z0-9]{1,64}", "The topic."),
            "url": _url("The server.", "https://ntfy.sh"),
            "token": _text("[!-~]{0,200}", "An access token.", "", secret=True),
            "priority": _number(1, 5, "The priority of messages that something is down.", 4),
        }
    ),
    "telegram": ServiceSettings(
        {
            "token": _text("[0-9]{1,20}:[A-Za-z0-9_-]{1,100}", "The bot's token.", secret=True),
            "chat_id": _text("(?:-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})", "The chat's number, or @channel."),
            "thread_id": _number(0, 2**53, "The topic in the chat; 0 is none.", 0),
            "url": _url("The server of the Bot API.", "https://api.telegram.org"),
        }
    ),
    "slack": ServiceSettings({"url": _url("An incoming webhook of Slack, Mattermost or Rocket.Chat.")}),
    "discord": ServiceSettings({"url": _url("A webhook; with ?thread_id= it posts to a thread.")}),
    "pagerduty": ServiceSettings(
        {
            "routing_key": _text("[A-Za-z0-9]{32}", "The integration key of Events API v2.", secret=True),
            "severity": ServiceSetting(_SEVERITY, "How bad it is.", "critical"),
            "url": _url("The server; https://events.eu.pagerduty.com in the EU.", "https://events.pagerduty.com"),
        }
    ),
}


def unreachable(settings: Mapping[str, Any], policy: AddressPolicy) -> str | None:
    """Why a service that is named by its address, or as this machine, will never be told; None if it may be."""
    found = refusal(settings["url"], policy)
    return None if found is None else f"url cannot be reached: {found}"


def no_doubts(settings: Mapping[str, Any]) -> Iterable[str]:
    """Of these settings nothing is likely to be meant otherwise."""
    return ()
