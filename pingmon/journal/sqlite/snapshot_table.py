"""The table `state`: the snapshot's blocks.

Each row carries its own checksum; `meta` carries how many there are and the sum of their checksums, so that a lost
row is seen too. The table `flip` (`flip_table`) is kept in the same way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final
from zlib import crc32

import msgspec

from pingmon.core.world.snapshot_blocks import Block, Outdated
from pingmon.journal.sqlite.meta_table import Meta

STATE: Final = "number, kind, round, upto, crc, gone, parts"
PAGE: Final = 8
"""Blocks that are read at once: some 2 MB."""
PAGE_1: Final = 500
"""Rows of format 1 that are read at once, and are one block then."""


def block_crc(block: Block) -> int:
    """The checksum of a block of the snapshot."""
    marks = ("" if mark is None else mark for mark in (block.round, block.upto))
    head = "{}\n{}\n{}\n{}\n".format(block.number, block.kind, *marks)
    return crc32(block.parts, crc32(block.gone + b"\n", crc32(head.encode())))


def write_state(db: sqlite3.Connection, meta: Meta, blocks: Iterable[Block], outdated: Iterable[Outdated]) -> Meta:
    """Add blocks to the snapshot and drop outdated ones; the meta that counts them. Belongs into a transaction."""
    count, total = meta.state_count, meta.state_sum
    for old in outdated:
        where = "kind = ? AND number < ?"
        which: tuple[str | int, ...] = (old.kind, old.below)
        if old.upto is not None:
            where, which = f"{where} AND upto < ?", (*which, old.upto)
        dropped, crcs = db.execute(f"SELECT count(*), ifnull(sum(crc), 0) FROM state WHERE {where}", which).fetchone()
        db.execute(f"DELETE FROM state WHERE {where}", which)
        count, total = count - dropped, total - crcs
    for block in blocks:
        crc = block_crc(block)
        gone, parts = block.gone.decode(), block.parts.decode()
        row = (block.number, block.kind, block.round, block.upto, crc, gone, parts)
        db.execute("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        count, total = count + 1, total + crc
    return msgspec.structs.replace(meta, state_count=count, state_sum=total)


def drop_state(db: sqlite3.Connection, meta: Meta) -> Meta:
    """Forget the snapshot; the meta of a journal without one. Belongs into a transaction."""
    db.execute("DELETE FROM state")
    return msgspec.structs.replace(meta, snapshot_seq=0, state_count=0, state_sum=0)


def read_state(db: sqlite3.Connection, meta: Meta) -> Iterator[Block]:
    """The snapshot's blocks, in their order.

    ValueError at the first that is not what was written, and at the end if one is missing.
    """
    if meta.format == 1:
        yield from read_state_1(db, meta)
        return
    count = total = last = 0
    while rows := db.execute(
        f"SELECT {STATE} FROM state WHERE number > ? ORDER BY number LIMIT {PAGE}", (last,)
    ).fetchall():
        for number, kind, round, upto, crc, gone, parts in rows:
            block = Block(number, str(kind, "utf-8"), parts, gone, round, upto)
            if block_crc(block) != crc:
                raise ValueError(f"block {number} of the snapshot ({block.kind}) is altered")
            count, total, last = count + 1, total + crc, number
            yield block
    _check_sum(meta, "blocks", count, total)


def read_state_1(db: sqlite3.Connection, meta: Meta, table: str = "state") -> Iterator[Block]:
    """As `read_state`, of format 1: its rows, each one thing, as blocks."""
    count = total = number = 0
    after: tuple[bytes, bytes] = (b"", b"")
    select = f"SELECT kind, id, crc, body FROM {table} WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT {PAGE_1}"
    while rows := db.execute(select, tuple(text.decode() for text in after)).fetchall():
        for kind, id, crc, body in rows:
            if crc32(b"\n".join((kind, id, body))) != crc:
                raise ValueError(f"the snapshot of {kind.decode()} {id.decode()} is altered")
            total += crc
        count, after = count + len(rows), rows[-1][:2]
        for kind, things in groupby(rows, itemgetter(0)):
            number += 1
            yield Block(number, kind.decode(), b"[%b]" % b",".join(body for *_, body in things))
    _check_sum(meta, "rows", count, total)


def _check_sum(meta: Meta, what: str, count: int, total: int) -> None:
    if (count, total) != (meta.state_count, meta.state_sum):
        raise ValueError(f"the snapshot has {count} {what}, not the {meta.state_count} that were written")
