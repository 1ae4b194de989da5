"""A damaged journal is never taken for a sound one: it is named as damaged, or what it gives is what was written."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from pingmon.core.world.events import Draft, Entry, PingReceived, ProjectCreated
from pingmon.core.world.fold import fold
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.snapshot_blocks import Block
from pingmon.core.world.world import World
from pingmon.journal import FlipRow, JournalDamaged, JournalFormatError, JournalUnavailable, Retention
from pingmon.journal.codec import encoded
from pingmon.journal.errors import SnapshotDamaged
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.meta_table import FORMAT, Meta
from pingmon.journal.sqlite.snapshot_table import read_state
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer
from pingmon.testing import START

STREAM = "00000000-0000-0000-0000-000000000001"

Pen = Callable[..., Any]
Ping = Callable[..., Draft]


class Sample:
    """The files of a journal as a killed daemon leaves them, and what it had made durable."""

    def __init__(self, place: Path, *, checkpointed: bool) -> None:
        path = place / "journal.sqlite3"
        writer = Writer(path, Retention(pings_per_check=12), lambda found: None)
        writer.open(START)
        for n in range(30):
            draft = Draft(START + n, STREAM, PingReceived(ua=f"curl/{n}"), b"x" * (n * 400) if n % 3 else None)
            writer.commit((), [encoded(draft)] * 2)
        self.state: list[Block] = [Block(n, "check", b'[{"n":%d}]' % n) for n in range(10, 30)]
        writer.snapshot([FlipRow(5, STREAM, START, b"{}")], 50, self.state, START)
        for _ in range(8):
            writer.trim(START, 10)
        writer.commit((), [encoded(Draft(START + 99, STREAM, PingReceived("fail")))] * 3)
        if checkpointed:
            writer.reader().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.files = {file.name: file.read_bytes() for file in place.iterdir() if not file.name.endswith("-shm")}
        with translated(path):
            self.replay = list(replayed(writer.reader(), writer.meta))
            self.entries = [row[0] for row in writer.reader().execute("SELECT seq FROM event ORDER BY seq")]
        writer.close()

    def laid_out(self, place: Path, files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            (place / name).write_bytes(content)
        return place / "journal.sqlite3"


@pytest.fixture(scope="module")
def samples() -> tuple[Sample, Sample]:
    """The same journal with all in the database file, and with most in the write-ahead log.

    No parameter of the fixture: pytest-twisted wraps a hypothesis test anew for each of its parameters.
    """
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        return Sample(Path(one), checkpointed=True), Sample(Path(other), checkpointed=False)


def started(path: Path) -> tuple[list[Block], list[Entry]]:
    """What a daemon reads at its start."""
    writer = Writer(path, Retention(), lambda found: None)
    writer.open(START)
    try:
        with translated(path):
            state: list[Block] = []
            with suppress(SnapshotDamaged):
                state = list(writer.state())
            return state, list(replayed(writer.reader(), writer.meta))
    finally:
        writer.close()


def outcome(sample: Sample, files: dict[str, bytes]) -> str:
    """Start on these files; what was read must be what was written, or be called damaged, at the start or by verify."""
    with TemporaryDirectory() as place:
        path = sample.laid_out(Path(place), files)
        try:
            found = verify(path)
            state, replay = started(path)
        except (JournalDamaged, JournalFormatError):
            return "damaged"
        if found.damage:
            return "damaged"
        assert (state, replay, found.entries) == (sample.state, sample.replay, len(sample.entries))
        return "sound"


def test_the_undamaged_files_are_sound(samples: tuple[Sample, Sample]) -> None:
    assert [outcome(sample, sample.files) for sample in samples] == ["sound", "sound"]


@settings(max_examples=150)
@given(st.data())
def test_changed_bytes_are_found_or_do_not_matter(samples: tuple[Sample, Sample], data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(samples))
    files = dict(sample.files)
    name = data.draw(st.sampled_from([name for name in sorted(files) if not name.endswith("-lock")]))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    files[name] = bytes(content)
    outcome(sample, files)


@settings(max_examples=100)
@given(st.data())
def test_a_cut_off_file_is_found(samples: tuple[Sample, Sample], data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(samples))
    files = dict(sample.files)
    name = data.draw(st.sampled_from([name for name in sorted(files) if files[name] and not name.endswith("-lock")]))
    files[name] = files[name][: data.draw(st.integers(0, len(files[name]) - 1))]
    assert outcome(sample, files) == "damaged"


@settings(max_examples=60)
@given(st.data())
def test_a_block_of_zeros_is_found_or_does_not_matter(samples: tuple[Sample, Sample], data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(samples))
    files = dict(sample.files)
    name = data.draw(st.sampled_from([name for name in sorted(files) if files[name] and not name.endswith("-lock")]))
    start = data.draw(st.integers(0, len(files[name]) // 512)) * 512
    files[name] = files[name][:start] + bytes(len(files[name][start : start + 512])) + files[name][start + 512 :]
    outcome(sample, files)


def test_a_lost_write_ahead_log_is_found(pen: Pen, ping: Ping, tmp_path: Path) -> None:
    book = pen()
    book.write(ping())
    copy = tmp_path / "killed"
    copy.mkdir()
    for name in ("journal.sqlite3", "journal.sqlite3-lock"):
        shutil.copy(tmp_path / name, copy)
    with pytest.raises(JournalDamaged, match=r"ends at entry 0, but entry 1 was once durable.*delete"):
        started(copy / "journal.sqlite3")
    (copy / "journal.sqlite3-lock").unlink()
    assert started(copy / "journal.sqlite3") == ([], []), "as the message says"


def test_a_log_without_its_database_is_not_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3-wal").write_bytes(b"rest")
    with pytest.raises(JournalDamaged, match="the file is missing"):
        started(tmp_path / "journal.sqlite3")
    assert [file.name for file in tmp_path.iterdir() if "lock" not in file.name] == ["journal.sqlite3-wal"]


def altered(path: Path, *statements: str) -> None:
    """Change the file behind pingmon's back, past the triggers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, sql in triggers:
            db.execute(sql)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE event SET body = '{\"ua\":\"x\"}' WHERE seq = 2", "entries 1 to 3 are not what was written"),
        ("UPDATE event SET payload = x'00' WHERE seq = 4", "entries 4 to 6 are not what was written"),
        ("DELETE FROM event WHERE seq = 5", "of entries 4 to 6 only 2 are there"),
        ("DELETE FROM event WHERE seq > 3", "the last commit ends with entry 6"),
        ("DELETE FROM batch WHERE last = 3", "entries 1 to 6 says that it has 3"),
        ("DELETE FROM batch WHERE last = 6", "the last commit ends with entry 3, but the last entry is 6"),
        ("UPDATE batch SET at = at + 1 WHERE last = 3", "does not follow from the one before"),
        ("UPDATE batch SET chain = zeroblob(32) WHERE last = 6", "does not follow from the one before"),
        ("INSERT INTO event SELECT 7, at, stream, kind, body, NULL FROM event WHERE seq = 1", "last entry is 7"),
        ("UPDATE meta SET snapshot_seq = 5", "its checksum is wrong"),
        ("DELETE FROM meta", "0 rows"),
        ("UPDATE event SET stream = zeroblob(16) WHERE seq = 1", "entries 1 to 3 are not what was written"),
    ],
)  # fmt: skip
def test_what_was_altered_is_named_at_the_start_and_by_verify(
    pen: Pen, ping: Ping, statement: str, finding: str
) -> None:
    book = pen()
    book.write(ping(), ping(), ping())
    book.write(ping(), ping(), ping())
    book.close()
    altered(book.path, statement)
    before = book.path.read_bytes()
    assert any(finding in damage for damage in verify(book.path).damage)
    with pytest.raises(JournalDamaged, match=r"restore a backup") as raised:
        started(book.path)
    assert finding in str(raised.value)
    assert book.path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM state", "UPDATE state SET parts = '[]'", "DELETE FROM flip", "UPDATE flip SET body = '[]'"],
)
def test_verify_finds_a_lost_or_altered_derived_row(pen: Pen, ping: Ping, statement: str) -> None:
    book = pen()
    book.write(ping())
    book.writer.snapshot([FlipRow(1, STREAM, START, b"{}")], 1, [Block(1, "check", b"[{}]")], START)
    book.close()
    altered(book.path, statement)
    assert len(verify(book.path).damage) == 1


