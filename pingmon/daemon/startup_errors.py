"""Why a daemon will not run, told to whoever started it: on standard error, with status 1 and without a traceback.

In the background too. There `twistd` forks twice and leaves a parent behind, which waits for a byte of the daemon's:
for ever, if the daemon ends without one, and else it shows the first 100 bytes of a repr. So a pipe of ours goes along:
what is written into it is what the parent says, and when it is closed, the daemon has ended, however it did.
"""

from __future__ import annotations

import os
import sys
from threading import Thread
from types import TracebackType
from typing import Any, Final

from twisted.logger import Logger
from twisted.python import usage

FORKS: Final = 2
"""What `twistd` does to get into the background."""
NO_WORD: Final = "it ended while it was starting; its log may say why (twistd.log, if no other file was named)"

log = Logger()


class StartupRefused(Exception):
    """The daemon cannot do its work. Each line of the message tells the operator what is wrong, and what to do."""


class Told:
    """Whoever started `program`, as a plugin of `twistd` with these `options`. To be made before `twistd` forks.

    Within its context a `StartupRefused` ends the process at once. After that, and until `started`, all uncaught
    exceptions are told.
    """

    def __init__(self, program: str, options: usage.Options) -> None:
        self._program = program
        self._before = sys.excepthook
        self._forks = 0
        self._pipe: tuple[int, int] | None = None
        sys.excepthook = self._uncaught
        if options.parent is None or not options.parent.get("nodaemon", True):  # a .tac file sees no parent's options
            self._pipe = os.pipe()
            os.register_at_fork(after_in_parent=self._left_behind, after_in_child=self._went_on)

    def __enter__(self) -> Told:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StartupRefused):
            raise SystemExit(self._in_words(error)) from None

    def started(self) -> None:
        """The daemon runs. The pipe stays open for as long as it does."""
        sys.excepthook = self._before
        self._forks = FORKS

    # --- in the background ----------------------------------------------------------------------------------------

    def _went_on(self) -> None:
        self._forks += 1

    def _left_behind(self) -> None:
        if self._forks or self._pipe is None:
            return
        reading, writing = self._pipe
        os.close(writing)
        telling = Thread(target=self._tell, args=(reading, sys.__stderr__), daemon=True)
        sys.__stderr__ = _HeldStderr(telling)  # type: ignore[misc, assignment]
        telling.start()

    def _tell(self, reading: int, terminal: Any) -> None:
        """Say what the daemon has said when it ended. While it does not end, `twistd` decides how the parent does."""
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode("utf-8", "replace") or f"{self._program}: {NO_WORD}"
        print(said, file=terminal, flush=True)
        os._exit(1)

    # --- the end --------------------------------------------------------------------------------------------------

    def _in_words(self, error: BaseException) -> str:
        if isinstance(error, StartupRefused):
            return "\n".join(f"{self._program}: {line}" for line in str(error).splitlines())
        return f"{self._program}: {type(error).__name__}: {error}; {NO_WORD}"

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        said = self._in_words(error)
        if not isinstance(error, StartupRefused | KeyboardInterrupt):
            self._before(kind, error, trace)
        elif self._forks < FORKS:
            print(said, file=sys.__stderr__, flush=True)
        else:
            log.error("{why}", why=said)
        if self._forks == FORKS and self._pipe is not None:
            os.write(self._pipe[1], said.encode())
            os.close(self._pipe[1])


class _HeldStderr:
    """Standard error of the parent that was left behind: keeps `twistd` from saying anything before all is known."""

    def __init__(self, telling: Thread) -> None:
        self._telling = telling

    def write(self, text: str) -> int:
        """Wait for the end, which the thread brings."""
        self._telling.join()
        return len(text)
