"""Starting and stopping, as a user does it."""

from __future__ import annotations

import functools
import random
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.process.daemons import Running, Starter, free_port, until
from tests.process.forked import BIN

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def as_a_user_does(start: Starter) -> None:
    """Nothing is forked from what has been imported."""
    start.forks = False


COMMANDS = [
    ("twistd", "-n", "--pidfile=", "pingmon"),
    ("twist", "pingmon"),
]


def text(daemon: Running) -> str:
    """All that the daemon has said."""
    return daemon.log.read_text()


def refused(daemon: Running) -> str:
    """The last line of a daemon that would not start."""
    assert daemon.process.wait(30) == 1
    assert "Traceback" not in text(daemon)
    return text(daemon).strip().splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=["twistd", "twist"])
def test_the_daemon_starts_serves_and_stops(start: Starter, command: tuple[str, ...]) -> None:
    """Under `twistd` and under `twist`; a SIGTERM ends it by that signal, and what it knew is there again."""
    daemon = start(command=command)
    assert daemon.ping("job", "?create=1").status == 201
    assert daemon.stop() in (0, -signal.SIGTERM)
    assert "Traceback" not in text(daemon)
    again = start(daemon.data, command=command)
    assert again.ping("job").status == 200
    assert again.api("GET", "checks/").json["checks"][0]["n_pings"] == 2


def test_the_tac_file_starts_the_same_daemon(start: Starter, tmp_path: Path) -> None:
    """`twistd -ny pingmon.tac`, with the data directory and port of its defaults changed by its options."""
    source = Path(__file__).resolve().parents[2] / "pingmon.tac"
    port = free_port()
    options = f'["--data", "{tmp_path / "data"}", "--listen", "tcp:{port}:interface=127.0.0.1"]'
    tac = tmp_path / "pingmon.tac"
    tac.write_text(source.read_text().replace("parseOptions([])", f"parseOptions({options})"))
    log = tmp_path / "tac.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(BIN / "twistd"), "-n", "--pidfile=", "-y", str(tac)], stdout=out, stderr=out, cwd=tmp_path
        )
    daemon = Running(tmp_path / "data", port, process, log)
    start.running.append(daemon)
    until(daemon.listening, "the daemon to listen")
    assert daemon.ping("job", "?create=1").status == 201
    daemon.stop()
    assert "Traceback" not in text(daemon)


