"""What Uptime Kuma watches, as far as pingmon can.

    push                                  a check: timeout is the interval, grace the retries
    http, keyword, json-query, real-browser   a site: patience is the retries
    group, a status page's group          a tag of what is in it
    webhook                               a channel that sends what Uptime Kuma sends, in the outline
    all else                              is told in the report

Uptime Kuma calls a monitor down when it has failed at all of its retries, `retry_interval` apart (0: as far apart as
else); a push monitor fails when there was no push for its interval. The UUID of a check follows from the token of its
push URL: so it is found again, and nobody can guess it who does not know that token.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from pingmon.cli.api_client import ApiClient
from pingmon.cli.durations import duration_text
from pingmon.cli.imports.kuma_file import KumaFile, kuma_file
from pingmon.cli.imports.plan import Json, Plan, Wanted, cut
from pingmon.wire.api import check_fields, site_fields
from pingmon.wire.api.check_fields import FieldRule, slugify

TOKENS: Final = UUID("5d3bd1a8-0d49-4f7b-9d3e-5a0f4c5a7a51")
"""The name space of push tokens. To change it would make every import anew."""

PAGES: Final = frozenset({"http", "keyword", "json-query", "real-browser"})
DEPTH: Final = 50
"""Groups within groups. More is a ring."""

ONLY_STATUS: Final = {
    "keyword": "the keyword: a site is up if it answers with 2xx",
    "json-query": "the JSON query: a site is up if it answers with 2xx",
    "real-browser": "the browser: a page is asked for, and nothing in it is run",
}
BODY: Final = (
    '{"heartbeat": {"status": %d, "time": "$NOW", "msg": $TEXT_JSON}, '
    '"monitor": {"name": $NAME_JSON}, "msg": $TEXT_JSON}'
)
"""What Uptime Kuma posts, in the outline. It says 0 for down and 1 for up."""


def plan(path: Path) -> Plan:
    """What the file has. `ClickException` with one line if it cannot be read."""
    kuma = kuma_file(path)
    wanted: list[Wanted] = []
    left: list[tuple[str, str]] = []
    for id, settings in kuma.notifications.items():
        wanted.append(_channel(str(id), settings))
    for id, monitor in kuma.monitors.items():
        try:
            found = _wanted(kuma, id, monitor)
        except (TypeError, ValueError, OverflowError):
            found = "monitors with settings that cannot be read"
        if isinstance(found, str):
            left.append((str(monitor.get("name") or id), found))
        elif found is not None:
            wanted.append(found)
    return Plan(str(path), wanted, left, lambda pingmon: _notes(kuma, pingmon))


def _wanted(kuma: KumaFile, id: int, monitor: Json) -> Wanted | str | None:
    """A monitor; or why it cannot be here; None for a group."""
    type = str(monitor.get("type") or "")
    if type == "group":
        return None
    if type != "push" and type not in PAGES:
        return f"monitors of the type {type or '?'}, which pingmon has not"
    if monitor.get("upside_down"):
        return "monitors that are upside down: pingmon has no such thing"
    found = _check(kuma, monitor) if type == "push" else _site(monitor)
    if isinstance(found, str):
        return found
    above = _above(kuma, monitor)
    names = [str(group.get("name") or "") for group in above]
    tags = [*names, *(f"{name}:{value}" if value else name for name, value in kuma.tags.get(id, []))]
    told = dict.fromkeys(re.sub(r"\s+", "-", tag.strip()) for tag in tags)
    name, shortened = cut(str(monitor.get("name") or "") or str(monitor.get("url") or id))
    lost = [*shortened, *found.lost]
    if _number(monitor, "resend_interval", 0):
        lost.append("repeated alerts: each channel is told once that something is down")
    return found._replace(
        key=str(id),
        name=name,
        fields={**(found.fields or {}), "name": name, "tags": " ".join(filter(None, told))},
        channels=tuple(str(channel) for channel in kuma.notified.get(id, [])),
        paused=not all(_number(each, "active", 1) for each in (monitor, *above)),
        lost=tuple(lost),
    )


def _above(kuma: KumaFile, monitor: Json) -> list[Json]:
    """The groups that a monitor is in, the outermost first."""
    found: list[Json] = []
    while (parent := kuma.monitors.get(monitor.get("parent") or 0)) is not None and len(found) < DEPTH:
        found.insert(0, parent)
        monitor = parent
    return found


def _check(kuma: KumaFile, monitor: Json) -> Wanted | str:
    """A push monitor."""
    token = monitor.get("push_token")
    if not token:
        return "push monitors without a token"
    interval = _number(monitor, "interval", 60)
    lost: list[str] = []
    timeout = _within(check_fields.FIELDS["timeout"], interval, "an interval", lost)
    grace = _within(check_fields.FIELDS["grace"], max(_retrying(monitor), 60), "retries", lost)
    fields = {
        "uuid": str(uuid5(TOKENS, str(token))),
        "unique": ["uuid"],
        "slug": slugify(str(monitor.get("name") or ""))[: check_fields.SLUG_MAX],
        "desc": str(monitor.get("description") or ""),
        "timeout": timeout,
        "grace": grace,
    }
    return Wanted("check", "", "", fields, lost=tuple(lost), old_url=f"{kuma.base}/api/push/{token}")


def _site(monitor: Json) -> Wanted | str:
    """A monitor of a web page."""
    method = str(monitor.get("method") or "GET").upper()
    if method not in ("GET", "HEAD"):
        return "monitors that ask otherwise than with GET or HEAD"
    how = str(monitor.get("auth_method") or ("basic" if monitor.get("basic_auth_user") else ""))
    if how not in ("", "null"):
        return "monitors that log in: pingmon sends no credentials"
    lost = [ONLY_STATUS[monitor["type"]]] if monitor["type"] in ONLY_STATUS else []
    interval = _number(monitor, "interval", 60)
    waits = _number(monitor, "timeout", 0) or round(interval * 0.8)
    fields = {
        "url": str(monitor.get("url") or ""),
        "interval": _within(site_fields.FIELDS["interval"], interval, "an interval", lost),
        "timeout": _within(site_fields.FIELDS["timeout"], waits, "a timeout", lost),
        "patience": _within(site_fields.FIELDS["patience"], _retrying(monitor), "retries", lost),
        "method": method,
        "head_only": method == "HEAD",
    }
    if _codes(monitor) != {"200-299"}:
        lost.append("accepted status codes: a site is up with 200-299, also where others were accepted, or fewer")
    if monitor.get("ignore_tls"):
        lost.append("ignored TLS errors: a site whose certificate is not valid is down")
    if str(monitor.get("headers") or "{}").strip() not in ("{}", "null") or monitor.get("body"):
        lost.append("headers and bodies of requests: pingmon sends its own headers, and no body")
    if monitor.get("proxy_id"):
        lost.append("proxies: sites are asked directly")
    return Wanted("site", "", "", fields, lost=tuple(lost))


def _codes(monitor: Json) -> set[str]:
    """The status codes that are accepted, as they were written."""
    found = json.loads(monitor.get("accepted_statuscodes_json") or '["200-299"]')
    return {str(code) for code in found}


def _retrying(monitor: Json) -> int:
    """For how many seconds it fails before it is called down."""
    apart = _number(monitor, "retry_interval", 0) or _number(monitor, "interval", 60)
    return _number(monitor, "maxretries", 0) * apart


def _number(monitor: Json, name: str, default: int) -> int:
    value: Any = monitor.get(name)
    return default if value is None else int(value)


def _within(rule: FieldRule, seconds: int, what: str, lost: list[str]) -> int:
    """`seconds` as near as the API's limits allow."""
    least, most = rule.minimum or 0, rule.maximum or seconds
    if seconds < least:
        lost.append(f"{what} of less than {duration_text(least)}, which is the least")
    elif seconds > most:
        lost.append(f"{what} of more than {duration_text(most)}, which is the most")
    return min(max(seconds, least), most)


