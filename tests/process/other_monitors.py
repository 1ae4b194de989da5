"""Monitors that people come from: a Healthchecks that answers as the reference server does, files of Uptime Kuma."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

RW = "hcw_" + "w" * 28
RO = "hcr_" + "r" * 28
OPS, MAIL = "0c1a70dd-0000-4000-8000-0000000000f1", "0c1a70dd-0000-4000-8000-0000000000f2"
NIGHTLY, POLL, OLD = (f"0c1a70dd-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))

PLAIN: dict[str, Any] = {
    "name": "", "slug": "", "tags": "", "desc": "", "grace": 3600, "n_pings": 7, "status": "up", "started": False,
    "last_ping": "2026-11-01T03:30:01+00:00", "next_ping": None, "manual_resume": False, "methods": "", "subject": "",
    "subject_fail": "", "start_kw": "", "success_kw": "", "failure_kw": "", "filter_subject": False,
    "filter_body": False, "filter_http_body": False, "filter_default_fail": False, "badge_url": "http://hc/b/2/x.svg",
}  # fmt: skip
"""A check as it is shown, without addresses and schedule."""


class Healthchecks:
    """A project of a Healthchecks on loopback. `checks` and `channels` may be changed; `asked` are the paths.

    `versions`: those of the API that it has. `pings`: what comes before a UUID in its ping URLs.
    `body`: what it answers instead of lists. `leads_to`: where it redirects.
    """

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = [
            PLAIN | {
                "uuid": NIGHTLY, "name": "Nightly backup", "slug": "nightly-backup", "tags": "prod db", "grace": 1800,
                "desc": "dump", "schedule": "30 3 * * *", "tz": "Europe/Kiev", "manual_resume": True, "methods": "POST",
                "success_kw": "done", "failure_kw": "error,fatal", "filter_http_body": True,
                "filter_default_fail": True, "channels": OPS,
            },
            PLAIN | {"uuid": POLL, "name": "Poll", "timeout": 300, "channels": f"{OPS},{MAIL}"},
            PLAIN | {"uuid": OLD, "name": "Old", "timeout": 86400, "status": "paused", "channels": ""},
        ]  # fmt: skip
        self.channels = [{"id": OPS, "name": "ops", "kind": "webhook"}, {"id": MAIL, "name": "", "kind": "email"}]
        self.versions = [1, 2, 3]
        self.pings = "https://hc.example.org/ping/"
        self.leads_to = ""
        self.asked: list[str] = []
        self.body: bytes | None = None
        outer = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body, headers = outer.answer(self.path, self.headers.get("X-Api-Key") or "")
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.thread = Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, key: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        html, kind = b"<html>Not Found</html>", {"Content-Type": "application/json"}
        found = re.fullmatch(r"/api/v([0-9])/(checks|channels)(/?)", path)
        if found is None or int(found[1]) not in self.versions:
            return 404, html, {}
        if self.leads_to:
            return 302, b"", {"Location": self.leads_to}
        if not found[3]:
            return 301, b"", {"Location": path + "/"}
        if len(key) != 32:
            return 401, b'{"error": "missing api key"}', kind
        if key != RW and (key != RO or found[2] == "channels"):
            return 401, b'{"error": "wrong api key"}', kind
        if self.body is not None:
            return 200, self.body, kind
        if found[2] == "channels":
            return 200, json.dumps({"channels": self.channels}).encode(), kind
        shown = [self.shown(check, int(found[1]), key) for check in self.checks]
        return 200, json.dumps({"checks": shown}).encode(), kind

    def shown(self, check: dict[str, Any], version: int, key: str) -> dict[str, Any]:
        """A check as this version shows it to this key."""
        shown = dict(check)
        if version == 1 and check["started"]:
            shown["status"] = "started"
        id = shown.pop("uuid", None)
        if key == RO:
            shown.pop("channels")
            return shown | {"unique_key": sha1(id.replace("-", "")[:16].encode()).hexdigest()}
        update = f"{self.url}/api/v{version}/checks/{id}"
        named = {} if id is None else {"uuid": id, "ping_url": f"{self.pings}{id}", "update_url": update}
        return shown | named | {"pause_url": f"{update}/pause", "resume_url": f"{update}/resume"}

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@contextmanager
def healthchecks() -> Iterator[Healthchecks]:
    """A Healthchecks that listens."""
    server = Healthchecks()
    try:
        yield server
    finally:
        server.close()


# --- Uptime Kuma --------------------------------------------------------------------------------------------------

SCHEMA = """
    CREATE TABLE monitor (
        id INTEGER PRIMARY KEY, name VARCHAR(150), active BOOLEAN NOT NULL DEFAULT 1, user_id INTEGER,
        interval INTEGER NOT NULL DEFAULT 20, url TEXT, type VARCHAR(20), weight INTEGER DEFAULT 2000,
        hostname VARCHAR(255), port INTEGER, keyword VARCHAR(255), maxretries INTEGER NOT NULL DEFAULT 0,
        ignore_tls BOOLEAN NOT NULL DEFAULT 0,
        upside_down BOOLEAN NOT NULL DEFAULT 0, maxredirects INTEGER NOT NULL DEFAULT 10,
        accepted_statuscodes_json TEXT NOT NULL DEFAULT '["200-299"]', retry_interval INTEGER NOT NULL DEFAULT 0,
        push_token VARCHAR(32), method TEXT NOT NULL DEFAULT 'GET', body TEXT, headers TEXT, basic_auth_user TEXT,
        auth_method VARCHAR(250), proxy_id INTEGER, resend_interval INTEGER NOT NULL DEFAULT 0,
        description TEXT, parent INTEGER, timeout DOUBLE NOT NULL DEFAULT 0);
    CREATE TABLE notification (id INTEGER PRIMARY KEY, name VARCHAR(255), active BOOLEAN NOT NULL DEFAULT 1,
        user_id INTEGER, is_default BOOLEAN NOT NULL DEFAULT 0, config TEXT);
    CREATE TABLE monitor_notification (id INTEGER PRIMARY KEY, monitor_id INTEGER, notification_id INTEGER);
    CREATE TABLE tag (id INTEGER PRIMARY KEY, name VARCHAR(255), color VARCHAR(255));
    CREATE TABLE monitor_tag (id INTEGER PRIMARY KEY, monitor_id INTEGER, tag_id INTEGER, value TEXT);
    CREATE TABLE "group" (id INTEGER PRIMARY KEY, name VARCHAR(255), status_page_id INTEGER);
    CREATE TABLE monitor_group (id INTEGER PRIMARY KEY, monitor_id INTEGER, group_id INTEGER);
    CREATE TABLE setting (id INTEGER PRIMARY KEY, key VARCHAR(200), value TEXT, type VARCHAR(20));
    CREATE TABLE maintenance (id INTEGER PRIMARY KEY, title VARCHAR(150));
    CREATE TABLE status_page (id INTEGER PRIMARY KEY, slug VARCHAR(255));
