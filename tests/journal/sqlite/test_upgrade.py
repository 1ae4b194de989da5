"""A journal of an older format is read as it is, and becomes one of this format as a whole or not at all."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event as Alarm
from typing import Any

import pytest
from click.testing import CliRunner
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.logger import capturedLogs

from pingmon.cli.commands import pingmon as main
from pingmon.core.units import Id
from pingmon.core.world.events import Draft, Entry, PingReceived
from pingmon.core.world.outcome import Outcome
from pingmon.journal import JournalDamaged, JournalUnavailable, Retention, SnapshotDamaged
from pingmon.journal.codec import id_text
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.history_queries import read_events
from pingmon.journal.sqlite.meta_table import FORMAT
from pingmon.journal.sqlite.schema import connect
from pingmon.journal.sqlite.snapshot_table import read_state
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.upgrade import REPORT, Progress, upgraded
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer
from pingmon.monitor import Monitor
from pingmon.testing import START
from pingmon.timing.clock import Timekeeper, steady_seconds, wall_seconds
from tests.journal.old_formats import format_of, write_format_1

GOLDEN = Path(__file__).parents[1] / "golden"
OLD = sorted(
    place.name for place in GOLDEN.iterdir() if place.name.startswith("format-") and place.name[7] != str(FORMAT)
)
FLIPS = "SELECT seq, stream, at, body, crc FROM flip ORDER BY seq, stream"


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden journal of an older format."""
    return Path(shutil.copy(GOLDEN / str(request.param) / "journal.sqlite3", tmp_path))


def content(path: Path) -> list[Any]:
    """All that a journal says, and may not be lost: entries, commits, snapshot, flips and where it stands."""
    writer = Writer(path, Retention(), print)
    writer.open(START)
    try:
        db = writer.reader()
        meta = writer.meta
        marks = (
            meta.snapshot_seq,
            meta.trim_mark,
            meta.anchor,
            meta.kept,
            meta.cursor,
            writer.alive_at,
            writer.log_end,
        )
        commits = db.execute("SELECT * FROM batch ORDER BY last").fetchall()
        return [
            list(SqliteFile(path).entries_after(0)), commits, list(read_state(db, meta)), db.execute(FLIPS).fetchall(),
            marks, list(replayed(db, meta)),
        ]  # fmt: skip
    finally:
        writer.abandon()


def upgrade(path: Path) -> None:
    """As a start does it."""
    writer = Writer(path, Retention(), print)
    writer.open(START)
    try:
        with suppress(SnapshotDamaged):
            list(writer.state())
        writer.upgrade()
    finally:
        writer.abandon()


def in_streams(path: Path) -> dict[Id, list[int]]:
    """What is found of each stream, by its places."""
    return {stream: [entry.seq for entry in SqliteFile(path).entries_after(0, stream)] for stream in by_counting(path)}


def by_counting(path: Path) -> dict[Id, list[int]]:
    """The same, by a look at all entries."""
    found: dict[Id, list[int]] = {}
    for entry in SqliteFile(path).entries_after(0):
        found.setdefault(entry.stream, []).append(entry.seq)
    return found


def pings(count: int, streams: int = 3) -> Iterator[Draft]:
    """Pings of some checks in turn."""
    ids = [id_text(bytes([n * 7 % 256]) + bytes(15)) for n in range(streams)]
    for n in range(count):
        yield Draft(START + n, ids[n % streams], PingReceived())


def test_an_old_journal_says_the_same_when_it_is_upgraded(old: Path) -> None:
    """And it is then like one that was begun in this format."""
    before = content(old)
    upgrade(old)
    assert format_of(old) == FORMAT
    assert content(old) == before
    assert in_streams(old) == by_counting(old)
    assert verify(old).damage == ()


def test_an_upgraded_journal_is_written_on_and_trimmed(old: Path) -> None:
    """The first write upgrades, if nobody has."""
    writer = Writer(old, Retention(pings_per_check=1, probes_per_site=1), print)
    writer.open(START)
    writer.snapshot((), writer.log_end.last, [], START)
    while not writer.trim(START, 100).wrapped:
        pass
    writer.close()
    assert format_of(old) == FORMAT
    assert in_streams(old) == by_counting(old)
    assert verify(old).damage == ()


