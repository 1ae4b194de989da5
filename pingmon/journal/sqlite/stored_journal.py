"""A journal in a file, read by commands while a daemon may write to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from pingmon.core.units import Id
from pingmon.core.world.events import Entry
from pingmon.journal.interface import Progress, StoredJournal, Verified, unheard
from pingmon.journal.sqlite import schema
from pingmon.journal.sqlite.backup import backup
from pingmon.journal.sqlite.commit_chain import read_log_end
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.history_queries import read_entries, read_newest
from pingmon.journal.sqlite.meta_table import Meta
from pingmon.journal.sqlite.open_files import is_copy
from pingmon.journal.sqlite.stream_index import show_format_1
from pingmon.journal.sqlite.verify import verify

PAGE: Final = 500
"""Entries read in one transaction: a long one would keep the write-ahead log from being emptied."""


class SqliteFile(StoredJournal):
    """The journal in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last_seq(self) -> int:
        with _opened(self._path) as (db, meta):
            return read_log_end(db, meta).last

    def entries_after(self, after: int, stream: Id | None = None) -> Iterator[Entry]:
        with _opened(self._path) as (db, _):
            while page := read_entries(db, stream, after, PAGE):
                yield from page
                after = page[-1].seq

    def newest_entries(self, count: int, stream: Id | None = None) -> list[Entry]:
        with _opened(self._path) as (db, _):
            return read_newest(db, stream, count)

    def verify(self, progress: Progress = unheard) -> Verified:
        return verify(self._path, progress)

    def backup(self, target: Path, progress: Progress = unheard) -> Verified:
        return backup(self._path, target, progress)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    with translated(path):
        schema.check_file(path)
        with closing(schema.connect(path, write=False, alone=is_copy(path))) as db:
            meta = schema.check_schema(path, db)
            if meta.format == 1:
                show_format_1(db)
            yield db, meta
