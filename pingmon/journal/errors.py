"""What can go wrong with a journal, in the words of the person who has to do something about it.

No engine lets another error of its storage out: each becomes one of these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

STOPPED: Final = "the journal is not running"
HANGS: Final = "the disk does not answer"
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