def test_a_damaged_snapshot_is_rebuilt_from_a_whole_log(pen: Pen, ping: Ping) -> None:
    book = pen()
    book.write(ping(), ping())
    book.writer.snapshot((), 2, [Block(1, "check", b"[{}]")], START)
    book.close()
    altered(book.path, "UPDATE state SET parts = '[]'")
    with capturedLogs() as logged:
        state, replay = started(book.path)
    assert (state, [entry.seq for entry in replay]) == ([], [1, 2])
    assert [event["log_level"].name for event in logged] == ["warn"]
    assert verify(book.path).damage == ()


def test_a_damaged_snapshot_of_a_trimmed_log_is_told(pen: Pen, ping: Ping) -> None:
    book = pen(Retention(pings_per_check=1))
    book.write(ping(), ping())
    book.writer.snapshot((), 2, [Block(1, "check", b"[{}]")], START)
    assert book.writer.trim(START, 500).deleted == 1
    book.close()
    altered(book.path, "DELETE FROM state")
    with pytest.raises(JournalDamaged, match=r"0 blocks.*old measurements were trimmed.*restore a backup"):
        started(book.path)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM state WHERE number = 3", "UPDATE state SET parts = '[]' WHERE number = 3"]
)
def test_nothing_of_a_damaged_snapshot_of_a_trimmed_log_is_used(pen: Pen, ping: Ping, statement: str) -> None:
    world = World()
    for n in range(3):
        fold(world, Entry(n + 1, START, f"{n}{STREAM[1:]}", ProjectCreated("a", f"key {n}")))
    book = pen(Retention(pings_per_check=1))
    book.write(*[ping()] * 4)
    book.writer.snapshot((), 4, Saver(world, 1).save().blocks, START)
    book.writer.trim(START, 500)
    book.close()
    altered(book.path, statement)
    restored, again = World(), pen()
    with pytest.raises(JournalDamaged, match=r"snapshot.*old measurements were trimmed"):
        Saver(restored).restore(again.writer.meta.snapshot_seq, again.writer.state())
    assert restored.projects == {}


