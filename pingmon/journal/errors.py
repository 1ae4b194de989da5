"""What can go wrong with a journal, in the words of the person who has to do something about it.

No raw `sqlite3` error leaves the package: `translated` turns each into one of the four exceptions below.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DAMAGE_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Primary result codes by which SQLite says that the file itself is wrong."""

CAUSES: Final[dict[int, str]] = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an I/O error",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only",
    sqlite3.SQLITE_BUSY: "another program keeps the journal locked",
    sqlite3.SQLITE_LOCKED: "another program keeps the journal locked",
    sqlite3.SQLITE_PERM: "the permissions do not allow it",
    sqlite3.SQLITE_NOMEM: "out of memory",
}
"""Primary result codes that are the world's trouble, not the file's."""

REMEDY: Final = (
    "Nothing was changed. Run `pingmon journal verify` for the whole finding; "
    "then restore a backup (docs/log-format.md, «When a journal is damaged»)."
)


class JournalFull(Exception):
    """The buffer's bound is reached: entries come in faster than the disk takes them. Nothing was buffered."""


class JournalUnavailable(Exception):
    """This write (or read) failed; a later one may succeed. `cause` is a short human reason.

    `gist` is the part of it that strangers may read: it names no path.
    """

    def __init__(self, cause: str, gist: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.gist = gist


class JournalDamaged(Exception):
    """What is on disk is not what was written. The message names the damage and what to do about it."""

    def __init__(self, path: Path | str, damage: str, remedy: str = REMEDY) -> None:
        super().__init__(f"{path}: {damage}. {remedy}")
        self.damage = damage


class SnapshotDamaged(Exception):
    """The saved state is not what was written, but the log has all that it had: the daemon begins anew from that."""


class JournalFormatError(Exception):
    """The file is no pingmon journal, or a newer pingmon wrote it."""


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; None for an error that the Python module raised by itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def explained(path: Path | str, error: sqlite3.Error | OSError) -> JournalUnavailable | JournalDamaged:
    """Our exception for `error`. What is neither the disk's nor a neighbour's fault is damage."""
    if isinstance(error, PermissionError):
        hint = "does it belong to the user that pingmon runs as?"
        return JournalUnavailable(f"{path}: {error.strerror}; {hint}", error.strerror or "")
    if isinstance(error, OSError):
        return JournalUnavailable(f"{path}: {error.strerror or error}", error.strerror or "")
    code = primary_code(error)
    if code in CAUSES:
        return JournalUnavailable(f"{path}: {CAUSES[code]} ({error})", CAUSES[code])
    return JournalDamaged(path, f"SQLite cannot read it ({error})")


@contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """Raise our exceptions in place of sqlite3's and the system's, for code that reads the file.

    A row whose values have another type or encoding than the schema says is damage too.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explained(path, error) from error
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise JournalDamaged(path, str(error) or "a row does not have the shape of its table") from error
