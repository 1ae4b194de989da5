"""The log as it lies in the file, commit by commit: how one is written, and how each is checked before it is believed.

Plain functions on an open connection, for any thread. They raise sqlite3.Error, ValueError and TypeError for what
cannot be read; the callers wrap them in `error_codes.translated`. A connection here reads text as bytes
(`schema.connect`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct

from pingmon.core.world.events import Entry
from pingmon.journal.codec import Row, canonical, decoded
from pingmon.journal.hash_chain import Tally, content_digest, link
from pingmon.journal.sqlite.meta_table import Meta

EVENT: Final = "seq, at, stream, kind, body, payload"
EventRow: TypeAlias = tuple[int, int, bytes, bytes, bytes, bytes | None]
BatchRow: TypeAlias = tuple[int, int, int, bytes, bytes]
"""(last, count, at, digest, chain)"""

PAGE: Final = 200

CHUNK: Final = 128
"""Rows in one INSERT. The sqlite3 module gives up the GIL for each statement, and gets it back only when the reactor's
thread lets go, after up to 5 ms: one statement for many rows, never `executemany`."""


class LogEnd(Struct, frozen=True):
    """The newest link of the chain: the last entry's seq, the time of its commit (None: no commit), its hash."""

    last: int
    at: int | None
    chain: bytes


def read_log_end(db: sqlite3.Connection, meta: Meta) -> LogEnd:
    """Where the log ends. ValueError if its entries and its commits do not end together."""
    row = db.execute("SELECT last, at, chain FROM batch ORDER BY last DESC LIMIT 1").fetchone()
    end = LogEnd(*row) if row else LogEnd(meta.trim_mark, None, meta.anchor)
    newest = db.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
    if end.last > meta.trim_mark and newest != end.last:
        raise ValueError(f"the last commit ends with entry {end.last}, but the last entry is {newest}")
    if newest > end.last:
        raise ValueError(f"entry {newest} belongs to no commit")
    if end.last < meta.snapshot_seq:
        raise ValueError(f"the log ends at entry {end.last}, before its snapshot at {meta.snapshot_seq}")
    return end


def kept_rows(db: sqlite3.Connection, after: int, upto: int) -> Iterator[EventRow]:
    """The rows with `after` < seq <= `upto`, in order, read in pages so that no cursor stays open."""
    while rows := db.execute(
        f"SELECT {EVENT} FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT {PAGE}", (after, upto)
    ).fetchall():
        yield from rows
        after = rows[-1][0]


def kept_fault(meta: Meta, rows: Iterable[EventRow]) -> str | None:
    """What is wrong with `rows`, all entries at and below the trim mark; None if they are as they were written."""
    tally = Tally()
    for row in rows:
        tally = tally.changed(added=[(row[0], canonical(*row[1:]))])
    if tally == meta.kept:
        return None
    if tally.count != meta.kept_count:
        return f"of the {meta.kept_count} entries kept up to {meta.trim_mark} {tally.count} are there"
    return f"among the entries kept up to {meta.trim_mark} some are not what was written"


def commit_fault(previous: int, chain: bytes, batch: BatchRow, rows: list[EventRow]) -> str | None:
    """What is wrong with a commit that follows the one ending at `previous`; None if it is as it was written."""
    last, count, at, digest, claimed = batch
    span = f"entries {previous + 1} to {last}"
    if last - count != previous or count < 1:
        return f"the commit of {span} says that it has {count}: it or the one before is altered or missing"
    if [row[0] for row in rows] != list(range(previous + 1, last + 1)):
        return f"of {span} only {len(rows)} are there"
    if content_digest(canonical(*row[1:]) for row in rows) != digest:
        return f"{span} are not what was written (their digest differs)"
    if link(chain, previous + 1, last, at, digest) != claimed:
        return f"the commit of {span} does not follow from the one before (the chain is broken)"
    return None


def commits(db: sqlite3.Connection, previous: int) -> Iterator[tuple[BatchRow, list[EventRow]]]:
    """The commits after the one that ends with entry `previous`, each with its rows, in order."""
    while batches := db.execute(
        f"SELECT last, count, at, digest, chain FROM batch WHERE last > ? ORDER BY last LIMIT {PAGE}", (previous,)
    ).fetchall():
        for batch in batches:
            rows = db.execute(f"SELECT {EVENT} FROM event WHERE seq > ? AND seq <= ?", (previous, batch[0])).fetchall()
            yield batch, rows
            previous = batch[0]


def replayed(db: sqlite3.Connection, meta: Meta) -> Iterator[Entry]:
    """The entries after the snapshot, in order, each commit checked before any entry of it is given out.

    Raises ValueError, naming the entries that are not what was written, and JournalFormatError for an unknown kind.
    """
    after = meta.snapshot_seq
    if after < meta.trim_mark:
        if fault := kept_fault(meta, kept_rows(db, 0, meta.trim_mark)):
            raise ValueError(fault)
        yield from (decoded(*row) for row in kept_rows(db, after, meta.trim_mark))
    start = db.execute("SELECT last, chain FROM batch WHERE last <= ? ORDER BY last DESC LIMIT 1", (after,)).fetchone()
    previous, chain = start or (meta.trim_mark, meta.anchor)
    for batch, rows in commits(db, previous):
        if fault := commit_fault(previous, chain, batch, rows):
            raise ValueError(fault)
        yield from (decoded(*row) for row in rows if row[0] > after)
        previous, chain = batch[0], batch[4]


def write_commit(db: sqlite3.Connection, end: LogEnd, rows: Sequence[Row]) -> LogEnd:
    """Add a commit of `rows`, one or more, to the log that ends at `end`, in the open transaction; its new end."""
    first, last, at = end.last + 1, end.last + len(rows), max(row.at for row in rows)
    digest = content_digest([row.canon for row in rows])
    chain = link(end.chain, first, last, at, digest)
    _insert_events(db, first, rows)
    db.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?)", (last, len(rows), at, digest, chain))
    return LogEnd(last, at, chain)


@lru_cache(maxsize=CHUNK)
def _insert_sql(rows: int) -> str:
    return f"INSERT INTO event VALUES {', '.join(['(?, ?, ?, ?, ?, ?)'] * rows)}"


def _insert_events(db: sqlite3.Connection, first: int, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), CHUNK):
        values: list[object] = []
        for seq, row in enumerate(rows[start : start + CHUNK], first + start):
            values += (seq, row.at, row.stream, row.kind, row.body, row.payload)
        db.execute(_insert_sql(len(values) // 6), values)
