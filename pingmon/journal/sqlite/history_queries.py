"""What is asked of the log while it runs: entries and flips of one check or site, newest first; entries in order.

Plain functions on an open connection, for any thread. They raise sqlite3.Error, ValueError and TypeError for what
cannot be read; the callers wrap them in `error_codes.translated`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final

from pingmon.core.units import Id
from pingmon.core.world.events import KINDS, Entry, Event
from pingmon.journal.codec import decoded, packed_id
from pingmon.journal.interface import FlipRow
from pingmon.journal.pending_flips import Window
from pingmon.journal.sqlite.commit_chain import EVENT
from pingmon.journal.sqlite.flip_table import flip_of

FLIPS: Final = 50_000
"""Flips of a stream that one query looks through for those of a time."""


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
