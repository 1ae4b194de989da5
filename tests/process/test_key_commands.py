"""`pingmon key` and `pingmon project` beside a real daemon: running, stopped, starting, killed, somebody else's."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pingmon.cli.commands import pingmon as main
from tests.cli.terminal import Terminal
from tests.process.daemons import PATIENCE_S, Answer, Running, Starter, until
from tests.process.forked import BIN, ran

pytestmark = pytest.mark.process

NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def run(data: Path, *args: str, user: int | None = None, preexec: Callable[[], None] | None = None) -> Any:
    """`pingmon ARGS --data DATA` as a process of its own, perhaps as another user."""
    if user is None and preexec is None:
        return ran("pingmon", *args, "--data", data)
    pingmon = [str(BIN / "pingmon")]
    command = pingmon if user is None else as_user(user, "from pingmon.cli import main as run", "pingmon")
    return subprocess.run(
        [*command, *args, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=preexec,
        stdin=subprocess.DEVNULL,
    )


def as_user(user: int, imported: str, name: str) -> list[str]:
    """A command that becomes `user` when all is imported, for the tests' own Python may be private to root."""
    become = f"os.setgroups([]); os.setgid({user}); os.setuid({user})"
    modules = "pingmon.cli.keys, pingmon.cli.local_daemon, pingmon.cli.projects, pingmon.daemon.offline_api"
    script = f"import os, sys, pingmon.cli.commands, {modules}; {imported}; sys.argv[0] = {name!r}; {become}; run()"
    return [sys.executable, "-c", script]


def said(ran: Any) -> str:
    """Standard output of a command that went well."""
    assert ran.returncode == 0, ran.stderr
    return str(ran.stdout)


def refusal(ran: Any, status: int = 1) -> str:
    """The one line of a command that did not."""
    assert (ran.returncode, ran.stdout) == (status, "")
    assert ran.stderr.startswith("Error: ")
    assert ran.stderr.count("\n") == 1, ran.stderr
    return str(ran.stderr).removeprefix("Error: ").rstrip()


def opens(daemon: Running, key: str, path: str = "checks/") -> int:
    """How the daemon answers who shows `key`."""
    return daemon.ask("GET", f"/api/v3/{path}", headers={"X-Api-Key": key}).status


def listed(data: Path, *, stopped: bool = False) -> list[Any]:
    """All keys. (The daemon that runs is asked from this process, which is faster; one that is stopped only once.)"""
    args = ("key", "list", "--json")
    text = said(run(data, *args)) if stopped else CliRunner().invoke(main, [*args, "--data", str(data)]).stdout
    keys: list[Any] = json.loads(text)["keys"]
    return keys


def locked_out(daemon: Running) -> dict[str, str]:
    """What the first start had left, before it was lost."""
    keys = daemon.keys
    (daemon.data / "first-run.json").unlink()
    return keys


