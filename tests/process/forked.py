"""The commands `twistd` and `pingmon`, forked from a process that has imported them: most of a start is importing.

What a test says of starting itself (endings, refusals, the wheel) it says of the real commands; see `daemons.Starter`.
This file is both ends: imported it asks, and run it is the process that forks.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Protocol

BIN = Path(sys.executable).parent


class Process(Protocol):
    """What tests use of a `Popen`."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """Its exit status, once `poll` or `wait` have seen it end."""

    def poll(self) -> int | None:
        """The exit status, if it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it has not ended."""

    def kill(self) -> None:
        """SIGKILL."""


class Forked:
    """A command that runs; as a `Popen`."""

    def __init__(self, arguments: Sequence[str], out: int, err: int, cwd: Path) -> None:
        self.returncode: int | None = None
        self._said, theirs = os.pipe()
        request = json.dumps({"argv": [*arguments], "cwd": str(cwd), "environ": dict(os.environ)})
        with tempfile.TemporaryFile() as written:
            written.write(request.encode())
            written.seek(0)
            given = array.array("i", [written.fileno(), out, err, theirs])
            _server().sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
        os.close(theirs)
        self.pid = self._next()

    def __del__(self) -> None:
        os.close(self._said)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._said], [], [], 0)[0]:
            self.returncode = self._next()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._said], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("forked", timeout or 0)
            self.returncode = self._next()
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _next(self) -> int:
        return int.from_bytes(os.read(self._said, 4), "little", signed=True)


def ran(program: str, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a command said, and its exit status. There is nothing for it to read."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [program, *map(str, arguments)]
        status = Forked(command, out.fileno(), err.fileno(), cwd or Path.cwd()).wait(60)

        def text(file: IO[bytes]) -> str:
            file.seek(0)
            return file.read().decode()

        return subprocess.CompletedProcess(command, status, text(out), text(err))


_SERVERS: list[socket.socket] = []


def _server() -> socket.socket:
    """The way to the process that forks, started when it is first needed; it ends with this one."""
    if not _SERVERS:
        ours, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno())]
        server = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        theirs.close()
        _SERVERS.append(ours)
        atexit.register(server.wait, 10)
        atexit.register(ours.close)
    return _SERVERS[0]


# --- the process that forks ---------------------------------------------------------------------------------------


def serve(asked: socket.socket) -> None:
    """Fork a command for each request. Returns in such a command's process, and when nobody can ask any more."""
    keepers: list[int] = []
    while (request := asked.recvmsg(1, socket.CMSG_SPACE(16)))[0]:
        files = array.array("i", request[1][0][2])
        keepers = [keeper for keeper in keepers if os.waitpid(keeper, os.WNOHANG) == (0, 0)]
        if (keeper := os.fork()) == 0:
            asked.close()
            return _fork(*files)
        keepers.append(keeper)
        for file in files:
            os.close(file)
    for keeper in keepers:
        os.waitpid(keeper, 0)
    sys.exit()


def _fork(request: int, out: int, err: int, answers: int) -> None:
    """Returns in the command's process; this one tells how it ends."""
    if pid := os.fork():
        for file in (request, out, err):
            os.close(file)
        os.write(answers, pid.to_bytes(4, "little"))
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(answers, os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True))
        os._exit(0)
    with os.fdopen(request, "rb") as written:
        wanted = json.load(written)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for each in (out, err, answers):
        os.close(each)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["environ"])
    sys.argv = wanted["argv"]


COMMANDS = (
    "twisted.scripts.twistd",
    "pingmon.tap",
    "pingmon.verifier_tap",
    "pingmon.assembly",
    "pingmon.cli.journal",
    "pingmon.cli.keys",
    "pingmon.cli.projects",
    "pingmon.daemon.offline_api",
)
"""Modules that import nearly all that commands do; by name, as an import that is not used would be tidied away."""


def imported() -> None:
    """Import what commands do. Whoever wants a reactor meanwhile gets none, as each command makes its own."""
    sys.modules["twisted.internet.reactor"] = ModuleType("reactor")
    for name in COMMANDS:
        import_module(name)
    del sys.modules["twisted.internet.reactor"]
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    del sys.path[0]
    imported()
    serve(socket.socket(fileno=int(sys.argv[1])))
    if sys.argv[0] == "twistd":
        from twisted.scripts.twistd import run
    else:
        from pingmon.cli import main as run
    sys.argv[0] = str(BIN / sys.argv[0])
    sys.exit(run())
