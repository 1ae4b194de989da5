"""Reads what Uptime Kuma keeps: its SQLite database (versions 1 and 2), or the JSON of a backup (version 1).

    monitor  notification  monitor_notification  tag  monitor_tag  group  monitor_group  setting     tables
    monitorList  notificationList                                                                   keys of a backup

Columns have come with the years, so each row is read whole, and what is not there is as if it had its default. The
file is opened for reading only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from pingmon.cli.imports.plan import Json

MAGIC: Final = b"SQLite format 3\0"
TABLES: Final = ("monitor", "notification", "monitor_notification", "tag", "monitor_tag", "group", "monitor_group")
NAMES: Final = {
    "retry_interval": "retryInterval",
    "resend_interval": "resendInterval",
    "push_token": "pushToken",
    "upside_down": "upsideDown",
    "ignore_tls": "ignoreTls",
    "auth_method": "authMethod",
    "proxy_id": "proxyId",
}
"""Columns that have other names in a backup."""


class KumaFile(NamedTuple):
    """Monitors as rows of the database, by id. `tags` and `notified` are those of each monitor, `base` is the URL.

    `notifications` are their settings, by id. `unread`: what else is there and has no place here, and how many.
    """

    monitors: dict[int, Json]
    notifications: dict[int, Json]
    notified: dict[int, list[int]]
    tags: dict[int, list[tuple[str, str]]]
    base: str
    unread: dict[str, int]


def kuma_file(path: Path) -> KumaFile:
    """What the file has. `ClickException` with one line if it is none of Uptime Kuma's."""
    with path.open("rb") as file:
        begin = file.read(100)
    try:
        if begin.startswith(MAGIC):
            return _from_database(path)
        return _from_backup(json.loads(path.read_bytes()))
    except sqlite3.Error as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise click.ClickException(f"{path} is neither a database nor a backup of Uptime Kuma") from error


# --- a database ---------------------------------------------------------------------------------------------------


def _from_database(path: Path) -> KumaFile:
    with closing(_opened(path)) as db:
        there = {row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"monitor", "notification"} <= there:
            raise ValueError("no tables of Uptime Kuma")
        rows = {name: _rows(db, name) if name in there else [] for name in TABLES}
        settings = _rows(db, "setting") if "setting" in there else []
        counted = {"maintenance windows": "maintenance", "status pages": "status_page"}
        unread = {words: len(_rows(db, table)) for words, table in counted.items() if table in there}
    tags: dict[int, list[tuple[str, str]]] = {}
    names = {row["id"]: row["name"] for row in rows["tag"]}
    for row in rows["monitor_tag"]:
        tags.setdefault(row["monitor_id"], []).append((names.get(row["tag_id"], ""), row.get("value") or ""))
    groups = {row["id"]: row["name"] for row in rows["group"]}
    for row in rows["monitor_group"]:
        tags.setdefault(row["monitor_id"], []).append((groups.get(row["group_id"], ""), ""))
    notified: dict[int, list[int]] = {}
    for row in rows["monitor_notification"]:
        notified.setdefault(row["monitor_id"], []).append(row["notification_id"])
    return KumaFile(
        {row["id"]: row for row in rows["monitor"]},
        {row["id"]: _settings(row) for row in rows["notification"]},
        notified,
        tags,
        _text(row["value"] for row in settings if row["key"] == "primaryBaseURL"),
        {words: count for words, count in unread.items() if count},
    )


def _opened(path: Path) -> sqlite3.Connection:
    """The database, for reading. A copy without the files beside it is read as it is."""
    beside = path.with_name(f"{path.name}-wal")
    alone = "" if beside.exists() and beside.stat().st_size else "&immutable=1"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{alone}", uri=True)
    db.row_factory = lambda cursor, row: dict(zip((column[0] for column in cursor.description), row, strict=True))
    return db


def _rows(db: sqlite3.Connection, table: str) -> list[Json]:
    return db.execute(f'SELECT * FROM "{table}"').fetchall()


def _text(values: Iterable[Any]) -> str:
    """A setting, which is kept as JSON."""
    for value in values:
        try:
            return str(json.loads(value) or "").rstrip("/")
        except ValueError:
            return str(value).rstrip("/")
    return ""


# --- a backup -----------------------------------------------------------------------------------------------------


def _from_backup(backup: Any) -> KumaFile:
    monitors, notified, tags = {}, {}, {}
    for listed in backup["monitorList"]:
        row = {**listed, **{column: listed[name] for column, name in NAMES.items() if name in listed}}
        row["accepted_statuscodes_json"] = json.dumps(listed.get("accepted_statuscodes", ["200-299"]))
        id = int(listed["id"])
        monitors[id] = row
        notified[id] = [int(key) for key, on in (listed.get("notificationIDList") or {}).items() if on]
        tags[id] = [(str(tag["name"]), str(tag.get("value") or "")) for tag in listed.get("tags") or []]
    notifications = {int(row["id"]): _settings(row) for row in backup["notificationList"]}
    return KumaFile(monitors, notifications, notified, tags, "", {})


def _settings(row: Json) -> Json:
    """A notification's settings, which are kept as JSON, with its name."""
    try:
        found = json.loads(row.get("config") or "{}")
    except ValueError:
        found = {}
    return {**(found if isinstance(found, dict) else {}), "name": row.get("name") or f"notification {row['id']}"}
