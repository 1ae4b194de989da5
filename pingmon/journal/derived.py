"""What the fold derived from the log and the journal keeps beside it: the snapshot's rows and the flips.

Among the flips of checks and sites lies what became of messages about them: by the same `seq`, under the channel's id.

Each row carries its own checksum; `meta` carries how many there are and the sum of their checksums, so that a lost
row is seen too.
"""

from __future__ import annotations

import sqlite3
from binascii import hexlify
from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

import msgspec

from pingmon.core.parts import StateRow
from pingmon.journal.codec import id_text, packed_id
from pingmon.journal.meta import Meta
from pingmon.journal.values import FlipRow

PAGE: Final = 1000


def state_crc(kind: bytes, id: bytes, body: bytes) -> int:
    """The checksum of a snapshot row."""
    return crc32(b"\n".join((kind, id, body)))


def flip_crc(seq: int, stream: bytes, at: int, body: bytes) -> int:
    """The checksum of a flip row."""
    return crc32(b"%d\n%b\n%d\n" % (seq, hexlify(stream), at) + body)


def write_flips(db: sqlite3.Connection, meta: Meta, flips: Iterable[FlipRow]) -> Meta:
    """Keep flips, unless their keys are taken, see `FlipRow`; the meta that counts them. Belongs into a transaction."""
    count, total = meta.flip_count, meta.flip_sum
    for flip in flips:
        stream = packed_id(flip.stream)
        old = db.execute("SELECT crc FROM flip WHERE seq = ? AND stream = ?", (flip.seq, stream)).fetchone()
        if old and not flip.anew:
            continue
        crc = flip_crc(flip.seq, stream, flip.at, flip.body)
        count, total = count + (old is None), total + crc - (old[0] if old else 0)
        row = (flip.seq, stream, flip.at, flip.body.decode(), crc)
        db.execute("INSERT OR REPLACE INTO flip (seq, stream, at, body, crc) VALUES (?, ?, ?, ?, ?)", row)
    return msgspec.structs.replace(meta, flip_count=count, flip_sum=total)


def write_state(db: sqlite3.Connection, meta: Meta, rows: Iterable[StateRow]) -> Meta:
    """Replace and delete rows of the snapshot; the meta that counts them. Belongs into a transaction."""
    count, total = meta.state_count, meta.state_sum
    for kind, id, body in rows:
        old = db.execute("SELECT crc FROM state WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        if old:
            count -= 1
            total -= old[0]
        if body is None:
            db.execute("DELETE FROM state WHERE kind = ? AND id = ?", (kind, id))
            continue
        crc = state_crc(kind.encode(), id.encode(), body)
        count += 1
        total += crc
        db.execute(
            "INSERT OR REPLACE INTO state (kind, id, body, crc) VALUES (?, ?, ?, ?)", (kind, id, body.decode(), crc)
        )
    return msgspec.structs.replace(meta, state_count=count, state_sum=total)


def drop_state(db: sqlite3.Connection, meta: Meta) -> Meta:
    """Forget the snapshot; the meta of a journal without one. Belongs into a transaction."""
    db.execute("DELETE FROM state")
    return msgspec.structs.replace(meta, snapshot_seq=0, state_count=0, state_sum=0)


def read_state(db: sqlite3.Connection, meta: Meta) -> Iterator[StateRow]:
    """The snapshot's rows. ValueError at the first that is not what was written, and at the end if one is missing."""
    count = total = 0
    after: tuple[str, ...] = ()
    while True:
        where = "WHERE (kind, id) > (?, ?)" if after else ""
        sql = f"SELECT kind, id, body, crc FROM state {where} ORDER BY kind, id LIMIT {PAGE}"
        rows = db.execute(sql, after).fetchall()
        for kind, id, body, crc in rows:
            if state_crc(kind, id, body) != crc:
                raise ValueError(f"the snapshot of {kind.decode()} {id.decode()} is altered")
            count, total = count + 1, total + crc
            yield kind.decode(), id.decode(), body
        if len(rows) < PAGE:
            break
        after = tuple(part.decode() for part in rows[-1][:2])
    if (count, total) != (meta.state_count, meta.state_sum):
        raise ValueError(f"the snapshot has {count} rows, not the {meta.state_count} that were written")


def flip_of(seq: int, stream: bytes, at: int, body: bytes, crc: int) -> FlipRow:
    """A flip as it was read. ValueError if it is not what was written."""
    if flip_crc(seq, stream, at, body) != crc:
        raise ValueError(f"the flip at entry {seq} is altered")
    return FlipRow(seq, id_text(stream), at, body)


def check_flips(db: sqlite3.Connection, meta: Meta) -> int:
    """The number of flips, all of them checked. ValueError if one is altered or missing."""
    count = total = 0
    for row in db.execute("SELECT seq, stream, at, body, crc FROM flip ORDER BY seq"):
        flip_of(*row)
        count, total = count + 1, total + row[4]
    if (count, total) != (meta.flip_count, meta.flip_sum):
        raise ValueError(f"there are {count} flips, not the {meta.flip_count} that were written")
    return count
