"""The entries of a stream are found at every moment: those that have their place, and those that have none yet."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from pingmon.core.units import Id
from pingmon.core.world.events import KINDS, CheckPaused, Draft, PingReceived
from pingmon.journal import FlipRow, Retention
from pingmon.journal.codec import encoded, packed_id
from pingmon.journal.sqlite.history_queries import read_entries, read_events
from pingmon.journal.sqlite.meta_table import read_meta
from pingmon.journal.sqlite.schema import connect
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.stream_index import LOT, PART, NewestEntries
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer
from pingmon.testing import START

STREAMS = [f"{first}-0000-4000-8000-000000000000" for first in ("00000000", "0fffffff", "10000000", "ffffffff")]
STEPS = st.lists(
    st.one_of(
        st.lists(st.tuples(st.sampled_from(STREAMS), st.sampled_from([PingReceived, CheckPaused])), min_size=1),
        st.sampled_from(["place", "save", "trim", "stop", "kill"]),
    ),
    max_size=40,
)


class Book:
    """A journal with lots of three entries, beside what is in it by counting."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    def _open(self) -> None:
        self.writer = Writer(self.path, Retention(pings_per_check=4), lambda found: None)
        self.writer.open(START)
        self.newest = NewestEntries(connect(self.path, write=False))
        self.known = 0

    def take(self, step: Any) -> None:
        """One step of the story."""
        writer = self.writer
        if isinstance(step, list):
            writer.commit((), [encoded(Draft(START, stream, kind())) for stream, kind in step])
        elif step == "place":
            writer.place(3)
        elif step == "save":
            writer.snapshot((), writer.log_end.last, [], START)
        elif step == "trim":
            writer.trim(START, 5)
        else:
            self.newest.db.close()
            (writer.close if step == "stop" else writer.abandon)()
            self._open()

    def check(self, catches_up: bool) -> None:
        """History is what a look through all entries gives; to a reader, as far as it has caught up."""
        last = self.writer.log_end.last
        _check(self.writer.reader(), last)
        if catches_up:
            self.newest.catch_up(last)
            self.known = last
        _check(self.newest.db, self.known)


def _check(db: sqlite3.Connection, upto: int) -> None:
    for stream in STREAMS:
        sql = "SELECT seq FROM event WHERE +stream = ? AND +kind = ? AND seq <= ? ORDER BY seq DESC"
        seqs = [seq for (seq,) in db.execute(sql, (packed_id(stream), KINDS[PingReceived], upto))]
        assert [entry.seq for entry in read_events(db, stream, PingReceived, upto, 999)] == seqs
        assert [entry.seq for entry in read_events(db, stream, PingReceived, min(9, upto), 2, 1)] == [
            seq for seq in seqs if seq <= 9
        ][1:3]
        every = "SELECT seq FROM event WHERE +stream = ? AND seq <= ? ORDER BY seq"
        assert [entry.seq for entry in read_entries(db, stream, 0, 999) if entry.seq <= upto] == [
            seq for (seq,) in db.execute(every, (packed_id(stream), upto))
        ]


