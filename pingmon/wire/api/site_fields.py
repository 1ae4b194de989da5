"""The fields of a site as clients send them: their rules, the errors they cause, and the settings they make.

The table `FIELDS` is the contract, as in `check_fields`: judged in its order, only the first error is told, unknown
fields are ignored. Whether channels and the host are there is judged after that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from pingmon.core.notify.channel import Channel
from pingmon.core.partner.partner import AUTO
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.wire.api.check_fields import ALERTS, FieldRule, Given, Invalid, alert_changes, channel_ids
from pingmon.wire.probe.target import page
from pingmon.wire.web_url import BadUrl


def _wrong_url(url: str) -> str | None:
    try:
        page(url)
    except BadUrl as error:
        return str(error)
    return None


FIELDS: Final[dict[str, FieldRule]] = {
    "name": FieldRule(type="string", max_length=100),
    "url": FieldRule(type="string", max_length=2000, wrong=_wrong_url),
    "interval": FieldRule(type="integer", minimum=60, maximum=86_400),
    "timeout": FieldRule(type="integer", minimum=1, maximum=30),
    "host": FieldRule(type="string", max_length=100),
    "tags": FieldRule(type="string"),
    "channels": FieldRule(type="string"),
    "method": FieldRule(type="string", values=("HEAD", "GET")),
    "head_only": FieldRule(type="boolean"),
    "patience": FieldRule(type="integer", minimum=0, maximum=3600),
    "local_only": FieldRule(type="boolean"),
    **ALERTS,
}


def created(given: Given, channels: Iterable[Channel], slugs: Collection[str]) -> SiteSpec:
    """The site that a request makes; `channels` are the project's, `slugs` those of all partners. Raises `Invalid`.

    It has all channels of the project if the request says nothing of them.
    """
    if "url" not in given:
        raise Invalid("json validation error: url is missing")
    wanted = SiteChanges(**_settings({"channels": "*", **given}, "", channels, slugs))
    return wanted.applied_to(SiteSpec(url=given["url"]))


def changes(given: Given, spec: SiteSpec, channels: Iterable[Channel], slugs: Collection[str]) -> SiteChanges:
    """What a request changes in a site that has `spec` now. Raises `Invalid`.

    A host that is gone may stay: who reads a site and sends it back changed in another point must not be refused.
    """
    return SiteChanges(**_settings(given, spec.host, channels, slugs))


def _settings(given: Given, kept: str, channels: Iterable[Channel], slugs: Collection[str]) -> dict[str, Any]:
    channels = list(channels)
    sets = {name: value for name, value in given.items() if name not in ALERTS}
    if (alerts := alert_changes(given, channels)) is not None:
        sets["alerts"] = alerts
    if "channels" in given:
        sets["channels"] = channel_ids(given["channels"], channels)
    host = given.get("host", AUTO)
    if host not in ("", AUTO, kept) and host not in slugs:
        raise Invalid(f"json validation error: host is no partner's slug: {host}")
    return sets
