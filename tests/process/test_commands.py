"""The commands of `pingmon` as clients of a real daemon: by URL and key, and by its data directory."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pingmon.cli.commands import COMMANDS, pingmon
from tests.cli.terminal import Terminal
from tests.process.daemons import Receiver, Running, Starter, until
from tests.process.forked import BIN, ran

pytestmark = pytest.mark.process

ALLOWED = '[outgoing]\nallow = ["127.0.0.0/8"]\n'
"""Receivers and sites on loopback may be reached."""

Pingmon = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the surrounding user says which daemon is meant."""
    for name in [name for name in os.environ if name.startswith("PINGMON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def daemon(start: Starter, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A daemon that the environment names, with the keys of its first run."""
    found = start(config=ALLOWED)
    monkeypatch.setenv("PINGMON_URL", f"http://127.0.0.1:{found.port}")
    monkeypatch.setenv("PINGMON_KEY", found.keys["api_key"])
    monkeypatch.setenv("PINGMON_OPERATOR_KEY", found.keys["operator_key"])
    return found


def run(*arguments: object, input: str | Terminal | None = None) -> Result:
    """`pingmon ARGUMENTS`."""
    return CliRunner().invoke(pingmon, [str(each) for each in arguments], input=input)


def said(*arguments: object, input: str | None = None) -> str:
    """Standard output of a command that went well."""
    found = run(*arguments, input=input)
    assert found.exit_code == 0, found.stderr
    return found.stdout


def told(*arguments: object, input: str | None = None) -> Any:
    """The JSON of a command that went well."""
    return json.loads(said(*arguments, "--json", input=input))


def refused(status: int, *arguments: object, input: str | None = None) -> str:
    """The line of a command that was not done."""
    found = run(*arguments, input=input)
    assert (found.exit_code, found.stdout) == (status, ""), found.output
    assert found.stderr.startswith("Error: ")
    assert found.stderr.count("\n") == 1, found.stderr
    return found.stderr.removeprefix("Error: ").rstrip()


def statuses() -> dict[str, str]:
    return {check["name"]: check["status"] for check in told("check", "list")["checks"]}


# --- checks -------------------------------------------------------------------------------------------------------


def test_the_life_of_a_check(daemon: Running) -> None:
    """From its making to its end, with what people see of it."""
    made = run("check", "add", "Nightly backup", "--schedule", "30 3 * * *", "--tz", "Europe/Riga", "--tags", "prod db")
    url = made.stdout.strip()
    id = url.rpartition("/")[2]
    assert url == f"http://127.0.0.1:{daemon.port}/ping/{id}"
    assert made.stderr.splitlines()[0] == f"check Nightly backup ({id})"
    assert "nobody is told" in made.stderr.splitlines()[1]
    heads, row = said("check", "list").splitlines()
    assert heads.split() == ["ID", "NAME", "SLUG", "STATUS", "EXPECTED", "GRACE", "LAST", "PING", "NEXT", "TAGS"]
    assert re.split("  +", row)[:6] == [
        id[:8],
        "Nightly backup",
        "nightly-backup",
        "new",
        "30 3 * * * Europe/Riga",
        "1h",
    ]
    assert said("check", "ping", "nightly-backup") == f"pinged Nightly backup ({id})\n"
    assert said("check", "ping", id[:8], "--signal", "3", "-m", "disk is full") == f"pinged Nightly backup ({id})\n"
    assert statuses() == {"Nightly backup": "down"}
    shown = said("check", "show", "Nightly backup")
    assert re.search(r"^status +down$", shown, re.MULTILINE)
    assert re.search(r"^last ping +[0-9]+s ago$", shown, re.MULTILINE)
    assert re.search(r"^2 +[0-9]+s ago +fail +3 +- +127.0.0.1$", shown, re.MULTILINE)
    assert said("check", "show", id, "--body").endswith("\nBODY OF PING 2\ndisk is full\n")
    nobody = id[:-4] + ("0000" if id[-4:] != "0000" else "1111")
    assert refused(1, "check", "show", nobody) == f"there is no check {nobody} (pingmon check list shows all)"
    edited = told("check", "edit", id, "--grace", "1h30m", "--timeout", "2d", "--no-manual-resume", "--desc", "")[
        "checks"
    ][0]
    assert (edited["grace"], edited["timeout"]) == (5400, 172_800)
    assert said("check", "pause", id) == f"paused Nightly backup ({id})\n"
    assert said("check", "resume", id) == f"resumed Nightly backup ({id})\n"
    assert told("check", "show", id)["status"] == "new"
    assert run("check", "rm", id, input=Terminal(b"n\n")).exit_code == 1
    assert said("check", "rm", id, "--yes") == f"deleted Nightly backup ({id})\n"
    assert told("check", "list") == {"checks": []}


def test_who_sees_to_an_outage_says_so(daemon: Running, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the login name, unless another is given; what is not down needs nobody."""
    for name in ("ops", "boss"):
        said("channel", "add", "webhook", name, "--webhook", receiver.url)
    parent = told("site", "add", receiver.url, "--name", "shop", "--local-only")["uuid"]
    rules = ["--remind-every", "1h", "--escalation", "10m=boss", "--parent", parent]
    id = told("check", "add", "job", "--channels", "ops", *rules)["uuid"]
    said("check", "add", "other")
    said("check", "ping", "job", "--signal", "1")
    monkeypatch.setenv("LOGNAME", "anna")
    found = run("check", "ack", "job", "other")
    assert (found.exit_code, found.stdout) == (1, f"acknowledged job ({id})\n")
    assert found.stderr == "Error: other: check is not down\n"
    shown = said("check", "show", "job")
    for line in ("acknowledged by +anna", "remind every +1h", "escalation +10m: boss", "parent +shop", "channels +ops"):
        assert re.search(f"^{line}$", shown, re.MULTILINE), shown
    assert "  down, acknowledged  " in said("check", "list", "--status", "down")
    assert refused(1, "site", "ack", "shop", "--by", "bob").startswith("shop: site is not down")
    assert told("check", "ack", id, "--by", "")["checks"][0]["acknowledged"]["by"] == "anna"


def test_what_is_there_is_changed_if_that_is_wanted(daemon: Running) -> None:
    """A script may run twice."""
    first = told("check", "add", "job", "--unique", "slug")
    again = told("check", "add", "job", "--unique", "slug", "--grace", "2h")
    assert (again["uuid"], again["grace"]) == (first["uuid"], 7200)


def test_many_are_named_by_tag_by_status_and_from_standard_input(daemon: Running) -> None:
    """Each once."""
    for name, tags in (("a", "prod"), ("b", "prod db"), ("c", "")):
        told("check", "add", name, "--tags", tags)
    assert [check["name"] for check in told("check", "pause", "--tag", "prod")["checks"]] == ["a", "b"]
    assert said("check", "list", "--status", "paused", "--ids").count("\n") == 2
    assert [check["name"] for check in told("check", "list", "--tag", "prod", "--tag", "db")["checks"]] == ["b"]
    ids = said("check", "list", "--ids")
    assert [check["name"] for check in told("check", "ping", "-", "a", input=f"\n{ids}")["checks"]] == ["a", "b", "c"]
    assert statuses() == {"a": "up", "b": "up", "c": "up"}
    assert said("check", "rm", "--yes", "--status", "up").count("deleted") == 3


def test_if_one_is_not_there_nothing_is_done(daemon: Running) -> None:
    """Nor if it is not clear which one is meant."""
    for slug in ("one", "two"):
        told("check", "add", "twin", "--slug", slug)
    assert refused(1, "check", "pause", "one", "nope") == "there is no check nope (pingmon check list shows all)"
    assert re.fullmatch(
        r"twin names 2 checks; take the id: \S+ \(twin\), \S+ \(twin\)", refused(1, "check", "pause", "twin")
    )
    assert refused(1, "check", "pause", "--tag", "x") == "no check fits, so nothing was done"
    assert statuses() == {"twin": "new"}
    for arguments, line in (
        (["pause"], "which check? Name one or more, or say --tag, --status, or - for names from standard input"),
        (["pause", "one", "--tag", "x"], "name checks, or say --tag and --status; not both"),
        (["edit", "one"], "what shall be changed? --help shows the options"),
        (["edit", "one", "--grace", "soon"], "'soon' is no duration"),
        (["ping", "one", "--signal", "boom"], "write success, start, fail, log, or an exit status"),
    ):
        found = run("check", *arguments)
        assert (found.exit_code, line in found.stderr) == (2, True), found.stderr


def test_what_one_refuses_the_others_do(daemon: Running) -> None:
    """And the exit status says that not all was done."""
    told("check", "add", "a")
    told("check", "add", "b")
    said("check", "pause", "a")
    found = run("check", "resume", "b", "a")
    assert (found.exit_code, found.stdout.split()[:2], found.stderr) == (
        1,
        ["resumed", "a"],
        "Error: b: check is not paused\n",
    )


def test_the_daemons_own_words_say_what_is_wrong(daemon: Running) -> None:
    """Without the API's."""
    assert refused(1, "check", "add", "x", "--schedule", "every day").startswith("schedule is not a valid")
    assert refused(1, "check", "add", "x", "--grace", "5").startswith("grace is too small")
    assert refused(1, "check", "add", "caf\udce9") == "name is not UTF-8"
    assert refused(4, "check", "list", "--key", "hcw_x").startswith("what was given is no api key, which has 32")


def test_a_read_only_key_sees_and_does_nothing(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not even know where pings go."""
    told("check", "add", "job")
    monkeypatch.setenv("PINGMON_KEY", daemon.keys["api_key_readonly"])
    key = told("check", "list")["checks"][0]["unique_key"]
    assert said("check", "show", key[:8]).startswith("name")
    assert refused(4, "check", "pause", "job").startswith("a read-only key may only look: this needs a project's key")
    assert refused(4, "check", "add", "x").startswith("wrong api key: this needs a project's key")


# --- sites, channels, partners ------------------------------------------------------------------------------------


def test_the_life_of_a_site(daemon: Running, receiver: Receiver) -> None:
    """With a probe that somebody asks for."""
    id = said("site", "add", receiver.url, "--name", "shop", "--interval", "5m", "--local-only").strip()
    until(lambda: told("site", "show", "shop")["status"] == "up", "the first probe")
    assert re.split("  +", said("site", "list").splitlines()[1])[:3] == [id[:8], "shop", "up"]
    probed = said("site", "probe", receiver.url)
    assert re.fullmatch(r"shop is up: ok 200 HEAD was answered with 501, so GET was asked, [0-9]+ ms\n", probed)
    assert told("site", "probe", "shop")["look"]["code"] == 200  # it waits until that is allowed again
    shown = said("site", "show", id[:8])
    assert re.search("^interval +5m$", shown, re.MULTILINE)
    assert re.search("^WHEN +WAS +BECAME +WHY$", shown, re.MULTILINE)
    assert said("site", "edit", "shop", "--site-url", f"{receiver.url}/x", "--tags", "a").startswith("changed shop")
    assert said("site", "pause", "--tag", "a").startswith("paused shop")
    assert refused(1, "site", "probe", "shop") == "site is paused"
    assert said("site", "resume", "--status", "paused").startswith("resumed shop")
    assert said("site", "rm", "shop", "--yes").startswith("deleted shop")


def test_the_life_of_a_channel(daemon: Running, receiver: Receiver) -> None:
    """It is made, tried, changed, and tells."""
    secret = said(
        "channel", "add", "webhook", "ops", "--webhook", receiver.url, "--header-down", "X-Who: pingmon"
    ).strip()
    assert secret.startswith("whsec_")
    assert re.fullmatch(r"ops was told: status 200, [0-9]+ ms\n", said("channel", "test", "ops"))
    assert receiver.wait(1)[0].headers["x-who"] == "pingmon"
    url = said("check", "add", "job").strip()
    assert daemon.ask("GET", f"{url.partition(str(daemon.port))[2]}/fail").status == 200
    receiver.wait(2)
    until(lambda: "delivered" in said("channel", "show", "ops"), "the delivery")
    shown = said("channel", "show", "ops")
    assert re.search("^headers down +X-Who: pingmon$", shown, re.MULTILINE)
    assert re.search("^channels +ops$", said("check", "show", "job"), re.MULTILINE)
    assert said("channel", "edit", "ops", "--name", "oncall", "--url-up", "", "--value", '{"method_down": "PUT"}')
    value = told("channel", "show", "oncall")["value"]
    assert (value["url_up"], value["method_down"], value["url_down"]) == ("", "PUT", receiver.url)
    said(
        "channel",
        "edit",
        "oncall",
        "--no-up",
        "--quiet",
        "sat,sun 00:00-24:00",
        "--tz",
        "Europe/Riga",
        "--digest-over",
        "5",
    )
    shown = said("channel", "show", "oncall")
    for line in ("up +no", "quiet +sat,sun 00:00-24:00", "tz +Europe/Riga", "digest over +5"):
        assert re.search(f"^{line}$", shown, re.MULTILINE), shown
    assert not re.search("^down ", shown, re.MULTILINE)
    assert said("channel", "secret", "oncall", "--overlap", "0") != secret
    gone = run("channel", "rm", "oncall", "--yes")
    assert "warning: checks and sites that have no channel now" in gone.stderr
    assert told("channel", "list") == {"channels": []}


def test_secrets_of_a_channel_are_shown_to_who_asks_for_them(daemon: Running) -> None:
    """They come by standard input, and `show` hides them."""
    token = "123:secret-of-a-bot"
    made = run("channel", "add", "telegram", "chat", "--token", "-", "--chat-id", "7", input=token)
    assert made.exit_code == 0, made.stderr
    assert token not in said("channel", "show", "chat")
    assert told("channel", "show", "chat")["value"]["token"] == "…"
    assert told("channel", "show", "chat", "--secrets")["value"]["token"] == token
    edited = told("channel", "edit", "chat", "--thread-id", "3")["value"]
    assert (edited["token"], edited["thread_id"], edited["chat_id"]) == ("…", 3, "7")
    for arguments in (["edit", "chat", "--topic", "x"], ["add", "telegram", "other", "--chat-id", "7"]):
        assert run("channel", *arguments).exit_code == 2


def test_a_channel_that_cannot_be_is_one_clear_line(daemon: Running) -> None:
    """Before it is needed."""
    assert (
        refused(1, "channel", "add", "webhook", "x", "--webhook", "ftp://x") == "url_down is not an http or https URL"
    )
    for arguments in (["--header-down", "oops"], ["--value", "{"]):
        assert run("channel", "add", "webhook", "x", *arguments).exit_code == 2
    told("channel", "add", "webhook", "x", "--url-down", "http://127.0.0.1:9/")
    assert refused(1, "channel", "test", "x").startswith("x was not told: ")
    assert run("channel", "edit", "x").exit_code == 2


def test_the_life_of_a_maintenance_window(daemon: Running) -> None:
    """For checks, sites and tags by their names, or for all; once or again and again."""
    check = told("check", "add", "job")["uuid"]
    site = told("site", "add", "http://127.0.0.1:9/", "--name", "shop")["uuid"]
    id = said("maintenance", "add", "disks", "--for", "2h", "--check", "job", "--site", "shop", "--tag", "db").strip()
    row = re.split("  +", said("maintenance", "list").splitlines()[1])
    assert row[:4] == [id[:8], "disks", "2 named db", "once, 2h"]
    assert re.fullmatch("open, ends in (2h|1h59m)", row[4])
    assert told("maintenance", "show", "disks")["subjects"] == f"{check},{site}"
    assert re.search("^subjects +job\n +shop$", said("maintenance", "show", "disk"), re.MULTILINE)
    assert told("maintenance", "edit", "disks", "--all")["subjects"] == ""
    changed = said("maintenance", "edit", "disks", "--schedule", "0 2 * * 6", "--tz", "Europe/Riga", "--for", "30m")
    assert changed.startswith(f"changed disks ({id}): begins in ")
    row = re.split("  +", said("maintenance", "list").splitlines()[1])
    assert row[1:4] == ["disks", "all", "0 2 * * 6 Europe/Riga, 30m"]
    assert said("maintenance", "edit", "disks", "--start", "2026-01-01", "--end", "1h").endswith(": over\n")
    for arguments in (
        ["add"],
        ["add", "--schedule", "@daily"],
        ["edit", "disks"],
        ["add", "--for", "1h", "--end", "1h"],
    ):
        assert run("maintenance", *arguments).exit_code == 2, arguments
    assert refused(1, "maintenance", "add", "--for", "1h", "--check", "nope").startswith("there is no check nope")
    assert said("maintenance", "rm", "disks", "--yes") == f"deleted disks ({id})\n"
    assert told("maintenance", "list") == {"maintenance": []}


def test_the_life_of_a_partner(daemon: Running) -> None:
    """It is the operator's."""
    made = ["hoster", "--webhook", "https://hoster.example/ask", "--rule", "cname=hoster.example"]
    assert said("partner", "add", *made).startswith("whsec_")
    assert re.split("  +", said("partner", "list").splitlines()[1])[1:5] == [
        "hoster",
        "-",
        "https://hoster.example/ask",
        "1",
    ]
    edited = told(
        "partner", "edit", "hoster", "--max-suppression", "2h", "--rule", "asn=64500", "--rule", "ns=x.example"
    )
    assert (edited["partners"][0]["max_suppression"], len(edited["partners"][0]["rules"])) == (7200, 2)
    assert re.search("^rules +asn=64500\n +ns=x.example$", said("partner", "show", "hoster"), re.MULTILINE)
    assert run("partner", "edit", "hoster", "--rule", "oops").exit_code == 2
    assert said("partner", "rm", "hoster", "--yes").startswith("deleted hoster")


# --- why ----------------------------------------------------------------------------------------------------------


def test_somebody_asks_why(daemon: Running, receiver: Receiver) -> None:
    """Of a check or a site; in sentences, with the entries that they rest on."""
    made = told("check", "add", "job", "--channels", "")
    said("check", "ping", "job", "--signal", "3")
    first, *others = said("check", "explain", "job").splitlines()
    assert re.fullmatch(r"It is down since .* UTC.*\.", first)
    assert others
    entries = said("check", "explain", "job", "--entries").splitlines()[0]
    assert re.fullmatch(re.escape(first) + r" \[[0-9, ]+\]", entries)
    assert told("check", "explain", "job")["uuid"] == made["uuid"]
    assert refused(1, "check", "explain", "job", "--at", "2020-01-01").startswith("at must not be before the check was")
    said("site", "add", receiver.url, "--name", "shop")
    assert said("site", "explain", "shop").startswith("It ")


def test_settings_are_rehearsed(daemon: Running) -> None:
    """And not saved."""
    told("check", "add", "job")
    said("check", "ping", "job", "-m", "all good")
    tried = ["check", "rehearse", "job", "--filter-http-body", "--failure-kw", "good"]
    text, _, heads, alert = said(*tried).splitlines()
    assert re.fullmatch("with this you would have had 1 alert .*; with today's settings 0", text)
    assert re.fullmatch("WENT DOWN +FOR +WHY", heads)
    assert " still " in alert
    assert told(*tried, "--days", "2")["changed"]["count"] == 1
    assert said("check", "rehearse", "job", "--grace", "2h").count("\n") == 1
    assert told("check", "show", "job")["failure_kw"] == ""
    assert run("check", "rehearse", "job").exit_code == 2
    assert run("check", "rehearse", "job", "--name", "other").exit_code == 2  # it could change no alert
    assert run("check", "rehearse", "job", "--remind-every", "1h").exit_code == 2  # nor this


# --- the daemon ---------------------------------------------------------------------------------------------------


def test_the_operator_works_from_elsewhere(daemon: Running) -> None:
    """Projects and keys, with the operator's key."""
    made = run("project", "create", "Office")
    assert made.stderr == f"project Office ({made.stdout.strip()})\n"
    key = said("key", "create", "--project", "Offi", "--name", "laptop").strip()
    assert told("check", "add", "job", "--key", key)["name"] == "job"
    assert told("check", "list") == {"checks": []}
    assert said("key", "revoke", "laptop", "--yes").startswith("revoked hcw_")
    assert refused(4, "check", "list", "--key", key).startswith("wrong api key")
    assert refused(4, "key", "list", "--key", daemon.keys["api_key"]).startswith(
        "wrong api key: this needs the operator's"
    )


def test_the_operator_moves_things(daemon: Running) -> None:
    """Defaults for first pings, checks from project to project, projects out of the world."""
    assert (
        said("project", "defaults")
        == said("project", "defaults", "My project")
        == "every day, an hour of grace, all channels\n"
    )
    said("project", "defaults", "My project", "--timeout", "10m", "--tags", "cron")
    changed = told("project", "defaults", "My project", "--schedule", "5 * * * *")["defaults"]
    assert (changed["tags"], changed["schedule"]) == ("cron", "5 * * * *")
    assert daemon.ping("job", "?create=1").status == 201
    check = told("check", "show", "job")
    assert (check["schedule"], check["tags"]) == ("5 * * * *", "cron")
    assert told("project", "defaults", "My project", "--reset")["defaults"] == {}
    said("project", "create", "Office")
    assert said("project", "take-check", "Office", check["uuid"]) == "moved job to Office\n"
    assert told("check", "list") == {"checks": []}
    assert run("project", "rm", "Office", input=Terminal(b"n\n")).exit_code == 1
    assert said("project", "rm", "Office", "--yes").startswith("deleted Office (")
    assert daemon.ask("GET", f"/ping/{check['uuid']}").status == 404


def test_a_project_says_how_its_outages_are_told(daemon: Running, receiver: Receiver) -> None:
    """What is not given stays."""
    id = told("channel", "add", "webhook", "boss", "--webhook", receiver.url)["id"]
    assert said("project", "edit", "My project", "--escalation", "10m=boss").startswith("changed My project (")
    changed = told("project", "edit", "My project", "--remind-every", "1h30m", "--name", "Ours")
    assert (changed["remind_every"], changed["escalation"]) == (5400, [{"after": 600, "channels": id}])
    assert refused(1, "project", "edit", "Ours", "--remind-every", "5s") == "remind_every is too small"
    assert run("project", "edit", "Ours").exit_code == 2


def test_a_key_is_replaced(daemon: Running) -> None:
    """The old one opens for a while, if that is wanted."""
    old = daemon.keys["api_key"]
    new = said("key", "rotate", old).strip()
    for key in (old, new):
        assert told("check", "list", "--key", key) == {"checks": []}
    api = f"http://127.0.0.1:{daemon.port}/api/v3/"
    assert told("check", "list", "--key", new, "--url", api) == {"checks": []}  # the API's own address does as well
    newer = said("key", "rotate", new[:8], "--overlap", "0").strip()
    assert refused(4, "check", "list", "--key", new).startswith("wrong api key")
    assert told("check", "list", "--key", newer) == {"checks": []}


def test_the_status_says_whether_all_is_well(daemon: Running) -> None:
    """Of the daemon, and of what it watches."""
    told("check", "add", "job")
    assert re.fullmatch(r"pingmon \S+ +is well\nchecks +1 new\nsites +none\n", said("status"))
    assert told("status")["checks"] == {"new": 1}


def test_whether_all_is_well_anybody_may_ask(
    daemon: Running, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key; a wrong one is refused all the same."""
    monkeypatch.delenv("PINGMON_KEY")
    for where in ([], ["--url", f"http://127.0.0.1:{daemon.port}"]):
        assert said("status", *where) == "pingmon  is well\n"
        assert told("status", *where) == {"problems": []}
    assert refused(4, "status", "--key", "hcw_" + "x" * 28).startswith("wrong api key")
    receiver.answer = lambda request: (503, b'{"problems": ["the disk is full"]}')
    found = run("status", "--url", receiver.url)
    assert (found.exit_code, found.stdout) == (1, "pingmon  the disk is full\n")


def test_the_daemons_owner_needs_no_key(start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the data directory, running or stopped; of several projects one must be named."""
    daemon = start(tmp_path / "pingmon-data")
    made = told("check", "add", "job")
    assert made["ping_url"] == f"http://127.0.0.1:{daemon.port}/ping/{made['uuid']}"
    assert said("check", "ping", "job", "--data", daemon.data).startswith("pinged job")
    assert told("check", "show", "job")["status"] == "up"
    said("project", "create", "Office")
    assert refused(1, "check", "list").startswith("which project? Say --project; there are several: ")
    assert told("check", "list", "--project", "Office") == {"checks": []}
    told("check", "add", "desk", "--project", "Office")
    assert told("status")["checks"] == {"up": 1, "new": 1}  # of all projects
    assert told("status", "--project", "Office")["checks"] == {"new": 1}
    daemon.stop()
    mine = ["--project", "My project"]
    assert "job" in ran("pingmon", "check", "list", *mine, cwd=tmp_path).stdout
    found = ran("pingmon", "check", "ping", "job", *mine, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (3, "Error: the daemon is stopped, so it takes no pings\n")
    for command in ("status", "watch"):  # not well, and not locked for a daemon that would start
        found = ran("pingmon", command, *mine, cwd=tmp_path)
        assert (found.returncode, found.stderr) == (3, "Error: the daemon is stopped, so nothing is watched\n")
    site = ran("pingmon", "site", "add", "http://example.org", *mine, cwd=tmp_path).stdout.strip()
    found = ran("pingmon", "site", "probe", site, *mine, cwd=tmp_path)
    assert (found.returncode, "only one that runs probes sites" in found.stderr) == (3, True)


# --- when something is wrong --------------------------------------------------------------------------------------


def test_who_is_asked_must_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line says what to set."""
    line = "which key? Set PINGMON_KEY or --key; or name the data directory of a daemon on this machine: --data"
    assert refused(4, "check", "list") == line
    assert refused(4, "check", "list", "--url", "http://x") == "which key? Set PINGMON_KEY or --key"
    assert refused(4, "key", "list", "--url", "http://x") == "which key? Set PINGMON_OPERATOR_KEY or --key"
    assert "is no http or https URL" in run("check", "list", "--url", "x:y", "--key", "k").stderr
    assert "characters that no key has" in run("check", "list", "--key", "kéy").stderr
    assert "a key belongs to one project" in run("check", "list", "--key", "k", "--project", "x").stderr
    assert "needs neither --url nor --key" in run("check", "list", "--data", ".", "--key", "k").stderr
    monkeypatch.setenv("PINGMON_CONFIG", str(tmp_path / "nowhere.toml"))
    assert "PINGMON_CONFIG names it" in refused(1, "check", "list")


def test_a_daemon_that_does_not_answer_is_3(receiver: Receiver) -> None:
    """A script may try again; so may it when the daemon is busy or its disk is full."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for command in (["check", "list"], ["status"]):
            assert "does pingmon run there?" in refused(3, *command, "--url", url, "--key", "k")
    there = ["check", "list", "--url", receiver.url, "--key", "k"]
    for status, body, exit_status, line in (
        (
            503,
            b'{"error": "try again"}',
            3,
            "the daemon cannot do it now (try again); try again, or see pingmon status",
        ),
        (500, b"oops", 3, "the daemon answered 500 without a reason; its log may say why"),
        (200, b"<html>", 1, "the daemon answered 200 without a reason: this is no pingmon, or --url is not right"),
        (401, b'{"error": "wrong api key"}', 4, "wrong api key: this needs a project's key (--key, PINGMON_KEY)"),
    ):
        receiver.answer = lambda request, status=status, body=body: (status, body)  # type: ignore[misc]
        assert refused(exit_status, *there) == line
    receiver.answer = lambda request: (200, b"<html>")
    assert "this is no pingmon" in refused(3, "status", *there[2:])


def test_who_is_told_to_come_back_later_does(receiver: Receiver) -> None:
    """So a script that makes thousands of checks need not know of limits."""
    receiver.answer = lambda request: (429, b'{"error": "x"}') if len(receiver.got) < 1 else (200, b'{"checks": []}')
    assert told("check", "list", "--url", f"{receiver.url}/below/", "--key", "k") == {"checks": []}
    assert [request.path for request in receiver.got] == ["/below/api/v3/checks/"] * 2


# --- watching -----------------------------------------------------------------------------------------------------


def test_what_happens_is_seen(daemon: Running) -> None:
    """In the order in which it happened, with why."""
    told("check", "add", "old")
    watch = [str(BIN / "pingmon"), "watch", "--interval", "1", "--pings", "--json"]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        asked = until(lambda: begun(watching), "the watching to begin")
        said("check", "ping", "old", "--signal", "fail")
        said("check", "ping", "old")
        events = [asked, *(json.loads(watching.stdout.readline()) for _ in range(4))]
        for command in ("pause", "resume"):
            said("check", command, "old")
        events += [json.loads(watching.stdout.readline()) for _ in range(2)]
        said("check", "rm", "old", "--yes")
        events.append(json.loads(watching.stdout.readline()))
        watching.send_signal(signal.SIGINT)
        assert (watching.wait(20), watching.stderr.read() if watching.stderr else "") == (0, "")
    found = [(event["name"], event["event"]) for event in events]
    assert found[0] == ("new", "made")
    assert sorted(found[1:5]) == sorted([("old", "fail"), ("old", "success"), ("old", "down"), ("old", "up")])
    assert [event for _, event in found if event in ("down", "up")] == ["down", "up"]
    assert [event["why"] for event in events if "why" in event] == ["the job reported a failure"]
    assert found[5:] == [("old", "paused"), ("old", "new"), ("old", "deleted")]


def begun(watching: subprocess.Popen[str]) -> Any:
    """The first line, once checks that are made are seen; makes one after the other until then."""
    assert watching.stdout is not None
    told("check", "add", "new")
    ready, _, _ = select.select([watching.stdout], [], [], 1.5)
    return json.loads(watching.stdout.readline()) if ready else None


# --- for people and shells ----------------------------------------------------------------------------------------


def test_people_at_a_terminal_see_colours(daemon: Running) -> None:
    """And nothing is folded or coloured for programs."""
    told("check", "add", "job")
    main_end, terminal = os.openpty()
    command = [str(BIN / "pingmon"), "check", "list"]
    subprocess.run(
        command, stdout=terminal, stdin=subprocess.DEVNULL, timeout=60, check=True, env=os.environ | {"TERM": "xterm"}
    )
    os.close(terminal)
    shown = os.read(main_end, 65_536).decode()
    os.close(main_end)
    assert "\x1b[" in shown
    assert "\x1b[" not in said("check", "list")
    assert "\x1b[" not in said("check", "show", "job")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_commands(shell: str) -> None:
    """With a script that asks the command."""
    script = said("completion", shell)
    assert f"_PINGMON_COMPLETE={shell}_complete" in script


def test_completion_knows_the_commands() -> None:
    """As bash asks."""
    environ = os.environ | {"_PINGMON_COMPLETE": "bash_complete", "COMP_WORDS": "pingmon check ", "COMP_CWORD": "2"}
    asked = subprocess.run([BIN / "pingmon"], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert "plain,pause" in asked.stdout.splitlines()


def test_each_command_has_a_help_that_can_be_read() -> None:
    """All options say what they are for."""
    for name in COMMANDS:
        command: Any = pingmon.get_command(None, name)  # type: ignore[arg-type]
        for each in [command, *getattr(command, "commands", {}).values()]:
            assert each.help, f"{name} {each.name}"
            for param in each.params:
                assert param.param_type_name == "argument" or param.help, f"{name} {each.name} {param.name}"


def test_who_only_looks_pays_for_no_daemon() -> None:
    """Commands that ask a daemon elsewhere load neither Twisted nor, if nobody looks at a table, rich."""
    script = (
        "import sys; sys.argv = ['pingmon', 'check', 'list', '--key', 'k', '--url', 'http://127.0.0.1:9']\n"
        "from pingmon.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    asked = subprocess.run([BIN / "python", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert not {"twisted", "rich", "klein"} & set(re.findall(r"\w+", asked.stdout)), asked.stdout
