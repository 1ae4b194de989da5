"""What a daemon will not start with: said where the user typed, with status 1, and nothing is left behind.

Through a real `twistd`, in the foreground and in the background, where it forks before most of this is found out.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.process.daemons import Starter, free_port, until
from tests.process.forked import BIN, ran

pytestmark = pytest.mark.process

Spoil = Callable[[Path, int], tuple[list[str], str]]
"""Given a directory and a port that is taken: the command line after `twistd`, and what will be said."""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port


def daemon(place: Path, *more: str) -> list[str]:
    """The usual command line, with `more`."""
    return ["pingmon", "--data", str(place / "data"), "--listen", f"tcp:{free_port()}:interface=127.0.0.1", *more]


def config(place: Path, text: str) -> list[str]:
    """A command line with a configuration file."""
    (place / "c.toml").write_text(text)
    return daemon(place, "--config", str(place / "c.toml"))


def port_taken(place: Path, port: int) -> tuple[list[str], str]:
    listen = f"tcp:{port}:interface=127.0.0.1"
    return ["pingmon", "--data", str(place / "data"), "--listen", listen], (
        f"pingmon: cannot listen on {listen}: address already in use; end what listens there, or choose another port "
        "with --listen, such as tcp:8001"
    )


def data_is_a_file(place: Path, port: int) -> tuple[list[str], str]:
    (place / "data").write_text("")
    return daemon(place), f"pingmon: cannot use the data directory {place / 'data'}: it is no directory"


def no_config(place: Path, port: int) -> tuple[list[str], str]:
    return daemon(place, "--config", "/nowhere.toml"), "pingmon: /nowhere.toml: No such file or directory"


def two_mistakes(place: Path, port: int) -> tuple[list[str], str]:
    said = "pingmon: {0}: colour: there is no such key"
    return config(place, "colour = 1\n[http]\ndrain = -1\n"), said.format(place / "c.toml")


def no_table(place: Path, port: int) -> tuple[list[str], str]:
    return config(place, '[sites]\nas_numbers = "/nowhere"\n'), (
        "pingmon: sites.as_numbers: /nowhere: No such file or directory"
    )


def proxy_before_mail(place: Path, port: int) -> tuple[list[str], str]:
    return config(place, '[mail]\nlisten = ["haproxy:tcp:0"]\ndomain = "ping.example.org"\n'), (
        "pingmon: mail.listen: haproxy:tcp:0: no PROXY header is read before mail"
    )


def garbage(place: Path, port: int) -> tuple[list[str], str]:
    (place / "data").mkdir(0o700)
    (place / "data" / "journal.sqlite3").write_bytes(b"garbage" * 10_000)
    return daemon(place), f"pingmon: {place / 'data' / 'journal.sqlite3'} is not a pingmon journal"


def keys_cannot_be_left(place: Path, port: int) -> tuple[list[str], str]:
    (place / "data" / "first-run.json").mkdir(0o700, parents=True)
    return daemon(place), (
        f"pingmon: the first start is not complete: cannot write {place / 'data' / 'first-run.json'}: Is a directory; "
        "start again when that is mended"
    )


def no_place_for_the_log(place: Path, port: int) -> tuple[list[str], str]:
    return ["--logfile=/nowhere/x.log", *daemon(place)], (
        "pingmon: --logfile /nowhere/x.log: there is no directory /nowhere"
    )


def no_place_for_the_pid(place: Path, port: int) -> tuple[list[str], str]:
    return ["--pidfile=/nowhere/x.pid", *daemon(place)], (
        "pingmon: --pidfile /nowhere/x.pid: there is no directory /nowhere"
    )


def no_way_to_the_data(place: Path, port: int) -> tuple[list[str], str]:
    data = place / ("d" * 300)
    return ["pingmon", "--data", str(data), "--listen", "tcp:0"], (
        f"pingmon: cannot use the data directory {data}: File name too long"
    )


def log_is_a_directory(place: Path, port: int) -> tuple[list[str], str]:
    (place / "log").mkdir()
    return [f"--logfile={place / 'log'}", *daemon(place)], f"pingmon: --logfile {place / 'log'}: it is a directory"


def no_secret(place: Path, port: int) -> tuple[list[str], str]:
    return ["pingmon-verifier", "--listen", "tcp:0"], "pingmon-verifier: --secret-file is needed"


def verifiers_port_taken(place: Path, port: int) -> tuple[list[str], str]:
    (place / "secret").touch(0o600)
    (place / "secret").write_text("whsec_" + "a" * 40)
    listen = f"tcp:{port}:interface=127.0.0.1"
    return ["pingmon-verifier", "--secret-file", str(place / "secret"), "--listen", listen], (
        f"pingmon-verifier: cannot listen on {listen}: address already in use"
    )


def open_secret(place: Path, port: int) -> tuple[list[str], str]:
    (place / "secret").write_text("whsec_" + "a" * 40)
    (place / "secret").chmod(0o644)
    return ["pingmon-verifier", "--secret-file", str(place / "secret"), "--listen", "tcp:0"], (
        f"pingmon-verifier: {place / 'secret'}: others may read or change it; chmod 0600 (0640 at most)"
    )


REFUSALS: list[Spoil] = [
    port_taken,
    data_is_a_file,
    no_config,
    two_mistakes,
    no_table,
    proxy_before_mail,
    garbage,
    keys_cannot_be_left,
    no_way_to_the_data,
    no_place_for_the_log,
    no_place_for_the_pid,
    log_is_a_directory,
    no_secret,
    verifiers_port_taken,
    open_secret,
]


def contents(place: Path) -> dict[Path, bytes]:
    """What is there, but for a log and for locks."""
    files = [path for path in place.rglob("*") if path.is_file() and not path.name.endswith(("lock", "twistd.log"))]
    return {path: path.read_bytes() for path in files}


def twistd(place: Path, *arguments: str, preexec: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """`twistd`, until whoever typed it has his prompt again."""
    command = [str(BIN / "twistd"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=place, check=False, preexec_fn=preexec
    )


@pytest.mark.parametrize("mode", ["foreground", "background"])
@pytest.mark.parametrize("spoil", REFUSALS, ids=lambda spoil: spoil.__name__)
def test_it_says_why_it_will_not_start_and_leaves_nothing(tmp_path: Path, taken: int, spoil: Spoil, mode: str) -> None:
    """The words are on standard error, the status is 1, no traceback, no pidfile, and no file that was not there."""
    arguments, said = spoil(tmp_path, taken)
    before = contents(tmp_path)
    done = ran("twistd", *(["-n"] if mode == "foreground" else []), *arguments, cwd=tmp_path)
    assert done.returncode == 1, done
    assert said in done.stderr
    assert done.stderr.count(said.partition(" ")[0]) == len(done.stderr.splitlines()), "each line names the program"
    assert "Traceback" not in done.stderr + done.stdout
    assert not (tmp_path / "twistd.pid").exists()
    assert spoil is keys_cannot_be_left or contents(tmp_path) == before
    log = tmp_path / "twistd.log"
    if log.exists():
        assert "Traceback" not in log.read_text()
        assert done.stderr.strip().splitlines()[-1] in log.read_text(), "the log has it too"


def test_the_log_that_the_background_has_if_none_is_named_is_looked_at_too(tmp_path: Path) -> None:
    """In the foreground there is none."""
    (tmp_path / "twistd.log").mkdir()
    done = twistd(tmp_path, *daemon(tmp_path))
    assert (done.returncode, done.stderr) == (1, "pingmon: --logfile twistd.log: it is a directory\n")


def test_a_directory_in_use_is_refused_in_the_background_too(start: Starter, tmp_path: Path) -> None:
    """And whoever has it goes on."""
    first = start()
    done = twistd(tmp_path, "--pidfile=x.pid", "pingmon", "--data", str(first.data))
    assert done.returncode == 1
    assert f"is in use by another pingmon (process {first.process.pid})" in done.stderr
    assert not (tmp_path / "x.pid").exists()
    assert first.ping("job", "?create=1").status == 201


def test_a_disk_without_room_for_the_first_start_ends_it(tmp_path: Path) -> None:
    """In the background too."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    done = twistd(tmp_path, *daemon(tmp_path), preexec=small)
    assert done.returncode == 1
    assert done.stderr.startswith(f"pingmon: {tmp_path / 'data' / 'journal.sqlite3'}: ")
    assert not (tmp_path / "twistd.pid").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
