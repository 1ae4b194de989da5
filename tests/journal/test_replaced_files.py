"""Files that are taken away, cut or replaced while the journal is open: what is promised is kept, or nothing is.

Each case is told three times: what a running daemon does, what the next one finds after a clean stop, and after a kill.
"""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.logger import capturedLogs

from pingmon.core.world.events import Draft, PingReceived
from pingmon.journal import JournalDamaged, JournalFormatError, JournalUnavailable, Retention
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.meta_table import FORMAT
from pingmon.journal.sqlite.schema import objects_of
from pingmon.journal.sqlite.writer import Writer

Pen = Callable[..., Any]
Ping = Callable[..., Draft]
WRITTEN = 60


def cut(part: float) -> Callable[[Path], None]:
    """Cut a file to a part of it."""
    return lambda path: os.truncate(path, int(path.stat().st_size * part))


def replaced(path: Path) -> None:
    """Another file with the same content in its place."""
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def swapped_for_rubbish(path: Path) -> None:
    """Another file with another content."""
    other = path.with_name("other")
    other.write_bytes(b"rubbish" * 1000)
    other.replace(path)


def written(pen: Pen, ping: Ping) -> Any:
    """A journal with some of its entries in the database file and some in the write-ahead log."""
    book = pen()
    for n in range(WRITTEN // 2):
        book.write(ping(payload=os.urandom(900), at=n))
    book.writer.reader().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for n in range(WRITTEN // 2):
        book.write(ping(payload=os.urandom(900), at=n))
    return book


def entries(path: Path) -> int:
    """How many entries a daemon finds at its start; raises what it refuses with."""
    writer = Writer(path, Retention(), lambda found: None)
    writer.open(0)
    try:
        with translated(path):
            return len(list(replayed(writer.reader(), writer.meta)))
    finally:
        writer.abandon()


def killed(path: Path) -> Path:
    """The files as a kill leaves them, in a place of their own."""
    place = path.parent / "killed"
    place.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, place)
    return place / path.name


def files(place: Path) -> dict[str, bytes]:
    """All files in a directory; of SQLite's index, which it makes anew at will, only that it is there."""
    return {
        file.name: b"" if file.name.endswith("-shm") else file.read_bytes()
        for file in place.iterdir()
        if file.is_file()
    }


MOVED = "moved or deleted while it was in use"
CUT = "cut off while it was in use"
MISSING = f"the file is missing, but entry {WRITTEN} was once durable"


@pytest.mark.parametrize(
    ("suffix", "tamper", "running", "then"),
    [
        ("", Path.unlink, MOVED, MISSING),
        ("", lambda path: path.rename(path.with_name("elsewhere")), MOVED, MISSING),
        ("", replaced, MOVED, WRITTEN),
        ("", cut(0.5), CUT, "its header says"),
        ("", cut(0), CUT, "the file is empty"),
        ("-wal", Path.unlink, None, WRITTEN + 1),
        ("-wal", replaced, None, WRITTEN + 1),
        ("-wal", swapped_for_rubbish, None, WRITTEN + 1),
        ("-wal", cut(0), CUT, f"but entry {WRITTEN} was once durable"),
        ("-wal", cut(0.5), CUT, f"but entry {WRITTEN} was once durable"),
        ("-shm", Path.unlink, None, WRITTEN + 1),
        ("-lock", Path.unlink, None, WRITTEN + 1),
    ],
)
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_what_is_done_to_the_files_of_a_running_journal(
    pen: Pen, ping: Ping, suffix: str, tamper: Callable[[Path], None], running: str | None, then: str | int, kill: bool
) -> None:
    """Nothing is promised that the next daemon would not find; that one goes on or refuses, and never begins anew."""
    book = written(pen, ping)
    tamper(book.path.with_name(book.path.name + suffix))
    if running is None:
        assert book.write(ping()) == WRITTEN + 1
    else:
        for _ in range(2):
            with pytest.raises((JournalUnavailable, JournalDamaged), match=running):
                book.write(ping())
    path = killed(book.path) if kill else book.path
    with suppress(JournalUnavailable, JournalDamaged):
        book.close()
    before = files(path.parent)
    if isinstance(then, int):
        assert entries(path) == then
        return
    with pytest.raises(JournalDamaged, match=then):
        entries(path)
    assert files(path.parent) == before


def test_a_file_that_is_put_back_is_written_on(pen: Pen, ping: Ping) -> None:
    """All goes on by itself, and nothing is missing."""
    book = written(pen, ping)
    elsewhere = book.path.with_name("elsewhere")
    book.path.rename(elsewhere)
    with pytest.raises(JournalUnavailable, match=MOVED):
        book.write(ping())
    elsewhere.rename(book.path)
    assert book.write(ping()) == WRITTEN + 1
    assert entries(killed(book.path)) == WRITTEN + 1


def test_all_files_taken_away_are_not_replaced_by_new_ones(pen: Pen, ping: Ping) -> None:
    """The note in the lock file says that there was a journal, also after a clean stop; or the caller knows it."""
    book = written(pen, ping)
    book.close()
    for suffix in ("", "-wal", "-shm"):
        book.path.with_name(book.path.name + suffix).unlink(missing_ok=True)
    before = files(book.path.parent)
    with pytest.raises(JournalDamaged, match=MISSING):
        entries(book.path)
    book.path.with_name(book.path.name + "-lock").unlink()
    with pytest.raises(JournalDamaged, match="the first start was complete here"):
        Writer(book.path, Retention(), lambda found: None).open(0, begun=True)
    del before["journal.sqlite3-lock"]
    assert files(book.path.parent) == before


def test_an_older_copy_in_the_place_of_a_stopped_journal_is_seen(pen: Pen, ping: Ping) -> None:
    """Whoever restores a backup deletes the lock file too, as the documents say."""
    book = pen()
    book.write(ping())
    book.close()
    old = book.path.read_bytes()
    book = pen()
    book.write(ping())
    book.close()
    book.path.write_bytes(old)
    with pytest.raises(JournalDamaged, match="ends at entry 1, but entry 2 was once durable"):
        entries(book.path)


def test_another_program_may_copy_the_log_into_the_file(pen: Pen, ping: Ping) -> None:
    """Litestream does; the log is shorter then, and all is there."""
    book = written(pen, ping)
    with closing(sqlite3.connect(book.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert book.write(ping()) == WRITTEN + 1
    assert entries(killed(book.path)) == WRITTEN + 1


def test_a_checkpoint_that_was_cut_short_is_no_damage(pen: Pen, ping: Ping) -> None:
    """The first page is copied before the last: the file is shorter than it says, and the log has the rest."""
    book = written(pen, ping)
    path = killed(book.path)
    size = path.stat().st_size
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        log = path.with_name(path.name + "-wal").read_bytes()
        longer = path.read_bytes()
    path.write_bytes(longer[:4096] + longer[4096:size])
    path.with_name(path.name + "-wal").write_bytes(log)
    assert len(longer) > size
    assert entries(path) == WRITTEN


@pytest.mark.parametrize("offset", [68, 28], ids=["another file", "cut off"])
def test_a_refused_start_changes_nothing_and_leaves_nothing(pen: Pen, ping: Ping, offset: int) -> None:
    """Neither a lock file, nor an index, nor a copy of the log that a killed daemon left."""
    path = killed(written(pen, ping).path)
    for suffix in ("-shm", "-lock"):
        path.with_name(path.name + suffix).unlink()
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = b"Pong"
    path.write_bytes(content)
    before = files(path.parent)
    with pytest.raises((JournalDamaged, JournalFormatError)):
        entries(path)
    assert files(path.parent) == before


def test_a_start_that_is_refused_by_what_is_replayed_leaves_the_log_where_it_is(pen: Pen, ping: Ping) -> None:
    """SQLite would copy it into the file when its last connection is closed."""
    path = killed(written(pen, ping).path)
    for suffix in ("-shm", "-lock"):
        path.with_name(path.name + suffix).unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as other, closing(sqlite3.connect(path)) as open_too:
        open_too.execute("SELECT * FROM meta").fetchall()
        other.execute("UPDATE batch SET at = 0 WHERE 0")
        other.execute("DROP TRIGGER event_is_never_changed")
        other.execute("UPDATE event SET at = 1 WHERE seq = 55")
        other.execute(objects_of(FORMAT)[b"trigger", b"event_is_never_changed"].partition(b"\n")[2].decode())
        left = {name: content for name, content in files(path.parent).items() if not name.endswith("-shm")}
    for name, content in left.items():
        (path.parent / name).write_bytes(content)
    before = files(path.parent)
    with pytest.raises(JournalDamaged, match="are not what was written"):
        entries(path)
    assert files(path.parent) == before


def test_a_first_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Not even the draft of a journal."""
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, held[1]))
    try:
        with pytest.raises(JournalUnavailable):
            Writer(tmp_path / "journal.sqlite3", Retention(), lambda found: None).open(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)
    assert list(tmp_path.iterdir()) == []


@ensureDeferred
async def test_damage_that_a_reader_meets_is_kept_in_mind_and_logged_once(disk: Any, ping: Ping) -> None:
    """Each reader hears of it; the health report does not forget it; pings are taken."""
    journal = disk.journal()
    for n in range(200):
        await journal.append(ping(payload=os.urandom(3000), at=n))
    await journal.stop()
    with disk.path.open("r+b") as file:
        file.seek(disk.path.stat().st_size // 2)
        file.write(bytes(4096 * 20))
    journal = disk.journal()
    with capturedLogs() as logged:
        for _ in range(3):
            with pytest.raises(JournalDamaged):
                await journal.events(ping().stream, PingReceived, upto=200)
    assert journal.health().damage is not None
    assert [event["log_level"].name for event in logged] == ["error"]


@ensureDeferred
async def test_readers_follow_when_the_log_was_taken_away(disk: Any, ping: Ping) -> None:
    """A connection that knows the old one is not asked any more."""
    journal = disk.journal()
    for n in range(5):
        await journal.append(ping(at=n))
    assert len(await journal.events(ping().stream, PingReceived, upto=99)) == 5
    disk.path.with_name(disk.path.name + "-wal").unlink()
    for n in range(5):
        await journal.append(ping(at=n))
        assert len(await journal.events(ping().stream, PingReceived, upto=99)) == 6 + n
    assert journal.health().damage is None
