"""`verify` finds any single row that was changed, removed or put in, wherever it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from errno import EACCES
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingmon.core.world.events import CheckPaused, Draft, PingReceived
from pingmon.core.world.snapshot_blocks import Block
from pingmon.journal import FlipRow, JournalDamaged, JournalFormatError, JournalUnavailable, Retention
from pingmon.journal.codec import encoded
from pingmon.journal.sqlite.error_codes import explained
from pingmon.journal.sqlite.verify import sound, verify
from pingmon.journal.sqlite.writer import Writer
from pingmon.testing import START

STREAM = "00000000-0000-0000-0000-000000000001"

CHANGES = {
    "event": ["at = at + 1", "stream = zeroblob(16)", "kind = 'check_resumed'",
              "body = body || ' '", "payload = x'00'"],
    "batch": ["count = count + 1", "at = at + 1", "digest = zeroblob(32)", "chain = zeroblob(32)"],
    "state": ["kind = 'other'", "round = 1", "round = NULL", "upto = 1", "gone = '[1]'", "parts = '[]'",
              "crc = crc + 1"],
    "flip": ["body = '[]'", "at = at + 1", "stream = zeroblob(16)", "crc = crc + 1"],
    "meta": ["created_at = 1", "alive_at = 1", "snapshot_seq = 0", "state_sum = 0", "trim_mark = 0", "kept_count = 1",
             "kept_sum = zeroblob(32)", "anchor = x'00'", "cursor = 7", "placed = 5", "lot = 5", "part = x'10'",
             "crc = 1"],
    "place": ["stream = zeroblob(16)", "seq = seq + 1000", "kind = 'check_resumed'"],
}  # fmt: skip
KEYS = {"event": "seq", "place": "seq", "batch": "last", "state": "number", "flip": "seq", "meta": "one"}


@pytest.fixture(scope="module")
def content() -> bytes:
    """A journal that was trimmed in part, with a chain, a snapshot and flips."""
    with TemporaryDirectory() as place:
        path = Path(place) / "journal.sqlite3"
        writer = Writer(path, Retention(pings_per_check=5), lambda found: None)
        writer.open(START)
        for n in range(12):
            pings = [encoded(Draft(START + n, STREAM, PingReceived(ua=str(n)), b"hello"))] * 2
            writer.commit(
                [FlipRow(n + 1, STREAM, n, b"{}")], [encoded(Draft(START + n, STREAM, CheckPaused())), *pings]
            )
        writer.snapshot((), 20, [Block(n, "check", b"[{}]", b"[]", n, 7) for n in range(2, 7)], START)
        while not writer.trim(START, 100).wrapped:
            pass
        writer.close()
        return path.read_bytes()


@settings(max_examples=120)
@given(st.data())
def test_verify_finds_any_single_changed_removed_or_inserted_row(content: bytes, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(sorted(CHANGES)))
    key = KEYS[table]
    with TemporaryDirectory() as place:
        path = Path(place) / "journal.sqlite3"
        path.write_bytes(content)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                db.execute(f"DROP TRIGGER {name}")
            keys = [row[0] for row in db.execute(f"SELECT {key} FROM {table}")]
            where = f"WHERE {key} = {data.draw(st.sampled_from(keys))!r}"
            act = data.draw(st.sampled_from(["change", "remove", "insert"]))
            if act == "change":
                db.execute(f"UPDATE {table} SET {data.draw(st.sampled_from(CHANGES[table]))} {where}")
            elif act == "remove":
                db.execute(f"DELETE FROM {table} {where}")
            elif table != "meta":
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
                given = ", ".join("'999'" if column == key else column for column in columns)
                db.execute(f"INSERT INTO {table} SELECT {given} FROM {table} {where}")
            for _, sql in triggers:
                db.execute(sql)
        damaged = act != "insert" or table != "meta"
        assert bool(verify(path).damage) == damaged


def test_a_sound_journal_is_counted(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(content)
    found = sound(path)
    assert (found.last, found.state, found.flips, found.damage) == (36, 5, 12, ())
    assert found.entries + found.trimmed == 36
    assert found.trimmed > 0


def test_verifying_changes_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(content)
    verify(path)
    assert path.read_bytes() == content


def test_sound_raises_all_findings(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(content)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE state SET parts = '[]'")
        db.execute("UPDATE flip SET body = '[]'")
    with pytest.raises(JournalDamaged, match="the flip at entry 1 is altered"):
        sound(path)


def test_a_file_that_may_not_be_read_says_whose_it_should_be() -> None:
    """As after a restore by root for a daemon that has a user of its own."""
    refused = explained("/x", PermissionError(EACCES, "Permission denied"))
    assert str(refused) == "/x: Permission denied; does it belong to the user that pingmon runs as?"


def test_what_cannot_be_examined_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="No such file"):
        verify(tmp_path / "journal.sqlite3")
    (tmp_path / "journal.sqlite3").write_bytes(b"x" * 500)
    with pytest.raises(JournalFormatError):
        verify(tmp_path / "journal.sqlite3")
