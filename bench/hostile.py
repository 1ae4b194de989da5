"""What honest clients feel while strangers attack: `python bench/hostile.py`, a few minutes; `--only` for some of it.

Each attack (`floods.py`) meets a fresh daemon, from 50 connections at once, from processes that are nice (`nice 19`),
because on one machine they would take the processor from the daemon. Meanwhile two honest clients ping, each ping on a
connection of its own, plain and without pause but 5 ms, from the same address. Reported: how long their pings took, how
many failed, the daemon's memory before, at its peak and 2 s after, what it logged, and how many connections the
attackers needed because theirs were closed.
"""

from __future__ import annotations

import argparse
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from common import HERE, daemon_command, free_port, machine, pause, process
from floods import FLOODS, Flood
from servers import certificate, checks, secure

HONEST = 2
ATTACKERS = 2
ASK_EVERY_S = 0.005
PATIENCE_S = 60.0


@dataclass
class Honest:
    """Clients that ping; `took` in milliseconds."""

    port: int
    path: str
    took: list[float] = field(default_factory=list)
    failed: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ping until it is over."""
        request = f"GET {self.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        while not self.over.is_set():
            began, answer = time.monotonic(), b""
            try:
                with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
                    connection.sendall(request)
                    answer = connection.recv(4096)
            except OSError:
                pass
            self.failed += not answer.startswith(b"HTTP/1.1 200")
            self.took.append((time.monotonic() - began) * 1000)
            pause(ASK_EVERY_S)


def main() -> None:
    """Run all attacks and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each attack lasts")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--only", default="", help="a part of the names of the attacks to run")
    wanted = parser.parse_args()
    print(f"{machine()}; {wanted.connections} connections, {wanted.seconds:g} s each\n")
    print("| attack | connections | pings | p50 ms | p99 ms | max ms | failed | MiB before, peak, after | log lines |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for flood in FLOODS:
        if wanted.only.lower() in flood.name.lower():
            print(row(flood, wanted.connections, wanted.seconds), flush=True)


def row(flood: Flood, connections: int, seconds: float) -> str:
    """Attack a daemon of its own."""
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name, ExitStack() as stack:
        place = Path(name)
        pem, plain, tls = certificate(place), free_port(), free_port()
        log = place / "log"
        command = daemon_command(place / "data", plain, "--listen", secure(tls, pem))
        pid = stack.enter_context(process(command, plain, log)).pid
        honest = Honest(plain, checks(place / "data", plain)[0])
        before, lines = mebibytes(pid, "VmRSS"), len(log.read_text().splitlines())
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is counted anew
        used = attacked(flood, tls if flood.tls else plain, connections, seconds, honest)
        pause(2)
        text = log.read_text()
        p50, p99 = statistics.median(honest.took), statistics.quantiles(honest.took, n=100)[98]
        memory = f"{before:.0f}, {mebibytes(pid, 'VmHWM'):.0f}, {mebibytes(pid, 'VmRSS'):.0f}"
        logged = len(text.splitlines()) - lines
        shown = f"{logged}{' (tracebacks)' if 'Traceback' in text else ''}"
        return (
            f"| {flood.name} | {used:,} | {len(honest.took):,} | {p50:.1f} | {p99:.1f} | {max(honest.took):.0f} "
            f"| {honest.failed} | {memory} | {shown} |"
        )


def attacked(flood: Flood, port: int, connections: int, seconds: float, honest: Honest) -> int:
    """Attack while `honest` pings; how many connections it took."""
    command = [sys.executable, str(HERE / "floods.py"), flood.name, str(port), str(seconds)]
    command.append(str(connections // ATTACKERS))
    attackers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(ATTACKERS)]
    pause(0.7)  # until they are there
    threads = [threading.Thread(target=honest.run) for _ in range(HONEST)]
    for thread in threads:
        thread.start()
    pause(max(1.0, seconds - 1))
    honest.over.set()
    for thread in threads:
        thread.join()
    return sum(int(each.communicate(timeout=PATIENCE_S)[0] or 0) for each in attackers)


def mebibytes(pid: int, what: str) -> float:
    """A figure of the process's memory: `VmRSS` what it has now, `VmHWM` the most it had."""
    found = re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