@settings(max_examples=40, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_history_is_right_at_every_moment(steps: list[Any], chance: random.Random) -> None:
    """Between any two parts of a lot, while old pings are trimmed, after a stop and after a kill.

    To a reader that stays open, too, whenever it last caught up.
    """
    with TemporaryDirectory() as place:
        book = Book(Path(place) / "journal.sqlite3")
        for step in steps:
            book.take(step)
            book.check(chance.random() < 0.5)
        book.newest.db.close()
        book.writer.close()
        assert verify(book.path).damage == ()


def test_a_lot_is_put_in_by_sixteenths_of_the_streams(pen: Callable[..., Any]) -> None:
    """And not before there are enough entries for one."""
    book = pen()
    streams = [f"{first:02x}{STREAMS[0][2:]}" for first in range(256)]
    book.write(*[Draft(START, stream, PingReceived()) for stream in streams * (LOT // 256)])
    book.write(Draft(START, STREAMS[0], CheckPaused()))
    count = "SELECT count(*), count(DISTINCT stream) FROM place"
    counts = []
    for part in range(17):
        book.writer.place()
        if part in (7, 14):
            book.write(*[Draft(START, stream, PingReceived()) for stream in streams])  # they wait for the next lot
        counts.append(book.writer.reader().execute(count).fetchone())
    assert counts == [(PART * part + 1, 16 * part) for part in range(1, 17)] + [(LOT + 1, 256)]
    assert (book.writer.meta.placed, book.writer.meta.part) == (LOT + 1, b"")


@ensureDeferred
async def test_entries_get_their_places_as_others_come(disk: Any, stream: Callable[[int], Id]) -> None:
    """By themselves, and what was appended before, between and after is read."""
    journal = disk.journal()
    for part in range(24):
        waiting = [journal.append(Draft(START, stream(n % 2), PingReceived())) for n in range(PART)]
        upto = journal.last_seq
        page = await journal.events(stream(part % 2), PingReceived, upto=upto, limit=9_999)
        assert [entry.seq for entry in page] == [seq for seq in range(upto, 0, -1) if seq % 2 != part % 2]
        await gatherResults(waiting)
    found = await gatherResults([journal.events(stream(n), PingReceived, upto=99_999, limit=9_999) for n in range(2)])
    assert [len(entries) for entries in found] == [12 * PART, 12 * PART]
    await journal.stop()
    with closing(sqlite3.connect(disk.path)) as db:
        (places,) = db.execute("SELECT count(*) FROM place").fetchone()
    assert LOT <= places < 24 * PART
    assert len(SqliteFile(disk.path).newest_entries(5, stream(1))) == 5


@ensureDeferred
async def test_a_place_that_is_taken_is_damage_and_costs_no_ping(disk: Any, stream: Callable[[int], Id]) -> None:
    """It is named in the health report."""
    journal = disk.journal()
    await journal.append(Draft(START, stream(1), PingReceived()))
    with closing(sqlite3.connect(disk.path)) as other, other:
        other.execute("INSERT INTO place VALUES (?, 5, 'x')", (packed_id(stream(1)),))
    waiting = [journal.append(Draft(START, stream(1), PingReceived())) for _ in range(LOT + PART)]
    await gatherResults(waiting)
    await journal.append(Draft(START, stream(1), PingReceived()))
    assert "place" in str(journal.health().damage)
    assert journal.health().failing_since is None


@pytest.mark.parametrize("write", ["trim", "place"])
def test_places_are_put_in_for_what_is_found_when_the_file_is_opened_anew(pen: Callable[..., Any], write: str) -> None:
    """Entries and flips of a commit that was called failed, but was kept."""
    book = pen()
    book.write(*[Draft(START, STREAMS[0], PingReceived())] * 3)
    before = book.writer.log_end, book.writer.meta
    book.writer.commit([FlipRow(4, STREAMS[1], START, b"{}")], [encoded(Draft(START, STREAMS[1], PingReceived()))])
    book.writer.log_end, book.writer.meta = before
    book.writer.forget_connection()
    if write == "trim":
        book.writer.trim(START, 500)
    else:
        book.writer.place(1)
    assert [entry.seq for entry in book.found] == [4]
    book.close()
    assert verify(book.path).damage == ()


def test_deleting_an_entry_frees_its_place(pen: Callable[..., Any]) -> None:
    """Retention leaves nothing behind."""
    book = pen(Retention(pings_per_check=1))
    book.write(*[Draft(START, STREAMS[0], PingReceived())] * 9)
    book.writer.snapshot((), 9, [], START)
    assert book.writer.trim(START, 500).deleted == 8
    assert book.writer.reader().execute("SELECT seq FROM place").fetchall() == [(9,)]


@pytest.mark.process
def test_killed_while_lots_are_put_in_each_stream_has_its_entries(tmp_path: Path) -> None:
    """What was durable is there, found by its stream, and sound, after each of some kills."""
    path = tmp_path / "journal.sqlite3"
    command = [sys.executable, str(Path(__file__).parents[1] / "killed.py"), str(path), "500"]
    under_way = 0
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writing:
            assert writing.stdout is not None
            printed = [writing.stdout.readline() for _ in range(random.randrange(LOT, 2 * LOT))]
            writing.kill()
        assert verify(path).damage == ()
        entries = list(SqliteFile(path).entries_after(0))
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert int(printed[-1]) <= len(entries)
        for stream in {entry.stream for entry in entries}:
            seqs = [entry.seq for entry in entries if entry.stream == stream]
            assert [entry.seq for entry in SqliteFile(path).entries_after(0, stream)] == seqs
        with closing(connect(path, write=False)) as db:
            NewestEntries(db).catch_up(len(entries))
            for stream in {entry.stream for entry in entries}:
                seqs = [entry.seq for entry in entries if entry.stream == stream][::-1]
                assert [entry.seq for entry in read_events(db, stream, PingReceived, 99_999, 99_999)] == seqs
            under_way += read_meta(db).part != b""
    assert under_way > 0
