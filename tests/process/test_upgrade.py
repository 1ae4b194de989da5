"""A daemon that is started over the journal of an older one, and killed in the middle of the upgrade."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from pingmon.core.events import Draft, PingReceived
from pingmon.journal import Retention
from pingmon.journal.derived import read_state
from pingmon.journal.offline import entries_after
from pingmon.journal.writer import Writer
from tests.journal.old_formats import write_format_1
from tests.process.daemons import BIN, PATIENCE_S, Running, Starter

pytestmark = pytest.mark.process
MORE = 60_000


def aged(path: Path, more: int) -> None:
    """Give the journal of a stopped daemon format 1, and its only check so many more pings after the snapshot."""
    writer = Writer(path, Retention(), print)
    writer.open(0)
    state, snapshot_seq = list(read_state(writer.reader(), writer.meta)), writer.meta.snapshot_seq
    writer.abandon()
    entries = list(entries_after(path, 0))
    pings = [entry for entry in entries if isinstance(entry.event, PingReceived)]
    drafts = [Draft(entry.at, entry.stream, entry.event, entry.payload) for entry in entries]
    drafts += [Draft(entries[-1].at + n, pings[-1].stream, PingReceived()) for n in range(1, more + 1)]
    for suffix in ("", "-wal", "-shm", "-lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    write_format_1(path, drafts, state=state, snapshot_seq=snapshot_seq)


def format_of(path: Path) -> int:
    """What the header of a journal says."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        return int(version)


def begun(daemon: Running) -> None:
    """Wait, without a pause that might be too long, until the upgrade has begun; fails if it never does."""
    end = time.monotonic() + PATIENCE_S
    while "is brought from format 1" not in daemon.log.read_text():
        assert time.monotonic() < end, daemon.log.read_text()


def test_a_daemon_that_is_killed_in_the_middle_of_an_upgrade_does_it_at_the_next_start(start: Starter) -> None:
    """Every ping is counted and found, old and new; the log says what is done; commands read either format."""
    first = start()
    assert first.ping("job", "?create=1").status == 201
    assert [first.ping("job").status for _ in range(9)] == [200] * 9
    first.stop()
    path = first.data / "journal.sqlite3"
    aged(path, MORE)
    shutil.copy(path, first.data / "old")
    for _ in range(3):
        daemon = start(first.data, wait=False)
        begun(daemon)
        daemon.kill()
    assert format_of(path) == 1
    daemon = start(first.data)
    assert "is brought from format 1 to format 2" in daemon.log.read_text()
    assert format_of(path) == 2
    (check,) = daemon.api("GET", "checks/").json["checks"]
    assert check["n_pings"] == 10 + MORE
    assert daemon.ping("job").status == 200
    pings = daemon.api("GET", f"checks/{check['uuid']}/pings/?limit=1000").json["pings"]
    assert [ping["n"] for ping in pings] == list(range(11 + MORE, 11 + MORE - len(pings), -1))
    daemon.stop()
    for journal in (path, first.data / "old"):
        command = [str(BIN / "pingmon"), "journal", "verify", str(journal)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
