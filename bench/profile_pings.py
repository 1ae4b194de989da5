"""Where the time of a ping goes: `python bench/profile_pings.py`.

The daemon runs under a sampling profiler of its own (a timer of processor time and the stack of the reactor's thread),
while wrk pings as in `bench/pings.py`. Printed: the share of each part, and how the processor time divides between the
reactor's thread and the one that writes the log.
"""

from __future__ import annotations

import collections
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from callers import request, wrk
from common import free_port, machine, pause, process, thread_seconds, until
from servers import checks, status

PARTS = (
    ("fold: world and check", ("pingmon/core/world/world.py", "pingmon/core/check/check.py")),
    ("alarms", ("pingmon/alarms.py",)),
    ("journal, on the reactor's thread", ("pingmon/journal/",)),
    ("writing the answer", ("pingmon/door/plain_answer.py", "in answer")),
    (
        "ping resource: URL, check, meaning, event",
        ("pingmon/pings/", "pingmon/wire/", "pingmon/core/check/ping.py"),
    ),
    ("door and request", ("pingmon/door/",)),
    ("parsing HTTP (Twisted)", ("twisted/web/http.py", "twisted/protocols/basic.py", "twisted/web/http_headers.py")),
    ("sockets, epoll and Deferreds (Twisted)", ("twisted/",)),
)


def main() -> None:
    """Profile, and print a table."""
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        place, port = Path(name), free_port()
        samples = place / "samples.json"
        command = [sys.executable, __file__, "serve", str(place / "data"), str(port), str(samples)]
        with process(command, port, place / "log") as daemon:
            until(lambda: status(port) == 200, "the daemon to be well")
            requests = [request(path) for path in checks(place / "data", port)]
            os.kill(daemon.pid, signal.SIGUSR2)
            load = wrk(port, requests, 8, 64, place / "load.lua")
            threads = thread_seconds(daemon.pid)
            pause(0.1)
        found = collections.Counter(json.loads(samples.read_text()))
    total = sum(found.values())
    print(f"{machine()}\n{load.per_s:,.0f} pings/s\n\n| part of the reactor's thread | share |\n|---|---:|")
    for part, count in found.most_common():
        print(f"| {part} | {count / total:.0%} |")
    reactor = threads[daemon.pid] / sum(threads.values())
    print(f"\nprocessor time: {reactor:.0%} in the reactor's thread, the rest in the writer's")


def serve(data: str, port: str, samples: str) -> None:
    """The daemon, with the profiler in it; samples are taken from SIGUSR2 on and written at the end."""
    from twisted.scripts.twistd import run

    found: collections.Counter[str] = collections.Counter()

    def sample(number: int, frame: FrameType | None) -> None:
        found[part_of(frame)] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR2, lambda number, frame: signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002))
    listen = f"tcp:{port}:interface=127.0.0.1"
    sys.argv = ["twistd", "-n", "--pidfile=", "pingmon", "--data", data, "--listen", listen]
    from twisted.internet import reactor

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(samples).write_text(json.dumps(found))

    reactor.addSystemEventTrigger("after", "shutdown", write)
    run()


def part_of(frame: FrameType | None) -> str:
    """The part to which the innermost frame that belongs to one is counted."""
    while frame is not None:
        place = f"{frame.f_code.co_filename} in {frame.f_code.co_name}"
        for part, marks in PARTS:
            if any(mark in place for mark in marks):
                return part
        frame = frame.f_back
    return "other"


if __name__ == "__main__":
    serve(*sys.argv[2:]) if sys.argv[1:2] == ["serve"] else main()
