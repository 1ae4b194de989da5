"""SIGHUP: what is read again, what is not, and that a bad file changes nothing. And what else a log is asked for."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pingmon import __version__
from tests.process.daemons import Running, Starter, until
from tests.process.forked import ran

pytestmark = pytest.mark.process


def hang_up(daemon: Running, said: str) -> None:
    """SIGHUP, and wait until the log says `said` once more."""
    before = daemon.log.read_text().count(said)
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.log.read_text().count(said) > before, said)


def test_a_hangup_takes_up_what_can_be_and_names_what_cannot(start: Starter) -> None:
    """Access log after rotation, limits, networks, verifiers, level; not the ports."""
    place = start.tmp_path
    access = place / "access.log"
    daemon = start(config=f'[http]\naccess_log = "{access}"\n')
    file = place / "config-0.toml"
    daemon.ping("job", "?create=1")
    until(lambda: "/ping/" in access.read_text(), "a line in the access log")
    access.rename(place / "access.log.1")
    hang_up(daemon, "the configuration was read again")
    daemon.ping("job")
    until(lambda: access.exists() and "/ping/" in access.read_text(), "a line in the new access log")
    file.write_text(
        f'listen = ["tcp:1"]\n[http]\naccess_log = "{place / "other.log"}"\ndrain = 3\n'
        '[limits]\nchecks = 1\n[outgoing]\nallow = ["127.0.0.0/8"]\n[log]\nlevel = "warn"\n[[verifier]]\nname = "fra"\n'
        f'url = "http://127.0.0.1:1"\nsecret = "whsec_{"a" * 40}"\n'
    )
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: "changed, but only a restart takes them up: listen, http.drain" in daemon.log.read_text(), "a line")
    assert daemon.ping("second", "?create=1").status not in (200, 201)
    webhook = {"kind": "webhook", "name": "x", "value": {"url_down": "http://127.0.0.1:1/"}}
    assert "private" not in str(daemon.api("POST", "channels/", webhook).json)
    until(lambda: "/ping/" in (place / "other.log").read_text(), "a line in the other access log")
    before = daemon.log.read_text()
    daemon.ping("job/fail")
    daemon.ping("job")
    assert "#info]" not in daemon.log.read_text()[len(before) :], "only warnings now"
    assert daemon.stop() in (0, -signal.SIGTERM)
    assert "Traceback" not in daemon.log.read_text()


def test_a_hangup_of_a_daemon_without_a_file_says_that_nothing_is_read(start: Starter) -> None:
    """And does not claim that it was."""
    daemon = start()
    hang_up(daemon, "there is no configuration to read again: pingmon was started without --config")
    assert "was read again" not in daemon.log.read_text()


def test_secrets_that_everybody_may_read_are_warned_of_at_start_and_when_read_again(start: Starter) -> None:
    """With what to do; not if the group may."""
    daemon = start(config=f'[[verifier]]\nname = "fra"\nurl = "http://127.0.0.1:1"\nsecret = "whsec_{"a" * 40}"\n')
    file = start.tmp_path / "config-0.toml"
    said = f"everybody may read {file}, which has secrets in it; chmod o-rwx {file}"
    file.chmod(0o640)
    hang_up(daemon, "the configuration was read again")
    assert said not in daemon.log.read_text()
    file.chmod(0o644)
    hang_up(daemon, said)
    daemon.stop()
    again = start(start.tmp_path / "again", command=("twistd", "-n", "--pidfile=", "pingmon", "--config", str(file)))
    until(lambda: said in again.log.read_text(), "the warning")


def test_a_hangup_while_it_ends_lets_it_finish(start: Starter) -> None:
    """A request in flight is answered, and the journal is closed."""
    daemon = start()
    daemon.ping("job", "?create=1")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        path = f"/ping/{daemon.keys['ping_key']}/job"
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo".encode())
        until(lambda: daemon.ping("job").status == 200, "the head to have arrived")
        daemon.process.send_signal(signal.SIGTERM)
        until(lambda: "is stopping" in daemon.log.read_text(), "the daemon to stop")
        daemon.process.send_signal(signal.SIGHUP)
        connection.sendall(b"dy")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert daemon.process.wait(30) in (0, -signal.SIGTERM)
    assert not (daemon.data / "journal.sqlite3-wal").exists()


HANGING_UP = """
import os, signal, sys
from twisted.internet import reactor
from pingmon import tap
options = tap.PingmonOptions()
options.parseOptions(["--data", sys.argv[1], "--listen", "tcp:0:interface=127.0.0.1"])
service = tap.makeService(options)
os.kill(os.getpid(), signal.SIGHUP)
taken = []
service._reload = lambda: (taken.append(1), reactor.callLater(0, reactor.stop))
service.startService()
reactor.callLater(10, reactor.stop)
reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
reactor.run()
print("taken", len(taken))
"""


def test_a_hangup_while_it_starts_is_taken_when_it_has_started(tmp_path: Path) -> None:
    """And does not end it."""
    command = [sys.executable, "-c", HANGING_UP, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, ["taken 1"]), done.stderr


def test_a_bad_file_leaves_all_as_it_was_and_says_why(start: Starter) -> None:
    """Each mistake by its key."""
    daemon = start(config="[limits]\nchecks = 1\n")
    assert daemon.ping("job", "?create=1").status == 201
    (start.tmp_path / "config-0.toml").write_text("[limits]\nchecks = 9\ncolour = 1\n[log]\nlevel = 3\n")
    hang_up(daemon, "the configuration stays as it was")
    said = daemon.log.read_text()
    assert "limits.colour: there is no such key" in said
    assert "log.level: expected one of 'debug', 'info', 'warn', 'error'" in said
    assert daemon.ping("second", "?create=1").status != 201


def test_a_log_has_the_version_a_line_for_each_port_and_nothing_of_libraries(start: Starter) -> None:
    """And nothing about details, unless it is asked for."""
    quiet = start()
    lines = [line.partition("] ")[2] for line in quiet.log.read_text().splitlines() if "_twistd_unix" not in line]
    port = quiet.port
    assert lines[:3] == [
        f"pingmon {__version__} is starting",
        f"listening on http://127.0.0.1:{port} (tcp:{port}:interface=127.0.0.1)",
        rf"listening on http://[::1]:{port} (tcp:{port}:interface=\:\:1)",
    ]
    assert len(lines) == 5
    loud = start(start.tmp_path / "loud", command=("twistd", "-n", "--pidfile=", "pingmon", "--log-level", "debug"))
    assert re.search(r"\[-\] HTTP server starting on", loud.log.read_text())


@pytest.mark.parametrize("program", ["pingmon", "pingmon-verifier"])
def test_the_command_line_is_answered_in_a_line(tmp_path: Path, program: str) -> None:
    """A version is ours, and a mistake is no page of help."""
    for arguments, status, said in (
        (["--version"], 0, f"{program} {__version__}"),
        (["--port", "8025"], 1, f"{program}: option --port not recognized; see twistd {program} --help"),
        (["word"], 1, f"{program}: 'word' is no option; see twistd {program} --help"),
        (["--log-level", "x"], 1, f"{program}: --log-level: one of debug, info, warn, error is needed; see twistd"),
    ):
        done = ran("twistd", "-n", program, *arguments, cwd=tmp_path)
        assert done.returncode == status
        (line,) = (done.stdout + done.stderr).splitlines()
        assert line.startswith(said)


def test_an_access_log_that_cannot_be_written_ends_the_start(start: Starter) -> None:
    """Like everything else in the file."""
    daemon = start(config='[http]\naccess_log = "/nowhere/access.log"\n', wait=False)
    assert daemon.process.wait(30) == 1
    assert (
        daemon.log.read_text()
        .strip()
        .endswith("pingmon: http.access_log: /nowhere/access.log: No such file or directory")
    )


def test_the_command_pingmon_is_a_module_too() -> None:
    """Where no script of that name is in sight."""
    command = [sys.executable, "-m", "pingmon", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"pingmon, version {__version__}\n"
