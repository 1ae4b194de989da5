"""The table `flip`: what the fold derived from entries. Its rows have checksums, as those of `snapshot_table` have.

Beside a flip of a check or site lies what became of the messages about it: by the same `seq`, under the channel's id.
"""

from __future__ import annotations

import sqlite3
from binascii import hexlify
from collections.abc import Iterable
from zlib import crc32

import msgspec

from pingmon.journal.codec import id_text, packed_id
from pingmon.journal.interface import FlipRow
from pingmon.journal.sqlite.meta_table import Meta


def flip_crc(seq: int, stream: bytes, at: int, body: bytes) -> int:
    """The checksum of a flip row."""
    return crc32(b"%d\n%b\n%d\n" % (seq, hexlify(stream), at) + body)


def flip_of(seq: int, stream: bytes, at: int, body: bytes, crc: int) -> FlipRow:
    """A flip as it was read. ValueError if it is not what was written."""
    if flip_crc(seq, stream, at, body) != crc:
        raise ValueError(f"the flip at entry {seq} is altered")
    return FlipRow(seq, id_text(stream), at, body)


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


def check_flips(db: sqlite3.Connection, meta: Meta) -> int:
    """The number of flips, all of them checked. ValueError if one is altered or missing."""
    count = total = 0
    for row in db.execute("SELECT seq, stream, at, body, crc FROM flip ORDER BY seq"):
        flip_of(*row)
        count, total = count + 1, total + row[4]
    if (count, total) != (meta.flip_count, meta.flip_sum):
        raise ValueError(f"there are {count} flips, not the {meta.flip_count} that were written")
    return count
