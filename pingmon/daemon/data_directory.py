"""The data directory: private to its owner, used by one daemon at a time, and where the first start leaves its keys."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Event
from typing import Final

import msgspec
from msgspec import Struct

from pingmon.journal import FILE_NAME

FIRST_RUN: Final = "first-run.json"
DRAFT: Final = "first-run.draft"
LOCK: Final = "lock"
CONTROL: Final = "control.sock"
_OURS: Final = {FIRST_RUN, DRAFT, LOCK, CONTROL}

NAME_MAX: Final = 103
"""Bytes of a UNIX socket's name that every system takes."""
COMMAND_S: Final = 10.0
"""How long is waited for a command that works in the directory; it ends by itself."""
CLAIM_S: Final = 0.2
"""How long whoever has locked the directory may take to say so in the file."""
LOOK_S: Final = 0.05


class DataDirError(Exception):
    """The data directory cannot be used; the message is one line that says why."""


class DataDirInUse(DataDirError):
    """Another process has it."""


class FirstRun(Struct, frozen=True):
    """What the first start made, in the clear. The daemon itself keeps only hashes of the three API keys."""

    project: str
    ping_key: str
    api_key: str
    api_key_readonly: str
    operator_key: str
    base_url: str


class DataDir:
    """The directory at `path`, made if need be, for its owner alone, and locked for this process until `release`.

    `owner` is the user and group id (-1: unchanged) that the process will change to; `command` says that it is no
    daemon and will soon end. Raises `DataDirError` if the directory cannot be made, read or written, `DataDirInUse` if
    another daemon has it. A command that has it is waited for.
    """

    def __init__(self, path: Path, owner: tuple[int, int] | None = None, *, command: bool = False) -> None:
        self.path = path
        self._command = command
        try:
            self._made = not path.exists()
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            ours = all(name in _OURS or name.startswith(FILE_NAME) for name in os.listdir(path))
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if ours:  # never change the mode of somebody's home, or of /tmp
                path.chmod(0o700)
                if owner is not None:
                    os.chown(path, *owner)
                    os.fchown(self._lock, *owner)
        except OSError as error:
            why = "it is no directory" if isinstance(error, FileExistsError) else error.strerror
            raise DataDirError(f"cannot use the data directory {path}: {why}") from error
        self._wait_for_lock()
        self.claim()

    @property
    def journal(self) -> Path:
        """Where the journal's database file is."""
        return self.path / FILE_NAME

    @property
    def first_run(self) -> Path:
        """Where the first start leaves its keys."""
        return self.path / FIRST_RUN

    @property
    def begun(self) -> bool:
        """Whether a first start was complete here, so that there must be a journal."""
        return (self.path / FIRST_RUN).is_file()

    @property
    def control(self) -> Path:
        """Where a daemon that runs has its control socket."""
        return self.path / CONTROL

    def claim(self) -> None:
        """Write this process's id into the lock file, for people to read; once more after a daemon has forked."""
        with suppress(OSError):  # a full disk must not keep the daemon from starting
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, b"%d%b\n" % (os.getpid(), b" command" * self._command), 0)

    def release(self) -> None:
        """Let another daemon have the directory."""
        os.close(self._lock)
        os.close(self._place)

    def abandon(self) -> None:
        """The start has come to nothing: let go, and leave no directory that was made for it."""
        if self._made:
            with suppress(OSError):  # whatever else is in it by now stays
                (self.path / LOCK).unlink()
                self.path.rmdir()
        self.release()

    def drafted(self) -> FirstRun | None:
        """The keys of a first start that was cut short, if there are any. Raises `DataDirError`."""
        return self._kept(DRAFT)

    def published(self) -> FirstRun | None:
        """The keys of the first start, if they are still there. Raises `DataDirError`."""
        return self._kept(FIRST_RUN)

    def _kept(self, name: str) -> FirstRun | None:
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=FirstRun)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataDirError(f"cannot read {path}: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataDirError(f"cannot read {path}: {error}") from error

    def draft(self, made: FirstRun) -> None:
        """Write the keys durably, mode 0600, before the log learns of them. Raises `DataDirError`."""
        path = self.path / DRAFT
        text = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
        try:
            with NamedTemporaryFile(dir=self.path, prefix=DRAFT, delete=False) as file:  # mode 0600
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, path)
            self._sync()
        except OSError as error:
            raise DataDirError(f"cannot write {path}: {error.strerror}") from error

    def publish(self) -> None:
        """Now the keys work: give the draft its name. Raises `DataDirError`."""
        try:
            (self.path / DRAFT).replace(self.first_run)
            self._sync()
        except OSError as error:
            raise DataDirError(f"cannot write {self.first_run}: {error.strerror}") from error

    def _sync(self) -> None:
        """Make the names in the directory durable."""
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _wait_for_lock(self) -> None:
        waited_s = 0.0
        while True:
            if self._locked():
                return
            holder, is_command = self._holder()
            if waited_s >= (COMMAND_S if is_command else CLAIM_S):
                self.release()
                raise DataDirInUse(f"the data directory {self.path} is in use by another pingmon{holder}")
            Event().wait(LOOK_S)
            waited_s += LOOK_S

    def _locked(self) -> bool:
        """Whether the directory is ours now. It is locked itself as well: people delete lock files."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(self._place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            return False
        except OSError:
            pass  # a file system that locks files only, as NFS does
        return True

    def _holder(self) -> tuple[str, bool]:
        """Who has the directory, in words, and whether that is a command."""
        try:
            pid, _, kind = (self.path / LOCK).read_text("ascii").strip().partition(" ")
        except (OSError, UnicodeDecodeError):
            return "", False
        return (f" (process {pid})" if pid.isdigit() else ""), kind == "command"


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of the UNIX socket at `path` that is short enough for the system, for as long as the block runs.

    OSError if there is none.
    """
    if len(os.fsencode(path)) <= NAME_MAX:
        yield str(path)
        return
    if not os.path.isdir("/proc/self/fd"):
        raise OSError(errno.ENAMETOOLONG, "its path is too long for a UNIX socket")
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
