"""The journal's file: how it comes into being, how it is opened, and how another file is told from it.

It never changes or removes a file that it does not understand.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from pingmon.journal.errors import JournalDamaged, JournalFormatError, JournalUnavailable
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.meta_table import FORMAT, WIDTHS, Meta, insert_meta, read_meta
from pingmon.journal.sqlite.open_files import check_length

APPLICATION_ID: Final = 0x50696E67  # "Ping"
MAGIC: Final = b"SQLite format 3\0"
LOCK_WAIT_S: Final = 5.0
CHECKPOINT_PAGES: Final = 4000
"""The write-ahead log is copied into the database at 16 MB: pages of the index are hit again and again before."""
WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024


# Read when the module is: who has become another user since may not be let near the package any more.
_TEXTS: Final = {
    format: files("pingmon.journal.sqlite").joinpath(f"schema-{format}.sql").read_text("utf-8")
    for format in range(1, FORMAT + 1)
}


def schema_text(format: int) -> str:
    """The statements that make the tables of a format. They never change."""
    return _TEXTS[format]


def connect(path: Path, *, write: bool, alone: bool = False) -> sqlite3.Connection:
    """A connection that reads text as bytes and opens no transaction by itself.

    `alone`: nobody writes, and there is no write-ahead log; SQLite then makes no files to read it, which a full disk
    would not let it do. Raises sqlite3.Error, or JournalUnavailable if SQLite is too old. The file must exist. The
    connection may pass from thread to thread, but be used by one at a time.
    """
    if sqlite3.sqlite_version_info < (3, 37):
        raise JournalUnavailable(f"SQLite 3.37 or newer is needed; this Python has {sqlite3.sqlite_version}")
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}{'&immutable=1' if alone else ''}"
    db = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT_S, cached_statements=300
    )
    try:
        db.text_factory = bytes
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA query_only = ON" if not write else "PRAGMA synchronous = FULL")
        if write:
            db.execute("PRAGMA temp_store = MEMORY")  # or SQLite makes and removes a file for each INSERT of many rows
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            db.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: all of the block is durable when it ends, or nothing of it happened."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has already rolled back after some errors, as after SQLITE_FULL
            with suppress(sqlite3.Error):  # the first error is the one to tell
                db.execute("ROLLBACK")
        raise


def create(path: Path, now: int) -> None:
    """Make a new, empty journal at `path`, readable by its owner only. JournalUnavailable if that cannot be done.

    It is built under another name and then renamed: a file at `path` is a whole journal or none, at any time.
    """
    draft = path.with_name(path.name + ".new")
    with translated(path):
        try:
            _create(draft, path, now)
        except BaseException:
            for suffix in ("", "-journal", "-wal", "-shm"):
                draft.with_name(draft.name + suffix).unlink(missing_ok=True)
            raise


def _create(draft: Path, path: Path, now: int) -> None:
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(schema_text(FORMAT))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        insert_meta(db, Meta(FORMAT, now))
        db.execute("PRAGMA journal_mode = WAL")
    draft.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def check_file(path: Path) -> None:
    """Refuse what is no journal before SQLite sees it. Raises JournalFormatError, JournalDamaged.

    Not while this process has the file open: to close it here would take SQLite's locks away.
    """
    with translated(path), path.open("rb") as file:
        header = file.read(100)
    if not header:
        raise JournalDamaged(path, "the file is empty")
    if header[:16] != MAGIC or int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise JournalFormatError(
            f"{path} is not a pingmon journal, or its first bytes are damaged; nothing was changed. "
            "If it was one, restore a backup (docs/log-format.md)."
        )
    if len(header) < 100:
        raise JournalDamaged(path, "the file is cut off in its header")
    with translated(path):
        check_length(path, header)


def check_new(path: Path, *, begun: bool = False) -> None:
    """Refuse to begin a new journal where one was `begun`, or beside the remains of one. Raises JournalDamaged."""
    if begun:
        remedy = "Put it back, or restore a backup; to begin anew, take another directory."
        raise JournalDamaged(path, "the file is missing, but the first start was complete here", remedy)
    for suffix in ("-wal", "-journal"):
        rest = path.with_name(path.name + suffix)
        if rest.exists() and rest.stat().st_size:
            remedy = f"Put it back (or restore a backup); to begin a new journal, move {rest.name} away first."
            raise JournalDamaged(path, f"the file is missing, but the end of its log, {rest.name}, is here", remedy)


def check_schema(path: Path, db: sqlite3.Connection) -> Meta:
    """The journal's meta row, once all about its format, this one or an older, is found right.

    Raises JournalFormatError for a newer format, JournalDamaged for tables that are not those of the format,
    sqlite3.Error and ValueError for what cannot be read.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise JournalFormatError(
            f"{path} says that it has format {version}: a newer pingmon wrote it, this one reads up to {FORMAT}. "
            "If no newer one ever ran here, the file is damaged: restore a backup (docs/log-format.md)."
        )
    if version not in WIDTHS:
        raise JournalDamaged(path, f"its header says format {version}, which there never was")
    found = _objects(db)
    for key, sql in objects_of(version).items():
        if found.get(key) != sql:
            raise JournalDamaged(path, f"its {key[0].decode()} {key[1].decode()} is missing or altered")
    meta = read_meta(db, version)
    if meta.format != version:
        raise JournalDamaged(path, f"its header says format {version}, its table meta format {meta.format}")
    return meta


@cache
def objects_of(format: int) -> dict[tuple[bytes, bytes], bytes]:
    """What a journal of this format is made of: (type, name) -> the table's name, LF, the statement that made it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.text_factory = bytes
        db.executescript(schema_text(format))
        return _objects(db)


def _objects(db: sqlite3.Connection) -> dict[tuple[bytes, bytes], bytes]:
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(kind, name): table + b"\n" + sql for kind, name, table, sql in rows}
