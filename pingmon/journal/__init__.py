"""The append-only log store. Nothing outside this package may know how events are stored.

`interface` says what a journal offers; `sqlite/` is the engine of daemons, `memory/` that of tests. Which engine a
daemon has is chosen in `engines`.
"""

from pingmon.journal.engines import FILE_NAME, journal_at, stored_journal_at
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

__all__ = [
    "DEFAULT_RETENTION",
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
