"""`pingmon run` beside a real daemon, and beside servers that fail."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pingmon.cli.job_pings import BadTarget, JobPings, ping_url, target_of
from tests.process.daemons import Received, Receiver, Starter, until
from tests.process.forked import BIN

pytestmark = pytest.mark.process

CHECK = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the surrounding user says where pings go."""
    for name in [name for name in os.environ if name.startswith("PINGMON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def started(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [str(BIN / "pingmon"), "run", *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, **more)


def run(*arguments: str, **more: Any) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `pingmon run ARGUMENTS`."""
    process = started(*arguments, **more)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def signals(receiver: Receiver) -> list[str]:
    return [request.path.partition("?")[0].rpartition("/")[2] for request in receiver.got]


# --- with a daemon ------------------------------------------------------------------------------------------------


def test_a_job_is_told_from_start_to_end(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    """By key and slug, of a check that its first run makes; then by UUID. Runs are paired, bodies kept."""
    daemon = start()
    url = f"http://127.0.0.1:{daemon.port}"
    monkeypatch.setenv("PINGMON_URL", url)
    monkeypatch.setenv("PINGMON_PING_KEY", daemon.keys["ping_key"])
    assert run("--create", "backup", "--", "sh", "-c", "echo saved") == (0, "saved\n", "")
    (check,) = daemon.api("GET", "checks/").json["checks"]
    assert (check["slug"], check["status"]) == ("backup", "up")
    assert run(check["uuid"], "sh", "-c", "echo broken >&2; exit 3") == (3, "", "broken\n")
    pings = daemon.api("GET", f"checks/{check['uuid']}/pings/").json["pings"]
    assert [ping["type"] for ping in pings] == ["fail", "start", "success", "start"]
    assert [ping["exitstatus"] for ping in pings] == [3, None, 0, None]
    assert pings[0]["rid"] == pings[1]["rid"] != pings[2]["rid"] == pings[3]["rid"]
    assert pings[0]["duration"] < 30
    assert (
        daemon.ask("GET", pings[0]["body_url"].removeprefix(url), headers={"X-Api-Key": daemon.keys["api_key"]}).body
        == b"broken\n"
    )
    assert daemon.api("GET", "checks/backup").status == 404
    assert run(check["ping_url"], "true")[0] == 0
    assert daemon.api("GET", f"checks/{check['uuid']}").json["status"] == "up"


def test_a_restart_of_the_daemon_costs_no_ping(start: Starter) -> None:
    """What ends meanwhile is told a little later."""
    daemon = start()
    made = daemon.api("POST", "checks/", {"name": "job"}).json
    daemon.stop()
    process = started(made["ping_url"], "true")
    until(lambda: process.poll() is None, "the command to start")
    again = start(daemon.data, port=daemon.port)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert again.api("GET", f"checks/{made['uuid']}").json["status"] == "up"


# --- with servers that fail ---------------------------------------------------------------------------------------


def test_a_server_that_is_down_does_not_keep_a_job_from_running() -> None:
    """Nor does it hold its exit for long. One line says that nobody was told."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        began = time.monotonic()
        status, out, err = run(
            "--retry-for", "2", f"http://127.0.0.1:{taken.getsockname()[1]}/ping/{CHECK}", "echo", "x"
        )
        assert (status, out) == (0, "x\n")
        assert re.fullmatch("pingmon run: pingmon was not told of this job: 127.0.0.1: .*refused\n", err)
        assert time.monotonic() - began < 15


def test_a_server_that_does_not_answer_does_not_hold_a_job(tmp_path: Path) -> None:
    """Neither its start, nor, for longer than was said, its end."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/ping/{CHECK}"
        process = started("--retry-for", "1", url, "touch", str(tmp_path / "done"))
        until((tmp_path / "done").exists, "the job to run")
        _, err = process.communicate(timeout=15)
    assert process.returncode == 0
    said = "pingmon run: pingmon was not told of this job: (127.0.0.1: timed out|no answer within 1 s)\n"
    assert re.fullmatch(said, err)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(receiver: Receiver, status: int) -> None:
    """With growing pauses; and the start is given up for the end."""
    receiver.answer = lambda request: 200 if len(receiver.got) >= 3 else status
    pings = JobPings(f"{receiver.url}/ping/{CHECK}", create=False, retry_s=10, pause_s=0.1)
    pings.start()
    receiver.wait(1)
    assert pings.finish(0, b"said") is None
    found = signals(receiver)
    assert (found[0], found[-1]) == ("start", "0")
    assert [request.body for request in receiver.got if "/0?" in request.path][-1] == b"said"


@pytest.mark.parametrize(("status", "word"), [(400, "invalid url format"), (404, "not found"), (409, "ambiguous slug")])
def test_what_will_not_pass_is_told_at_once(receiver: Receiver, status: int, word: str) -> None:
    """With the server's own words."""
    receiver.answer = lambda request: (status, word.encode())
    pings = JobPings(f"{receiver.url}/ping/{CHECK}", create=False, retry_s=10)
    pings.start()
    receiver.wait(1)
    assert pings.finish(1, b"") == f"127.0.0.1 answered {status} {word}"
    assert signals(receiver) == ["start", "1"]


def test_another_address_is_told_and_not_followed(receiver: Receiver) -> None:
    """A proxy that wants TLS would lose the body."""
    receiver.answer = lambda request: 301
    pings = JobPings(f"{receiver.url}/ping/{CHECK}", create=False, retry_s=10)
    assert str(pings.finish(0, b"")).startswith("127.0.0.1 answered 301; the URL may be")


def test_every_ping_is_a_post_with_the_same_run(receiver: Receiver) -> None:
    """A check may take no other; a query that the URL has stays."""
    pings = JobPings(f"{receiver.url}/ping/key/job/?a=b", create=True, retry_s=10)
    pings.start()
    assert pings.finish(0, b"") is None
    first, last = receiver.wait(2)
    assert {first.method, last.method} == {"POST"}
    assert re.fullmatch(r"/ping/key/job/start\?a=b&create=1&rid=[0-9a-f-]{36}", first.path)
    assert last.path == first.path.replace("/start?", "/0?")
    assert first.headers["user-agent"].startswith("pingmon-run/")


def test_of_a_long_output_the_end_is_sent(receiver: Receiver) -> None:
    """As much as a daemon keeps if nothing is said."""
    pings = JobPings(f"{receiver.url}/ping/{CHECK}", create=False, retry_s=10)
    assert pings.finish(0, b"x" * 20_000 + b"end") is None
    assert receiver.got[0].body == b"x" * 9_997 + b"end"


def test_as_much_is_sent_as_the_daemon_keeps(start: Starter) -> None:
    """Its answer to the start says how much."""
    daemon = start(config="[pings]\nbody_limit = 5\n")
    made = daemon.api("POST", "checks/", {"name": "job"}).json
    assert run(made["ping_url"], "sh", "-c", "sleep 0.5; echo 1234567")[0] == 0
    ping = daemon.api("GET", f"checks/{made['uuid']}/pings/").json["pings"][0]
    path = ping["body_url"].partition(str(daemon.port))[2]
    assert daemon.ask("GET", path, headers={"X-Api-Key": daemon.keys["api_key"]}).body == b"4567\n"


# --- options ------------------------------------------------------------------------------------------------------


def test_less_is_told_on_request(receiver: Receiver) -> None:
    """No start, no output; or the output is sent and not shown."""
    url = f"{receiver.url}/ping/{CHECK}"
    assert run("--no-start", "--no-output", url, "echo", "secret") == (0, "secret\n", "")
    assert [(signal_, request.body) for signal_, request in zip(signals(receiver), receiver.got, strict=True)] == [
        ("0", b"")
    ]
    assert run("--no-start", "-q", url, "echo", "noise") == (0, "", "")
    assert receiver.got[-1].body == b"noise\n"


def test_a_job_that_runs_too_long_is_a_failure(receiver: Receiver) -> None:
    """It is ended, and everybody learns why."""
    status, _, err = run("--timeout", "1s", f"{receiver.url}/ping/{CHECK}", "sleep", "60")
    assert status == 124
    assert err == "pingmon run: the job was ended because it ran longer than 1 s (--timeout)\n"
    assert signals(receiver) == ["start", "124"]
    assert receiver.got[-1].body.decode() == err


def test_a_command_that_cannot_be_run_is_told(receiver: Receiver) -> None:
    """Silence would be noticed later, or never."""
    status, _, err = run(f"{receiver.url}/ping/{CHECK}", "no-such-command")
    assert (status, err) == (127, "pingmon run: no-such-command: command not found\n")
    assert signals(receiver)[-1] == "127"


def test_a_signal_is_passed_on_and_the_end_is_told(receiver: Receiver) -> None:
    """As systemd stops a job."""
    process = started(f"{receiver.url}/ping/{CHECK}", "sh", "-c", "echo ready; exec sleep 60")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert signals(receiver)[-1] == "143"
    assert receiver.got[-1].body == b"ready\npingmon run: the job was ended by SIGTERM\n"


def test_who_wants_an_end_while_the_last_ping_waits_gets_it(receiver: Receiver) -> None:
    """With the job's own status."""
    ends: list[Received] = []

    def unwell(request: Received) -> int:
        if "/3?" in request.path:
            ends.append(request)
        return 503

    receiver.answer = unwell
    process = started(f"{receiver.url}/ping/{CHECK}", "sh", "-c", "exit 3")
    until(lambda: ends, "the last ping")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=5)
    assert (process.returncode, err.count("\n")) == (3, 1)
    assert "ended by a signal before it was" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "true"], "backup is a slug, which needs the project's ping key: set PINGMON_PING_KEY"),
        (["http://", "true"], "http:// is no http or https URL"),
        (["--url", "ftp://x", CHECK, "true"], "ftp://x is no http or https URL"),
    ],
)
def test_a_job_runs_even_if_nobody_can_be_told(arguments: list[str], said: str) -> None:
    """One line says why."""
    assert run(*arguments) == (0, "", f"pingmon run: pingmon was not told of this job: {said}\n")


