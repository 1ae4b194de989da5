"""The append-only log store. Nothing outside this package may know how events are stored.

`interface` says what a journal offers; `sqlite/` is the engine of daemons, `memory/` that of tests. Which engine a
daemon has is chosen here and nowhere else.
"""

from pathlib import Path
from typing import Final, TypeVar

from pingmon.journal.errors import JournalDamaged, JournalFormatError, JournalFull, JournalUnavailable, SnapshotDamaged
from pingmon.journal.interface import (
    EventLog,
    FlipRow,
    History,
    Journal,
    JournalHealth,
    Progress,
    Reactor,
    StoredJournal,
    Trimmed,
    Trimming,
    Verified,
    Waiter,
    unheard,
)
from pingmon.journal.memory.engine import Memory, MemoryJournal
from pingmon.journal.retention import DEFAULT_RETENTION, Retention
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.journal.sqlite.stored_journal import SqliteFile

__all__ = [
    "FILE_NAME",
    "EventLog",
    "FlipRow",
    "History",
    "Journal",
    "JournalDamaged",
    "JournalFormatError",
    "JournalFull",
    "JournalHealth",
    "JournalUnavailable",
    "Memory",
    "MemoryJournal",
    "Progress",
    "Reactor",
    "Retention",
    "SnapshotDamaged",
    "StoredJournal",
    "Trimmed",
    "Trimming",
    "Verified",
    "Waiter",
    "journal_at",
    "stored_journal_at",
    "unheard",
]

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
