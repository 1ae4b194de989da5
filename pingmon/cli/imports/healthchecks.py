"""Reads a project of a running Healthchecks by its management API, in version 3, or in an older one where that is new.

Only two lists are asked for, and no redirect is followed: the key is for this server. Old servers leave out the fields
that they do not know; those have their defaults here.
"""

from __future__ import annotations

import json
import re
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import click

from pingmon import __version__
from pingmon.cli.api_client import ApiClient, NotAllowed, Unreachable
from pingmon.cli.imports.plan import Json, Plan, Wanted
from pingmon.wire.api.check_fields import NAMED, PLAIN
from pingmon.wire.api.timezones import canonical

VERSIONS: Final = (3, 2, 1)
ANSWER_S: Final = 60.0
LIST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a list; 10,000 checks are nine million."""

FIELDS: Final = (*PLAIN, "tz")
"""Fields that mean the same here as there."""
OLD_FIELDS: Final = ("subject", "subject_fail")
"""What servers had before they had `success_kw`."""
HOSTED: Final = frozenset({"hc-ping.com", "hchk.io"})
"""Names for pings that no reader of ours can lead elsewhere."""

NO_ADDRESS: Final = (
    "channels of which only name and kind are told; make them (pingmon channel add) under these names, and run this "
    "again with --update"
)

_ID: Final = re.compile(NAMED["uuid"].pattern or "")
_VERSION: Final = re.compile(r"/api(?:/v([0-9]+))?$")


def plan(url: str, key: str, ping_key: str | None = None) -> Plan:
    """What is there; its `ping_key`, if it is known. `ClickException` with one line if it cannot be read."""
    base, versions = _place(url)
    api, checks = _checks(base, key, versions)
    if any("unique_key" in check for check in checks):
        raise NotAllowed("this is a read-only key, to which Healthchecks tells no UUIDs: take a read-write one")
    channels = _list(f"{api}/channels/", key, "channels")
    wanted: list[Wanted] = []
    left: list[tuple[str, str]] = []
    labels = {str(channel.get("id")): _label(channel) for channel in channels}
    for id, label in labels.items():
        wanted.append(Wanted("channel", id, label, None, lost=(NO_ADDRESS,)))
    for check in checks:
        found = _wanted(check)
        if isinstance(found, Wanted):
            wanted.append(found)
        else:
            left.append((str(check.get("name") or "?"), found))
    return Plan(base, wanted, left, lambda pingmon: _notes(checks, ping_key, pingmon))


# --- reading ------------------------------------------------------------------------------------------------------


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """None: the answer is the redirect itself."""


def _place(url: str) -> tuple[str, tuple[int, ...]]:
    """Where the pages are, and the versions of the API that may be asked for."""
    base = url.rstrip("/")
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise click.UsageError(f"{url} is no http or https URL")
    named = _VERSION.search(base)
    if named is None:
        return base, VERSIONS
    return base[: named.start()], (int(named[1]),) if named[1] else VERSIONS


def _checks(base: str, key: str, versions: tuple[int, ...]) -> tuple[str, list[Json]]:
    """The API in the newest version that there is, and all checks."""
    for version in versions:
        api = f"{base}/api/v{version}"
        try:
            return api, _list(f"{api}/checks/", key, "checks")
        except FileNotFoundError:
            continue
    raise click.ClickException(
        f"{base} has no management API of Healthchecks: /api/v{versions[0]}/checks/ is not there"
    )


def _list(url: str, key: str, name: str) -> list[Json]:
    """A list of the API. `FileNotFoundError` if the path is not there; `ClickException` for other trouble."""
    asked = Request(url, headers={"X-Api-Key": key, "User-Agent": f"pingmon/{__version__}"})
    try:
        with build_opener(_NoRedirects).open(asked, timeout=ANSWER_S) as answer:
            raw = answer.read(LIST_BYTES + 1)
    except HTTPError as error:
        raise _trouble(url, error) from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreachable(f"no answer from {urlsplit(url).netloc}: {reason or type(error).__name__}") from error
    if len(raw) > LIST_BYTES:
        raise click.ClickException(f"{url} answers more than {LIST_BYTES} bytes")
    try:
        found = json.loads(raw)[name]
        if not all(isinstance(item, dict) for item in found):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{url} does not answer as Healthchecks does") from error
    return list(found)


def _trouble(url: str, error: HTTPError) -> Exception:
    status, leads = error.code, error.headers.get("Location")
    error.close()
    if status == 404:
        return FileNotFoundError(url)
    if status in (401, 403):
        return NotAllowed(f"{urlsplit(url).netloc} does not take this key (--from-key); it must be a read-write one")
    if leads:
        return click.ClickException(f"{url} leads to {leads}: name that server instead")
    if status == 429 or status >= 500:
        return Unreachable(f"{urlsplit(url).netloc} cannot answer now: {status} {error.reason}")
    return click.ClickException(f"{url} answers {status} {error.reason}")


# --- converting ---------------------------------------------------------------------------------------------------


def _label(channel: Json) -> str:
    """What people know a channel by; many have no name."""
    return str(channel.get("name") or channel.get("kind") or "?")


def _wanted(check: Json) -> Wanted | str:
    """A check as it is there; or why it cannot be here."""
    id = _uuid(check)
    if id is None:
        return "checks of which the server tells no UUID"
    old = () if "success_kw" in check else OLD_FIELDS
    fields = {name: check[name] for name in (*FIELDS, *old) if check.get(name) is not None}
    if "schedule" in fields:
        fields.pop("timeout", None)
    else:
        fields.pop("tz", None)
    if isinstance(zone := fields.get("tz"), str):
        fields["tz"] = canonical(zone) or zone
    named = check.get("channels")
    channels = tuple(filter(None, named.split(","))) if isinstance(named, str) else None
    name = str(check.get("name") or check.get("slug") or id)
    paused = check.get("status") == "paused"
    return Wanted("check", id, name, {**fields, "uuid": id, "unique": ["uuid"]}, channels, paused)


def _uuid(check: Json) -> str | None:
    """Its UUID. Old servers tell it only in its ping URL."""
    for told in (check.get("uuid"), check.get("ping_url")):
        id = str(told).rpartition("/")[2].lower()
        if _ID.fullmatch(id):
            return id
    return None


def _notes(checks: list[Json], ping_key: str | None, pingmon: ApiClient) -> list[str]:
    """What has to be done next."""
    there = {str(check["ping_url"]).rpartition("/")[0] for check in checks if check.get("ping_url")}
    notes = []
    for base in sorted(there):
        parts = urlsplit(base)
        if parts.hostname in HOSTED:
            notes.append(f"Jobs ping {base}/UUID, and {parts.hostname} is not yours to move: change their URLs.")
        elif parts.path not in ("", "/ping"):
            notes.append(f"Jobs ping {base}/UUID. pingmon takes pings at /ping/UUID: a proxy has to cut off the rest.")
        else:
            notes.append(f"Jobs ping {base}/UUID. Once {parts.netloc} leads to this pingmon, their pings come here.")
    if ping_key is None and any(check.get("slug") for check in checks):
        notes.append(
            "Jobs that ping by ping key and slug need this project's ping key, or it theirs (--ping-key): "
            "Healthchecks does not tell it."
        )
    if checks:
        notes.append("Each check is new until its first ping, and raises no alert before that.")
    return notes
