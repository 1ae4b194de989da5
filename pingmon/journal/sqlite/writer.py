"""The one that writes: synchronous, called by one thread at a time, never by two.

`open` only reads; the first write opens the files for writing. Every method is one transaction, and leaves this object
as it was if that fails. After most errors the file is opened anew for the next one, for after an I/O error the old
descriptors may be of no more use; and nothing counts then that was not written anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
from twisted.logger import Logger

from pingmon.core.world.events import Entry
from pingmon.core.world.snapshot_blocks import Block, Outdated
from pingmon.journal.codec import Row, decoded
from pingmon.journal.errors import JournalDamaged, JournalUnavailable, SnapshotDamaged
from pingmon.journal.interface import FlipRow, Trimmed
from pingmon.journal.retention import Retention
from pingmon.journal.sqlite import schema
from pingmon.journal.sqlite.commit_chain import LogEnd, commit_fault, commits, read_log_end, write_commit
from pingmon.journal.sqlite.error_codes import explained, primary_code, translated
from pingmon.journal.sqlite.flip_table import write_flips
from pingmon.journal.sqlite.lock_file import LockFile
from pingmon.journal.sqlite.meta_table import FORMAT, Meta, read_meta, update_meta
from pingmon.journal.sqlite.open_files import OpenFiles, log_of, write_anew
from pingmon.journal.sqlite.schema import transaction
from pingmon.journal.sqlite.snapshot_table import drop_state, read_state, write_state
from pingmon.journal.sqlite.stream_index import LOT, PART, all_placed, next_part, put_in
from pingmon.journal.sqlite.trimming import TrimSweep
from pingmon.journal.sqlite.upgrade import upgraded

log = Logger()

LASTING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Primary result codes after which the connection is as good as before."""


