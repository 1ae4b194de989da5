"""How a journal of an older format becomes one of this format, in place.

All of it is one transaction: whoever kills pingmon in the middle, or a disk that is full, leaves the old format, whole.
One function leads from each format to the next. What it does is SQL of those two formats, and nothing that may mean
something else in a later one. Entries, commits and their hashes are never touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
from twisted.logger import Logger

from pingmon.journal.sqlite.meta_table import FORMAT, Meta, insert_meta
from pingmon.journal.sqlite.schema import check_schema, objects_of, transaction
from pingmon.journal.sqlite.snapshot_table import read_state_1

log = Logger()

CHUNK: Final = 100_000
"""Rows that are moved by one statement."""
REPORT: Final = 1_000_000
"""Rows between two words of progress: a few seconds."""


class Progress:
    """Tells the log how far a long upgrade is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def moved(self, rows: int) -> None:
        """So many more rows are in their new place."""
        before, self._done = self._done, self._done + rows
        if before // REPORT != self._done // REPORT:
            log.info("the upgrade has moved {done} of {total} entries", done=self._done, total=self._total)


def upgraded(path: Path, db: sqlite3.Connection, meta: Meta) -> Meta:
    """Bring the journal behind `db` to this format; its meta then. Raises sqlite3.Error, ValueError; JournalDamaged.

    After any of them, as after a kill, the journal is as it was.
    """
    if meta.format == FORMAT:
        return meta
    log.info(
        "{path} is upgraded from format {old} to format {new}. If that is interrupted, nothing has changed, and the "
        "next start does it; when it is done, no older pingmon can read the file",
        path=str(path),
        old=meta.format,
        new=FORMAT,
    )
    db.execute("PRAGMA temp_store = FILE")  # what a dropped index held would be kept in memory, to undo that
    with transaction(db):
        for step in range(meta.format, FORMAT):
            meta = STEPS[step](db, meta)
            db.execute(f"PRAGMA user_version = {meta.format}")
            check_schema(path, db)
    db.execute("PRAGMA temp_store = MEMORY")
    log.info("{path} was upgraded to format {new}", path=str(path), new=FORMAT)
    return meta


def _made(db: sqlite3.Connection, format: int, *names: str) -> None:
    """Make tables, views and triggers as the schema of a format says."""
    statements = {name.decode(): sql.partition(b"\n")[2].decode() for (_, name), sql in objects_of(format).items()}
    for name in names:
        db.execute(statements[name])


def _to_2(db: sqlite3.Connection, meta: Meta) -> Meta:
    """The index of streams becomes a table that is filled in lots."""
    (total,) = db.execute("SELECT count(*) FROM event").fetchone()
    (last,) = db.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()
    progress = Progress(total)
    _made(db, 2, "place")
    stream, seq = b"", 0
    rows = "SELECT stream, seq, kind FROM event WHERE"
    next_rows = f"{rows} stream = ? AND seq > ? UNION ALL {rows} stream > ? ORDER BY stream, seq LIMIT {CHUNK}"
    while moved := db.execute(f"INSERT INTO place {next_rows}", (stream, seq, stream)).rowcount:
        progress.moved(moved)
        stream, seq = db.execute("SELECT stream, seq FROM place ORDER BY stream DESC, seq DESC LIMIT 1").fetchone()
    db.execute("DROP INDEX event_by_stream")
    meta = _state_to_2(db, meta)
    db.execute("DROP TABLE meta")
    _made(db, 2, "meta", "event_of", "event_leaves_its_place")
    meta = msgspec.structs.replace(meta, format=2, placed=last, lot=last)
    insert_meta(db, meta)
    return meta


def _state_to_2(db: sqlite3.Connection, meta: Meta) -> Meta:
    """The snapshot's rows of one thing each become blocks of many. They are what had changed, as no round wrote them.

    It is kept, for once measurements were trimmed the log alone cannot give the state.
    """
    count = total = 0
    db.execute("ALTER TABLE state RENAME TO state_1")
    _made(db, 2, "state")
    for block in read_state_1(db, meta, "state_1"):
        crc = crc32(b"%d\n%b\n\n\n[]\n" % (block.number, block.kind.encode()) + block.parts)
        row = (block.number, block.kind, crc, block.parts.decode())
        db.execute("INSERT INTO state VALUES (?, ?, NULL, NULL, ?, '[]', ?)", row)
        count, total = count + 1, total + crc
    db.execute("DROP TABLE state_1")
    return msgspec.structs.replace(meta, state_count=count, state_sum=total)


STEPS: Final[dict[int, Callable[[sqlite3.Connection, Meta], Meta]]] = {1: _to_2}
"""From each older format to the next."""
