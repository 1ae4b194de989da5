"""A copy of a journal, taken while the daemon writes to it.

SQLite's online backup starts over whenever the source changes between two steps, which a busy journal always does. So
the source is held in one read transaction: in WAL mode that keeps no writer waiting, and the copy is of one instant.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from pingmon.journal.errors import JournalUnavailable
from pingmon.journal.interface import Progress, Verified, unheard
from pingmon.journal.sqlite import schema
from pingmon.journal.sqlite.error_codes import translated
from pingmon.journal.sqlite.open_files import is_copy
from pingmon.journal.sqlite.verify import sound

STEP_PAGES: Final = 1000
"""Pages (4 KB) copied between two reports of progress."""


def backup(path: Path, target: Path, progress: Progress = unheard) -> Verified:
    """Copy the journal at `path` to the new file `target` and examine the copy whole. Blocks.

    `progress` is told (pages copied, pages). Raises JournalUnavailable (also if `target` exists), JournalDamaged,
    JournalFormatError; `target` is then not there, but the copy of a damaged journal is not kept either.
    """
    schema.check_file(path)
    draft = target.with_name(target.name + ".partial")
    try:
        _reserve(target)
    except FileExistsError as error:
        raise JournalUnavailable(f"{target} exists; a backup overwrites nothing") from error
    except OSError as error:
        raise JournalUnavailable(f"{target}: {error.strerror}") from error
    try:
        draft.unlink(missing_ok=True)
        with translated(target):
            _reserve(draft)
        _copy(path, draft, progress)
        report = sound(draft)
        draft.replace(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        for suffix in ("", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)
    return report


def _reserve(path: Path) -> None:
    """Make an empty file that only its owner may read. FileExistsError if there is one."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _copy(path: Path, draft: Path, progress: Progress) -> None:
    with (
        translated(path),
        closing(schema.connect(path, write=False, alone=is_copy(path))) as source,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        source.execute("BEGIN")
        schema.check_schema(path, source)  # reads, and so fixes the instant of the copy
        source.backup(copy, pages=STEP_PAGES, progress=lambda _, left, total: progress(total - left, total), sleep=0)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