# --- running or stopped -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stopped", [False, True])
def test_lost_keys_lock_nobody_out_and_a_leaked_one_is_gone(start: Starter, stopped: bool) -> None:
    """Whether the daemon runs or not: new keys of each role open what they should, and a revoked one nothing."""
    daemon = start()
    lost = locked_out(daemon)
    if stopped:
        daemon.stop()
    made = {role: said(run(daemon.data, "key", "create", "--role", role)).strip() for role in ("rw", "ro", "operator")}
    gone = said(run(daemon.data, "key", "revoke", "--yes", lost["operator_key"], lost["api_key"][:8]))
    revoked = [f"{lost['operator_key'][:8]}… (operator, first run)", f"{lost['api_key'][:8]}… (rw, first run)"]
    assert gone.splitlines() == [f"revoked {each}" for each in revoked]
    if stopped:
        daemon = start(daemon.data, wait=False)
        until(lambda: daemon.process.poll() is None and accepting(daemon.port), "the daemon to listen")
    assert [opens(daemon, key) for key in made.values()] == [200, 200, 401]
    assert opens(daemon, made["operator"], "projects/") == 200
    assert daemon.ask("POST", "/api/v3/checks/", "{}", {"X-Api-Key": made["ro"]}).status == 401
    assert [opens(daemon, lost["operator_key"], "projects/"), opens(daemon, lost["api_key"])] == [401, 401]
    assert opens(daemon, lost["api_key_readonly"]) == 200
    assert [key["name"] for key in listed(daemon.data)] == ["first run", "", "", ""]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_ping_key_that_leaked_names_nothing_at_once(start: Starter, stopped: bool) -> None:
    """Ping URLs with it are answered 404, those with the new one and those with a UUID are taken."""
    daemon = start()
    assert daemon.ping("job", "?create=1").status == 201
    (check,) = daemon.api("GET", "checks/").json["checks"]
    if stopped:
        daemon.stop()
    new = said(run(daemon.data, "project", "rotate-ping-key", "--yes")).strip()
    if stopped:
        daemon = start(daemon.data)
    assert daemon.ping("job").status == 404
    assert daemon.ping("new", "?create=1").status == 404
    assert daemon.ask("GET", f"/{daemon.keys['ping_key']}/job").status == 404
    assert daemon.ask("GET", f"/ping/{new}/job").status == 200
    assert daemon.ask("GET", f"/ping/{check['uuid']}").status == 200


