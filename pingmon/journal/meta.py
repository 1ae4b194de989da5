"""The one row that says how the rest of the journal is to be read, guarded by its own checksum."""

from __future__ import annotations

import sqlite3
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from pingmon.journal.chain import GENESIS, Tally

FORMAT: Final = 1


class Meta(Struct, frozen=True):
    """The columns of the table `meta`, in its order; schema.sql says what each means."""

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
        return crc32("".join(f"{_text(value)}\n" for value in msgspec.structs.astuple(self)).encode())


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)


COLUMNS: Final = Meta.__struct_fields__
_SELECT: Final = f"SELECT {', '.join(COLUMNS)}, crc FROM meta"
_INSERT: Final = f"INSERT INTO meta (one, {', '.join(COLUMNS)}, crc) VALUES (1{', ?' * (len(COLUMNS) + 1)})"
_UPDATE: Final = f"UPDATE meta SET {', '.join(f'{name} = ?' for name in COLUMNS)}, crc = ?"


def read_meta(db: sqlite3.Connection) -> Meta:
    """The row as it is on disk. ValueError if it is not what was written, sqlite3.Error if it cannot be read."""
    rows = db.execute(_SELECT).fetchall()
    if len(rows) != 1:
        raise ValueError(f"the table meta has {len(rows)} rows instead of one")
    *values, crc = rows[0]
    try:
        meta = msgspec.convert(dict(zip(COLUMNS, values, strict=True)), Meta, strict=True)
    except msgspec.ValidationError as error:
        raise ValueError(f"the table meta is altered: {error}") from error
    if meta.crc != crc:
        raise ValueError("the table meta is altered: its checksum is wrong")
    return meta


def insert_meta(db: sqlite3.Connection, meta: Meta) -> None:
    """Write the row of a new journal."""
    db.execute(_INSERT, (*msgspec.structs.astuple(meta), meta.crc))


def update_meta(db: sqlite3.Connection, meta: Meta) -> None:
    """Replace the row, inside the transaction of what it speaks about."""
    db.execute(_UPDATE, (*msgspec.structs.astuple(meta), meta.crc))