def test_a_kept_entry_below_the_trim_mark_is_proved_too(pen: Pen, ping: Ping) -> None:
    book = pen(Retention(pings_per_check=2))
    book.write(*[ping(START + n) for n in range(5)])
    book.writer.snapshot((), 5, [], START)
    assert book.writer.trim(START, 500).deleted == 3
    book.close()
    altered(book.path, "UPDATE event SET at = at + 1 WHERE seq = 4")
    assert verify(book.path).damage == ("among the entries kept up to 5 some are not what was written",)


def test_a_journal_of_a_newer_format_is_refused(pen: Pen) -> None:
    book = pen()
    book.close()
    altered(book.path, f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(JournalFormatError, match=f"format {FORMAT + 1}: a newer pingmon wrote it"):
        started(book.path)


def test_an_event_of_a_newer_pingmon_is_refused(pen: Pen, ping: Ping) -> None:
    book = pen()
    row = encoded(ping())
    kind = "moon_landed"
    canon = row.canon[:24] + bytes([len(kind)]) + row.canon[25:33] + kind.encode() + row.body.encode()
    book.writer.commit((), [type(row)(row.at, row.stream, kind, row.body, None, canon)])
    book.close()
    with pytest.raises(JournalFormatError, match="newer pingmon"):
        started(book.path)


@pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\0" + bytes(84), os.urandom(200)])
def test_another_file_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(content)
    with pytest.raises(JournalFormatError, match="not a pingmon journal"):
        started(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").touch()
    with pytest.raises(JournalDamaged, match="the file is empty"):
        started(tmp_path / "journal.sqlite3")


def test_a_missing_table_or_trigger_is_damage(pen: Pen) -> None:
    book = pen()
    book.close()
    with closing(sqlite3.connect(book.path)) as db:
        db.execute("DROP TRIGGER event_is_kept")
    with pytest.raises(JournalDamaged, match="trigger event_is_kept is missing or altered"):
        started(book.path)


def test_the_log_refuses_changes_by_any_tool(pen: Pen, ping: Ping) -> None:
    book = pen()
    book.write(ping())
    book.close()
    with closing(sqlite3.connect(book.path)) as db:
        for statement in (
            "UPDATE event SET at = 1",
            "DELETE FROM event",
            "DELETE FROM batch",
            "UPDATE batch SET at = 1",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)


def test_two_daemons_do_not_share_a_journal(pen: Pen) -> None:
    book = pen()
    with pytest.raises(JournalUnavailable, match="in use by another pingmon"):
        started(book.path)


def test_the_files_belong_to_their_owner_alone(pen: Pen, ping: Ping, tmp_path: Path) -> None:
    pen().write(ping())
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes


def test_a_missing_directory_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="No such file or directory"):
        started(tmp_path / "nowhere" / "journal.sqlite3")


def test_a_block_of_the_snapshot_that_lost_its_kind_is_damage(tmp_path: Path) -> None:
    """As a page of zeros can make it, whatever the table allows."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.text_factory = bytes
        db.execute("CREATE TABLE state (number, kind, round, upto, crc, gone, parts)")
        db.execute("INSERT INTO state VALUES (1, NULL, NULL, NULL, 7, '[]', '[]')")
        with pytest.raises(JournalDamaged), translated(tmp_path):
            list(read_state(db, Meta(FORMAT, START)))
