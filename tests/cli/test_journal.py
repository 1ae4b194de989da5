"""`pingmon journal …` as a user meets it: on a daemon's data directory, in a shell."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pingmon.cli.commands import pingmon as main
from pingmon.core.world.events import CheckPaused, Draft, PingReceived
from pingmon.journal import Retention
from pingmon.journal.codec import encoded
from pingmon.journal.sqlite.writer import Writer

BEGIN = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
CHECK = "22222222-2222-4222-8222-222222222222"
OTHER = "66666666-6666-4666-8666-666666666666"
GOLDEN = Path(__file__).parents[1] / "journal" / "golden" / "format-1"
PINGMON = [sys.executable, "-c", "from pingmon.cli import main; main()"]

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the golden journal."""
    place = tmp_path / "pingmon-data"
    shutil.copytree(GOLDEN, place)
    return place


@pytest.fixture
def run(data: Path) -> Run:
    """Runs `pingmon journal COMMAND --data DATA …`."""

    def invoke(command: str, *args: str) -> Result:
        return CliRunner().invoke(main, ["journal", command, "--data", str(data), *args])

    return invoke


@pytest.fixture
def running(tmp_path: Path) -> Writer:
    """The journal of a daemon that runs, in tmp_path/live, with 3 entries."""
    (tmp_path / "live").mkdir()
    writer = Writer(tmp_path / "live" / "journal.sqlite3", Retention(), lambda found: None)
    writer.open(BEGIN)
    drafts = [
        Draft(BEGIN, CHECK, PingReceived()),
        Draft(BEGIN, OTHER, PingReceived()),
        Draft(BEGIN, CHECK, CheckPaused()),
    ]
    writer.commit((), [encoded(draft) for draft in drafts])
    return writer


def seqs(output: str) -> list[int]:
    return [json.loads(line)["seq"] for line in output.splitlines()]


def test_verify_says_what_it_proved(run: Run) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "sound: 21 entries up to 23 (2 trimmed), 5 commits in the chain, 2 blocks of state, 2 flips"
    )