@pytest.mark.parametrize("write", ["trim", "place", "touch"])
def test_any_first_write_upgrades(old: Path, write: str) -> None:
    """And goes on from what the upgrade has made."""
    writer = Writer(old, Retention(pings_per_check=1, probes_per_site=1), print)
    writer.open(START)
    {"trim": lambda: writer.trim(START, 100), "place": lambda: writer.place(1), "touch": lambda: writer.touch((), 1)}[
        write
    ]()
    writer.close()
    assert format_of(old) == FORMAT
    assert in_streams(old) == by_counting(old)
    assert verify(old).damage == ()


def test_commands_that_only_read_take_an_old_journal_as_it_is(old: Path, tmp_path: Path) -> None:
    """They find the same in it, also by stream, and change nothing; a backup has the format that the journal has."""
    before = old.read_bytes()
    stream = next(iter(by_counting(old)))
    run = CliRunner()
    said = [
        run.invoke(main, ["journal", *command])
        for command in (
            ["verify", str(old)],
            ["tail", "--data", str(old), "--stream", stream, "-n", "99"],
            ["export", "--data", str(old)],
            ["backup", "--data", str(old), str(tmp_path / "backup")],
        )
    ]
    assert [each.exit_code for each in said] == [0] * 4, [each.output for each in said]
    assert len(said[1].output.splitlines()) == len(by_counting(old)[stream])
    assert SqliteFile(old).newest_entries(1, stream)[0].seq == by_counting(old)[stream][-1]
    assert old.read_bytes() == before
    assert format_of(tmp_path / "backup") < FORMAT


def test_a_kill_between_any_two_statements_leaves_a_whole_journal(old: Path, tmp_path: Path) -> None:
    """Of the old format, or of the new one; and the next start makes it the new one."""
    before = content(old)
    places: list[Path] = []

    def killed(statement: str) -> None:
        places.append(tmp_path / f"killed-{len(places)}")
        places[-1].mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{old}{suffix}", places[-1])

    with closing(connect(old, write=True)) as db:
        writer = Writer(old, Retention(), print)
        writer.open(START)
        db.execute("PRAGMA cache_size = 1")  # what is changed goes to the disk at once
        db.set_trace_callback(killed)
        upgraded(old, db, writer.meta)
        db.set_trace_callback(None)
        killed("")
        writer.abandon()
    formats = []
    for place in places:
        path = place / old.name
        formats.append(format_of(path))
        assert content(path) == before
        assert verify(path).damage == ()
        upgrade(path)
        assert content(path) == before
        assert in_streams(path) == by_counting(path)
    assert sorted(formats) == formats
    assert set(formats) == {1, FORMAT}
    assert len(formats) > 15


def test_a_disk_that_takes_no_more_at_any_step_leaves_the_old_format(old: Path) -> None:
    """It is told, everything is there, and the next try goes through once there is room."""
    before = content(old)
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    refused = 0
    for limit in range(0, 1_000_000, 1_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, held[1]))
        try:
            upgrade(old)
        except JournalUnavailable:
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, held)
        assert content(old) == before
        if format_of(old) == FORMAT:
            break
        assert verify(old).damage == ()
    assert refused > 20
    assert in_streams(old) == by_counting(old)


@pytest.mark.process
def test_killed_at_random_moments_an_upgrade_loses_nothing(tmp_path: Path) -> None:
    """However often; and then it is done."""
    path = tmp_path / "journal.sqlite3"
    interrupted, done = 0, False
    write_format_1(path, pings(20_000, 40))
    entries = list(SqliteFile(path).entries_after(0))
    command = [sys.executable, str(GOLDEN.with_name("upgraded.py")), str(path)]
    while not done:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "opened\n"
            Alarm().wait(random.uniform(0.0, 0.04) * interrupted)  # the first is killed at once
            process.kill()
            done = "upgraded" in process.stdout.read()
        interrupted += not done
        assert done <= (format_of(path) == FORMAT)
        assert list(SqliteFile(path).entries_after(0)) == entries
        assert interrupted < 60
    assert interrupted > 0
    upgrade(path)
    assert verify(path).damage == ()
    assert in_streams(path) == by_counting(path)


