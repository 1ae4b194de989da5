"""A project as a file, and checks for the jobs that a machine has: `pingmon apply`, `export` and `crontab`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pingmon.cli.commands import pingmon
from tests.cli.terminal import Terminal
from tests.process.daemons import Running, Starter, until
from tests.process.forked import BIN

pytestmark = pytest.mark.process

SHOP = """
[channels.ops]
url_down = "env:OPS_URL"
method_down = "POST"
headers_down = { Authorization = "env:OPS_TOKEN" }

[sites.shop]
url = "http://127.0.0.1:9/"
interval = "10m"
tags = "prod"

[checks.nightly-backup]
name = "Nightly backup"
schedule = "30 3 * * *"
tz = "Europe/Riga"
grace = "30m"
channels = ["ops"]

[checks.sync]
timeout = "10m"
"""
RULES = """
[channels.ops]
url_down = "http://127.0.0.1:9/"

[channels.boss]
url_down = "http://127.0.0.1:9/"

[sites.shop]
url = "http://127.0.0.1:9/"
remind_every = "0s"

[checks.api]
parent = "sites.shop"
notify_after = 3
remind_every = "1h"
escalation = [{ after = "10m", channels = ["boss"] }]
channels = ["ops"]

[maintenance.updates]
subjects = ["checks.api", "sites.shop"]
schedule = "0 2 * * 6"
tz = "Europe/Riga"
duration = "30m"

