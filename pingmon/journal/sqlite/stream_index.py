"""The places of entries: which entries of which kind each stream has, in the order of streams (table `place`).

An index kept with each commit would write one page of its own for nearly each entry, which was most of all that was
written. So entries get their places late, and many at a time: the pages of a stream are then written once for all its
entries. Those that have none yet, the newest, are looked through instead. The view `event_of` is both; whoever reads it
need not know. Who reads again and again has them indexed in memory (`NewestEntries`).

A lot is all entries without a place, once they are `LOT`. It is put in part by part, a sixteenth of the streams each
time, while as many entries come as a part has, so that no ping waits long for it:

    seq                 … placed       … lot          … last
    stream before part  has its place  has its place  has none
    stream from part on has its place  has none       has none
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from pingmon.journal.sqlite.meta_table import Meta, update_meta

LOT: Final = 8_192
"""Entries without a place from which on a lot is made of them."""
PART: Final = LOT // 16
"""Entries that come between two parts of a lot."""
_PREFIXES: Final = 256 // 16
"""How far a part goes in the first byte of a stream, which is an id and mostly random."""
_END: Final = bytes([255]) * 17
"""Comes after all streams."""


def next_part(meta: Meta, last: int, size: int = LOT) -> Meta:
    """The meta once the next part of a lot is put in; the same if there is none, and fewer entries than its `size`."""
    if not meta.part and last - meta.placed < size:
        return meta
    lot, first = (meta.lot, meta.part[0]) if meta.part else (last, 0)
    if first + _PREFIXES < 256:
        return msgspec.structs.replace(meta, lot=lot, part=bytes([first + _PREFIXES]))
    return all_placed(meta, lot)


def all_placed(meta: Meta, last: int) -> Meta:
    """The meta once all entries up to `last` are put in."""
    return msgspec.structs.replace(meta, placed=last, lot=last, part=b"")


def put_in(db: sqlite3.Connection, before: Meta, after: Meta) -> None:
    """Give those entries their place that have it by the meta `after`. Belongs into a transaction."""
    db.execute(
        "INSERT INTO place SELECT stream, seq, kind FROM event "
        "WHERE seq > ? AND seq <= ? AND stream < ? AND (seq > ? OR stream >= ?) ORDER BY stream, seq",
        (before.placed, after.lot, after.part or _END, before.lot, before.part),
    )
    update_meta(db, after)


def place_fault(db: sqlite3.Connection, meta: Meta) -> str | None:
    """What is wrong with the places of a journal; None if they are those of its entries."""
    having, values = "(event.seq <= ? OR (event.seq <= ? AND event.stream < ?))", (meta.placed, meta.lot, meta.part)
    wrong = db.execute(
        "SELECT event.seq FROM event LEFT JOIN place ON place.stream = event.stream AND place.seq = event.seq "
        f"WHERE {having} AND place.kind IS NOT event.kind LIMIT 1",
        values,
    ).fetchone()
    if wrong:
        return f"entry {wrong[0]} has not its place in its stream"
    (places,) = db.execute("SELECT count(*) FROM place").fetchone()
    (entries,) = db.execute(f"SELECT count(*) FROM event WHERE {having}", values).fetchone()
    return None if places == entries else f"there are {places} places of entries, not {entries}"


class NewestEntries:
    """An index, in the memory of a connection that stays open for reading, of the entries that have no place yet.

    The connection's `event_of` has them from there. Each is looked at once, and forgotten when its lot is put in. That
    it has its place before that the view sees in `meta`, which changes with it: it is right at any moment, about what
    was in the log when it last `caught_up`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._upto = 0
        db.execute("PRAGMA query_only = OFF")  # it is about tables in memory, too; the file cannot be written anyway
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("CREATE TEMP TABLE newest (seq INTEGER PRIMARY KEY, stream BLOB, kind TEXT)")
        db.execute("CREATE INDEX temp.newest_of_stream ON newest (stream, seq, kind)")
        db.execute(
            "CREATE TEMP VIEW event_of AS SELECT stream, seq, kind FROM place "
            "UNION ALL SELECT stream, seq, kind FROM newest WHERE seq > (SELECT placed FROM meta) "
            "AND (seq > (SELECT lot FROM meta) OR stream >= (SELECT part FROM meta))"
        )

    def catch_up(self, upto: int) -> None:
        """Look at all entries that are in the log now, unless those up to `upto` are known."""
        if upto <= self._upto:
            return  # no statement costs less than none: each gives up the interpreter's lock
        self.db.execute("DELETE FROM newest WHERE seq <= (SELECT placed FROM meta)")
        self.db.execute(
            "INSERT INTO newest SELECT seq, stream, kind FROM event "
            "WHERE seq > max((SELECT placed FROM meta), (SELECT ifnull(max(seq), 0) FROM newest))"
        )
        (self._upto,) = self.db.execute("SELECT ifnull(max(seq), 0) FROM newest").fetchone()


def show_format_1(db: sqlite3.Connection) -> None:
    """Give a connection to a journal of format 1, whose index has the places, the view of this format."""
    db.execute("PRAGMA query_only = OFF")
    db.execute("CREATE TEMP VIEW event_of AS SELECT stream, seq, kind FROM event")
    db.execute("PRAGMA query_only = ON")
