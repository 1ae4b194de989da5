"""A storm: `python bench/storm.py`, four minutes; `--kill` kills the daemon in its middle.

10,000 checks report a failure within a minute, each on a connection of its own, and four channels are to be told: two
whose receivers are well, one whose receiver takes a second for each answer, and one whose receiver is not there until
the storm is over. Reported: how long the pings took, how late what the receivers got left (of a digest, the newest and
the oldest of what it tells), when each had been told all, what the daemon's memory came to, and how many messages a
second leave one by one and in digests.

It fails if a receiver was not told of a check, was told something that the log does not say it was, or if a repeat of
an id says something else.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from common import daemon_command, free_port, machine, pause, process, resident_bytes, until
from servers import status

SLOW_S = 1.0
CALLERS = 16
LATE_S = 5.0
"""Within so many seconds a message leaves for a receiver that is well, if it is not told in a digest."""
GATHER_S = 30.0
"""For so long what is told in a digest may wait."""


class Threading(ThreadingHTTPServer):
    """A server with room for callers that come at once."""

    request_queue_size = 128
    daemon_threads = True


@dataclass
class Receiver:
    """What a receiver got: by id, when and what, each time it came."""

    name: str
    answers_after_s: float = 0.0
    got: dict[str, list[tuple[float, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at, said = time.time(), json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                pause(receiver.answers_after_s)
                receiver.got[said["id"]].append((at, said))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.port = free_port()
        self._handler = Handler

    def listen(self) -> None:
        """Be there."""
        server = Threading(("127.0.0.1", self.port), self._handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Daemon:
    """A daemon, its API, and its process, which may be another one after a kill."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place, self.stack, self.port = place, stack, free_port()
        config = place / "pingmon.toml"
        config.write_text('[outgoing]\nallow = ["127.0.0.0/8"]\n[limits]\nchecks = 1000000\napi_requests = 0\n')
        self.command = daemon_command(place / "data", self.port, "--config", str(config))
        self.start()
        until((place / "data" / "first-run.json").exists, "the first run's keys")
        self.keys = json.loads((place / "data" / "first-run.json").read_text())

    def start(self) -> None:
        """Start it, and wait until it is well."""
        self.process = self.stack.enter_context(process(self.command, self.port, self.place / "log"))
        until(lambda: status(self.port) == 200, "the daemon to be well")

    def kill(self) -> None:
        """As a power failure would, but for the disk; and start it again."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start()

    def ask(self, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the API answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v3/{path}",
            None if fields is None else json.dumps(fields).encode(),
            {"X-Api-Key": self.keys["api_key"]},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def channel(self, receiver: Receiver, **settings: object) -> str:
        """A webhook channel to this receiver; its id."""
        value = {f"url_{new}": f"http://127.0.0.1:{receiver.port}/" for new in ("down", "up")}
        value |= {f"method_{new}": "POST" for new in ("down", "up")}
        made = self.ask("channels/", {"kind": "webhook", "name": receiver.name, "value": value, **settings})
        return str(made["id"])

    def drop(self, channel: str) -> None:
        """Delete it."""
        url, key = f"http://127.0.0.1:{self.port}/api/v3/channels/{channel}", {"X-Api-Key": self.keys["api_key"]}
        urllib.request.urlopen(urllib.request.Request(url, headers=key, method="DELETE")).close()

    def waiting(self, channel: str) -> int:
        """How many messages are owed to it."""
        return int(self.ask(f"channels/{channel}")["waiting"])

    @property
    def peak(self) -> int:
        """The most memory that its process had at any time, in bytes."""
        return 1024 * int(Path(f"/proc/{self.process.pid}/status").read_text().partition("VmHWM:")[2].split()[0])

    def deliveries(self, channel: str) -> list[dict[str, Any]]:
        """All that the log says of what the channel was told."""
        found: list[dict[str, Any]] = []
        while page := self.ask(
            f"channels/{channel}/deliveries/?limit=1000" + (f"&before={found[-1]['seq']}" if found else "")
        )["deliveries"]:
            found += page
        return found

    def pings(self, paths: list[str], seconds: float) -> tuple[list[float], dict[str, float]]:
        """Send a ping to each path within so many seconds, again until it is answered.

        How long those took that were answered at once, and when each was.
        """
        began, took, answered = time.monotonic(), [], {}

        def one(number: int) -> None:
            pause(max(0.0, began + number * seconds / len(paths) - time.monotonic()))
            start, first = time.monotonic(), True
            while True:
                try:
                    connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
                    connection.request("GET", paths[number])
                    if connection.getresponse().status == 200:
                        break
                except OSError:
                    pass
                first = False
                pause(0.1)
            answered[paths[number]] = time.time()
            if first:
                took.append(time.monotonic() - start)

        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(one, range(len(paths))))
        return took, answered


def main() -> None:
    """Raise a storm, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="in which they go down")
    parser.add_argument("--kill", action="store_true", help="kill the daemon in the middle, with SIGKILL")
    parser.add_argument("--rates", type=int, default=2000, help="messages by which rates are measured; 0 for none")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name, ExitStack() as stack:
        daemon = Daemon(Path(name), stack)
        print(f"{machine()}\n")
        storm(daemon, wanted.checks, wanted.seconds, kill=wanted.kill)
        if wanted.rates:
            rates(daemon, wanted.rates)