def accepting(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_stopped_daemons_directory_is_left_as_a_daemon_leaves_it(start: Starter) -> None:
    """Nothing listens, nothing is locked, the journal is sound and closed."""
    daemon = start()
    daemon.stop()
    before = sorted(file.name for file in daemon.data.iterdir())
    said(run(daemon.data, "project", "create", "second"))
    assert sorted(file.name for file in daemon.data.iterdir()) == before
    assert said(run(daemon.data, "journal", "verify")).startswith("sound: ")
    assert {stat.S_IMODE(file.stat().st_mode) for file in daemon.data.iterdir()} == {0o600}


def test_work_on_a_killed_daemons_journal_raises_no_alarm(start: Starter) -> None:
    """The next daemon knows since when nobody listened, and holds what came due meanwhile."""
    daemon = start()
    daemon.ping("job", "?create=1")
    daemon.kill()
    killed_at = time.time()
    assert (daemon.data / "control.sock").exists()
    said(run(daemon.data, "project", "rename", "My project", "Servers"))
    time.sleep(1.5)
    said(run(daemon.data, "key", "list"))
    daemon = start(daemon.data)
    entries = [json.loads(line) for line in said(run(daemon.data, "journal", "export")).splitlines()]
    (ended,) = [entry for entry in entries if entry["kind"] == "listening_ended"]
    (resumed,) = [entry for entry in entries if entry["kind"] == "listening_resumed"]
    assert resumed["since"] == ended["since"] <= killed_at * 1_000_000
    assert said(run(daemon.data, "project", "list")).count("Servers") == 1


def test_a_key_that_could_not_be_shown_can_be_revoked(start: Starter) -> None:
    """What names it is said, whatever became of the output."""
    daemon = start()
    command = [str(BIN / "pingmon"), "key", "create", "--data", str(daemon.data)]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    told, error = ran.stderr.splitlines()
    assert ran.returncode == 1
    assert "No space left on device" in error
    assert said(run(daemon.data, "key", "revoke", "--yes", told.partition("(")[2][:36])).startswith("revoked hcw_")


# --- at the same time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stopped", [False, True])
def test_commands_at_the_same_time_all_do_their_work(start: Starter, stopped: bool) -> None:
    """Each waits for the others, and none is told that it cannot."""
    daemon = start()
    if stopped:
        daemon.stop()
    command = [str(BIN / "pingmon"), "key", "create", "--data", str(daemon.data)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    made = [each.communicate(timeout=60) for each in running]
    assert [each.returncode for each in running] == [0] * 4, made
    prefixes = sorted(out[:8] for out, _ in made)
    assert sorted(key["prefix"] for key in listed(daemon.data, stopped=stopped) if not key["name"]) == prefixes


HOLDING = """
import sys, threading
from pathlib import Path
from pingmon.daemon.data_directory import DataDir
data = DataDir(Path(sys.argv[1]), command=True)
print("locked", flush=True)
threading.Event().wait(float(sys.argv[2]))
data.release()
"""


def test_a_daemon_that_starts_waits_for_a_command_to_end(start: Starter) -> None:
    """And is not told that another daemon has its directory."""
    daemon = start()
    daemon.stop()
    command = [sys.executable, "-c", HOLDING, str(daemon.data), "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "locked\n"
        again = start(daemon.data)
        assert holding.wait(PATIENCE_S) == 0
    assert again.ping("job", "?create=1").status == 201


def test_a_command_waits_for_a_daemon_that_starts_or_stops(start: Starter) -> None:
    """Whatever the daemon is doing just then, the command does its work, or says that nobody can know whether it did.

    Which is so if it had connected when the daemon stopped listening.
    """
    daemon = start()
    for _ in range(2):
        daemon.process.send_signal(signal.SIGTERM)
        if (made := run(daemon.data, "key", "create")).returncode:
            assert "the daemon ended before it answered; look whether it was done" in made.stderr
            said(run(daemon.data, "key", "create"))
        daemon.process.wait(PATIENCE_S)
        daemon = start(daemon.data, wait=False)
        said(run(daemon.data, "key", "create"))
        until(daemon.listening, "the daemon to listen")
    assert len([key for key in listed(daemon.data) if not key["name"]]) >= 4


def test_a_command_that_is_killed_leaves_a_journal_that_a_daemon_starts_from(start: Starter) -> None:
    """Whenever it is killed; a key that was shown opens what it should."""
    daemon = start()
    daemon.stop()
    command = [str(BIN / "pingmon"), "key", "create", "--data", str(daemon.data)]
    shown = []
    for number in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
            time.sleep(random.Random(number).uniform(0.3, 2.0))
            running.kill()
            assert running.stdout is not None
            shown += running.stdout.read().split()
    assert said(run(daemon.data, "journal", "verify")).startswith("sound: ")
    again = start(daemon.data)
    assert [opens(again, key) for key in shown] == [200] * len(shown)


# --- the control socket -------------------------------------------------------------------------------------------


def test_the_control_socket_is_its_owners_and_goes_with_the_daemon(start: Starter) -> None:
    """0600; one of a daemon that was killed is replaced; a stop removes it, also if it has gone before."""
    daemon = start()
    control = daemon.data / "control.sock"
    assert stat.S_ISSOCK(control.stat().st_mode)
    assert stat.S_IMODE(control.stat().st_mode) == 0o600
    daemon.kill()
    assert control.exists()
    daemon = start(daemon.data)
    assert len(listed(daemon.data)) == 3
    daemon.stop()
    assert not control.exists()
    daemon = start(daemon.data)
    control.unlink()
    assert daemon.stop() in (0, -signal.SIGTERM)
    assert "Traceback" not in daemon.log.read_text()


def test_a_daemon_that_stops_answers_who_has_asked(start: Starter) -> None:
    """Whoever could still connect is answered, be it in the very moment in which nobody else can any more."""
    daemon = start()
    control = str(daemon.data / "control.sock")
    asked = b"POST /api/v3/keys/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    dropped, keys = list[str](), list[str]()

    def ask_until_it_is_gone() -> None:
        while True:
            with socket.socket(socket.AF_UNIX) as opened:
                opened.settimeout(20)
                try:
                    opened.connect(control)
                except OSError:
                    return
                try:
                    opened.sendall(asked)
                    answer = HTTPResponse(opened)
                    answer.begin()
                    keys.append(json.loads(answer.read())["key"])
                except (OSError, HTTPException) as error:
                    dropped.append(repr(error))

    asking = [threading.Thread(target=ask_until_it_is_gone) for _ in range(8)]
    for each in asking:
        each.start()
    until(lambda: len(keys) > 20, "some answers")
    assert daemon.stop() in (0, -signal.SIGTERM)
    for each in asking:
        each.join(20)
    assert dropped == []
    prefixes = {key["prefix"] for key in listed(daemon.data, stopped=True)}
    assert {key[:8] for key in keys} <= prefixes


def test_a_daemon_without_a_control_socket_says_so_and_runs(start: Starter) -> None:
    """Something is in its way; the command says what to do, and works once the daemon is stopped."""
    data = start.tmp_path / "data"
    (data / "control.sock").mkdir(parents=True)
    daemon = start(data)
    assert f"no control socket {data}/control.sock: " in daemon.log.read_text()
    assert daemon.ping("job", "?create=1").status == 201
    daemon.stop()
    assert len(listed(data, stopped=True)) == 3


def test_a_path_that_is_too_long_for_a_socket_is_no_obstacle(start: Starter) -> None:
    """Running or stopped."""
    daemon = start(start.tmp_path / ("long" * 40) / ("path" * 40))
    assert len(listed(daemon.data)) == 3
    assert (daemon.data / "control.sock").exists()
    daemon.stop()
    assert len(listed(daemon.data, stopped=True)) == 3


# --- whose it is --------------------------------------------------------------------------------------------------


@pytest.fixture
def theirs(start: Starter) -> Running:
    """A daemon that was stopped, in a directory that anybody may reach and look into."""
    place = Path("/tmp") / f"pingmon-test-{os.getpid()}-{random.randrange(10**9)}"
    start.places.append(place)
    place.mkdir()
    daemon = start(place / "data")
    (daemon.data / "somebody's file").touch()  # so that it is no directory of ours alone, and keeps its mode
    for each in (place, daemon.data):
        each.chmod(0o755)
    return daemon


@as_root
def test_who_does_not_own_the_directory_is_told_so(theirs: Running) -> None:
    """In one line, at once, running or stopped, and nothing is changed."""
    for stopped in (False, True):
        if stopped:
            theirs.stop()
        for mode, command in ((0o700, ("project", "list")), (0o755, ("key", "create"))):
            theirs.data.chmod(mode)
            assert "run this as that user, or as root" in refusal(run(theirs.data, *command, user=NOBODY))
        assert len(listed(theirs.data, stopped=stopped)) == 3
    assert "ermission denied" in refusal(run(theirs.data, "journal", "verify", user=NOBODY))


@as_root
def test_modes_that_somebody_has_changed_let_nobody_in(theirs: Running) -> None:
    """The system is asked who it is that connects."""
    control = theirs.data / "control.sock"
    control.chmod(0o666)
    ask = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.settimeout(10)\n"
        "s.connect(sys.argv[1])\n"
        "try:\n"
        "    s.sendall(b'GET /api/v3/projects/ HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')\n"
        "    print(s.recv(1000))\n"
        "except (ConnectionResetError, BrokenPipeError):\n"
        "    print(b'')\n"
    )
    command = ["python3", "-c", ask, str(control)]
    kept: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 30, "check": True, "cwd": "/"}
    theirs_said = subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], **kept).stdout
    assert theirs_said == "b''\n"
    assert subprocess.run(command, **kept).stdout.startswith("b'HTTP/1.1 200 OK")


