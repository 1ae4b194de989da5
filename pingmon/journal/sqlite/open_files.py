"""The files of an open journal as seen from outside SQLite: whether they are still the open ones, and written anew.

Nothing here opens the database file or its `-shm`: a process that closes any descriptor of a file loses all its POSIX
locks on it, and SQLite's are such. `stat` harms nobody, and the write-ahead log bears no locks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pingmon.journal.errors import JournalDamaged, JournalUnavailable

Log: TypeAlias = Literal["there", "gone", "cut"]
"""What became of the write-ahead log: it is as it was or longer, another file or none, shorter."""

CHUNK: Final = 1 << 20
WAL_HEADER: Final = 32
FRAME_HEADER: Final = 24


def is_copy(path: Path) -> bool:
    """Whether no daemon ever had the journal at `path` open, as with a backup: it left no lock, and there is no log."""
    return not path.with_name(path.name + "-lock").exists() and not log_of(path).exists()


def log_of(path: Path) -> Path:
    """The write-ahead log of the journal at `path`."""
    return path.with_name(path.name + "-wal")


class OpenFiles:
    """The database file and the write-ahead log, as they are at this moment, in which SQLite has opened them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = log_of(path)
        self._database = os.stat(path)
        self._log = os.stat(self._log_path)

    def look(self) -> Log:
        """What became of the log since the last look; the next one compares with now, unless something did.

        Raises JournalUnavailable if the database file is not where it was, JournalDamaged if it is shorter, OSError.
        """
        database, log = _seen(self._path), _seen(self._log_path)
        if database is None or not os.path.samestat(database, self._database):
            raise JournalUnavailable(
                f"{self._path}: the file was moved or deleted while it was in use. Put it back; before you stop "
                "pingmon, see docs/log-format.md, «When the file is gone»",
                "its file was moved or deleted",
            )
        if database.st_size < self._database.st_size:
            size = f"{database.st_size} bytes of {self._database.st_size}"
            raise JournalDamaged(self._path, f"the file was cut off while it was in use: {size} are left")
        self._database = database
        if log is None or not os.path.samestat(log, self._log):
            return "gone"
        if log.st_size < self._log.st_size:
            return "cut"
        self._log = log
        return "there"

    def accept(self) -> None:
        """Compare with the log as it is now."""
        self._log = os.stat(self._log_path)

    def take_back(self) -> None:
        """Cut off what was appended to the log since the last look: a commit that the disk would not confirm.

        Only with the connection closed that wrote it. Nobody reads beyond what was committed, and what is gone cannot
        be found again, in a cache that the disk knows nothing of, by whoever opens the log next.
        """
        with suppress(OSError):  # it is then found, and written anew
            log = os.stat(self._log_path)
            if os.path.samestat(log, self._log) and log.st_size > self._log.st_size:
                os.truncate(self._log_path, self._log.st_size)


def _seen(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def write_anew(path: Path) -> None:
    """Write the log's bytes once more, and wait for the disk. Nobody else may be writing. OSError if it fails.

    When fsync fails, the kernel may count the pages as written (fsyncgate, 2018): they are read back from its cache
    until they are evicted, no later fsync writes them, and nobody can tell. So whoever opens a log, in this process or
    the next, first makes every byte in it one that was written and confirmed.
    """
    try:
        fd = os.open(log_of(path), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        at = 0
        while chunk := os.pread(fd, CHUNK, at):
            at += os.pwrite(fd, chunk, at)
        if at:
            os.fsync(fd)
    finally:
        os.close(fd)


def check_length(path: Path, header: bytes) -> None:
    """Refuse a database file that is shorter than its header says, unless its log has the rest. JournalDamaged.

    A checkpoint that was cut short leaves such a file: it writes the first page before the last. `header`: the file's
    first 100 bytes.
    """
    page = int.from_bytes(header[16:18], "big") or 0
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    if not page or header[24:28] != header[92:96]:
        return  # another fault, or a count that SQLite itself would not believe
    there = path.stat().st_size // page
    if there < pages and len({each for each in _logged(log_of(path), page) if there < each <= pages}) < pages - there:
        raise JournalDamaged(path, f"the file is cut off: its header says {pages} pages, and {there} are there")


def _logged(log: Path, page: int) -> Iterator[int]:
    """The numbers of the pages in a write-ahead log (sqlite.org/fileformat2.html, 4.1)."""
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return
    with file:
        salts = file.read(WAL_HEADER)[16:24]
        while len(frame := file.read(FRAME_HEADER)) == FRAME_HEADER and frame[8:16] == salts:
            yield int.from_bytes(frame[:4], "big")
            file.seek(page, os.SEEK_CUR)