def test_a_daemon_that_is_killed_while_it_starts_leaves_nobody_waiting(tmp_path: Path, number: signal.Signals) -> None:
    """The prompt comes back, with status 1 and a word."""
    data = tmp_path / "data"
    data.mkdir(0o700)
    os.mkfifo(data / "journal.sqlite3")  # whoever opens it waits
    command = [str(BIN / "twistd"), *daemon(tmp_path)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        pid = until(lambda: (tmp_path / "twistd.pid").exists() and (tmp_path / "twistd.pid").read_text(), "a pidfile")
        until(lambda: f"{pid}\n" == (data / "lock").read_text(), "the daemon to begin")
        os.kill(int(pid), number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait(30)
    assert process.returncode == 1
    assert said.startswith("pingmon: it ended while it was starting; its log may say why")


def test_a_start_in_the_background_ends_when_the_daemon_serves(start: Starter, tmp_path: Path) -> None:
    """With status 0, the port open and the keys there; SIGTERM ends the daemon, and its pidfile goes."""
    port, data = free_port(), tmp_path / "data"
    done = twistd(tmp_path, "pingmon", "--data", str(data), "--listen", f"tcp:{port}:interface=127.0.0.1")
    assert (done.returncode, done.stderr) == (0, "")
    pid = int((tmp_path / "twistd.pid").read_text())
    try:
        assert (data / "first-run.json").exists()
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not (tmp_path / "twistd.pid").exists(), "the pidfile to go")
    assert "Traceback" not in (tmp_path / "twistd.log").read_text()


@pytest.mark.parametrize("mode", ["-n", None])
def test_a_tac_file_is_refused_in_the_same_words(tmp_path: Path, taken: int, mode: str | None) -> None:
    """What is found before and what is found after the fork."""
    source = (Path(__file__).resolve().parents[2] / "pingmon.tac").read_text()
    flags = [mode] if mode else []
    for endpoint, said in ((f"tcp:{taken}:interface=127.0.0.1", "address already in use"), ("tcp:x", "is no port")):
        options = f'["--data", "{tmp_path / "data"}", "--listen", "{endpoint}"]'
        (tmp_path / "pingmon.tac").write_text(source.replace("parseOptions([])", f"parseOptions({options})"))
        done = ran("twistd", *flags, "--pidfile=tac.pid", "-y", "pingmon.tac", cwd=tmp_path)
        assert done.returncode == 1, done
        assert done.stderr.startswith(f"pingmon: cannot listen on {endpoint}: ")
        assert said in done.stderr
        assert not (tmp_path / "tac.pid").exists()