@as_root
@pytest.mark.parametrize("stopped", [False, True])
def test_root_works_on_it_as_its_owner_would(theirs: Running, stopped: bool) -> None:
    """No file is left that the daemon could not open."""
    theirs.stop()
    for file in (theirs.data, *theirs.data.iterdir()):
        os.chown(file, NOBODY, NOBODY)
    if not stopped:
        imported = "import pingmon.assembly, pingmon.tap, pingmon.verifier_tap; from twisted.scripts.twistd import run"
        command = as_user(NOBODY, imported, "twistd")
        listen = f"tcp:{theirs.port}:interface=127.0.0.1"
        started = subprocess.Popen(
            [*command, "-n", "--pidfile=", "pingmon", "--data", str(theirs.data), "--listen", listen],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=theirs.data.parent,
        )
        theirs.process = started
        until(theirs.listening, "the daemon to listen")
    said(run(theirs.data, "key", "create"))
    assert {file.stat().st_uid for file in theirs.data.iterdir()} == {NOBODY}
    theirs.stop()


# --- what can be wrong --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A daemon that runs."""
    starter = Starter(tmp_path_factory.mktemp("daemon"))
    yield starter()
    starter.end_all()


def invoke(daemon: Running, *args: str, stdin: str = "") -> Result:
    """`pingmon ARGS --data DATA`, in this process, with somebody at a terminal who types `stdin`."""
    return CliRunner().invoke(main, [*args, "--data", str(daemon.data)], input=Terminal(stdin.encode()))


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("key", "revoke", "hcw_nope"), "there is no key hcw_nope (pingmon key list shows all)"),
        (("key", "revoke", ""), "there is no key  (pingmon key list shows all)"),
        (("key", "revoke", "hcw_" + "x" * 28), "there is no key hcw_xxxx (pingmon key list shows all)"),
        (("key", "revoke", "first run"), "first run names 3 keys; take the id: "),
        (("key", "create", "--project", "nope"), "there is no project nope (pingmon project list shows all)"),
        (("key", "list", "--project", "\x1b[31m"), "there is no project ?[31m (pingmon project list shows all)"),
        (("key", "create", "--name", "x" * 101), "name is too long"),
        (("project", "create", " "), "name is empty"),
        (("project", "create", "x" * 101), "name is too long"),
        (("project", "rename", "nope", "new"), "there is no project nope (pingmon project list shows all)"),
        (("project", "rename", "My project", ""), "name is empty"),
        (("project", "rotate-ping-key", "nope", "--yes"), "there is no project nope (pingmon project list shows all)"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(daemon: Running, args: tuple[str, ...], line: str) -> None:
    """And changes nothing."""
    before = listed(daemon.data)
    ran = invoke(daemon, *args)
    assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr.startswith(f"Error: {line}")
    assert listed(daemon.data) == before


@pytest.mark.parametrize(
    "args",
    [
        ("key",),
        ("key", "revoke"),
        ("key", "create", "--role", "king"),
        ("key", "create", "--role", "operator", "--project", "My project"),
        ("key", "list", "extra"),
        ("project", "create"),
        ("project", "rename", "one"),
        ("project", "nonsense"),
    ],
)
def test_a_command_that_was_mistyped_is_a_usage_error(daemon: Running, args: tuple[str, ...]) -> None:
    """Status 2."""
    assert invoke(daemon, *args).exit_code == 2


def test_of_several_projects_one_must_be_named(daemon: Running) -> None:
    """By its id, or by its name if no other has it."""
    made = json.loads(invoke(daemon, "project", "create", "twin", "--json").stdout)
    assert "which project? Say --project; there are several: " in invoke(daemon, "key", "create").stderr
    assert (
        "which project? Say PROJECT; there are several: "
        in invoke(daemon, "project", "rotate-ping-key", "--yes").stderr
    )
    key = invoke(daemon, "key", "create", "--project", "twin", "--role", "ro").stdout.strip()
    assert opens(daemon, key) == 200
    assert invoke(daemon, "project", "create", "twin").exit_code == 0
    assert "twin names 2 projects; take the id: " in invoke(daemon, "key", "create", "--project", "twin").stderr
    shown = json.loads(invoke(daemon, "key", "list", "--project", made["uuid"], "--json").stdout)
    assert [each["prefix"] for each in shown["keys"]] == [key[:8]]
    assert "twin" in invoke(daemon, "key", "list").stdout


def test_a_new_ping_key_is_made_only_when_that_was_confirmed(daemon: Running) -> None:
    """What breaks is said before."""
    asked = invoke(daemon, "project", "rotate-ping-key", "My project", stdin="n\n")
    assert asked.exit_code == 1
    assert "will be answered 404 at once" in asked.stderr
    assert daemon.ping("asked", "?create=1").status == 201
    assert invoke(daemon, "project", "rotate-ping-key", "My project").exit_code == 1
    asked = invoke(daemon, "project", "rotate-ping-key", "My project", stdin="y\n")
    assert daemon.ask("GET", f"/ping/{asked.stdout.strip()}/asked").status == 200
    key = "Ab-_5678901234567890xY"
    given = invoke(daemon, "project", "rotate-ping-key", "My project", "--ping-key", key, "--yes")
    assert given.stdout == f"{key}\n"
    assert daemon.ask("GET", f"/ping/{key}/asked").status == 200


def test_people_get_a_table_and_programs_json(daemon: Running) -> None:
    """Only what was asked for is on standard output, so that it can be kept in a variable."""
    made = invoke(daemon, "key", "create", "--role", "operator", "--name", "\x1b[1mtwo\nlines")
    assert len(made.stdout.strip()) == 32
    assert "operator" in made.stderr
    heads, *rows = invoke(daemon, "key", "list").stdout.splitlines()
    assert heads.split() == ["ID", "KEY", "ROLE", "NAME", "CREATED", "USED", "EXPIRES", "PROJECT"]
    assert all(re.search(r"  [0-9]+m?[0-9]*s ago  ", row) for row in rows)
    assert any("?[1mtwo?lines" in row and made.stdout[:8] in row for row in rows)
    as_json = json.loads(invoke(daemon, "key", "list", "--json").stdout)["keys"][-1]
    assert as_json["name"] == "\x1b[1mtwo\nlines"
    assert set(as_json) >= {"uuid", "project", "role", "name", "prefix", "created"}
    gone = json.loads(invoke(daemon, "key", "revoke", "--yes", as_json["uuid"], made.stdout.strip(), "--json").stdout)
    assert gone == {"keys": [as_json]}


def test_a_journal_that_is_damaged_is_one_line(start: Starter) -> None:
    """The same as a daemon that will not start says."""
    daemon = start()
    daemon.stop()
    journal = daemon.data / "journal.sqlite3"
    journal.write_bytes(journal.read_bytes()[:8192])
    assert "journal.sqlite3: " in refusal(run(daemon.data, "key", "list"))
    shutil.rmtree(daemon.data)
    assert "there is no journal in" in refusal(run(daemon.data, "key", "list"))
    assert not daemon.data.exists()


def test_a_disk_that_takes_nothing_is_one_line(start: Starter) -> None:
    """And no key is shown that opens nothing."""
    daemon = start()
    daemon.stop()

    def full() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    assert "is the disk full?" in refusal(run(daemon.data, "key", "create", preexec=full), 3)
    assert len(listed(daemon.data, stopped=True)) == 3


# --- after a restore ----------------------------------------------------------------------------------------------


def test_a_restored_daemon_says_how_to_make_a_key(start: Starter) -> None:
    """The backup holds nobody's keys; the line, pasted into a shell, makes one that opens all that was there."""
    daemon = start()
    daemon.ping("job", "?create=1")
    elsewhere = start.tmp_path / "else where"
    elsewhere.mkdir(mode=0o700)
    said(run(daemon.data, "journal", "backup", str(elsewhere)))
    restored = start(elsewhere, wait=False)
    line = until(lambda: [line for line in restored.log.read_text().splitlines() if "new keys: " in line], "the hint")
    command = line[0].partition("new keys: ")[2]
    ran = subprocess.run(
        shlex.split(command),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        executable=None,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
    )
    answer: Answer = restored.ask("GET", "/api/v3/checks/", headers={"X-Api-Key": ran.stdout.strip()})
    assert [check["slug"] for check in answer.json["checks"]] == ["job"]
