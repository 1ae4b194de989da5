"""The one row that says how the rest of the journal is to be read, guarded by its own checksum."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from pingmon.journal.hash_chain import GENESIS, Tally

FORMAT: Final = 2
"""The format that is written. All from 1 on are read."""


class Meta(Struct, frozen=True):
    """The columns of the table `meta`, in its order; the schema says what each means.

    An older format has the first so many of them (`WIDTHS`).
    """

    format: int
    created_at: int
    alive_at: int | None = None
    alive_seq: int = 0
    snapshot_seq: int = 0
    state_count: int = 0
    state_sum: int = 0
    flip_count: int = 0
    flip_sum: int = 0
    trim_mark: int = 0
    anchor: bytes = GENESIS
    kept_count: int = 0
    kept_sum: bytes = GENESIS
    cursor: int = 0
    placed: int = 0
    lot: int = 0
    part: bytes = b""

    @property
    def kept(self) -> Tally:
        """What is kept at or below the trim mark."""
        return Tally(self.kept_count, self.kept_sum)

    @property
    def whole(self) -> bool:
        """Whether nothing was ever trimmed, so that the log alone gives the state."""
        return self.kept_count == self.trim_mark

    @property
    def crc(self) -> int:
        """The checksum of the row: CRC-32 of each column as text (blobs as hex, NULL as nothing), LF after each."""
        return crc32("".join(f"{_text(value)}\n" for value in self.values).encode())

    @property
    def values(self) -> tuple[object, ...]:
        """What stands in the columns of its format."""
        return msgspec.structs.astuple(self)[: WIDTHS.get(self.format)]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)


WIDTHS: Final = {1: 14, 2: 17}
"""How many columns each format has, without the checksum."""


@cache
def _columns(format: int) -> tuple[str, ...]:
    return Meta.__struct_fields__[: WIDTHS[format]]


def read_meta(db: sqlite3.Connection, format: int = FORMAT) -> Meta:
    """The row as it is on disk. ValueError if it is not what was written, sqlite3.Error if it cannot be read."""
    columns = _columns(format)
    rows = db.execute(f"SELECT {', '.join(columns)}, crc FROM meta").fetchall()
    if len(rows) != 1:
        raise ValueError(f"the table meta has {len(rows)} rows instead of one")
    *values, crc = rows[0]
    try:
        meta = msgspec.convert(dict(zip(columns, values, strict=True)), Meta, strict=True)
    except msgspec.ValidationError as error:
        raise ValueError(f"the table meta is altered: {error}") from error
    if meta.crc != crc:
        raise ValueError("the table meta is altered: its checksum is wrong")
    return meta


def insert_meta(db: sqlite3.Connection, meta: Meta) -> None:
    """Write the row of a new journal."""
    columns = _columns(meta.format)
    sql = f"INSERT INTO meta (one, {', '.join(columns)}, crc) VALUES (1{', ?' * (len(columns) + 1)})"
    db.execute(sql, (*meta.values, meta.crc))


def update_meta(db: sqlite3.Connection, meta: Meta) -> None:
    """Replace the row, inside the transaction of what it speaks about."""
    columns = _columns(meta.format)
    db.execute(f"UPDATE meta SET {', '.join(f'{name} = ?' for name in columns)}, crc = ?", (*meta.values, meta.crc))
