"""Reading a journal from outside the daemon, which may run at the same time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from pingmon.core.world.events import Entry, Id
from pingmon.journal.errors import translated
from pingmon.journal.sqlite import schema
from pingmon.journal.sqlite.commit_chain import read_log_end
from pingmon.journal.sqlite.history_queries import read_entries, read_newest
from pingmon.journal.sqlite.meta_table import Meta
from pingmon.journal.sqlite.open_files import is_copy
from pingmon.journal.sqlite.stream_index import show_format_1

PAGE: Final = 500
"""Entries read in one transaction: a long one would keep the write-ahead log from being emptied."""


def last_seq(path: Path) -> int:
    """The seq of the newest entry. Raises JournalDamaged, JournalFormatError, JournalUnavailable; so do the others."""
    with _opened(path) as (db, meta):
        return read_log_end(db, meta).last


def entries_after(path: Path, after: int, stream: Id | None = None) -> Iterator[Entry]:
    """All entries with seq > `after`, in order, up to where the log ends by then."""
    with _opened(path) as (db, _):
        while page := read_entries(db, stream, after, PAGE):
            yield from page
            after = page[-1].seq


def newest_entries(path: Path, count: int, stream: Id | None = None) -> list[Entry]:
    """The `count` newest entries, oldest first."""
    with _opened(path) as (db, _):
        return read_newest(db, stream, count)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    with translated(path):
        schema.check_file(path)
        with closing(schema.connect(path, write=False, alone=is_copy(path))) as db:
            meta = schema.check_schema(path, db)
            if meta.format == 1:
                show_format_1(db)
            yield db, meta
