"""Runs a command as a shell would, lets its output through as it comes, and keeps the end of it.

The job's standard input, environment and directory are ours. Signals that come for us are passed on to the job. It has
a process group of its own, so that they reach all of its processes; only at a terminal, where the job may read what is
typed, it stays in ours, and has Ctrl-C from the terminal itself.

    the job ended by itself   its own exit status
    by signal n               128 + n
    it ran too long           124, as of `timeout`
    it cannot be executed     126
    it was not found          127
"""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
from contextlib import suppress
from time import monotonic
from types import FrameType
from typing import Any, Final, NamedTuple

TOO_LONG: Final = 124
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127

KEPT: Final = 100_000
"""Bytes of the output's end that are kept."""
CHUNK: Final = 65_536
KILL_AFTER_S: Final = 10.0
"""Between SIGTERM and SIGKILL, for a job that ran too long."""
DRAIN_S: Final = 1.0
"""For how long output is taken from what a job that has ended left running in the background."""

PASSED_ON: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
FROM_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)


class Ended(NamedTuple):
    """How a job ended: its exit status, and the last bytes of what it wrote, with a line of ours if need be."""

    status: int
    output: bytes


class Job:
    """One run of a command. To be used once, by the main thread, because signals come there."""

    def __init__(
        self,
        command: list[str],
        *,
        timeout_s: float | None = None,
        kill_after_s: float = KILL_AFTER_S,
        quiet: bool = False,
    ) -> None:
        self._command = command
        self._kill_after_s = kill_after_s
        self._timeout_s = timeout_s
        self._shown = {} if quiet else {"out": 1, "err": 2}
        self._apart = not os.isatty(0)
        self._process: subprocess.Popen[bytes] | None = None
        self._came: list[int] = []
        self._expired = False
        self._tail = bytearray()

    def run(self) -> Ended:
        """Run the command to its end. That it cannot be run is an end, too."""
        for each in PASSED_ON:
            if signal.getsignal(each) != signal.SIG_IGN:  # as under nohup
                signal.signal(each, self._pass_on)
        try:
            self._process = self._started()
        except OSError as error:
            return self._not_run(error)
        for number in self._came:
            self._kill(number)
        if self._timeout_s is not None:
            signal.signal(signal.SIGALRM, self._expire)
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
        try:
            self._follow(self._process)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return self._ended(self._process.wait())

    # --- starting -----------------------------------------------------------------------------------------------------

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            return self._popen(self._command)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            import shutil  # a script without its first line: a shell takes it as one for itself

            return self._popen(["/bin/sh", shutil.which(self._command[0]) or self._command[0], *self._command[1:]])

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        group: dict[str, Any] = {"process_group": 0} if self._apart else {}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **group)

    def _not_run(self, error: OSError) -> Ended:
        missing = isinstance(error, FileNotFoundError)
        line = f"pingmon run: {self._command[0]}: {'command not found' if missing else error.strerror}\n"
        said = line.encode("utf-8", "replace")
        with suppress(OSError):
            os.write(2, said)
        return Ended(NOT_FOUND if missing else NOT_EXECUTABLE, said)

    # --- signals ------------------------------------------------------------------------------------------------------

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            self._came.append(number)
        elif self._apart or number not in FROM_TERMINAL:
            self._kill(number)

    def _expire(self, number: int, frame: FrameType | None) -> None:
        """Time is up: first ask, then insist."""
        self._kill(signal.SIGKILL if self._expired else signal.SIGTERM)
        self._expired = True
        signal.setitimer(signal.ITIMER_REAL, self._kill_after_s)

    def _kill(self, number: int) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return  # its number may be another's by now
        with suppress(OSError):
            if self._apart:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)

    # --- output -------------------------------------------------------------------------------------------------------

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Pass the output on until it ends, or the job has and what it left behind is slow to end."""
        assert process.stdout is not None
        assert process.stderr is not None
        woken, wakes = os.pipe()
        os.set_blocking(wakes, False)
        before = signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        pipes = {process.stdout.fileno(): "out", process.stderr.fileno(): "err"}
        files = {process.stdout.fileno(): process.stdout, process.stderr.fileno(): process.stderr}
        end = None
        try:
            while pipes or process.poll() is None:
                if end is None and process.poll() is not None:
                    end = monotonic() + DRAIN_S
                left = None if end is None else max(0.0, end - monotonic())
                ready, _, _ = select.select([*pipes, woken], [], [], left)
                if end is not None and not ready:
                    break
                for fd in ready:
                    if fd == woken:
                        os.read(woken, CHUNK)
                    elif not self._pass_through(fd, pipes[fd]):
                        del pipes[fd]
                        files[fd].close()
        finally:
            signal.set_wakeup_fd(before)
            os.close(woken)
            os.close(wakes)
            for file in files.values():
                file.close()

    def _pass_through(self, fd: int, name: str) -> bool:
        """Show and keep what is there to read; False when that was all, or nobody reads what is shown."""
        found = os.read(fd, CHUNK)
        self._tail += found
        del self._tail[:-KEPT]
        return bool(found) and self._show(name, found)

    def _show(self, name: str, found: bytes) -> bool:
        out = self._shown.get(name)
        rest = memoryview(found)
        while out is not None and rest:
            try:
                rest = rest[os.write(out, rest) :]
            except BlockingIOError:
                select.select([], [out], [])
            except BrokenPipeError:  # `| head`: the job shall learn of it, as it would without us
                return False
            except OSError:  # a full disk is no reason for the job to end
                self._shown.pop(name)
                return True
        return True

    def _ended(self, returned: int) -> Ended:
        status, note = returned, ""
        if returned < 0:
            status = 128 - returned
            note = f"the job was ended by {_signal_name(-returned)}"
        if self._expired:
            status = TOO_LONG
            note = f"the job was ended because it ran longer than {self._timeout_s:g} s (--timeout)"
        said = f"pingmon run: {note}\n".encode() if note else b""
        if self._expired:
            with suppress(OSError):
                os.write(2, said)
        newline = b"\n" if said and self._tail and not self._tail.endswith(b"\n") else b""
        return Ended(status, bytes(self._tail) + newline + said)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