[maintenance.move]
start = 2026-12-01T22:00:00+02:00
end = 2026-12-02T04:00:00+02:00
"""


@pytest.fixture
def daemon(start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Running:
    """A daemon that the environment names; what the surrounding user has set is not seen."""
    for name in [name for name in os.environ if name.startswith("PINGMON_")]:
        monkeypatch.delenv(name)
    found = start(config='[outgoing]\nallow = ["127.0.0.0/8"]\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PINGMON_URL", f"http://127.0.0.1:{found.port}")
    monkeypatch.setenv("PINGMON_KEY", found.keys["api_key"])
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("OPS_URL", "http://127.0.0.1:9/s3cret")
    monkeypatch.setenv("OPS_TOKEN", "Bearer t0ken")
    monkeypatch.chdir(tmp_path)
    return found


def run(*arguments: object, input: str | Terminal | None = None) -> Result:
    """`pingmon ARGUMENTS`."""
    return CliRunner().invoke(pingmon, [str(each) for each in arguments], input=input)


def said(*arguments: object, input: str | Terminal | None = None) -> str:
    """Standard output of a command that went well."""
    found = run(*arguments, input=input)
    assert found.exit_code == 0, found.stderr
    return found.stdout


def applied(text: str, *options: str) -> str:
    """What `pingmon apply` says of a file that can be applied."""
    Path("project.toml").write_text(text, "utf-8")
    return said("apply", "project.toml", *options)


def checks(daemon: Running) -> dict[str, dict[str, Any]]:
    return {check["slug"]: check for check in daemon.api("GET", "checks/").json["checks"]}


# --- apply and export ---------------------------------------------------------------------------------------------


def test_a_file_says_what_a_project_has(daemon: Running) -> None:
    """What will be is shown, it is so after a yes, and then nothing is left to do. No secret is shown or exported."""
    Path("shop.toml").write_text(SHOP)
    asked = run("apply", "shop.toml", input=Terminal(b"n\n"))
    assert asked.exit_code == 1
    assert "+ check nightly-backup\n    name          Nightly backup\n" in asked.stdout
    assert checks(daemon) == {}
    shown = said("apply", "shop.toml", input=Terminal(b"y\n"))
    assert shown.splitlines()[-5:] == [
        "4 to add, 0 to change, 0 to remove; 0 stay.",
        "added channel ops",
        "added site shop",
        "added check nightly-backup",
        "added check sync",
    ]
    (channel,) = daemon.api("GET", "channels/").json["channels"]
    value = daemon.api("GET", f"channels/{channel['id']}").json["value"]
    assert value["url_down"] == "http://127.0.0.1:9/s3cret"
    assert value["headers_down"] == {"Authorization": "Bearer t0ken"}
    backup = checks(daemon)["nightly-backup"]
    assert [backup[name] for name in ("name", "schedule", "tz", "grace", "channels")] == [
        "Nightly backup",
        "30 3 * * *",
        "Europe/Riga",
        1800,
        channel["id"],
    ]
    assert said("apply", "shop.toml") == "Nothing changes: 4 as the file says.\n"
    exported = said("export")
    assert "s3cret" not in shown + exported
    assert "t0ken" not in shown + exported
    for text in (exported, said("export", "--secrets")):
        assert applied(text) == "Nothing changes: 4 as the file says.\n"
    assert said("export") == exported


def test_a_file_says_how_outages_are_told(daemon: Running) -> None:
    """Who is told later, what depends on what, and when nobody is told; what is left out is as the project has it."""
    shown = applied(RULES, "--yes")
    assert "+ check api\n" in shown
    for line in (
        "    escalation    10m: boss\n",
        "    parent        sites.shop\n",
        "    subjects      checks.api, sites.shop\n",
    ):
        assert line in shown
    assert applied(RULES) == "Nothing changes: 6 as the file says.\n"
    exported = said("export", "--secrets")
    assert 'escalation = [{ after = "10m", channels = ["boss"] }]\n' in exported
    assert applied(exported) == "Nothing changes: 6 as the file says.\n"
    site = daemon.api("GET", "sites/").json["sites"][0]
    assert (checks(daemon)["api"]["parent"], site["remind_every"]) == (site["uuid"], 0)
    window = daemon.api("GET", "maintenance/").json["maintenance"][0]
    assert set(window["subjects"].split(",")) == {site["uuid"], checks(daemon)["api"]["uuid"]}
    bare = RULES.replace('escalation = [{ after = "10m", channels = ["boss"] }]\n', "").replace(
        'remind_every = "1h"\n', ""
    )
    assert "    remind_every  1h → -\n    escalation    10m: boss → -\n" in applied(bare, "--yes")
    assert (checks(daemon)["api"]["remind_every"], checks(daemon)["api"]["escalation"]) == (None, None)
    assert "removed maintenance updates" in applied(bare.partition("[maintenance")[0], "--yes", "--prune")


def test_a_file_that_changes_changes_the_project_field_by_field(daemon: Running) -> None:
    """What is not in the file stays, unless --prune says that it goes."""
    applied(SHOP, "--yes")
    daemon.ping("stray", "?create=1")
    shown = applied(
        SHOP.replace('grace = "30m"', 'grace = "1h30m"').replace("[checks.sync]", "[checks.sync2]"), "--yes"
    )
    assert "~ check nightly-backup\n    grace         30m → 1h30m\n+ check sync2\n" in shown
    assert "Not in the file, and left alone: check sync, check stray (--prune" in shown
    assert checks(daemon).keys() == {"nightly-backup", "stray", "sync", "sync2"}
    shown = applied(SHOP, "--yes", "--prune")
    assert shown.splitlines()[-3:] == ["changed check nightly-backup", "removed check stray", "removed check sync2"]
    assert checks(daemon).keys() == {"nightly-backup", "sync"}


def test_all_that_is_wrong_is_told_before_anything_is_done(daemon: Running) -> None:
    """By table, with why."""
    Path("bad.toml").write_text(
        SHOP.replace("OPS_TOKEN", "NOBODY_SET_THIS").replace("30 3 * * *", "0 30 3 * * *").replace("10m", "1s")
        + 'channels = ["pager"]\nfoo = 1\n'
    )
    found = run("apply", "bad.toml", "--yes")
    assert found.exit_code == 1
    assert [line.partition("]")[0] for line in found.stderr.splitlines()] == [
        "[channels.ops",
        "[checks.sync",
        "[sites.shop",
        "[checks.nightly-backup",
        "Error: bad.toml has 4 faults, and nothing was changed",
    ]
    assert said("export") == ""


def test_a_file_that_fails_in_the_middle_goes_on_the_next_time(daemon: Running, start: Starter) -> None:
    """It is told what was done and what was not, and nothing is done twice."""
    Path("shop.toml").write_text(SHOP.replace("[sites.shop]", '[sites.shop]\nhost = "nobody"'))
    found = run("apply", "shop.toml", "--yes")
    assert found.exit_code == 1
    assert found.stdout.endswith("added channel ops\n")
    assert found.stderr == (
        "warning: channel ops: there is no url_up: nothing is sent when something comes back\n"
        "Error: site shop was not added: host is no partner's slug: nobody; "
        "1 of 4 changes are done; the same command goes on with the rest\n"
    )
    assert "3 to add, 0 to change, 0 to remove; 1 stay.\n" in applied(SHOP, "--yes")


def test_standard_input_and_programs(daemon: Running) -> None:
    """From a pipe nobody can be asked; with --json what is done is told as data, and secrets are not."""
    assert run("apply", "-", input=SHOP).exit_code == 2
    found = run("apply", "-", "--dry-run", "--json", input=SHOP)
    assert found.exit_code == 0, found.stderr
    assert "s3cret" not in found.stdout
    answer = json.loads(found.stdout)
    assert answer["applied"] is False
    assert answer["changes"][1] == {
        "do": "add",
        "kind": "site",
        "name": "shop",
        "fields": {
            "url": [None, "http://127.0.0.1:9/"],
            "interval": [None, 600],
            "tags": [None, "prod"],
            "channels": [None, ["ops"]],
        },
    }
    assert run("apply", "-", "--yes", "--prune", input="").exit_code == 1
    Path("latin").write_bytes(b"# \xe9")
    assert run("apply", "latin").stderr == "Error: latin is not UTF-8\n"
    assert said("apply", "-", "--yes", input=SHOP).endswith("added check sync\n")


# --- crontab ------------------------------------------------------------------------------------------------------

CRONTAB = """\
# m h dom mon dow command
MAILTO=ops@example.org
# Dump of all tables
30 3 * * * {bin}/dump '50\\%' >/dev/null%secret
@hourly cd / && {bin}/dump | cat
@reboot {bin}/dump
"""


def test_a_crontab_gets_pings(daemon: Running, tmp_path: Path) -> None:
    """Its jobs have checks; its lines, run as cron runs them, ping these; and what is watched is left alone."""
    dump = tmp_path / "dump"
    dump.write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/ran; cat >> {tmp_path}/ran; exit 3\n")
    dump.chmod(0o755)
    Path("tab").write_text(CRONTAB.replace("{bin}", str(tmp_path)))
    told = run("crontab", "tab", "--host", "web1", "--tz", "Europe/Riga", "--create", "--write", "new")
    assert told.exit_code == 0, told.stderr
    assert told.stderr.splitlines() == [
        "line 4  web1-dump: 30 3 * * * Europe/Riga",
        "line 5  web1-dump-2: 0 * * * * Europe/Riga",
        "line 6  left alone: no clock says when @reboot is",
        "Checks made: 2, there already: 0.",
        "Look at the lines, then install them.",
    ]
    found = checks(daemon)
    assert found["web1-dump"]["desc"] == "Dump of all tables"
    daemon.api("POST", f"checks/{found['web1-dump']['uuid']}", {"grace": 60})
    repeated = run("crontab", "tab", "--host", "web1", "--tz", "Europe/Riga", "--create")
    assert "Checks made: 0, there already: 2.\n" in repeated.stderr
    assert repeated.stdout == Path("new").read_text()
    assert checks(daemon)["web1-dump"]["grace"] == 60
    assert run("crontab", "tab", "--create", "--key", daemon.keys["api_key_readonly"]).exit_code == 4
    old, new = Path("tab").read_text().split("\n"), Path("new").read_text().split("\n")
    assert [number for number, pair in enumerate(zip(old, new, strict=True), 1) if pair[0] != pair[1]] == [4, 5]
    for line, fields in ((new[3], 5), (new[4], 1)):
        command, _, given = line.split(" ", fields)[fields].replace("\\%", "\0").partition("%")
        environ = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path)}
        subprocess.run(
            ["sh", "-c", command.replace("\0", "%")], input=given.encode(), env=environ, timeout=30, check=False
        )
    assert (tmp_path / "ran").read_text() == "50%\nsecret\n"
    until(lambda: checks(daemon)["web1-dump"]["status"] == "down", "the exit status of the job to be told")
    assert checks(daemon)["web1-dump-2"]["status"] == "up"
    again = run("crontab", "new", "--host", "web1", "--create")
    assert again.stdout == Path("new").read_text()
    more = said("crontab", "-", "--host", "web1", "--create", "--tz", "Europe/Riga", input="5 5 * * * dump\n")
    assert checks(daemon)["web1-dump-3"]["ping_url"] in more
    assert "Nothing to do." in again.stderr
    assert checks(daemon).keys() == {"web1-dump", "web1-dump-2", "web1-dump-3"}


def test_a_crontab_is_never_changed_in_place(daemon: Running) -> None:
    """Even if one asks for it; and without --create the daemon is not asked for anything."""
    Path("tab").write_text("* * * * * sync /\n")
    assert run("crontab", "tab", "--write", "tab").exit_code == 2
    assert said("crontab", "tab", "--host", "", "--checks", "checks.toml", "--tz", "UTC").endswith(
        "/pingmon run sync sync /\n"
    )
    assert Path("tab").read_text() == "* * * * * sync /\n"
    assert checks(daemon) == {}
    assert "added check sync" in said("apply", "checks.toml", "--yes")


def test_the_own_crontab_is_read_if_no_file_is_named(
    daemon: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `crontab -l` shows it. Lines with curl need a ping key, or checks that are made."""
    command = tmp_path / "crontab"
    command.write_text("#!/bin/sh\necho CRON_TZ=Europe/Riga; echo '@daily /bin/dump --all # all'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    refused = run("crontab", "--with", "curl", "--host", "web1")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "set PINGMON_PING_KEY, or let --create make the checks" in refused.stderr
    monkeypatch.setenv("PINGMON_PING_KEY", daemon.keys["ping_key"])
    url = f"http://127.0.0.1:{daemon.port}/ping/{daemon.keys['ping_key']}/web1-dump"
    curl = f"curl -fsS -m 10 --retry 5 -o /dev/null {url}/$?"
    line = f"@daily sh -c '/bin/dump --all # all'; {curl}\n"
    found = run("crontab", "--with", "curl", "--host", "web1")
    assert found.stdout == f"CRON_TZ=Europe/Riga\n{line}"
    assert "line 2  web1-dump: 0 0 * * * Europe/Riga\n" in found.stderr
    command.write_text("#!/bin/sh\necho no crontab for root >&2; exit 1\n")
    assert run("crontab").stderr == "Error: crontab -l: no crontab for root; name a file, or - for standard input\n"


def test_timers_get_drop_ins(daemon: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As unit files, or as systemd tells of them."""
    Path("backup.timer").write_text("[Timer]\nOnCalendar=Mon..Fri 03:30\nRandomizedDelaySec=30min\n")
    Path("backup.service").write_text("[Unit]\nDescription=Backup\n[Service]\nExecStart=/bin/backup --full\n")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text('#!/bin/sh\n[ "$1" = cat ] && exec cat "$3"\necho \'[{"unit": "backup.timer"}]\'\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    told = run("crontab", "backup.timer", "--host", "web1", "--create", "--tz", "UTC")
    assert told.exit_code == 0, told.stderr
    found = checks(daemon)["web1-backup"]
    assert [found[name] for name in ("schedule", "tz", "grace", "desc")] == ["Mon..Fri 03:30", "UTC", 5400, "Backup"]
    head, section, reset, command = told.stdout.splitlines()
    assert (head, section, reset) == ("# /etc/systemd/system/backup.service.d/pingmon.conf", "[Service]", "ExecStart=")
    assert command.endswith(f"/pingmon run {found['ping_url']} /bin/backup --full")
    assert said("crontab", "--systemd", "--host", "web1", "--create", "--tz", "UTC") == told.stdout
    assert "has no timer nobody.timer" in run("crontab", "--systemd", "nobody.timer").stderr
    curl = said("crontab", "--systemd", "backup.timer", "--host", "web1", "--create", "--with", "curl")
    assert "ExecStopPost=-/bin/sh -c 'case " in curl
    assert f"{found['ping_url']}/$$s'" in curl
