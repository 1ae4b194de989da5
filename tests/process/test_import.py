"""`pingmon import`: from a Healthchecks on loopback and from files of Uptime Kuma, to a real daemon."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from pingmon.cli.commands import pingmon
from tests.process.daemons import Receiver, Running, Starter, until
from tests.process.forked import BIN, ran
from tests.process.other_monitors import (
    NIGHTLY,
    OLD,
    OPS,
    PLAIN,
    POLL,
    RO,
    RW,
    WEBHOOK,
    Healthchecks,
    Kuma,
    healthchecks,
    kuma,
)

pytestmark = pytest.mark.process

ALLOWED = '[outgoing]\nallow = ["127.0.0.0/8"]\n'


@pytest.fixture
def daemon(start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Running:
    """A daemon that the environment names, as the only one; its receivers may be on loopback."""
    for name in [name for name in os.environ if name.startswith(("PINGMON_", "HEALTHCHECKS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    found = start(config=ALLOWED)
    monkeypatch.setenv("PINGMON_URL", found.url)
    monkeypatch.setenv("PINGMON_KEY", found.keys["api_key"])
    monkeypatch.setenv("HEALTHCHECKS_API_KEY", RW)
    return found


@pytest.fixture
def hc() -> Iterator[Healthchecks]:
    """A Healthchecks with three checks and two channels."""
    with healthchecks() as found:
        yield found


def run(*arguments: object) -> Result:
    """`pingmon import ARGUMENTS`."""
    return CliRunner().invoke(pingmon, ["import", *(str(each) for each in arguments)])


def report(*arguments: object, status: int = 0) -> Any:
    """The report of an import, as JSON."""
    found = run(*arguments, "--json")
    assert found.exit_code == status, found.output
    return json.loads(found.stdout)


def came(told: Any) -> dict[str, str]:
    """What became of what, by name."""
    return {item["name"]: item["came"] for item in told["items"]}


def lost(told: Any) -> dict[str, list[str]]:
    """Whose what was not carried over, by the first words of that."""
    return {each["what"].partition(":")[0].partition(";")[0]: each["of"] for each in told["not_carried_over"]}


def made(daemon: Running, kind: str = "checks") -> dict[str, Any]:
    """What is there, by name."""
    return {each["name"]: each for each in daemon.api("GET", f"{kind}/").json[kind]}


def ops(daemon: Running) -> str:
    """A channel that is called as one of the other monitor."""
    value = {"url_down": "http://127.0.0.1:9/"}
    return str(daemon.api("POST", "channels/", {"kind": "webhook", "name": "ops", "value": value}).json["id"])


def entries(daemon: Running) -> int:
    """How much is in the log, but for keys that are used."""
    found = CliRunner().invoke(pingmon, ["journal", "export", "--data", str(daemon.data)])
    return sum('"key_used"' not in line for line in found.stdout.splitlines())


# --- Healthchecks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2, 3])
def test_checks_of_healthchecks_keep_their_uuids_and_settings(daemon: Running, hc: Healthchecks, version: int) -> None:
    """Of whichever version its API is. Then their pings come here, and a repetition changes nothing."""
    hc.versions = list(range(1, version + 1))
    channel = ops(daemon)
    told = report("healthchecks", hc.url)
    assert came(told) == {"ops": "there", "email": "missing", "Nightly backup": "made", "Poll": "made", "Old": "made"}
    found = made(daemon)
    assert {check["uuid"] for check in found.values()} == {NIGHTLY, POLL, OLD}
    shown, sent = found["Nightly backup"], hc.checks[0]
    same = "name slug tags desc grace schedule manual_resume methods success_kw failure_kw"
    same += " filter_http_body filter_default_fail"
    assert {name: shown[name] for name in same.split()} == {name: sent[name] for name in same.split()}
    assert (shown["tz"], shown["status"], shown["channels"]) == ("Europe/Kyiv", "new", channel)
    assert (found["Poll"]["timeout"], found["Poll"]["channels"]) == (300, channel)
    assert (found["Old"]["status"], found["Old"]["channels"]) == ("paused", "")
    assert daemon.ask("POST", f"/ping/{NIGHTLY}", b"done").status == 200
    before = entries(daemon)
    again = report("healthchecks", hc.url + "/")
    assert set(came(again).values()) == {"there", "missing"}
    assert entries(daemon) == before


def test_the_report_says_what_is_here_and_what_is_to_be_done(daemon: Running, hc: Healthchecks) -> None:
    """For people, in words."""
    found = run("healthchecks", hc.url)
    assert found.exit_code == 0, found.output
    text = found.stdout
    assert text.startswith(f"{hc.url}: 2 channels, 3 checks\n  made: 3 checks\n  to be made by hand: 2 channels\n")
    assert "Not carried over: channels of which only name and kind are told; make them" in text
    assert "\n  ops, email\n" in text
    assert "Once hc.example.org leads to this pingmon, their pings come here." in text
    ops(daemon)
    assert "Nothing had to be done" not in run("healthchecks", hc.url).stdout
    hc.channels.pop()
    hc.checks[1]["channels"] = OPS
    run("healthchecks", hc.url, "--update")
    assert "Nothing had to be done.\n" in run("healthchecks", hc.url).stdout


def test_a_dry_run_changes_nothing_and_says_what_would_be_refused(daemon: Running, hc: Healthchecks) -> None:
    """As far as that can be told."""
    hc.checks[1] |= {"schedule": "0 0 30 2 *", "tz": "UTC"}
    before = entries(daemon)
    told = report("healthchecks", hc.url, "--dry-run", status=1)
    assert came(told)["Nightly backup"] == "made"
    (refused,) = [item for item in told["items"] if item["came"] == "refused"]
    assert (refused["name"], refused["why"]) == ("Poll", "schedule is not a valid cron or OnCalendar expression")
    assert made(daemon) == {}
    assert entries(daemon) == before
    assert "would be made: 2 checks" in run("healthchecks", hc.url, "--dry-run").stdout


def test_one_bad_check_does_not_keep_the_others_from_coming(daemon: Running, hc: Healthchecks) -> None:
    """It is named with the reason, and the exit status is 1; when it is mended, the next run brings it."""
    taken = daemon.api("POST", "checks/", {"name": "gone"}).json["uuid"]
    daemon.api("DELETE", f"checks/{taken}")
    hc.checks[0]["grace"] = 5
    hc.checks.append(PLAIN | {"uuid": taken, "name": "Deleted here", "timeout": 60, "channels": ""})
    hc.checks.append(PLAIN | {"name": "Nameless", "timeout": 60, "channels": ""})
    told = report("healthchecks", hc.url, status=1)
    whys = {item["name"]: item["why"] for item in told["items"] if item["came"] == "refused"}
    small = "grace is too small: the least is 60"
    assert whys == {"Nightly backup": small, "Deleted here": "uuid was in use here before"}
    assert lost(told)["checks of which the server tells no UUID"] == ["Nameless"]
    assert set(made(daemon)) == {"Poll", "Old"}
    hc.checks[0]["grace"] = 60
    assert came(report("healthchecks", hc.url, status=1))["Nightly backup"] == "made"


def test_what_differs_is_left_unless_it_is_to_be_changed(daemon: Running, hc: Healthchecks) -> None:
    """Whoever changed it, here or there."""
    run("healthchecks", hc.url)
    daemon.api("POST", f"checks/{POLL}", {"grace": 120, "desc": "ours"})
    hc.checks[0]["status"] = "paused"
    told = report("healthchecks", hc.url)
    differing = {item["name"]: item["differs"] for item in told["items"] if item["came"] == "differs"}
    assert differing == {"Nightly backup": ["paused"], "Poll": ["desc", "grace"]}
    assert made(daemon)["Poll"]["grace"] == 120
    before = entries(daemon)
    assert came(report("healthchecks", hc.url, "--update", "--dry-run"))["Poll"] == "changed"
    assert entries(daemon) == before
    assert came(report("healthchecks", hc.url, "--update"))["Poll"] == "changed"
    assert (made(daemon)["Poll"]["grace"], made(daemon)["Nightly backup"]["status"]) == (3600, "paused")
    assert came(report("healthchecks", hc.url))["Poll"] == "there"


def test_an_old_server_tells_less(daemon: Running, hc: Healthchecks) -> None:
    """UUIDs only in ping URLs, filters only for subjects; what it does not know has its default here."""
    hc.versions = [1]
    hc.checks = [
        {
            "name": "Mail", "tags": "", "grace": 600, "timeout": 3600, "status": "up", "started": False,
            "subject": "good", "subject_fail": "bad", "ping_url": f"https://hc-ping.com/{NIGHTLY}", "channels": "",
        }
    ]  # fmt: skip
    told = report("healthchecks", f"{hc.url}/api/v1/")
    check = made(daemon)["Mail"]
    assert (check["uuid"], check["filter_subject"], check["success_kw"]) == (NIGHTLY, True, "good")
    assert "hc-ping.com is not yours to move" in told["notes"][0]
    assert hc.asked == ["/api/v1/checks/", "/api/v1/channels/"]


def test_a_subdirectory_needs_a_proxy_and_slugs_the_key(daemon: Running, hc: Healthchecks) -> None:
    """The report says so."""
    hc.pings = "https://example.org/hc/ping/"
    notes = " ".join(report("healthchecks", hc.url)["notes"])
    assert "a proxy has to cut off the rest" in notes
    assert "need this project's ping key" in notes


def test_urls_with_a_slug_stay_too_if_the_ping_key_is_told(
    daemon: Running, hc: Healthchecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Healthchecks does not tell it, and only an operator may set it; the daemon's own machine is one."""
    key, path = "Ab-_5678901234567890xY", "/ping/Ab-_5678901234567890xY/nightly-backup"
    hc.checks[0]["slug"] = "nightly-backup"
    refused = run("healthchecks", hc.url, "--ping-key", key)
    assert (refused.exit_code, "needs --data" in refused.stderr) == (2, True)
    assert made(daemon) == {}
    for name in ("PINGMON_URL", "PINGMON_KEY"):
        monkeypatch.delenv(name, raising=False)
    there = ("healthchecks", hc.url, "--data", daemon.data, "--ping-key", key)
    assert came(report(*there, "--dry-run"))["Nightly backup"] == "made"
    assert daemon.ask("GET", path).status == 404
    told = report(*there)
    assert not [note for note in told["notes"] if "ping key" in note]
    assert daemon.ask("GET", path).status == 200
    assert came(report(*there))["Nightly backup"] == "there"


