"""What is asked of the log while it runs: entries and flips of one check or site, newest first; entries in order.

Plain functions on an open connection, for any thread. They raise sqlite3.Error, ValueError and TypeError for what
cannot be read; the callers wrap them in `error_codes.translated`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from itertools import repeat
from typing import Any, Final

import msgspec

from pingmon.core.units import Id
from pingmon.core.world.events import KINDS, Entry, Event
from pingmon.journal.codec import decoded, packed_id
from pingmon.journal.interface import FlipRow
from pingmon.journal.pending_flips import Window
from pingmon.journal.sqlite.commit_chain import EVENT
from pingmon.journal.sqlite.flip_table import flip_of

_JOINED: Final = (
    "'[' || group_concat(seq) || ']', '[' || group_concat(at) || ']', '[' || group_concat(body) || ']', "
    "'[' || group_concat(ifnull(length(payload), 'null')) || ']', group_concat(payload, '')"
)
"""Many entries as one row of JSON lists; the bytes of their payloads come one after another."""
_LISTS: Final = {kind: msgspec.json.Decoder(list[kind]) for kind in KINDS}  # type: ignore[valid-type]
_NUMBERS: Final = msgspec.json.Decoder(list[int])
_SIZES: Final = msgspec.json.Decoder(list[int | None])
FLIPS: Final = 50_000
"""Flips of a stream that one query looks through for those of a time."""


def read_events(
    db: sqlite3.Connection, stream: Id, kind: type[Event], upto: int, limit: int, skip: int = 0
) -> list[Entry]:
    """A stream's entries of one kind up to entry `upto`, newest first, without the `skip` newest; at most `limit`.

    They are found by their places alone: only what is given out is read. And they come as one row (`_JOINED`): the
    sqlite3 module gives up the interpreter's lock for each, so a page of 100 would wait as often until it gets it back.
    """
    seqs = "SELECT seq FROM event_of WHERE stream = ? AND seq <= ? AND kind = ? ORDER BY seq DESC LIMIT ? OFFSET ?"
    rows = f"SELECT {EVENT} FROM event WHERE seq IN ({seqs}) ORDER BY seq DESC"
    values = (packed_id(stream), upto, KINDS[kind], limit, skip)
    lists = db.execute(f"SELECT {_JOINED} FROM ({rows})", values).fetchone()
    if lists[0] is None:
        return []
    try:
        return _taken_apart(stream, kind, *lists)
    except ValueError:  # then it is told of the entry that is not what was written
        return [decoded(*row) for row in db.execute(rows, values).fetchall()]


def _taken_apart(
    stream: Id, kind: type[Event], seqs: bytes, times: bytes, bodies: bytes, sizes: bytes, joined: bytes | None
) -> list[Entry]:
    """The entries of the one row that has them all. ValueError if one of them is not what was written."""
    events: list[Any] = _LISTS[kind].decode(bodies)
    payloads = _parts(joined or b"", _SIZES.decode(sizes))
    columns = (_NUMBERS.decode(seqs), _NUMBERS.decode(times), repeat(stream, len(events)), events, payloads)
    return [Entry(*column) for column in zip(*columns, strict=True)]


def _parts(joined: bytes, sizes: Iterable[int | None]) -> Iterator[bytes | None]:
    """What was joined, in parts of these sizes; NULL (None) had no part in it."""
    start = 0
    for size in sizes:
        yield None if size is None else joined[start : start + size]
        start += size or 0


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
