"""The one that writes: synchronous, called by one thread at a time, never by two.

Every method is one transaction, and leaves this object as it was if that fails. After most errors the file is opened
anew for the next one, for after an I/O error the old descriptors may be of no more use.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
from twisted.logger import Logger

from pingmon.core.events import Entry
from pingmon.core.parts import StateRow
from pingmon.journal import schema
from pingmon.journal.chain import content_digest, link
from pingmon.journal.codec import Row, decoded
from pingmon.journal.derived import drop_state, read_state, write_flips, write_state
from pingmon.journal.errors import JournalDamaged, JournalUnavailable, explained, primary_code, translated
from pingmon.journal.lock import Lock
from pingmon.journal.meta import FORMAT, Meta, update_meta
from pingmon.journal.reading import Head, commit_fault, commits, read_head
from pingmon.journal.retention import Sweep
from pingmon.journal.schema import transaction
from pingmon.journal.values import FlipRow, Retention, Trimmed

log = Logger()

CHUNK: Final = 128
"""Rows in one INSERT. The sqlite3 module gives up the GIL for each statement, and gets it back only when the reactor's
thread lets go, after up to 5 ms: one statement for many rows, never `executemany`."""

LASTING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Primary result codes after which the connection is as good as before."""


class Writer:
    """`found` is told, on the calling thread, of entries that are in the log although their commit was called failed.

    That happens when a disk refuses to confirm a commit that it has kept: the log decides, so they count.
    """

    def __init__(self, path: Path, retention: Retention, found: Callable[[list[Entry]], None]) -> None:
        self.path = path
        self._sweep = Sweep(retention)
        self._found = found
        self._lock = Lock(path)
        self._db: sqlite3.Connection | None = None
        self.meta = Meta(FORMAT, 0)
        self.head = Head(0, None, b"")

    def open(self, now: int) -> None:
        """Open the journal, or begin a new one at `now`. Raises all but JournalFull; the file is then as it was."""
        self._lock.acquire()
        try:
            with translated(self.path):
                self._open(now)
        except BaseException:
            self.forget_connection()
            self._lock.release(clean=False)
            raise

    def _open(self, now: int) -> None:
        if not self.path.exists():
            schema.check_new(self.path)
            schema.create(self.path, now)
        self._db, self.meta, self.head = self._connected()
        self._lock.check(self.head.last)
        if self.meta.whole:
            self._check_snapshot(self._db)

    def state(self) -> Iterator[StateRow]:
        """The snapshot's rows. JournalDamaged, perhaps only after the last of them, if they are not what was written.

        So nothing of them may be used before all were read. While the log could replace the snapshot, `open` has
        already read it once; a trimmed log's is read here only, for at a million checks that takes more than a second.
        """
        try:
            yield from read_state(self.reader(), self.meta)
        except (ValueError, TypeError) as error:
            raise JournalDamaged(
                self.path, f"{error}; old measurements were trimmed, so the log cannot rebuild it"
            ) from error

    def _check_snapshot(self, db: sqlite3.Connection) -> None:
        try:
            for _ in read_state(db, self.meta):
                pass
        except (ValueError, TypeError) as error:
            self._forget_snapshot(db, error)

    def _forget_snapshot(self, db: sqlite3.Connection, error: Exception) -> None:
        log.warn("{path}: {error}; the state is rebuilt from the log", path=str(self.path), error=str(error))
        with transaction(db):
            self.meta = drop_state(db, self.meta)
            update_meta(db, self.meta)

    def _connected(self) -> tuple[sqlite3.Connection, Meta, Head]:
        schema.check_file(self.path)
        db = schema.connect(self.path, write=True)
        try:
            meta = schema.check_schema(self.path, db)
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != b"wal":
                raise JournalUnavailable(f"{self.path}: SQLite cannot use its write-ahead log here (mode {mode!r})")
            return db, meta, read_head(db, meta)
        except BaseException:
            db.close()
            raise

    def forget_connection(self) -> None:
        """Close the file; the next write opens it anew, and looks at what is in it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def reader(self) -> sqlite3.Connection:
        """The connection, for reading before the first write. JournalUnavailable if it is not open."""
        if self._db is None:
            raise JournalUnavailable(f"{self.path} is not open")
        return self._db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that works, as far as can be known; opens the file anew if the last error called for it."""
        if self._db is None:
            with translated(self.path):
                self._reconnect()
        try:
            yield self.reader()
        except sqlite3.Error as error:
            if primary_code(error) not in LASTING:
                self.forget_connection()
            raise explained(self.path, error) from error

    def _reconnect(self) -> None:
        db, meta, head = self._connected()
        if head.last < self.head.last:
            db.close()
            raise JournalDamaged(self.path, f"the log ends at entry {head.last}, but {self.head.last} was durable")
        surplus: list[Entry] = []
        previous, chain = self.head.last, self.head.chain
        for batch, rows in commits(db, previous):
            if fault := commit_fault(previous, chain, batch, rows):
                db.close()
                raise JournalDamaged(self.path, fault)
            surplus.extend(decoded(*row) for row in rows)
            previous, chain = batch[0], batch[4]
        self._db, self.meta, self.head = db, meta, head
        if surplus:
            log.warn("{count} entries of a failed commit are in the log", count=len(surplus))
            self._found(surplus)

    @property
    def alive_at(self) -> int | None:
        """The last sign of life on disk, in microseconds since the epoch: a heartbeat, a snapshot or a commit."""
        return self.head.at if self.head.last > self.meta.alive_seq and self.head.at else self.meta.alive_at

    def commit(self, flips: Sequence[FlipRow], rows: Sequence[Row]) -> Head:
        """Add these entries to the log, durably; the log's new end. JournalUnavailable: nothing was added."""
        with self._writing() as db:
            first, meta = self.head.last + 1, self.meta
            last, at = self.head.last + len(rows), max(row.at for row in rows)
            digest = content_digest([row.canon for row in rows])
            head = Head(last, at, link(self.head.chain, first, last, at, digest))
            with transaction(db):
                _insert_events(db, first, rows)
                db.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?)", (last, len(rows), at, digest, head.chain))
                if flips:
                    meta = write_flips(db, meta, flips)
                    update_meta(db, meta)
            self.meta, self.head = meta, head
        self._lock.note(last)
        return head

    def snapshot(self, flips: Sequence[FlipRow], seq: int, rows: Iterable[StateRow], alive: int) -> None:
        """Save the state as it is after entry `seq`. ValueError if the log has no such entry, or it is older."""
        if not self.meta.snapshot_seq <= seq <= self.head.last:
            raise ValueError(f"a snapshot at {seq} in a log that ends at {self.head.last}")
        with self._writing() as db:
            with transaction(db):
                meta = write_state(db, write_flips(db, self.meta, flips), rows)
                meta = msgspec.structs.replace(meta, snapshot_seq=seq, alive_at=alive, alive_seq=self.head.last)
                update_meta(db, meta)
            self.meta = meta

    def touch(self, flips: Sequence[FlipRow], now: int) -> None:
        """Write a sign of life (microseconds since the epoch), durably."""
        with self._writing() as db:
            with transaction(db):
                meta = write_flips(db, self.meta, flips)
                meta = msgspec.structs.replace(meta, alive_at=now, alive_seq=self.head.last)
                update_meta(db, meta)
            self.meta = meta

    def trim(self, now: int, budget_rows: int) -> Trimmed:
        """One step of the retention. JournalDamaged if what should go is not what was written; it then stays."""
        with translated(self.path), self._writing() as db:
            self.meta, trimmed = self._sweep.step(db, self.meta, now, budget_rows)
        return trimmed

    def close(self, flips: Sequence[FlipRow] = ()) -> None:
        """Write what is left, bring the log wholly into the database file, let go. JournalUnavailable still closes."""
        if not self._lock.held:
            return
        clean = False
        try:
            with self._writing() as db:
                if flips:
                    with transaction(db):
                        self.meta = write_flips(db, self.meta, flips)
                        update_meta(db, self.meta)
                clean = not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            self.forget_connection()
            self._lock.release(clean=clean)


@lru_cache(maxsize=CHUNK)
def _insert_sql(rows: int) -> str:
    return f"INSERT INTO event VALUES {', '.join(['(?, ?, ?, ?, ?, ?)'] * rows)}"


def _insert_events(db: sqlite3.Connection, first: int, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), CHUNK):
        values: list[object] = []
        for seq, row in enumerate(rows[start : start + CHUNK], first + start):
            values += (seq, row.at, row.stream, row.kind, row.body, row.payload)
        db.execute(_insert_sql(len(values) // 6), values)