def test_a_check_of_which_no_channel_is_here_has_all(daemon: Running, hc: Healthchecks) -> None:
    """An alert too many is better than one that reaches nobody."""
    value = {"url_down": "http://127.0.0.1:9/"}
    ours = daemon.api("POST", "channels/", {"kind": "webhook", "name": "ours", "value": value}).json["id"]
    told = report("healthchecks", hc.url)
    assert made(daemon)["Nightly backup"]["channels"] == ours
    assert lost(told)["who is told"] == ["Nightly backup", "Poll"]
    assert came(report("healthchecks", hc.url))["Poll"] == "there"


@pytest.mark.parametrize(
    ("key", "url", "status", "line"),
    [
        (RO, "", 4, "this is a read-only key, to which Healthchecks tells no UUIDs: take a read-write one"),
        ("x", "", 4, "does not take this key (--from-key); it must be a read-write one"),
        (RW, "/nothing", 1, "has no management API of Healthchecks: /api/v3/checks/ is not there"),
        (RW, "/api/v7", 1, "has no management API of Healthchecks: /api/v7/checks/ is not there"),
    ],
)
def test_a_server_that_cannot_be_read_is_told_in_a_line(
    daemon: Running, hc: Healthchecks, key: str, url: str, status: int, line: str
) -> None:
    """And nothing is made."""
    hc.channels = []
    found = run("healthchecks", hc.url + url, "--from-key", key)
    assert (found.exit_code, found.stdout) == (status, ""), found.output
    assert found.stderr.startswith("Error: ")
    assert found.stderr.rstrip().endswith(line)
    assert made(daemon) == {}


