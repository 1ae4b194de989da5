"""How cost grows with the number of checks: `python bench/scale.py`.

For 10 k, 100 k and 1 M checks: time from the start of the process to its first healthy answer, resident memory per
check, processor time of a tick with nothing due, and processor time of a ping. Each is taken from a daemon that runs
as a user starts it, over a log that was written through the journal; an empty daemon in the same run is the baseline.
With `--plots DIR`, a small SVG of each.
"""

from __future__ import annotations

import argparse
import http.client
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from callers import request, wrk
from common import (
    accepts,
    cpu_seconds,
    daemon_command,
    free_port,
    machine,
    pause,
    resident_bytes,
    until,
    write_log,
)
from plot import Plot

SIZES = (10_000, 100_000, 1_000_000)
PROJECT = "aaaaaaaa-0000-4000-8000-000000000001"
IDLE_S = 10.0
PINGING_S = 5.0
SAMPLE = 5_000


@dataclass
class Cost:
    """What one daemon costs. `tick_ms` and `ping_us` are processor time."""

    checks: int
    start_s: float
    resident: int
    tick_ms: float
    ping_us: float


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plots", type=Path, help="write an SVG of each figure into this directory")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--fill", nargs=2, metavar=("DATA", "CHECKS"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.fill:
        fill(Path(wanted.fill[0]), int(wanted.fill[1]))
        return
    print(f"{machine()}\n\n| checks | start s | KiB/check | idle tick ms | ping µs |\n|---:|---:|---:|---:|---:|")
    empty = measured(0)
    costs = []
    for size in wanted.sizes:
        cost = measured(size)
        costs.append(cost)
        each = (cost.resident - empty.resident) / 1024 / size
        print(f"| {size:,} | {cost.start_s:.2f} | {each:.2f} | {cost.tick_ms:.2f} | {cost.ping_us:.0f} |", flush=True)
    print(f"\nempty daemon: {empty.start_s:.2f} s, {empty.resident >> 20} MiB, {empty.tick_ms:.2f} ms a tick")
    if wanted.plots:
        plots(wanted.plots, costs, empty)


def measured(size: int) -> Cost:
    """What a daemon with `size` checks costs."""
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        data = Path(name) / "data"
        data.mkdir(mode=0o700)
        subprocess.run([sys.executable, __file__, "--fill", str(data), str(size)], check=True)
        port = free_port()
        with (Path(name) / "log").open("wb") as log:
            began = time.monotonic()
            daemon = subprocess.Popen(daemon_command(data, port), stdout=log, stderr=log, cwd=name)
        try:
            until(lambda: daemon.poll() is not None or healthy(port), "the daemon to be well", 300)
            start_s = time.monotonic() - began
            pause(3)
            resident = resident_bytes(daemon.pid)
            before = cpu_seconds(daemon.pid)
            pause(IDLE_S)
            tick_ms = (cpu_seconds(daemon.pid) - before) / IDLE_S * 1000
            ping_us = pinged(daemon.pid, port, size, Path(name) / "load.lua") if size else 0.0
            return Cost(size, start_s, resident, tick_ms, ping_us)
        finally:
            daemon.terminate()
            daemon.wait(120)


def healthy(port: int) -> bool:
    """Whether the daemon says that it is well."""
    if not accepts(port):
        return False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", "/api/v3/status/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def pinged(pid: int, port: int, size: int, script: Path) -> float:
    """Processor time of the daemon for one ping of a check at random, in microseconds, under full load."""
    requests = [request(f"/ping/{check_id(random.randrange(size))}") for _ in range(SAMPLE)]
    before = cpu_seconds(pid)
    load = wrk(port, requests, PINGING_S, 64, script)
    assert load.failed == 0, load
    return (cpu_seconds(pid) - before) / load.requests * 1e6


def check_id(number: int) -> str:
    """The id of the check with this number."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15 << 64 | number) % (1 << 128), version=4))


def fill(data: Path, size: int) -> None:
    """A journal as a daemon with `size` up checks would have left it, snapshot included."""
    from pingmon.core.check.settings import CheckSpec
    from pingmon.core.world.events import AnyEvent, CheckCreated, PingReceived, ProjectCreated

    def story() -> Iterator[tuple[str, AnyEvent]]:
        yield PROJECT, ProjectCreated("bench", "pingkey000000000000000")
        for number in range(size):
            name = f"nightly-backup-{number}"
            yield check_id(number), CheckCreated(PROJECT, CheckSpec(name=name, slug=name, tags="prod db"))
            yield check_id(number), PingReceived(addr="192.0.2.1", ua="curl/8.5.0")

    write_log(data, story())


def plots(folder: Path, costs: list[Cost], empty: Cost) -> None:
    """An SVG of each figure over the number of checks."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [cost.checks for cost in costs]
    memory = [(cost.resident - empty.resident) / 1024 / cost.checks for cost in costs]
    for name, title, values in (
        ("start", "start-up time, s", [cost.start_s for cost in costs]),
        ("memory", "resident memory per check, KiB", memory),
        ("tick", "processor time of an idle tick, ms", [cost.tick_ms for cost in costs]),
        ("ping", "processor time of a ping, µs", [cost.ping_us for cost in costs]),
    ):
        (folder / f"scale-{name}.svg").write_text(Plot(title, "checks").svg(sizes, values))


if __name__ == "__main__":
    main()
