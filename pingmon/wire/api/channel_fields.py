"""The settings that channels of every kind have, as clients send them; what they mean is in `core.notify`.

up, down      whether the channel is told that something came back or went down
quiet, tz     hours in which it is told nothing, by the clock of which zone
urgent        a tag: checks and sites that have it do not wait for the end of quiet hours
digest_over   messages within a minute that go one by one; 0 is no limit
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pingmon.core.notify.channel import GROUP, Channel
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.quiet_hours import BadQuietHours, quiet_spans
from pingmon.wire.api.check_fields import FIELDS as CHECK_FIELDS
from pingmon.wire.api.check_fields import FieldRule
from pingmon.wire.api.timezones import canonical

DIGEST_OVER_MAX: Final = 1000


def _fault(quiet: str) -> str | None:
    try:
        quiet_spans(quiet)
    except BadQuietHours as error:
        return str(error)
    return None


SETTINGS_FIELDS: Final[dict[str, FieldRule]] = {
    "up": FieldRule(type="boolean"),
    "down": FieldRule(type="boolean"),
    "quiet": FieldRule(type="string", max_length=500, wrong=_fault),
    "tz": CHECK_FIELDS["tz"],
    "urgent": FieldRule(type="string", max_length=100, pattern=r"\S*"),
    "digest_over": FieldRule(type="integer", minimum=0, maximum=DIGEST_OVER_MAX),
}


def chosen_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that are among the fields a client sent; they are judged already."""
    chosen = {name: given[name] for name in SETTINGS_FIELDS if name in given}
    return chosen | {"tz": canonical(chosen["tz"])} if "tz" in chosen else chosen


def settings_doubts(channel: Channel) -> Iterator[str]:
    """What is perhaps not as it was meant: a sentence for each."""
    settings = channel.settings
    if channel.kind == GROUP and settings != ChannelSettings():
        yield "members are told as they say themselves: up, down, quiet, urgent and digest_over of a group mean nothing"
        return
    if not settings.up and not settings.down:
        yield "up and down are both off: nothing is sent"
    if settings.urgent and not settings.quiet:
        yield "urgent is of use with quiet hours only"
