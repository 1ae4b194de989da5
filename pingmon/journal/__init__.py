"""The append-only log store. Nothing outside this package may know how events are stored.

`SqliteJournal` is the engine of the daemon; `MemoryJournal` has the same interface, for tests. A journal is opened
(`open`), read (`load`, `replay`), and only then started (`start`); after that the writing and the reading methods
may be used until `stop`. All are called on the reactor's thread.
"""

from pingmon.journal.entry_delivery import Waiter
from pingmon.journal.errors import JournalDamaged, JournalFormatError, JournalFull, JournalUnavailable, SnapshotDamaged
from pingmon.journal.memory.engine import MemoryJournal
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.journal.values import FlipRow, JournalHealth, Retention, Trimmed

__all__ = [
    "FlipRow",
    "JournalDamaged",
    "JournalFormatError",
    "JournalFull",
    "JournalHealth",
    "JournalUnavailable",
    "MemoryJournal",
    "Retention",
    "SnapshotDamaged",
    "SqliteJournal",
    "Trimmed",
    "Waiter",
]
