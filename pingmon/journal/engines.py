"""Which engine a daemon's journal has. It is chosen here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeVar

from pingmon.journal.interface import Journal, Reactor, StoredJournal
from pingmon.journal.retention import DEFAULT_RETENTION, Retention
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.journal.sqlite.stored_journal import SqliteFile

FILE_NAME: Final = "journal.sqlite3"
"""What the journal is called in a data directory."""

T = TypeVar("T")


def journal_at(
    path: Path, *, reactor: Reactor, retention: Retention = DEFAULT_RETENTION, begun: bool = False
) -> Journal[T]:
    """The journal at `path`, not opened yet. `begun`: there has been one, so that none is begun if it is missing."""
    return SqliteJournal(path, reactor=reactor, retention=retention, begun=begun)


def stored_journal_at(path: Path) -> StoredJournal:
    """The journal at `path`, for a command that only reads."""
    return SqliteFile(path)
