"""What the benchmarks share: processes and what they use, and a log that is made beforehand."""

from __future__ import annotations

import os
import re
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pingmon.core.world.events import AnyEvent

BIN = Path(sys.executable).parent
HERE = Path(__file__).resolve().parent


def free_port() -> int:
    """A port of the loopback interface that nobody has now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def pause(seconds: float) -> None:
    """Wait."""
    select.select([], [], [], seconds)


def until(true: Callable[[], object], what: str, patience_s: float = 60.0) -> None:
    """Wait until `true()` is; raises `TimeoutError`."""
    end = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience_s:.0f} s in vain for {what}")
        pause(0.01)


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def process(arguments: list[str], port: int, log: Path, patience_s: float = 60.0) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that listens on `port`; ended with SIGTERM."""
    with log.open("ab") as out:
        running = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        until(lambda: running.poll() is not None or accepts(port), f"{arguments[0]} to listen", patience_s)
        if running.poll() is not None:
            raise RuntimeError(f"{arguments} ended:\n{log.read_text()}")
        yield running
    finally:
        running.terminate()
        running.wait(60)


def daemon_command(data: Path, port: int, *more: str) -> list[str]:
    """How a user starts pingmon, on one loopback port."""
    listen = f"tcp:{port}:interface=127.0.0.1"
    return [str(BIN / "twistd"), "-n", "--pidfile=", "pingmon", "--data", str(data), "--listen", listen, *more]


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def cpu_seconds(pid: int) -> float:
    """Processor time that all threads of the process have used so far, to the nanosecond."""
    return sum(thread_seconds(pid).values())


def thread_seconds(pid: int) -> dict[int, float]:
    """The same for each thread, by its id. The one that the process began with, in Twisted the reactor's, has `pid`."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return {int(task.parent.name): int(task.read_text().split()[0]) / 1e9 for task in tasks}


def written_bytes(pid: int) -> int:
    """What the process has made the disk write so far.

    The kernel counts whole pages of 4 KiB when they become dirty: a page that is written again before it went to disk
    counts once, a line appended counts as a page, the file system's own journal does not count, and what became dirty
    in a file that was then removed does. On tmpfs nothing counts.
    """
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def write_log(data: Path, story: Iterable[tuple[str, AnyEvent]]) -> None:
    """A log in `data` as a daemon that folded `story` would have left it, saved state included.

    Takes the reactor of this process and does not give it back: to be called in a process of its own, and last.
    """
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, gatherResults
    from twisted.internet.task import react

    from pingmon.core.world.outcome import Outcome
    from pingmon.journal import Journal, journal_at
    from pingmon.monitor import Monitor
    from pingmon.timing.clock import Timekeeper, steady_seconds

    async def written(_: object) -> None:
        journal: Journal[Outcome] = journal_at(data / "journal.sqlite3", reactor=reactor)  # type: ignore[arg-type]
        monitor = Monitor(journal, Timekeeper(time.time, steady_seconds))
        monitor.open()
        monitor.start()
        waiting: list[Deferred[Outcome]] = []
        for stream, event in story:
            waiting.append(monitor.submit(stream, event))
            if len(waiting) == 10_000:
                await gatherResults(waiting)
                waiting = []
        await gatherResults(waiting)
        await monitor.stop()

    (data / "first-run.json").write_text("{}")
    react(lambda reactor: Deferred.fromCoroutine(written(reactor)))


def machine() -> str:
    """One line about where this runs."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores, {model[1] if model else 'unknown processor'}, Python {sys.version.split()[0]}"