def storm(daemon: Daemon, checks: int, seconds: float, *, kill: bool) -> None:
    """Raise it, and check what was told."""
    receivers = [Receiver("well"), Receiver("well too"), Receiver("slow", SLOW_S), Receiver("dead")]
    channels = {receiver.name: daemon.channel(receiver) for receiver in receivers}
    for receiver in receivers[:3]:
        receiver.listen()
    slugs = [f"/ping/{daemon.keys['ping_key']}/job-{number}" for number in range(checks)]
    daemon.pings([f"{slug}?create=1" for slug in slugs], 0)
    calm, _ = daemon.pings(slugs[: max(100, int(checks * 10 / seconds))], 10)
    before, began = resident_bytes(daemon.process.pid), time.time()
    killing = threading.Timer(seconds / 2, daemon.kill)
    if kill:
        killing.start()
    took, answered = daemon.pings([f"{slug}/fail" for slug in slugs], seconds)
    if kill:
        killing.join()
    over = time.time()
    receivers[3].listen()
    told: dict[str, float] = {}

    def all_told() -> bool:
        pause(0.1)
        for receiver, channel in channels.items():
            if receiver not in told and not daemon.waiting(channel):
                told[receiver] = time.time() - over
        return len(told) == len(channels)

    until(all_told, "all to be told", 300 + 2 * seconds)
    print(
        f"{checks:,} checks down in {over - began:.0f} s{', killed in the middle' if kill else ''}; memory "
        f"{before / 2**20:.0f} MiB before, {daemon.peak / 2**20:.0f} MiB at most\n\n"
        f"pings of ten seconds before: {figures(calm)}\npings of the storm: {figures(took)}\n"
    )
    print("| receiver | one by one | latest | digests | longest wait in one | repeats | told all after the storm |")
    print("|---|---|---|---|---|---|---|")
    flips = {slug.rpartition("/")[2]: answered[f"{slug}/fail"] for slug in slugs}
    for receiver in receivers:
        found = judged(receiver, daemon.deliveries(channels[receiver.name]), flips)
        print(f"| {receiver.name} | {found} | {told[receiver.name]:.1f} s |", flush=True)
        if receiver.name.startswith("well") and not kill:
            assert found.latest_s <= LATE_S, f"a message to {receiver.name} came {found.latest_s:.1f} s late"
            assert found.waited_s <= GATHER_S + LATE_S, f"a digest to {receiver.name} came too late"
    for channel in channels.values():
        daemon.drop(channel)


def figures(took: list[float]) -> str:
    """Of times in seconds."""
    took = sorted(took)
    middle, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return f"median {middle * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, longest {took[-1] * 1000:.0f} ms"


@dataclass
class Judgement:
    """What a receiver was told, and how late."""

    single: int
    latest_s: float
    digests: int
    waited_s: float
    repeats: int

    def __str__(self) -> str:
        return f"{self.single:,} | {self.latest_s:.2f} s | {self.digests} | {self.waited_s:.1f} s | {self.repeats}"


def judged(receiver: Receiver, deliveries: list[dict[str, Any]], flips: dict[str, float]) -> Judgement:
    """Hold what a receiver got against what the log says; `flips`: when each check went down, by name."""
    assert {each["name"] for each in deliveries} == flips.keys(), "a check was not told"
    latest, waited, digests = 0.0, 0.0, set()
    for each in deliveries:
        assert each["result"] == "delivered", each
        id = each.get("digest", each["id"])
        assert receiver.got[id], f"{receiver.name} never got {id}"
        wait = receiver.got[id][0][0] - flips[each["name"]]
        if "digest" in each:
            digests.add(id)
            waited = max(waited, wait)
        else:
            latest = max(latest, wait)
    for id, came in receiver.got.items():
        told = [said["counts"] if "counts" in said else said["flip"] for _, said in came]
        assert all(each == told[0] or "counts" in came[0][1] for each in told), f"repeats of {id} differ: {told}"
    single = sum("digest" not in each for each in deliveries)
    return Judgement(single, latest, len(digests), waited, sum(len(came) - 1 for came in receiver.got.values()))


def rates(daemon: Daemon, count: int) -> None:
    """How many messages a second go to a receiver that is well: one by one, and in digests."""
    print("\n| messages | a second |\n|---|---|")
    for name, over in (("one by one", 0), ("in digests", 1)):
        receiver = Receiver(name)
        receiver.listen()
        channel = daemon.channel(receiver, digest_over=over, quiet="00:00-23:59")
        made = [f"/ping/{daemon.keys['ping_key']}/{name.replace(' ', '-')}-{number}" for number in range(count)]
        daemon.pings([f"{path}?create=1" for path in made], 0)
        daemon.pings([f"{path}/fail" for path in made], 0)
        began = time.monotonic()
        daemon.ask(f"channels/{channel}", {"quiet": ""})
        until(lambda channel=channel: not daemon.waiting(channel), "all to be told", 300)  # type: ignore[misc]
        print(f"| {name} | {count / (time.monotonic() - began):,.0f} |", flush=True)
        daemon.drop(channel)


if __name__ == "__main__":
    main()
