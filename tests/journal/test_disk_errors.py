"""A disk that takes no writes costs no entry that was promised, and needs no restart when it works again."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pingmon.core.world.events import Draft
from pingmon.journal import JournalUnavailable, Retention
from pingmon.journal.codec import encoded
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.schema import connect
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer

SCRIPT = Path(__file__).with_name("full_disk.py")


def story(fault: str, place: Path) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), fault, str(place)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def check(told: dict[str, Any], cause: str) -> None:
    assert told["refused"] > 0
    assert cause in told.pop("snapshot")
    del told["refused"], told["accepted"]
    assert told == {
        "unhealthy": True,
        "snapshot_seq_after_failure": 0,
        "touch": "done",
        "healthy": True,
        "after": "done",
        "delivered_after": 5,
        "second_snapshot": "done",
        "flips": 1,
        "gapless": True,
        "damage": [],
        "kept": True,
    }


@pytest.mark.process
def test_after_an_io_error_the_journal_goes_on_without_a_gap(tmp_path: Path) -> None:
    check(story("limit", tmp_path), "I/O error")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a file system")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.process
def test_after_a_full_disk_the_journal_goes_on_without_a_gap(small_disk: Path) -> None:
    check(story("filler", small_disk), "the disk is full")


def test_another_program_that_keeps_the_file_locked_is_told(
    pen: Callable[..., Any], ping: Callable[..., Draft]
) -> None:
    book = pen()
    book.writer.reader().execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(book.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match="another program keeps the journal locked"):
        book.write(ping())
    other.execute("ROLLBACK")
    other.close()
    assert book.write(ping()) == 1


def test_entries_of_a_commit_that_was_called_failed_but_was_kept_are_delivered(
    pen: Callable[..., Any], ping: Callable[..., Draft]
) -> None:
    book = pen()
    book.write(ping(1))
    before = book.writer.log_end
    book.write(ping(2), ping(3))
    # A disk that does not confirm an fsync leaves this behind: the commit on disk, the writer at the one before it,
    # the connection given up.
    book.writer.log_end = before
    book.writer.forget_connection()
    assert book.write(ping(4)) == 4
    assert [(entry.seq, entry.at) for entry in book.found] == [(2, 2), (3, 3)]


def test_a_file_that_was_opened_anew_is_still_in_use_for_others(
    pen: Callable[..., Any], ping: Callable[..., Draft]
) -> None:
    """Another program that is the last to close a file, as far as it can see, deletes the log of it."""
    book = pen()
    book.write(ping())
    with closing(connect(book.path, write=False)) as reader:
        reader.execute("SELECT * FROM meta").fetchall()
        book.writer.forget_connection()
        book.write(ping())
        other = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM meta'); db.close()"
        subprocess.run([sys.executable, "-c", other, str(book.path)], check=True, timeout=30)
        assert book.path.with_name(book.path.name + "-wal").exists()
    assert book.write(ping()) == 3


def test_a_commit_that_fails_leaves_no_trace(pen: Callable[..., Any], ping: Callable[..., Draft]) -> None:
    book = pen()
    book.write(ping())
    good, bad = encoded(ping()), encoded(ping())
    bad = type(bad)(bad.at, b"short", bad.kind, bad.body, None, bad.canon)
    with pytest.raises(Exception, match="CHECK constraint failed"):
        book.writer.commit((), [good, bad])
    assert book.write(ping()) == 2
    assert book.found == []


@pytest.mark.process
def test_what_was_called_durable_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    command = [sys.executable, str(SCRIPT.with_name("killed.py")), str(path), "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        printed = [daemon.stdout.readline() for _ in range(500)]
        daemon.kill()
        printed += daemon.stdout.readlines()
    durable = max(int(line) for line in printed if line.endswith("\n"))
    writer = Writer(path, Retention(), lambda found: None)
    writer.open(0)
    kept = [entry.seq for entry in replayed(writer.reader(), writer.meta)]
    writer.close()
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= durable
    assert verify(path).damage == ()