# --- notifications ------------------------------------------------------------------------------------------------


def _channel(key: str, settings: Json) -> Wanted:
    """A notification: a channel if it is a webhook; else its name, under which there may be a channel."""
    name, lost = cut(str(settings["name"]))
    type = str(settings.get("type") or "?")
    if type != "webhook":
        by_hand = "make a webhook channel under its name (pingmon channel add), and run this again with --update"
        return Wanted("channel", key, name, None, lost=(f"notifications of the type {type}; {by_hand}",))
    told = list(lost)
    method = "GET" if str(settings.get("httpMethod") or "post").lower() == "get" else "POST"
    if method == "GET":
        told.append("the parameters msg, heartbeat and monitor of a webhook: its URL takes placeholders")
    elif settings.get("webhookContentType") in ("custom", "form-data"):
        told.append("the template or form of a webhook: JSON is sent; its body takes placeholders (docs/webhooks.md)")
    headers = _headers(settings, told)
    value: Json = {}
    for direction, status in (("down", 0), ("up", 1)):
        value[f"url_{direction}"] = str(settings.get("webhookURL") or "")
        value[f"method_{direction}"] = method
        value[f"headers_{direction}"] = headers
        value[f"body_{direction}"] = "" if method == "GET" else BODY % status
    return Wanted("channel", key, name, {"kind": "webhook", "name": name, "value": value}, lost=tuple(told))


def _headers(settings: Json, lost: list[str]) -> dict[str, str]:
    try:
        found = json.loads(settings.get("webhookAdditionalHeaders") or "{}")
        more = {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError, TypeError):
        lost.append("headers of a webhook that are no JSON object")
        more = {}
    given = {name.lower() for name in more}
    return more if "content-type" in given else {"Content-Type": "application/json", **more}


def _notes(kuma: KumaFile, pingmon: ApiClient) -> list[str]:
    """What has to be done next, and what has no place here."""
    notes = []
    if any(monitor.get("type") == "push" for monitor in kuma.monitors.values()):
        notes.append(
            "Push URLs cannot stay: change each to its new one. What ended in ?status=down is a ping to NEW/fail; "
            "other parameters are ignored. Each check is new until its first ping, and raises no alert before that."
        )
    if kuma.unread:
        notes.append("Not carried over: " + ", ".join(f"{count} {words}" for words, count in kuma.unread.items()) + ".")
    return notes