def test_verify_names_the_damage_and_exits_with_1(run: Run, data: Path) -> None:
    with closing(sqlite3.connect(data / "journal.sqlite3", isolation_level=None)) as db:
        (trigger,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_is_never_changed'").fetchone()
        db.execute("DROP TRIGGER event_is_never_changed")
        db.execute("UPDATE event SET at = at + 1 WHERE seq = 16")
        db.execute(trigger)
    result = run("verify")
    assert result.exit_code == 1
    assert "damaged: entries 15 to 18 are not what was written" in result.stderr
    assert "restore a backup" in result.stderr


def test_a_backup_is_looked_at_where_it_lies(run: Run, data: Path, tmp_path: Path) -> None:
    """Under whatever name, and nothing is left beside it."""
    copy = tmp_path / "backups" / "monday.sqlite3"
    copy.parent.mkdir()
    assert run("backup", str(copy)).exit_code == 0
    shutil.rmtree(data)
    runner = CliRunner()
    assert runner.invoke(main, ["journal", "verify", str(copy)]).stdout.startswith("sound: 21 entries up to 23")
    assert seqs(runner.invoke(main, ["journal", "tail", "-n", "2", "--data", str(copy)]).stdout) == [22, 23]
    assert runner.invoke(main, ["journal", "backup", "--data", str(copy), str(tmp_path / "again")]).exit_code == 0
    assert list(copy.parent.iterdir()) == [copy]


@pytest.mark.parametrize("command", ["verify", "tail", "export", "backup"])
def test_a_missing_journal_is_one_clear_line(command: str, tmp_path: Path) -> None:
    dest = [str(tmp_path / "copy")] if command == "backup" else []
    result = CliRunner().invoke(main, ["journal", command, "--data", str(tmp_path / "nowhere"), *dest])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "there is no journal in" in result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", ["verify", "tail", "export", "backup"])
def test_a_file_that_is_no_journal_is_one_clear_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").write_bytes(b"hello")
    dest = [str(tmp_path / "copy")] if command == "backup" else []
    result = CliRunner().invoke(main, ["journal", command, "--data", str(tmp_path), *dest])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "not a pingmon journal" in result.stderr
    assert not (tmp_path / "copy").exists()


def test_a_wrong_option_is_a_usage_error(run: Run) -> None:
    assert run("verify", "--nonsense").exit_code == 2
    assert run("tail", "--stream", "no-uuid").exit_code == 2


def test_tail_shows_the_newest_entries_oldest_first(run: Run) -> None:
    assert seqs(run("tail").stdout) == list(range(14, 24))
    assert seqs(run("tail", "-n", "2").stdout) == [22, 23]
    assert seqs(run("tail", "-n", "3", "--stream", CHECK).stdout) == [14, 15, 22]
    assert run("tail", "-n", "0").stdout == ""


def test_an_entry_is_one_line_with_its_fields(run: Run) -> None:
    fail, log = [json.loads(line) for line in run("tail", "-n", "14").stdout.splitlines()][:2]
    assert fail == {
        "seq": 10,
        "at": "2026-01-01T00:00:10.000010Z",
        "stream": CHECK,
        "kind": "ping_received",
        "signal": "fail",
        "method": "PUT",
        "addr": "2001:db8::1",
        "exitstatus": 3,
        "rid": "55555555-5555-4555-8555-555555555555",
        "payload": "Übel\n",
    }
    assert log["payload_base64"] == "/wBub3QgdGV4dA=="
    assert "payload" not in log


def test_export_gives_every_entry(run: Run, data: Path, tmp_path: Path) -> None:
    expected = (GOLDEN / "export.jsonl").read_text("utf-8")
    assert run("export").stdout == expected
    result = run("export", "-o", str(tmp_path / "all.jsonl"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"exported 21 entries to {tmp_path / 'all.jsonl'}\n"
    assert (tmp_path / "all.jsonl").read_text("utf-8") == expected


def test_export_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "all.jsonl").write_text("mine")
    result = run("export", "-o", str(tmp_path / "all.jsonl"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert (tmp_path / "all.jsonl").read_text() == "mine"


def test_backup_makes_a_sound_private_copy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    result = run("backup", str(tmp_path / "copies"))
    assert result.exit_code == 0, result.stderr
    assert [file.name for file in (tmp_path / "copies").iterdir()] == ["journal.sqlite3"]
    assert (tmp_path / "copies" / "journal.sqlite3").stat().st_mode & 0o777 == 0o600
    exported = CliRunner().invoke(main, ["journal", "export", "--data", str(tmp_path / "copies")])
    assert exported.stdout == (GOLDEN / "export.jsonl").read_text("utf-8")


def test_backup_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    result = run("backup", str(tmp_path / "copy"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "overwrites nothing" in result.stderr
    assert (tmp_path / "copy").read_text() == "mine"


def test_backup_does_not_keep_the_copy_of_a_damaged_journal(run: Run, data: Path, tmp_path: Path) -> None:
    content = bytearray((data / "journal.sqlite3").read_bytes())
    at = content.index(b"Nightly backup")
    content[at] ^= 1
    (data / "journal.sqlite3").write_bytes(bytes(content))
    result = run("backup", str(tmp_path / "copy"))
    assert result.exit_code == 1
    assert "some are not what was written" in result.stderr
    assert not list(tmp_path.glob("copy*"))


def test_all_of_it_works_while_the_daemon_runs(running: Writer, tmp_path: Path) -> None:
    place = str(tmp_path / "live")
    runner = CliRunner()
    assert runner.invoke(main, ["journal", "verify", "--data", place]).exit_code == 0
    assert seqs(runner.invoke(main, ["journal", "export", "--data", place]).stdout) == [1, 2, 3]
    assert runner.invoke(main, ["journal", "backup", str(tmp_path / "copy"), "--data", place]).exit_code == 0
    running.commit((), [encoded(Draft(BEGIN, CHECK, PingReceived()))])
    assert seqs(runner.invoke(main, ["journal", "tail", "--data", place]).stdout) == [1, 2, 3, 4]
    running.close()


@pytest.mark.process
def test_tail_follows_what_the_daemon_adds(running: Writer, tmp_path: Path) -> None:
    command = [*PINGMON, "journal", "tail", "-f", "-n", "1", "--stream", CHECK, "--data", str(tmp_path / "live")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert seqs(tail.stdout.readline()) == [3]
        running.commit((), [encoded(Draft(BEGIN, stream, PingReceived())) for stream in (OTHER, CHECK)])
        assert seqs(tail.stdout.readline()) == [5]
        tail.send_signal(signal.SIGINT)
        _, errors = tail.communicate(timeout=10)
    assert (tail.returncode, errors) == (0, "")
    running.close()


@pytest.mark.process
def test_a_reader_that_goes_away_is_no_error(data: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*PINGMON, "journal", "export", "--data", str(data)]
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    os.close(writing)
    assert run.stderr == ""


@pytest.mark.process
@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("journal verify > /dev/full", "No space left on device"),
        ("journal tail > /dev/full", "No space left on device"),
        ("journal tail >&-", "standard output is closed, so nothing was done"),
        ("key create >&-", "standard output is closed, so nothing was done"),
    ],
)
def test_an_output_that_takes_nothing_is_one_clear_line(data: Path, shell: str, said: str) -> None:
    command = f"{shlex.join([*PINGMON, '--'])} {shell} --data {shlex.quote(str(data))}"
    run = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("Error: ")
    assert run.stderr.rstrip().endswith(said)
    assert run.stderr.count("\n") == 1


def test_a_path_that_leads_nowhere_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    for command, path in (("verify", tmp_path / "circle"), ("backup", tmp_path / ("long" * 100))):
        result = run(command, str(path))
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1


def test_more_entries_than_can_be_are_no_damage(run: Run) -> None:
    assert len(seqs(run("tail", "-n", str(2**63 - 1)).stdout)) > 10
    result = run("tail", "-n", str(2**63))
    assert (result.exit_code, "damage" in result.stderr) == (2, False)


@pytest.mark.process
def test_a_terminal_sees_progress(data: Path) -> None:
    main_end, terminal = os.openpty()
    command = [*PINGMON, "journal", "backup", str(data / "copy"), "--data", str(data)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, text=True, timeout=30, check=False)
    os.close(terminal)
    shown = os.read(main_end, 65536).decode()
    os.close(main_end)
    assert run.returncode == 0
    assert "100%" in shown
