"""SQLite's errors, and the system's, as exceptions of `journal.errors`. No raw `sqlite3` error leaves this folder."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pingmon.journal.errors import JournalDamaged, JournalUnavailable

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
