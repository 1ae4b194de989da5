"""A site as clients see it: the JSON object of the management API. Source: the site monitoring spec."""

from __future__ import annotations

from msgspec import Struct

from pingmon.core.notify.owed_messages import told
from pingmon.core.partner.partner import Partner
from pingmon.core.site.escalation import silent_until
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.site import Site
from pingmon.wire.api.checks import Json, alerts_json, warnings
from pingmon.wire.time_texts import seconds_text


class SiteView(Struct, frozen=True):
    """How one site is shown. `url` is its address in the API; `now` in microseconds since the epoch.

    `host` is the partner that is asked about it, `latest` the newest look that pingmon itself had at it. With
    `readonly` it is shown without what only those need who may change it.
    """

    url: str
    now: int
    host: Partner | None = None
    latest: ProbeResult | None = None
    readonly: bool = False


def site_json(site: Site, view: SiteView) -> Json:
    """The JSON object of one site.

    `suppressed_until` is set while the host's word silences it; `told` says that somebody has heard that it is down.
    """
    spec, own = site.spec, site.last.own if site.last is not None else None
    latest = view.latest if own is None or (view.latest is not None and view.latest.at >= own.at) else own
    until = silent_until(site, view.host)
    shown: Json = {
        "name": spec.name,
        "url": spec.url,
        "interval": spec.interval,
        "timeout": spec.timeout,
        "host": spec.host,
        "tags": spec.tags,
        "method": spec.method,
        "head_only": spec.head_only,
        "patience": spec.patience,
        "local_only": spec.local_only,
        "status": site.status,
        "since": seconds_text(site.since),
        "incident": seconds_text(site.incident),
        "last_probe": None if latest is None else seconds_text(latest.at),
        "last_code": None if latest is None else latest.code,
        "last_class": None if latest is None else latest.fault or "ok",
        "last_detail": None if latest is None else latest.detail,
        "last_ms": None if latest is None else latest.ms,
        "host_found": host_json(site, view.host),
        "partner_answer": word_json(site, view.host),
        "suppressed_until": seconds_text(until) if until > view.now else None,
        "told": told(site),
        "warnings": warnings(site),
        "uuid": site.id,
    }
    if not view.readonly:
        shown["channels"] = ",".join(spec.channels)
        shown |= alerts_json(site)
        shown["update_url"] = view.url
        shown["pause_url"] = f"{view.url}/pause"
        shown["resume_url"] = f"{view.url}/resume"
        shown["probe_url"] = f"{view.url}/probe"
    return shown


def word_json(site: Site, host: Partner | None) -> Json | None:
    """The last that a partner said about the site; None if none ever did. `slug` is null if it is not the host now."""
    word = site.word
    if word is None:
        return None
    answer = word.answer
    return {
        "slug": host.spec.slug if host is not None and host.id == word.partner else None,
        "at": seconds_text(word.at),
        "kind": answer.kind.replace(" ", "_"),
        "until": seconds_text(answer.until),
        "oddities": list(answer.oddities),
        "detail": answer.detail,
    }


def host_json(site: Site, host: Partner | None) -> Json | None:
    """Who hosts the site and why pingmon thinks so; None if nobody is known.

    `slug` is null if what was found leads to no partner any more.
    """
    found = site.hosting.found
    slug = None if host is None else host.spec.slug
    if slug is not None and slug == site.spec.host:
        return {"slug": slug, "kind": "explicit", "value": slug, "evidence": "set for the site", "since": None}
    if found is None:
        return None
    since = seconds_text(site.hosting.since)
    return {"slug": slug, "kind": found.kind, "value": found.value, "evidence": found.evidence, "since": since}
