"""What a start with many checks costs, and where the time goes: `python bench/start.py`.

Over a journal of 1 M checks: processor time of each part of a start, and the most memory that a process had which did
only that and what comes before it. All are shown as a ratio to the least that a start must do in this language: to read
the same bytes and decode them. Then what it costs to save a hundredth of the checks that has changed, and the parts
of a start again when so many such saves were made that most of what is saved lies there twice.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING

from common import cpu_seconds, daemon_command, free_port, machine, until
from scale import healthy

if TYPE_CHECKING:
    from pingmon.monitor import Monitor

ROUNDS = 3
SAVES = 30
"""Saves of a hundredth each: nearly two rounds through all checks, which is when most lies there twice."""
PARTS = {
    "decode": "read and decode the same bytes",
    "load": "read, check, decode, build the world",
    "arm": "the same, and arm the alarms",
}


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=1_000_000)
    parser.add_argument("--part", nargs=2, metavar=("PART", "DATA"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.part:
        part, data = wanted.part
        print(json.dumps(DOING[part](Path(data))))
        return
    print(machine())
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        data = Path(name) / "data"
        data.mkdir(mode=0o700)
        scale = str(Path(__file__).with_name("scale.py"))
        subprocess.run([sys.executable, scale, "--fill", str(data), str(wanted.checks)], check=True)
        print(f"\n## {wanted.checks:,} checks, as a daemon saved them\n")
        starts(data)
        saved = done("save", data)
        print(f"\n## Saving {wanted.checks // 100:,} that have changed, {SAVES} times\n")
        print("| median s | most s | MB written | MB of the changed alone |\n|---:|---:|---:|---:|")
        print(f"| {saved['s']:.2f} | {saved['most_s']:.2f} | {saved['mb']:.1f} | {saved['changed_mb']:.1f} |")
        print("\n## After that\n")
        starts(data)


def starts(data: Path) -> None:
    """Print what each part of a start costs, and how long the whole takes."""
    found: dict[str, list[dict[str, float]]] = {part: [] for part in (*PARTS, "daemon")}
    for _ in range(ROUNDS):
        for part in PARTS:
            found[part].append(done(part, data))
        found["daemon"].append(daemon(data))
    print("| | processor time s | ÷ reading and decoding | most memory MiB |\n|---|---:|---:|---:|")
    least = found["decode"]
    for part, what in (*PARTS.items(), ("daemon", "a daemon, to its first healthy answer")):
        ratio = statistics.median(one["s"] / base["s"] for one, base in zip(found[part], least, strict=True))
        seconds, memory = (statistics.median(one[key] for one in found[part]) for key in ("s", "mib"))
        print(f"| {what} | {seconds:.2f} | {ratio:.2f} | {memory:.0f} |")
    print(f"\nThe daemon, by the clock: {statistics.median(one['wall_s'] for one in found['daemon']):.2f} s.")


def done(part: str, data: Path) -> dict[str, float]:
    """What a process of its own says of one part."""
    command = [sys.executable, __file__, "--part", part, str(data)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def daemon(data: Path) -> dict[str, float]:
    """What a daemon costs until it says that it is well. It is killed, so that it changes nothing."""
    port = free_port()
    began = time.monotonic()
    process = subprocess.Popen(daemon_command(data, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or healthy(port), "the daemon to be well", 300)
        return {
            "wall_s": time.monotonic() - began,
            "s": cpu_seconds(process.pid),
            "mib": int(re.findall(r"VmHWM:\s*(\d+)", Path(f"/proc/{process.pid}/status").read_text())[0]) / 1024,
        }
    finally:
        process.kill()
        process.wait()


# --- in a process of its own ------------------------------------------------------------------------------------------


def timed(work: Callable[[], object]) -> dict[str, float]:
    """What `work` costs this process."""
    began = time.process_time()
    work()
    return {"s": time.process_time() - began, "mib": getrusage(RUSAGE_SELF).ru_maxrss / 1024}


def decode(data: Path) -> dict[str, float]:
    """Read and decode, and keep nothing."""
    import sqlite3

    import msgspec

    from pingmon.core.check.check import Check

    def work() -> int:
        db = sqlite3.connect(data / "journal.sqlite3")
        db.text_factory = bytes
        decoder = msgspec.json.Decoder(list[Check])
        return sum(
            len(decoder.decode(parts)) for (parts,) in db.execute("SELECT parts FROM state WHERE kind = 'check'")
        )

    return timed(work)


def load(data: Path) -> dict[str, float]:
    """Load the world as a daemon does."""
    monitor = unopened(data)
    return timed(monitor.open)


def arm(data: Path) -> dict[str, float]:
    """Load the world, and make the heap of deadlines."""
    from twisted.internet.task import Clock

    from pingmon.alarms import Alarms

    monitor = unopened(data)
    alarms = Alarms(monitor, Clock())

    def work() -> None:
        monitor.open()
        alarms.start()

    return timed(work)


def save(data: Path) -> dict[str, float]:
    """Save a hundredth of the checks, chosen by chance, again and again, on the calling thread."""
    from msgspec.structs import replace

    from pingmon.core.world.snapshot import Saver
    from pingmon.core.world.world import World
    from pingmon.journal import Retention
    from pingmon.journal.sqlite.writer import Writer

    writer, world = Writer(data / "journal.sqlite3", Retention(), print), World()
    writer.open(0)
    saver = Saver(world)
    saver.restore(writer.meta.snapshot_seq, writer.state())
    ids = list(world.checks)
    lengths: list[tuple[int, bool]] = []
    took: list[float] = []
    for _ in range(SAVES):
        for id in random.sample(ids, len(ids) // 100):
            check = world.checks[id]
            world.keep_check(replace(check, n_pings=check.n_pings + 1))
        began = time.monotonic()
        made = saver.save()
        blocks = list(made.blocks)
        writer.snapshot((), world.seq, blocks, 0, made.outdated)
        took.append(time.monotonic() - began)
        lengths += [(len(block.parts), block.round is None) for block in blocks]
    writer.close()
    return {
        "s": statistics.median(took),
        "most_s": max(took),
        "mb": sum(length for length, _ in lengths) / 1e6 / SAVES,
        "changed_mb": sum(length for length, changed in lengths if changed) / 1e6 / SAVES,
    }


def unopened(data: Path) -> Monitor:
    """A monitor that will load its world from there."""
    from twisted.internet import reactor

    from pingmon.core.world.outcome import Outcome
    from pingmon.journal import Journal, journal_at
    from pingmon.monitor import Monitor
    from pingmon.timing.clock import Timekeeper, steady_seconds

    journal: Journal[Outcome] = journal_at(data / "journal.sqlite3", reactor=reactor)  # type: ignore[arg-type]
    return Monitor(journal, Timekeeper(time.time, steady_seconds))


DOING = {"decode": decode, "load": load, "arm": arm, "save": save}


if __name__ == "__main__":
    main()
