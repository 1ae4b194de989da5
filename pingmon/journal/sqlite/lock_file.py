"""The file beside the journal by which one daemon keeps others out, and by which a lost end of the log is seen.

SQLite cannot tell a write-ahead log that was deleted or cut off from one that was never written: after either, the
log just ends earlier. So each commit, once durable, notes its last seq here, without waiting for the disk. The note is
never ahead of the log, unless the log has lost something. It stays when the daemon stops: a journal that is missing at
the next start, or an older copy in its place, is seen too.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from struct import Struct as Layout
from typing import Final
from zlib import crc32

from pingmon.journal.errors import JournalDamaged, JournalUnavailable

_NOTE: Final = Layout(">8sQ")
_MAGIC: Final = b"pingmon1"
_CRC: Final = Layout(">I")


class LockFile:
    """Holds the lock from `acquire` to `release`; the system releases it if the process dies."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + "-lock")
        self._journal = path
        self._fd: int | None = None
        self._made = False

    @property
    def held(self) -> bool:
        """Whether this object has the lock."""
        return self._fd is not None

    def acquire(self) -> None:
        """Take the lock. JournalUnavailable if another process has it, or if the file cannot be made."""
        self._made = not self.path.exists()
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalUnavailable(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.path.samestat(os.fstat(fd), self.path.stat())  # FileNotFoundError: its owner has just taken it away
        except OSError as error:
            os.close(fd)
            raise JournalUnavailable(f"{self._journal} is in use by another pingmon") from error
        self._fd = fd

    def check_new(self) -> None:
        """Refuse a journal to be begun where one has been. JournalDamaged."""
        noted = self._noted()
        if noted is not None:
            remedy = "Put it back, or restore a backup; to begin anew, take another directory."
            raise JournalDamaged(
                self._journal, f"the file is missing, but entry {noted} was once durable in it", remedy
            )

    def check(self, last: int) -> None:
        """Compare the log's end with the note. Raises JournalDamaged if entries were lost that were once durable."""
        noted = self._noted()
        if noted is not None and noted > last:
            remedy = (
                f"Put the missing {self._journal.name}-wal back if it was moved away. If you restored a backup, or "
                f"accept the loss, delete {self.path.name} and start again."
            )
            damage = f"the log ends at entry {last}, but entry {noted} was once durable"
            raise JournalDamaged(self._journal, damage, remedy)

    def note(self, last: int) -> None:
        """Note that entries up to `last` are durable. Whether the disk takes the note does not matter to them."""
        if self._fd is None:
            return
        note = _NOTE.pack(_MAGIC, last)
        try:
            os.pwrite(self._fd, note + _CRC.pack(crc32(note)), 0)
        except OSError:
            return  # the note in the file is then an older one, which is always true

    def release(self, *, unused: bool = False) -> None:
        """Let go. `unused`: nothing came of it, so a file that `acquire` has made goes too."""
        if self._fd is not None:
            if unused and self._made:
                self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = None

    def _noted(self) -> int | None:
        if self._fd is None:
            return None
        raw = os.pread(self._fd, _NOTE.size + _CRC.size, 0)
        if len(raw) < _NOTE.size + _CRC.size or _CRC.pack(crc32(raw[: _NOTE.size])) != raw[_NOTE.size :]:
            return None
        return int(_NOTE.unpack(raw[: _NOTE.size])[1])
