"""The whole examination of a journal: is everything in it what was written, and is everything there?

It reads in one read transaction, so it may run beside the daemon; the write-ahead log grows meanwhile. It changes
nothing, and leaves nothing beside a backup, which may be where nobody can write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from pingmon.journal.codec import decoded
from pingmon.journal.errors import JournalDamaged
from pingmon.journal.interface import Progress, Verified, unheard
from pingmon.journal.sqlite import schema
from pingmon.journal.sqlite.commit_chain import EventRow, commit_fault, commits, kept_fault, kept_rows, read_log_end
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.flip_table import check_flips
from pingmon.journal.sqlite.meta_table import Meta
from pingmon.journal.sqlite.open_files import is_copy
from pingmon.journal.sqlite.snapshot_table import read_state
from pingmon.journal.sqlite.stream_index import place_fault

MOST: Final = 20
"""Findings after which the examination ends: more would say the same."""
REPORT: Final = 1000
"""Entries between two reports of progress."""


def verify(path: Path, progress: Progress = unheard) -> Verified:
    """Examine the journal at `path`; `progress` is told (entries read, entries in all) now and then. Blocks.

    Raises JournalFormatError or JournalUnavailable if it cannot be examined, never JournalDamaged.
    """
    examined = _Examination(progress)
    try:
        with translated(path):
            schema.check_file(path)
            with closing(schema.connect(path, write=False, alone=is_copy(path))) as db:
                db.execute("BEGIN")
                examined.all(path, db)
    except JournalDamaged as error:
        examined.damage.append(error.damage)
    return examined.result()


class _Examination:
    """One walk through a journal. Each part runs even if another found damage, so that the report is whole."""

    def __init__(self, progress: Progress) -> None:
        self.damage: list[str] = []
        self._progress = progress
        self._entries = self._last = self._trimmed = self._commits = self._state = self._flips = 0

    def result(self) -> Verified:
        return Verified(
            self._entries, self._last, self._trimmed, self._commits, self._state, self._flips, tuple(self.damage)
        )

    def all(self, path: Path, db: sqlite3.Connection) -> None:
        meta = schema.check_schema(path, db)
        parts: tuple[Callable[[sqlite3.Connection, Meta], None], ...] = (
            self._end, self._kept, self._chained, self._placed, self._derived, self._pages
        )  # fmt: skip
        for part in parts:
            try:
                with translated(path):
                    part(db, meta)
            except JournalDamaged as error:
                self._found(error.damage)

    def _found(self, damage: str) -> None:
        if len(self.damage) < MOST and damage not in self.damage:
            self.damage.append(damage)

    def _end(self, db: sqlite3.Connection, meta: Meta) -> None:
        self._last = meta.trim_mark
        self._trimmed = meta.trim_mark - meta.kept_count
        self._last = read_log_end(db, meta).last

    def _kept(self, db: sqlite3.Connection, meta: Meta) -> None:
        if fault := kept_fault(meta, self._counted(kept_rows(db, 0, meta.trim_mark))):
            self._found(fault)

    def _counted(self, rows: Iterator[EventRow]) -> Iterator[EventRow]:
        for row in rows:
            self._read(1)
            yield row

    def _chained(self, db: sqlite3.Connection, meta: Meta) -> None:
        previous, chain = meta.trim_mark, meta.anchor
        for batch, rows in commits(db, previous):
            if fault := commit_fault(previous, chain, batch, rows):
                self._found(fault)
                if len(self.damage) == MOST:
                    return
            else:
                for row in rows:
                    decoded(*row)
            previous, chain = batch[0], batch[4]
            self._commits += 1
            self._read(len(rows))

    def _read(self, rows: int) -> None:
        before, self._entries = self._entries, self._entries + rows
        if before // REPORT != self._entries // REPORT:
            self._progress(self._entries, max(self._last - self._trimmed, self._entries))

    def _placed(self, db: sqlite3.Connection, meta: Meta) -> None:
        if meta.format > 1 and (fault := place_fault(db, meta)):
            self._found(fault)

    def _derived(self, db: sqlite3.Connection, meta: Meta) -> None:
        self._flips = check_flips(db, meta)
        for _ in read_state(db, meta):
            self._state += 1

    def _pages(self, db: sqlite3.Connection, _: Meta) -> None:
        for (line,) in db.execute(f"PRAGMA integrity_check({MOST})").fetchall():
            if line != b"ok":
                self._found(f"SQLite: {line.decode(errors='replace')}")


def sound(path: Path, progress: Progress = unheard) -> Verified:
    """As `verify`, but damage is an error. Raises JournalDamaged, JournalFormatError, JournalUnavailable."""
    found = verify(path, progress)
    if found.damage:
        raise JournalDamaged(path, "; ".join(found.damage))
    return found
