"""Trimming keeps exactly what the rule says, in bounded steps, and leaves a journal that can still be proved."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.units import DAY
from pingmon.core.world.events import (
    KINDS,
    CheckDeleted,
    CheckPaused,
    Draft,
    Event,
    PartnerAnswered,
    PingReceived,
    SiteDeleted,
    SiteProbed,
)
from pingmon.core.world.snapshot_blocks import Block
from pingmon.journal import JournalDamaged, Memory, MemoryJournal, Retention, SnapshotDamaged
from pingmon.journal.codec import encoded
from pingmon.journal.retention import MEASUREMENTS
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.meta_table import FORMAT, Meta, insert_meta
from pingmon.journal.sqlite.schema import schema_text
from pingmon.journal.sqlite.snapshot_table import read_state
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer
from pingmon.testing import START

STREAMS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(3)]

STATE: list[Block] = [Block(1, "check", b"[{}]"), Block(2, "site", b"[{}]")]
OFTEN: tuple[type[Event], ...] = (PingReceived, SiteProbed, CheckPaused)
SEEN: tuple[type[Event], ...] = (*OFTEN * 4, CheckDeleted, SiteDeleted)
DRAFTS = st.lists(
    st.builds(
        lambda stream, kind, days: Draft(START + days * DAY, stream, kind()),
        st.sampled_from(STREAMS),
        st.sampled_from(SEEN),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=60,
)
RETENTIONS = st.builds(Retention, st.integers(1, 6), st.none() | st.integers(1, 9), st.integers(1, 6))
NOW = START + 10 * DAY


def expected(drafts: list[Draft], mark: int, retention: Retention) -> list[int]:
    """The seqs that the rule keeps, by counting."""
    rules: dict[type[Event], tuple[int, type[Event]]] = {
        PingReceived: (retention.pings_per_check, CheckDeleted),
        SiteProbed: (retention.probes_per_site, SiteDeleted),
    }
    kept, stays = [], set()
    for seq, draft in enumerate(drafts, 1):
        series = draft.stream, type(draft.event)
        if series[1] not in rules:
            kept.append(seq)
            continue
        most, end = rules[series[1]]
        newer = [(other.stream, type(other.event)) for other in drafts[seq:]].count(series)
        old = retention.max_age_days is not None and draft.at < NOW - retention.max_age_days * DAY
        gone = any(other.stream == draft.stream and isinstance(other.event, end) for other in drafts)
        if seq > mark or series in stays or not (gone or newer >= most or (old and newer)):
            kept.append(seq)
            stays.add(series)
    return kept


@settings(max_examples=60)
@given(DRAFTS, st.data(), RETENTIONS, st.integers(1, 30), st.integers(1, 8))
def test_trimming_keeps_exactly_what_the_rule_says_and_all_that_a_start_reads(
    drafts: list[Draft], data: st.DataObject, retention: Retention, budget: int, size: int
) -> None:
    with TemporaryDirectory() as place:
        path = Path(place) / "journal.sqlite3"
        writer = Writer(path, retention, lambda found: None)
        writer.open(START)
        ends = [0]
        for start in range(0, len(drafts), size):
            ends.append(writer.commit((), [encoded(draft) for draft in drafts[start : start + size]]).last)
        snapshot = data.draw(st.integers(0, len(drafts)))
        writer.snapshot((), snapshot, STATE, START)
        tail = list(replayed(writer.reader(), writer.meta))
        for _ in range(2 * len(drafts) + 10):
            writer.trim(NOW, budget)
        writer.close()
        mark = max(end for end in ends if end <= snapshot)
        assert [entry.seq for entry in SqliteFile(path).entries_after(0)] == expected(drafts, mark, retention)
        writer.open(START)
        assert list(read_state(writer.reader(), writer.meta)) == STATE
        assert list(replayed(writer.reader(), writer.meta)) == tail
        assert [entry.event for entry in tail] == [draft.event for draft in drafts[snapshot:]]
        writer.close()
        found = verify(path)
        assert found.damage == ()
        assert found.trimmed == len(drafts) - found.entries


@settings(max_examples=60)
@given(DRAFTS, st.data(), RETENTIONS)
def test_a_journal_in_memory_keeps_exactly_the_same(
    drafts: list[Draft], data: st.DataObject, retention: Retention
) -> None:
    memory = Memory()
    journal: MemoryJournal[None] = MemoryJournal(memory=memory, retention=retention)
    journal.open(START)
    journal.start(lambda entry: None)
    for draft in drafts:
        journal.append(draft)
    snapshot = data.draw(st.integers(0, len(drafts)))
    journal.snapshot(snapshot, STATE, START)
    tail = list(journal.replay())
    for _ in range(2):
        journal.trim(NOW)
    assert sorted(memory.rows) == expected(drafts, snapshot, retention)
    restarted: MemoryJournal[None] = MemoryJournal(memory=memory)
    restarted.open(START)
    assert list(restarted.load()) == STATE
    assert list(restarted.replay()) == tail


def test_the_file_itself_lets_go_measurements_alone() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(schema_text(FORMAT))
        insert_meta(db, Meta(FORMAT, START, trim_mark=1))
        gone = []
        for kind in KINDS:
            db.execute("INSERT OR REPLACE INTO event VALUES (1, 1, zeroblob(16), ?, '{}', NULL)", (KINDS[kind],))
            with suppress(sqlite3.IntegrityError):
                gone += [kind] * db.execute("DELETE FROM event").rowcount
        assert gone == list(MEASUREMENTS) == [PingReceived, SiteProbed]


@pytest.mark.parametrize("setting", ["pings_per_check", "max_age_days", "probes_per_site"])
def test_a_retention_that_keeps_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=f"{setting} must be at least 1"):
        Retention(**{setting: 0})


def test_all_pings_of_a_deleted_check_go(pen: Callable[..., Any], ping: Callable[..., Draft]) -> None:
    book = pen()
    book.write(*[ping(START + n, 0) for n in range(5)], Draft(START + 9, ping(START, 0).stream, CheckDeleted()))
    book.write(*[ping(START + n, 1) for n in range(3)])
    book.writer.snapshot((), 9, [], START)
    for _ in range(4):
        book.writer.trim(START, 500)
    book.close()
    assert [entry.seq for entry in SqliteFile(book.path).entries_after(0)] == [6, 7, 8, 9]
    assert verify(book.path).damage == ()


def test_all_probes_of_a_deleted_site_go_and_what_partners_said_of_it_stays(pen: Callable[..., Any]) -> None:
    site, other, partner = STREAMS
    answered = PartnerAnswered("1:x", partner, PartnerAnswer("ok"), 20)
    book = pen()
    book.write(*[Draft(START + n, site, SiteProbed()) for n in range(3)], Draft(START, site, answered))
    book.write(Draft(START, other, SiteProbed()), Draft(START + 9, site, SiteDeleted()))
    book.writer.snapshot((), 6, [], START)
    for _ in range(4):
        book.writer.trim(START, 500)
    book.close()
    assert [entry.seq for entry in SqliteFile(book.path).entries_after(0)] == [4, 5, 6]
    assert verify(book.path).damage == ()


def test_one_step_looks_at_no_more_rows_than_its_budget(pen: Callable[..., Any], ping: Callable[..., Draft]) -> None:
    book = pen(Retention(pings_per_check=1))
    for n in range(10):
        book.write(*[ping(START + n)] * 10)
    book.writer.snapshot((), 100, [], START)
    steps = [book.writer.trim(START, 30) for _ in range(8)]
    assert all(step.scanned <= 30 and step.deleted <= 30 for step in steps)
    assert sum(step.deleted for step in steps) == 99
    assert steps[-1].wrapped


def test_a_step_that_finds_nothing_writes_nothing(pen: Callable[..., Any], ping: Callable[..., Draft]) -> None:
    """Once all entries have their place."""
    book = pen()
    book.write(ping())
    book.writer.snapshot((), 1, [], START)
    book.writer.trim(START, 500)
    wal = book.path.with_name("journal.sqlite3-wal").stat()
    assert book.writer.trim(START, 500).scanned == 1
    assert book.path.with_name("journal.sqlite3-wal").stat() == wal


def test_a_log_that_was_altered_is_not_trimmed(pen: Callable[..., Any], ping: Callable[..., Draft]) -> None:
    book = pen(Retention(pings_per_check=1))
    book.write(*[ping()] * 9)
    book.writer.snapshot((), 9, [], START)
    db = book.writer.reader()
    db.execute("DROP TRIGGER event_is_never_changed")
    db.execute("UPDATE event SET at = at + 1 WHERE seq = 4")
    with pytest.raises(JournalDamaged, match="entries 1 to 9 are not what was written"):
        book.writer.trim(START, 500)
    assert db.execute("SELECT count(*) FROM event").fetchone() == (9,)


def test_positions_stay_right_after_trimming_and_a_restart(pen: Callable[..., Any], ping: Callable[..., Draft]) -> None:
    book = pen(Retention(pings_per_check=4))
    book.write(*[ping(START + n, n % 2) for n in range(20)])
    book.writer.snapshot((), 20, [], START)
    for _ in range(6):
        book.writer.trim(START, 500)
    book.close()
    again = pen(Retention(pings_per_check=4))
    assert again.writer.log_end.last == 20
    again.write(ping(START + 21, 1))
    again.writer.snapshot((), 21, [], START)
    for _ in range(6):
        again.writer.trim(START, 500)
    again.close()
    assert [entry.seq for entry in SqliteFile(book.path).entries_after(0)] == [13, 15, 16, 17, 18, 19, 20, 21]
    assert verify(book.path).damage == ()


def test_without_a_snapshot_nothing_goes_and_a_marked_but_whole_log_is_replayed(
    pen: Callable[..., Any], ping: Callable[..., Draft]
) -> None:
    book = pen(Retention(pings_per_check=1))
    book.write(*[Draft(START, STREAMS[0], CheckPaused())] * 5)
    book.write(*[ping()] * 3)
    book.writer.snapshot((), 8, [Block(1, "check", b"[{}]")], START)
    for _ in range(2):
        assert book.writer.trim(START, 3).deleted == 0
    assert (book.writer.meta.trim_mark, book.writer.meta.whole) == (5, True)
    book.writer.reader().execute("DELETE FROM state")
    book.close()
    again = pen(Retention(pings_per_check=1))
    with pytest.raises(SnapshotDamaged, match="0 blocks, not the 1 that were written"):
        list(again.writer.state())
    assert again.writer.meta.snapshot_seq == 0
    assert [entry.seq for entry in replayed(again.writer.reader(), again.writer.meta)] == list(range(1, 9))
    assert again.writer.trim(START, 100).deleted == 0
    again.writer.snapshot((), 8, [Block(1, "check", b"[{}]")], START)
    assert sum(again.writer.trim(START, 100).deleted for _ in range(3)) == 2