def test_a_damaged_journal_is_not_upgraded(tmp_path: Path) -> None:
    """It is refused as it would have been by the pingmon that wrote it, and stays as it is."""
    path = tmp_path / "journal.sqlite3"
    write_format_1(path, pings(200))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (trigger,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_is_never_changed'").fetchone()
        db.execute("DROP TRIGGER event_is_never_changed")
        db.execute("UPDATE event SET at = at + 1 WHERE seq = 150")
        db.execute(trigger)
    before = path.read_bytes()
    journal: SqliteJournal[Outcome] = SqliteJournal(path, reactor=reactor)  # type: ignore[arg-type]
    with pytest.raises(JournalDamaged, match="entries 129 to 192 are not what was written"):
        Monitor(journal, Timekeeper(wall_seconds, steady_seconds)).open()
    assert path.read_bytes() == before


def test_a_damaged_snapshot_of_a_whole_log_is_dropped_before_the_upgrade(tmp_path: Path) -> None:
    """The log has all of it."""
    path = tmp_path / "journal.sqlite3"
    write_format_1(path, pings(200), state=[("check", "a", b"{}"), ("check", "b", b"{}")], snapshot_seq=128)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE state SET body = '[]' WHERE id = 'b'")
    upgrade(path)
    assert format_of(path) == FORMAT
    assert verify(path).damage == ()
    writer = Writer(path, Retention(), print)
    writer.open(START)
    assert (writer.meta.snapshot_seq, len(list(replayed(writer.reader(), writer.meta)))) == (0, 200)
    writer.close()


def test_an_upgrade_that_does_not_give_the_tables_of_its_format_is_undone(tmp_path: Path) -> None:
    """A table that somebody has put in stands in its way."""
    path = tmp_path / "journal.sqlite3"
    write_format_1(path, pings(200))
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE place (mine TEXT)")
    with pytest.raises(JournalDamaged, match="table place already exists"):
        upgrade(path)
    assert format_of(path) == 1
    assert verify(path).entries == 200


def test_readers_that_began_with_the_old_format_go_on(tmp_path: Path) -> None:
    """An export or `tail -f` while the daemon is started over the journal."""
    path = tmp_path / "journal.sqlite3"
    write_format_1(path, pings(3_000))
    stream = next(pings(1)).stream
    every, one = SqliteFile(path).entries_after(0), SqliteFile(path).entries_after(0, stream)
    first = next(every), next(one)
    upgrade(path)
    assert [first[0].seq, *(entry.seq for entry in every)] == list(range(1, 3_001))
    assert [first[1].seq, *(entry.seq for entry in one)] == list(range(1, 3_001, 3))


@ensureDeferred
async def test_a_journal_that_runs_reads_what_was_upgraded(disk: Any) -> None:
    """History, before and after new entries."""
    write_format_1(disk.path, pings(3_000))
    journal = disk.unstarted()
    with translated(disk.path):
        assert len(list(journal.replay())) == 3_000
    journal.upgrade()
    journal.start(disk.deliver)
    stream = next(pings(1)).stream
    assert [entry.seq for entry in await journal.events(stream, PingReceived, upto=9_999, limit=2)] == [2_998, 2_995]
    assert await journal.append(Draft(START, stream, PingReceived())) == 3_001
    assert [entry.seq for entry in await journal.events(stream, PingReceived, upto=9_999, limit=2)] == [3_001, 2_998]


def test_the_log_is_told_of_an_upgrade_and_of_how_far_a_long_one_is(tmp_path: Path) -> None:
    """Before and after it, and once for each million rows."""
    path = tmp_path / "journal.sqlite3"
    write_format_1(path, pings(100))
    with capturedLogs() as logged:
        upgrade(path)
        upgrade(path)
    assert [event["log_format"].partition(" ")[2][:14] for event in logged] == ["is upgraded fr", "was upgraded t"]
    with capturedLogs() as logged:
        progress = Progress(3 * REPORT)
        for _ in range(6):
            progress.moved(REPORT // 2)
    assert [event["done"] for event in logged] == [REPORT, 2 * REPORT, 3 * REPORT]


def test_ranks_are_read_from_the_places_of_an_upgraded_journal(tmp_path: Path, pen: Callable[..., Any]) -> None:
    """Newest first, from the old entries on to the new ones."""
    write_format_1(tmp_path / "journal.sqlite3", pings(300))
    book = pen()
    stream = next(pings(1)).stream
    book.write(Draft(START, stream, PingReceived()))
    found: list[Entry] = read_events(book.writer.reader(), stream, PingReceived, 999, 3, 99)
    assert [entry.seq for entry in found] == [4, 1]