class Writer:
    """`found` is told, on the calling thread, of entries that are in the log although their commit was called failed.

    That happens when a disk refuses to confirm a commit that it has kept: the log decides, so they count. `renewals`
    counts how often the files were opened for writing: a connection that is older may know another write-ahead log.
    """

    def __init__(self, path: Path, retention: Retention, found: Callable[[list[Entry]], None]) -> None:
        self.path = path
        self._sweep = TrimSweep(retention)
        self._found = found
        self._lock_file = LockFile(path)
        self._reading: sqlite3.Connection | None = None
        self._db: sqlite3.Connection | None = None
        self._index = path.with_name(path.name + "-shm")
        self._makes_index = False
        self._unsound: Exception | None = None
        self.renewals = 0
        self.meta = Meta(FORMAT, 0)
        self.log_end = LogEnd(0, None, b"")

    # --- before the first write -----------------------------------------------------------------------------------

    def open(self, now: int, *, begun: bool = False) -> None:
        """Open the journal for reading, or begin a new one at `now`, unless one was `begun` here before.

        Raises all but JournalFull; every file is then as it was.
        """
        self._lock_file.acquire()
        try:
            with translated(self.path):
                self._makes_index = not self._index.exists()
                self._open(now, begun)
        except BaseException:
            self.abandon()
            raise

    def _open(self, now: int, begun: bool) -> None:
        if not self.path.exists():
            self._lock_file.check_new()
            schema.check_new(self.path, begun=begun)
            schema.create(self.path, now)
        schema.check_file(self.path)
        # A connection that may write copies the log into the database when it is closed, also after a refusal.
        self._reading = schema.connect(self.path, write=False, alone=not log_of(self.path).exists())
        self.meta = schema.check_schema(self.path, self._reading)
        self.log_end = read_log_end(self._reading, self.meta)
        self._lock_file.check(self.log_end.last)

    def state(self) -> Iterator[Block]:
        """The snapshot's blocks, each once it was checked; an error says at the first that is not what was written.

        At the end too, if one is missing: use nothing of them before. SnapshotDamaged if the log has all that they
        had; there is then no snapshot, and it is dropped before the first write. JournalDamaged if a log that was
        trimmed has not.
        """
        try:
            yield from read_state(self.reader(), self.meta)
        except (ValueError, TypeError) as error:
            if not self.meta.whole:
                raise JournalDamaged(
                    self.path, f"{error}; old measurements were trimmed, so the log cannot rebuild it"
                ) from error
            log.warn("{path}: {error}; the state is rebuilt from the log", path=str(self.path), error=str(error))
            self._unsound = error
            self.meta = msgspec.structs.replace(self.meta, snapshot_seq=0)
            raise SnapshotDamaged(str(error)) from error

    def reader(self) -> sqlite3.Connection:
        """The connection, for reading before the first write. JournalUnavailable if it is not open."""
        db = self._reading or self._db
        if db is None:
            raise JournalUnavailable(f"{self.path} is not open")
        return db

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    # --- a connection that works -----------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that works, as far as can be known, for one transaction.

        Opens the file anew for the first, if the last error called for it, or if the write-ahead log was taken away.
        """
        with translated(self.path):
            if self._db is not None:
                self._look(self._db)
            if self._db is None:
                self._reconnect()
        try:
            yield self.reader()
        except sqlite3.Error as error:
            if primary_code(error) not in LASTING:
                self.forget_connection()
                if error.sqlite_errorcode == sqlite3.SQLITE_IOERR_FSYNC:
                    self._files.take_back()
            raise explained(self.path, error) from error

    def _look(self, db: sqlite3.Connection) -> None:
        """See whether the open files are still those of the journal; mend what can be."""
        state = self._files.look()
        if state == "gone":
            log.warn(
                "{path}: its write-ahead log was moved or deleted; pingmon writes what was in it into the file",
                path=str(self.path),
            )
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise JournalUnavailable(f"{self.path}: somebody reads the write-ahead log that was taken away")
            self.forget_connection()
        elif state == "cut":
            self._check_end()
            self._files.accept()

    def _check_end(self) -> None:
        """See whether a shorter log lost its end: another program may have copied it into the file. JournalDamaged."""
        try:
            with closing(schema.connect(self.path, write=False)) as db:
                whole = read_log_end(db, read_meta(db)) == self.log_end
        except (sqlite3.Error, ValueError, TypeError):
            whole = False
        if not whole:
            raise JournalDamaged(self.path, "its write-ahead log was cut off while it was in use")

    def _reconnect(self) -> None:
        self._close_reading()
        db = schema.connect(self.path, write=True)
        try:
            meta = schema.check_schema(self.path, db)
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != b"wal":
                raise JournalUnavailable(f"{self.path}: SQLite cannot use its write-ahead log here (mode {mode!r})")
            self._files = OpenFiles(self.path)
            with transaction(db):
                write_anew(self.path)
            meta = self._without_snapshot(db, meta) if self._unsound is not None else meta
            meta = upgraded(self.path, db, meta)
            end = read_log_end(db, meta)
            surplus = self._surplus(db, end)
        except BaseException:
            db.close()
            raise
        self._db, self.meta, self.log_end = db, meta, end
        self.renewals += 1
        if surplus:
            log.warn(
                "the log holds {count} entries of a commit that seemed to have failed; pingmon takes them as they are",
                count=len(surplus),
            )
            self._found(surplus)

    def _surplus(self, db: sqlite3.Connection, end: LogEnd) -> list[Entry]:
        """The entries that are in the log although their commit was called failed. JournalDamaged, ValueError."""
        if end.last < self.log_end.last:
            raise JournalDamaged(self.path, f"the log ends at entry {end.last}, but {self.log_end.last} was durable")
        surplus: list[Entry] = []
        previous, chain = self.log_end.last, self.log_end.chain
        for batch, rows in commits(db, previous):
            if fault := commit_fault(previous, chain, batch, rows):
                raise JournalDamaged(self.path, fault)
            surplus.extend(decoded(*row) for row in rows)
            previous, chain = batch[0], batch[4]
        return surplus

    def _without_snapshot(self, db: sqlite3.Connection, meta: Meta) -> Meta:
        with transaction(db):
            meta = drop_state(db, meta)
            update_meta(db, meta)
        self._unsound = None
        return meta

    def upgrade(self) -> None:
        """Bring a journal of an older format to this one, as the first write would. Raises all but JournalFull."""
        if self.meta.format != FORMAT:
            with self._writing():
                pass

    def forget_connection(self) -> None:
        """Close the file; the next write opens it anew, and looks at what is in it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- writing --------------------------------------------------------------------------------------------------

    @property
    def alive_at(self) -> int | None:
        """The last sign of life on disk, in microseconds since the epoch: a heartbeat, a snapshot or a commit."""
        return self.log_end.at if self.log_end.last > self.meta.alive_seq and self.log_end.at else self.meta.alive_at

    def commit(self, flips: Sequence[FlipRow], rows: Sequence[Row]) -> LogEnd:
        """Add these entries to the log, durably; the log's new end. JournalUnavailable: nothing was added."""
        with self._writing() as db:
            meta = self.meta
            with transaction(db):
                end = write_commit(db, self.log_end, rows)
                if flips:
                    meta = write_flips(db, meta, flips)
                    update_meta(db, meta)
            self.meta, self.log_end = meta, end
        self._lock_file.note(end.last)
        return end

    def snapshot(
        self,
        flips: Sequence[FlipRow],
        seq: int,
        blocks: Iterable[Block],
        alive: int,
        outdated: Iterable[Outdated] = (),
    ) -> None:
        """Save the state as it is after entry `seq`. ValueError if the log has no such entry, or it is older."""
        if not self.meta.snapshot_seq <= seq <= self.log_end.last:
            raise ValueError(f"a snapshot at {seq} in a log that ends at {self.log_end.last}")
        with self._writing() as db:
            with transaction(db):
                meta = write_state(db, write_flips(db, self.meta, flips), blocks, outdated)
                meta = msgspec.structs.replace(meta, snapshot_seq=seq, alive_at=alive, alive_seq=self.log_end.last)
                update_meta(db, meta)
            self.meta = meta

    def touch(self, flips: Sequence[FlipRow], now: int) -> None:
        """Write a sign of life (microseconds since the epoch), durably."""
        with self._writing() as db:
            with transaction(db):
                meta = write_flips(db, self.meta, flips)
                meta = msgspec.structs.replace(meta, alive_at=now, alive_seq=self.log_end.last)
                update_meta(db, meta)
            self.meta = meta

    def place(self, lot: int = LOT) -> None:
        """Put in the next part of a lot of places, if there is one or it is time for one."""
        with self._writing() as db:
            self._place(db, next_part(self.meta, self.log_end.last, lot))

    def _place(self, db: sqlite3.Connection, after: Meta) -> None:
        if after != self.meta:
            with transaction(db):
                put_in(db, self.meta, after)
            self.meta = after

    def trim(self, now: int, budget_rows: int) -> Trimmed:
        """One step of the retention. JournalDamaged if what should go is not what was written; it then stays."""
        with translated(self.path), self._writing() as db:
            if self._sweep.begins(self.meta) and self.log_end.last - self.meta.placed <= PART:
                self._place(db, all_placed(self.meta, self.log_end.last))  # of a busy daemon, lots come by themselves
            self.meta, trimmed = self._sweep.step(db, self.meta, now, budget_rows)
        return trimmed

    def close(self, flips: Sequence[FlipRow] = ()) -> None:
        """Write what is left, bring the log wholly into the database file, let go. JournalUnavailable still closes."""
        if not self._lock_file.held:
            return
        try:
            if flips:
                with self._writing() as db, transaction(db):
                    self.meta = write_flips(db, self.meta, flips)
                    update_meta(db, self.meta)
            with self._writing() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except BaseException:
            self.abandon()
            raise
        self.forget_connection()
        self._lock_file.release()

    def abandon(self) -> None:
        """Let go, and leave the files as they are: nothing is copied from a log that may be damaged.

        SQLite would copy it as its last connection is closed. Only one that may not write is the last to be closed here
        (Python 3.11 knows no SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).
        """
        self._close_reading()
        if self._db is not None:
            with suppress(sqlite3.Error, JournalUnavailable), closing(schema.connect(self.path, write=False)) as last:
                with suppress(sqlite3.Error):
                    last.execute("BEGIN")
                    last.execute("SELECT 1 FROM sqlite_schema").fetchone()
                self.forget_connection()
            self.forget_connection()
        elif self._makes_index and not self.renewals:
            self._index.unlink(missing_ok=True)
        self._lock_file.release(unused=not self.renewals)