"""
"""The columns that tell something, as version 2 has them."""

WEBHOOK = {
    "type": "webhook",
    "webhookURL": "http://127.0.0.1:9/hook",
    "webhookContentType": "json",
    "webhookAdditionalHeaders": '{"X-From": "kuma"}',
}


class Kuma:
    """A file of Uptime Kuma that is being made."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def add(self, table: str, **columns: Any) -> int:
        """A row; its id."""
        rows = self.tables.setdefault(table, [])
        rows.append({"id": len(rows) + 1, **columns})
        return len(rows)

    def monitor(self, type: str, name: str, *, notified: tuple[int, ...] = (), **columns: Any) -> int:
        """A monitor."""
        id = self.add("monitor", type=type, name=name, **columns)
        for notification in notified:
            self.add("monitor_notification", monitor_id=id, notification_id=notification)
        return id

    def notification(self, name: str, **config: Any) -> int:
        """A way to tell people."""
        return self.add("notification", name=name, config=json.dumps({"name": name, **config}))

    def tag(self, monitor: int, name: str, value: str = "") -> None:
        """A tag of a monitor."""
        tag = self.add("tag", name=name, color="#fff")
        self.add("monitor_tag", monitor_id=monitor, tag_id=tag, value=value)

    def database(self, path: Path) -> Path:
        """The database, as it lies on a disk while Uptime Kuma is stopped."""
        with closing(sqlite3.connect(path)) as db:
            db.executescript(SCHEMA)
            for table, rows in self.tables.items():
                for row in rows:
                    columns = ", ".join(f'"{name}"' for name in row)
                    db.execute(
                        f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(row))})', [*row.values()]
                    )
            db.commit()
            db.execute("PRAGMA journal_mode = WAL")
        return path

    def backup(self, path: Path) -> Path:
        """The JSON that version 1 makes of it."""
        names = {"retry_interval": "retryInterval", "push_token": "pushToken", "upside_down": "upsideDown"}
        tags = {row["id"]: row["name"] for row in self.tables.get("tag", [])}
        listed = []
        for row in self.tables.get("monitor", []):
            shown = {names.get(name, name): value for name, value in row.items() if name != "accepted_statuscodes_json"}
            codes = json.loads(row.get("accepted_statuscodes_json", '["200-299"]'))
            told = [it for it in self.tables.get("monitor_notification", []) if it["monitor_id"] == row["id"]]
            tagged = [it for it in self.tables.get("monitor_tag", []) if it["monitor_id"] == row["id"]]
            shown |= {
                "interval": row.get("interval", 60),
                "active": bool(row.get("active", 1)),
                "accepted_statuscodes": codes,
                "notificationIDList": {str(it["notification_id"]): True for it in told},
                "tags": [{"name": tags[it["tag_id"]], "value": it["value"], "color": "#fff"} for it in tagged],
            }
            listed.append(shown)
        backup = {"version": "1.23.16", "notificationList": self.tables.get("notification", []), "monitorList": listed}
        path.write_text(json.dumps(backup, indent=4))
        return path


def kuma() -> Kuma:
    """Two webhooks, a group with a site and a push monitor, and what has no place here."""
    made = Kuma()
    ops = made.notification("ops", **WEBHOOK)
    chat = made.notification("chat", type="telegram", telegramBotToken="x")
    group = made.monitor("group", "Web shop")
    shop = made.monitor(
        "http", "Shop", url="https://shop.example/", interval=60, maxretries=3, retry_interval=30, timeout=48,
        parent=group, notified=(ops,),
    )  # fmt: skip
    made.tag(shop, "env", "prod")
    made.tag(shop, "eu west")
    made.monitor(
        "push", "Nightly job", interval=86400, maxretries=2, retry_interval=600, push_token="aB3" * 10, parent=group,
        description="dump", notified=(ops, chat),
    )  # fmt: skip
    made.monitor("keyword", "Blog", url="https://blog.example/", interval=20, keyword="Welcome", active=0)
    made.monitor("ping", "Router", hostname="10.0.0.1", interval=60)
    made.add("setting", key="primaryBaseURL", value='"https://kuma.example.org"')
    made.add("maintenance", title="Sundays")
    return made