def test_a_job_runs_even_if_the_settings_cannot_be_read(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """What is known all the same is told."""
    monkeypatch.setenv("PINGMON_CONFIG", "/nowhere/client.toml")
    status, out, _ = run(f"{receiver.url}/ping/{CHECK}", "echo", "x")
    assert (status, out) == (0, "x\n")
    assert signals(receiver) == ["start", "0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup"], "which command?"),
        (["backup", "--timeout", "5", "true"], "options of pingmon run stand before it"),
        (["--timeout", "soon", "backup", "true"], "'soon' is no duration"),
        (["--timeout", "0", "backup", "true"], "would end the command"),
        ([], "the following arguments are required"),
    ],
)
def test_what_was_mistyped_is_2(arguments: list[str], said: str) -> None:
    """Nothing is run."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_closed_outputs_are_no_reason(receiver: Receiver) -> None:
    """And what the job writes does not get into the pings."""
    command = f"exec {BIN / 'pingmon'} run {receiver.url}/ping/{CHECK} echo hello <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], timeout=30, check=False).returncode == 0
    assert [request.body for request in receiver.got] == [b"", b"hello\n"]


# --- where pings go -----------------------------------------------------------------------------------------------


def test_a_check_is_a_url_a_uuid_or_a_slug() -> None:
    """With or without a slash at the end of the daemon's URL."""
    assert ping_url("https://x/ping/k/s", "http://y", "") == "https://x/ping/k/s"
    assert ping_url(CHECK, "http://y/", "") == f"http://y/ping/{CHECK}"
    assert ping_url("backup", "http://y", "k") == "http://y/ping/k/backup"
    assert target_of("https://[::1]:8443/ping/a b/").path == "/ping/a%20b"
    with pytest.raises(BadTarget):
        target_of("http://x:99999/ping/")


# --- the start ----------------------------------------------------------------------------------------------------


def test_it_starts_without_what_it_does_not_need() -> None:
    """A job that runs every minute should not pay for a daemon."""
    script = (
        "import sys; sys.argv = ['pingmon', 'run', 'slug', 'true']\n"
        "from pingmon.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert not {"twisted", "click", "rich", "msgspec", "klein"} & set(re.findall(r"\w+", ran.stdout)), ran.stdout