def test_the_first_start_leaves_keys_and_a_line_that_works(start: Starter) -> None:
    """0700 and 0600; all six keys; and the curl line of the log, pasted into a shell, makes the first check."""
    daemon = start()
    assert stat.S_IMODE(daemon.data.stat().st_mode) == 0o700
    for file in daemon.data.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert set(daemon.keys) == {"project", "ping_key", "api_key", "api_key_readonly", "operator_key", "base_url"}
    found = until(lambda: re.search(r"try it: (curl .*)", text(daemon)), "the line to paste")
    url = shlex.split(found[1])[-1]
    assert url == f"{daemon.keys['base_url']}/ping/{daemon.keys['ping_key']}/my-first-job?create=1"
    ran = subprocess.run(["bash", "-c", found[1]], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout == "Created"
    assert [check["name"] for check in daemon.api("GET", "checks/").json["checks"]] == ["my-first-job"]


def test_a_second_daemon_on_the_same_directory_is_refused(start: Starter) -> None:
    """Before it touches anything, and the first goes on."""
    first = start()
    second = start(first.data, wait=False)
    assert refused(second).endswith(f"is in use by another pingmon (process {first.process.pid})")
    assert first.ping("job", "?create=1").status == 201


def test_a_busy_port_ends_the_start_with_one_line(start: Starter, tmp_path: Path) -> None:
    """A daemon that runs but does not listen would be worse than none."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        daemon = start(listen=(f"tcp:{port}:interface=127.0.0.1",), wait=False)
        assert f"cannot listen on tcp:{port}:interface=127.0.0.1: address already in use" in refused(daemon)


@pytest.mark.parametrize("endpoint", ["tcp:notaport", "carrierpigeon:8000", "tcp"])
def test_an_endpoint_that_makes_no_sense_ends_the_start_with_one_line(start: Starter, endpoint: str) -> None:
    """It is quoted."""
    line = refused(start(listen=(endpoint,), wait=False))
    assert line.startswith(f"pingmon: cannot listen on {endpoint}: ")


def test_a_data_directory_that_cannot_be_used_ends_the_start_with_one_line(start: Starter, tmp_path: Path) -> None:
    """With the system's reason."""
    (tmp_path / "file").write_text("")
    line = refused(start(tmp_path / "file", wait=False))
    assert line == f"pingmon: cannot use the data directory {tmp_path / 'file'}: it is no directory"


def test_every_mistake_in_the_configuration_is_reported_at_once(start: Starter, tmp_path: Path) -> None:
    """Each on a line, with its key."""
    daemon = start(config="colour = 1\n[http]\ndrain = -1\n", wait=False)
    last = refused(daemon)
    lines = [line for line in text(daemon).splitlines() if line.startswith("pingmon: ")]
    assert len(lines) == 2
    assert "colour: there is no such key" in lines[0]
    assert "http.drain: expected a number >= 0.0" in lines[1] == last


def test_a_damaged_journal_ends_the_start_with_what_is_wrong_and_what_to_do(start: Starter) -> None:
    """In one line, and nothing is changed or begun anew."""
    daemon = start()
    for _ in range(20):
        daemon.ping("job", "?create=1")
    daemon.stop()
    journal = daemon.data / "journal.sqlite3"
    content = journal.read_bytes()[: journal.stat().st_size // 2]
    journal.write_bytes(content)
    line = refused(start(daemon.data, wait=False))
    assert "journal.sqlite3: " in line
    assert "pingmon journal verify" in line
    assert journal.read_bytes() == content


def test_a_request_in_flight_is_answered_before_the_daemon_ends(start: Starter) -> None:
    """SIGTERM comes between the head of a ping and its body: the ping is taken, and answered."""
    daemon = start()
    daemon.ping("job", "?create=1")
    connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
    path = f"/ping/{daemon.keys['ping_key']}/job/fail"
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo".encode())
    until(lambda: daemon.ping("job").status == 200, "the head to have arrived")
    daemon.process.send_signal(signal.SIGTERM)
    until(lambda: not accepting(daemon.port), "the daemon to stop listening")
    connection.sendall(b"dy")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    connection.close()
    daemon.process.wait(30)
    again = start(daemon.data)
    (check,) = again.api("GET", "checks/").json["checks"]
    assert check["status"] == "down"


def test_a_client_that_stalls_cannot_keep_the_daemon_from_ending(start: Starter) -> None:
    """The wait for requests in flight is bounded."""
    daemon = start(config="[http]\ndrain = 1\n")
    connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
    connection.sendall(b"POST /ping/x/y HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    threading.Event().wait(0.2)
    assert daemon.stop() in (0, -signal.SIGTERM)
    connection.close()


def test_whoever_finds_the_port_open_is_served_and_finds_the_keys(start: Starter) -> None:
    """The port opens when everything runs, and not before."""
    port = free_port()
    daemon = start(port=port, wait=False)
    end = time.monotonic() + 30
    while not accepting(port):
        assert time.monotonic() < end
    assert daemon.keys["api_key"]
    assert daemon.ask("GET", "/api/v3/status/").status == 200


def test_two_daemons_that_bind_a_port_at_the_same_time_do_not_share_it(start: Starter) -> None:
    """Whoever opens it second is refused, at whatever moment that is found out."""
    port = free_port()
    both = [start(start.tmp_path / name, port=port, wait=False) for name in ("a", "b")]
    until(lambda: any(each.process.poll() is not None for each in both), "one of them to give up")
    (left,) = [each for each in both if each.process.poll() is None]
    (gone,) = [each for each in both if each is not left]
    assert "address already in use" in refused(gone)
    until(left.listening, "the other one to serve")


INTERRUPTED = """
import os, signal, sys
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver
from pingmon import tap
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
options = tap.PingmonOptions()
options.parseOptions(["--data", sys.argv[1], "--listen", "tcp:0:interface=127.0.0.1"])
service = tap.makeService(options)
{interrupted}
service.startService()
"""
IN_A_TURN = """
turns, iterate = [], reactor.iterate
def interrupted(delay):
    turns.append(1)
    if len(turns) == 2:
        reactor.callLater(0, os.kill, os.getpid(), signal.SIGINT)
    iterate(delay)
reactor.iterate = interrupted
"""
WITH_ONE_THREAD_OF_MANY = """
import threading
start = threading.Thread.start
def interrupted(thread):
    start(thread)
    threading.Thread.start = start
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread.start = interrupted
"""


@pytest.mark.parametrize("interrupted", [IN_A_TURN, WITH_ONE_THREAD_OF_MANY], ids=["turn", "threads"])
def test_a_first_start_that_is_interrupted_goes_no_further(tmp_path: Path, interrupted: str) -> None:
    """What it was doing is not done against a journal that is being closed, and no disk is waited for or blamed."""
    command = [sys.executable, "-c", INTERRUPTED.format(interrupted=interrupted), str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert "is starting" in done.stdout
    assert not re.search("#error|#critical", done.stdout), "the reactor was in the midst of a turn"


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_start_that_is_ended_at_any_moment_logs_no_error(start: Starter, ended_by: signal.Signals) -> None:
    """And the next one works, with the keys that the first has left, if it came that far."""
    chance = random.Random(8)
    for round in range(8):
        data = start.tmp_path / f"data-{round % 2}"
        daemon = start(data, wait=False)
        # Until Python has found its way to pingmon, an interrupt is Python's own.
        if ended_by == signal.SIGINT:
            until(functools.partial(started_up, daemon), "Python")
        threading.Event().wait(chance.uniform(0.0, 0.9 if ended_by == signal.SIGTERM else 0.4))
        daemon.process.send_signal(ended_by)
        daemon.process.wait(30)
        said = text(daemon)
        assert not re.search(r"Traceback|#error|#critical|#warn|Unhandled", said), said
    for round in range(2):
        again = start(start.tmp_path / f"data-{round}")
        assert again.ping("job", "?create=1").status in (200, 201)
        again.stop()


def started_up(daemon: Running) -> bool:
    """Whether `twistd` has begun its log."""
    return "starting up" in text(daemon)


def accepting(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