def test_nobody_is_asked_for_the_key_where_no_terminal_is(hc: Healthchecks, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how to give it."""
    monkeypatch.delenv("HEALTHCHECKS_API_KEY", raising=False)
    found = run("healthchecks", hc.url)
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.endswith("Error: which key there? Set HEALTHCHECKS_API_KEY or --from-key\n")


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"checks": 5}', b'{"checks": [5]}', b"\xff"])
def test_what_does_not_answer_as_healthchecks_does(daemon: Running, hc: Healthchecks, body: bytes) -> None:
    """Is no Healthchecks."""
    hc.body = body
    found = run("healthchecks", hc.url)
    assert (found.exit_code, found.stderr) == (
        1,
        f"Error: {hc.url}/api/v3/checks/ does not answer as Healthchecks does\n",
    )


def test_redirects_outages_and_urls_that_are_none(daemon: Running, hc: Healthchecks, receiver: Receiver) -> None:
    """The key goes nowhere but to the server that was named."""
    hc.leads_to = f"{receiver.url}/api/v3/checks/"
    assert run("healthchecks", hc.url).stderr.endswith(f"leads to {hc.leads_to}: name that server instead\n")
    assert receiver.arrived == []
    answers = {"/a": (503, b""), "/b": (418, b"")}
    receiver.answer = lambda request: answers[request.path[:2]]
    assert run("healthchecks", f"{receiver.url}/a").exit_code == 3
    assert "answers 418" in run("healthchecks", f"{receiver.url}/b").stderr
    assert "is no http or https URL" in run("healthchecks", "hc.example.org").stderr
    assert run("healthchecks", "http://127.0.0.1:1").exit_code == 3


def test_a_read_only_key_here_is_told(daemon: Running, hc: Healthchecks) -> None:
    """Before anything is done."""
    run("healthchecks", hc.url)
    found = run("healthchecks", hc.url, "--key", daemon.keys["api_key_readonly"])
    assert (found.exit_code, found.stdout) == (4, "")


def test_by_the_data_directory_no_key_is_needed(daemon: Running, hc: Healthchecks, monkeypatch: Any) -> None:
    """Also of a daemon that is stopped."""
    monkeypatch.delenv("PINGMON_KEY")
    assert came(report("healthchecks", hc.url, "--data", daemon.data))["Poll"] == "made"
    daemon.stop()
    again = ran("pingmon", "import", "healthchecks", hc.url, "--json", "--data", daemon.data)
    assert came(json.loads(again.stdout))["Poll"] == "there"


# --- Uptime Kuma --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["database", "backup"])
def test_push_monitors_become_checks_and_web_pages_sites(daemon: Running, tmp_path: Path, kind: str) -> None:
    """Groups and tags become tags, webhooks channels, retries patience; a repetition changes nothing."""
    file = getattr(kuma(), kind)(tmp_path / "kuma")
    told = report("kuma", file)
    items = {"ops": "made", "chat": "missing", "Nightly job": "made", "Shop": "made", "Blog": "made"}
    assert came(told) == items
    (channel,) = daemon.api("GET", "channels/").json["channels"]
    job, sites = made(daemon)["Nightly job"], made(daemon, "sites")
    expected = {"timeout": 86400, "grace": 1200, "tags": "Web-shop", "desc": "dump", "slug": "nightly-job"}
    assert {name: job[name] for name in expected} == expected
    assert (job["status"], job["channels"]) == ("new", channel["id"])
    expected = {"url": "https://shop.example/", "interval": 60, "timeout": 30, "patience": 90, "method": "GET"}
    assert {name: sites["Shop"][name] for name in expected} == expected
    assert (sites["Shop"]["tags"], sites["Shop"]["channels"]) == ("Web-shop env:prod eu-west", channel["id"])
    assert (sites["Blog"]["status"], sites["Blog"]["interval"], sites["Blog"]["channels"]) == ("paused", 60, "")
    (url,) = [item for item in told["items"] if item["old_url"]]
    base = "https://kuma.example.org" if kind == "database" else ""
    assert (url["old_url"], url["new_url"]) == (f"{base}/api/push/{'aB3' * 10}", job["ping_url"])
    before = entries(daemon)
    assert came(report("kuma", file)) == {name: "missing" if name == "chat" else "there" for name in items}
    assert entries(daemon) == before
    assert lost(told) == {
        "monitors of the type ping, which pingmon has not": ["Router"],
        "notifications of the type telegram": ["chat"],
        "a timeout of more than 30s, which is the most": ["Shop"],
        "an interval of less than 1m, which is the least": ["Blog"],
        "the keyword": ["Blog"],
    }


def test_a_database_and_a_backup_of_it_are_the_same(daemon: Running, tmp_path: Path) -> None:
    """Whichever comes first."""
    report("kuma", kuma().database(tmp_path / "kuma.db"))
    assert set(came(report("kuma", kuma().backup(tmp_path / "backup.json"))).values()) == {"there", "missing"}


def test_the_report_of_kuma_lists_old_and_new_urls(daemon: Running, tmp_path: Path) -> None:
    """And what has no place here."""
    text = run("kuma", kuma().database(tmp_path / "kuma.db")).stdout
    url = made(daemon)["Nightly job"]["ping_url"]
    assert f"Nightly job  https://kuma.example.org/api/push/{'aB3' * 10}  {url}\n" in text
    assert "Not carried over: 1 maintenance windows." in text
    assert "?status=down is a ping to NEW/fail" in text


def test_a_webhook_sends_what_uptime_kuma_sends(daemon: Running, receiver: Receiver, tmp_path: Path) -> None:
    """In the outline: a receiver that looks at heartbeat.status, monitor.name and msg goes on working."""
    file = Kuma()
    file.notification("hook", **WEBHOOK | {"webhookURL": f"{receiver.url}/hook"})
    file.notification("get", **WEBHOOK | {"webhookURL": f"{receiver.url}/get", "httpMethod": "get"})
    custom = {"webhookURL": f"{receiver.url}/x", "webhookContentType": "custom", "webhookAdditionalHeaders": "[]"}
    file.notification("custom", **WEBHOOK | custom)
    told = report("kuma", file.database(tmp_path / "kuma.db"))
    assert set(lost(told)) == {
        "the parameters msg, heartbeat and monitor of a webhook",
        "the template or form of a webhook",
        "headers of a webhook that are no JSON object",
    }
    hook = made(daemon, "channels")["hook"]
    assert daemon.api("POST", f"channels/{hook['id']}/test", {}).json["delivered"]
    (got,) = receiver.wait(1)
    assert (got.method, got.path, got.headers["x-from"]) == ("POST", "/hook", "kuma")
    assert got.headers["content-type"] == "application/json"
    sent = json.loads(got.body)
    assert sent["heartbeat"]["status"] == 0
    assert sent["monitor"]["name"]
    assert sent["msg"] == sent["heartbeat"]["msg"]
    assert set(came(report("kuma", tmp_path / "kuma.db")).values()) == {"there"}


def test_what_uptime_kuma_does_and_pingmon_does_not(daemon: Running, tmp_path: Path) -> None:
    """Is said, whether the monitor can be here without it or not."""
    file, page = Kuma(), "https://x.example/"
    file.monitor("http", "inverse", url=page, upside_down=1)
    file.monitor("http", "form", url=page, method="POST")
    file.monitor("http", "login", url=page, auth_method="basic", basic_auth_user="me")
    file.monitor("push", "dumb", interval=60)
    file.monitor("http", "broken", url=page, accepted_statuscodes_json="{")
    file.monitor("docker", "box")
    more: dict[str, Any] = {"headers": '{"X": "1"}', "ignore_tls": 1, "proxy_id": 4, "resend_interval": 5}
    more |= {"method": "HEAD", "interval": 60, "timeout": 20}
    file.monitor("json-query", "odd", url=page, accepted_statuscodes_json='["200-299", "401"]', **more)
    file.monitor("real-browser", "n" * 120, url=page)
    told = report("kuma", file.database(tmp_path / "kuma.db"))
    assert came(told) == {"odd": "made", "n" * 100: "made"}
    assert made(daemon, "sites")["odd"]["head_only"] is True
    found = lost(told)
    assert sorted(name for names in found.values() for name in names if name not in ("odd", "n" * 100)) == sorted(
        ["inverse", "form", "login", "dumb", "broken", "box"]
    )
    assert [what for what, names in found.items() if "odd" in names] == [
        "the JSON query",
        "accepted status codes",
        "ignored TLS errors",
        "headers and bodies of requests",
        "proxies",
        "repeated alerts",
    ]


def test_groups_in_groups_and_groups_of_status_pages(daemon: Running, tmp_path: Path) -> None:
    """All are tags; what is in a paused group is paused; a ring of groups ends."""
    file = Kuma()
    outer = file.monitor("group", "Outer", active=0)
    inner = file.monitor("group", "In ner", parent=outer)
    site = file.monitor("http", "Deep", url="https://deep.example/", parent=inner)
    ring = file.monitor("group", "Ring", parent=5)
    file.monitor("group", "Back", parent=ring)
    file.monitor("http", "Dizzy", url="https://dizzy.example/", parent=ring)
    file.add("monitor_group", monitor_id=site, group_id=file.add("group", name="Public", status_page_id=1))
    report("kuma", file.database(tmp_path / "kuma.db"))
    found = made(daemon, "sites")
    assert (found["Deep"]["tags"], found["Deep"]["status"]) == ("Outer In-ner Public", "paused")
    assert set(found["Dizzy"]["tags"].split()) == {"Ring", "Back"}


def test_two_monitors_of_one_page_and_one_that_was_renamed(daemon: Running, tmp_path: Path) -> None:
    """Each is found again, and none is made twice."""
    file, page = Kuma(), "https://x.example/"
    for name in ("first", "second", "second"):
        file.monitor("http", name, url=page)
    path = file.database(tmp_path / "kuma.db")
    report("kuma", path)
    (first,) = [site for site in daemon.api("GET", "sites/").json["sites"] if site["name"] == "first"]
    daemon.api("POST", f"sites/{first['uuid']}", {"name": "ours"})
    told = report("kuma", path)
    assert [item["came"] for item in told["items"]] == ["differs", "there", "there"]
    assert told["items"][0]["differs"] == ["name"]
    assert len(daemon.api("GET", "sites/").json["sites"]) == 3


def test_a_database_that_is_in_use_is_read_whole(daemon: Running, tmp_path: Path) -> None:
    """With what lies in the log beside it; and it is left as it was."""
    path = kuma().database(tmp_path / "kuma.db")
    with closing(sqlite3.connect(path)) as running:
        running.execute("PRAGMA wal_autocheckpoint = 0")
        running.execute("UPDATE monitor SET name = 'Newest' WHERE name = 'Shop'")
        running.commit()
        before = path.read_bytes()
        assert "Newest" in came(report("kuma", path))
        assert path.read_bytes() == before


@pytest.mark.parametrize("text", [b"", b"x", b"{}", b"[]", b'{"monitorList": 5, "notificationList": []}', b"\xff"])
def test_what_is_no_file_of_uptime_kuma(daemon: Running, tmp_path: Path, text: bytes) -> None:
    """Is refused in a line."""
    path = tmp_path / "kuma.db"
    path.write_bytes(text)
    found = run("kuma", path)
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr == f"Error: {path} is neither a database nor a backup of Uptime Kuma\n"


def test_other_databases_and_damaged_ones(daemon: Running, tmp_path: Path) -> None:
    """Are refused in a line."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE x (y)")
    assert "is neither a database nor a backup of Uptime Kuma" in run("kuma", path).stderr
    path.write_bytes(kuma().database(tmp_path / "kuma.db").read_bytes()[:5000])
    assert run("kuma", path).stderr.startswith(f"Error: {path} cannot be read: ")


def test_a_daemon_that_goes_away_leaves_a_report(start: Starter, daemon: Running, hc: Healthchecks) -> None:
    """Of what was done by then; the next run does the rest."""
    hc.checks += [
        PLAIN | {"uuid": str(UUID(int=n)), "name": f"n{n}", "timeout": 60, "channels": ""} for n in range(1, 400)
    ]
    command = [str(BIN / "pingmon"), "import", "healthchecks", hc.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: len(made(daemon)) > 10, "some checks")
        daemon.kill()
        said, error = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "  made: " in said
    assert re.search(r"[0-9]+ of 404 were not done; run this again\.\nError: no answer from ", error)
    start(daemon.data, config=ALLOWED, port=daemon.port)
    told = report("healthchecks", hc.url)
    assert set(came(told).values()) == {"made", "there", "missing"}
    assert len(made(daemon)) == 402
