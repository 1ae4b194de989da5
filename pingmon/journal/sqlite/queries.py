"""Queries of the log on an open connection, as plain functions for any thread.

They raise sqlite3.Error, ValueError and TypeError for what cannot be read; the callers wrap them in
`errors.translated`. A connection here reads text as bytes (`schema.connect`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from pingmon.core.world.events import KINDS, Entry, Event, Id
from pingmon.journal.codec import canonical, decoded, packed_id
from pingmon.journal.hash_chain import Tally, content_digest, link
from pingmon.journal.sqlite.derived import flip_of
from pingmon.journal.sqlite.meta import Meta
from pingmon.journal.values import FlipRow, Window

EVENT: Final = "seq, at, stream, kind, body, payload"
EventRow: TypeAlias = tuple[int, int, bytes, bytes, bytes, bytes | None]
BatchRow: TypeAlias = tuple[int, int, int, bytes, bytes]
"""(last, count, at, digest, chain)"""

PAGE: Final = 200
FLIPS: Final = 50_000
"""Flips of a stream that one query looks through for those of a time."""


class Head(Struct, frozen=True):
    """The newest link of the chain: the last entry's seq, the time of its commit (None: no commit), its hash."""

    last: int
    at: int | None
    chain: bytes


def read_head(db: sqlite3.Connection, meta: Meta) -> Head:
    """Where the log ends. ValueError if its entries and its commits do not end together."""
    row = db.execute("SELECT last, at, chain FROM batch ORDER BY last DESC LIMIT 1").fetchone()
    head = Head(*row) if row else Head(meta.trim_mark, None, meta.anchor)
    newest = db.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
    if head.last > meta.trim_mark and newest != head.last:
        raise ValueError(f"the last commit ends with entry {head.last}, but the last entry is {newest}")
    if newest > head.last:
        raise ValueError(f"entry {newest} belongs to no commit")
    if head.last < meta.snapshot_seq:
        raise ValueError(f"the log ends at entry {head.last}, before its snapshot at {meta.snapshot_seq}")
    return head


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


def read_events(
    db: sqlite3.Connection, stream: Id, kind: type[Event], upto: int, limit: int, skip: int = 0
) -> list[Entry]:
    """A stream's entries of one kind up to entry `upto`, newest first, without the `skip` newest; at most `limit`.

    They are found by their places alone: only what is given out is read.
    """
    seqs = "SELECT seq FROM event_of WHERE stream = ? AND seq <= ? AND kind = ? ORDER BY seq DESC LIMIT ? OFFSET ?"
    rows = db.execute(
        f"SELECT {EVENT} FROM event WHERE seq IN ({seqs}) ORDER BY seq DESC",
        (packed_id(stream), upto, KINDS[kind], limit, skip),
    )
    return [decoded(*row) for row in rows.fetchall()]


def read_flips(db: sqlite3.Connection, window: Window, limit: int | None) -> list[FlipRow]:
    """At most `limit` flips within `window`, newest first, among the newest `FLIPS` of the stream up to its `upto`."""
    sql = "SELECT seq, stream, at, body, crc FROM flip WHERE stream = ? AND seq <= ?"
    values: list[object] = [packed_id(window.stream), window.upto]
    if window.start is not None or window.end is not None:
        within = "SELECT seq FROM flip WHERE stream = ? AND seq <= ? ORDER BY seq DESC LIMIT ?"
        sql += f" AND seq >= ifnull((SELECT min(seq) FROM ({within})), 0)"
        values += [*values, FLIPS]
    if window.start is not None:
        sql += " AND at >= ?"
        values.append(window.start)
    if window.end is not None:
        sql += " AND at < ?"
        values.append(window.end)
    values.append(-1 if limit is None else limit)
    return [flip_of(*row) for row in db.execute(f"{sql} ORDER BY seq DESC LIMIT ?", values).fetchall()]


def read_flips_at(db: sqlite3.Connection, seqs: Collection[int]) -> list[FlipRow]:
    """All that was derived under these entries."""
    places = ",".join("?" * len(seqs))
    sql = f"SELECT seq, stream, at, body, crc FROM flip WHERE seq IN ({places})"
    return [flip_of(*row) for row in db.execute(sql, tuple(seqs)).fetchall()]


def read_entries(db: sqlite3.Connection, stream: Id | None, after: int, limit: int) -> list[Entry]:
    """Up to `limit` entries with seq > `after`, in order: of one stream, or all (None)."""
    values: tuple[object, ...]
    if stream is None:
        where, values = "seq > ? ORDER BY seq LIMIT ?", (after, limit)
    else:
        seqs = "SELECT seq FROM event_of WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?"
        where, values = f"seq IN ({seqs}) ORDER BY seq", (packed_id(stream), after, limit)
    return [decoded(*row) for row in db.execute(f"SELECT {EVENT} FROM event WHERE {where}", values).fetchall()]


def read_newest(db: sqlite3.Connection, stream: Id | None, count: int) -> list[Entry]:
    """The `count` newest entries, of one stream or all (None), oldest first."""
    of, values = ("event", ()) if stream is None else ("event_of WHERE stream = ?", (packed_id(stream),))
    seqs = f"SELECT seq FROM {of} ORDER BY seq DESC LIMIT ?"
    sql = f"SELECT {EVENT} FROM event WHERE seq IN ({seqs}) ORDER BY seq"
    return [decoded(*row) for row in db.execute(sql, (*values, count)).fetchall()]
