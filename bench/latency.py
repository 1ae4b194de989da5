"""How late a webhook leaves after its deadline while pings arrive: `python bench/latency.py`.

A log is written in which checks fall silent one after another; the daemon is started over it and takes 1,000 pings a
second on other checks; a receiver notes when each webhook comes. Reported: arrival minus deadline.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from common import daemon_command, free_port, machine, pause, process, until
from scale import PROJECT, check_id, healthy

BUSY = 100
HOOK = "dddddddd-0000-4000-8000-000000000001"


class Arrivals(BaseHTTPRequestHandler):
    """Notes when each webhook came."""

    seen: list[tuple[float, dict[str, object]]] = []  # noqa: RUF012
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it."""
        at = time.time()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.seen.append((at, json.loads(body)))

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def main() -> None:
    """Run, and print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000, help="pings per second")
    parser.add_argument("--alerts", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    wanted = parser.parse_args()
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Arrivals)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        data = Path(name) / "data"
        config = Path(name) / "pingmon.toml"
        config.write_text('[outgoing]\nallow = ["127.0.0.0/8"]\n[monitor]\nhold = 0\n')
        first = time.time() + 12
        write(data, receiver.server_address[1], first, wanted.alerts, wanted.seconds)
        port = free_port()
        with process(daemon_command(data, port, "--config", str(config)), port, Path(name) / "log"):
            until(lambda: healthy(port), "the daemon to be well")
            sent = threading.Thread(target=pings, args=(port, wanted.rate, first + wanted.seconds + 1 - time.time()))
            sent.start()
            sent.join()
            until(lambda: len(Arrivals.seen) >= wanted.alerts, "the webhooks", 30)
    late = sorted(at - deadline(message) for at, message in Arrivals.seen)
    print(f"{machine()}\n{len(late)} webhooks at {PINGED[0] / PINGED[1]:,.0f} pings/s")
    print(f"deadline to arrival: median {statistics.median(late):.2f} s, max {late[-1]:.2f} s, min {late[0]:.2f} s")


PINGED = [0, 1.0]


def pings(port: int, rate: int, seconds: float) -> None:
    """Send `rate` pings a second over 10 connections, pipelined by tenths of a second."""
    began = time.monotonic()
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
    for connection in connections:
        threading.Thread(target=drained, args=(connection,), daemon=True).start()
    rounds = int(seconds * 10)
    for number in range(rounds):
        for index, connection in enumerate(connections):
            path = f"/ping/{check_id((number * 10 + index) % BUSY)}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * (rate // 100))
            PINGED[0] += rate // 100
        pause(max(0.0, began + (number + 1) / 10 - time.monotonic()))
    PINGED[1] = time.monotonic() - began
    for connection in connections:
        connection.close()


def drained(connection: socket.socket) -> None:
    """Read and drop the answers."""
    try:
        while connection.recv(65536):
            pass
    except OSError:
        return


def deadline(message: dict[str, object]) -> float:
    """When the check of a message was due, from its name."""
    check = message["check"]
    assert isinstance(check, dict)
    return float(check["name"])


def write(data: Path, port: int, first: float, alerts: int, seconds: float) -> None:
    """A log with `alerts` checks that fall silent from `first` on, evenly over `seconds`, and some to be pinged."""
    from twisted.internet import reactor

    from pingmon.core.check.settings import CheckSpec
    from pingmon.core.world.events import ChannelCreated, CheckCreated, Draft, PingReceived, ProjectCreated
    from pingmon.journal import Journal, journal_at

    data.mkdir(mode=0o700)
    journal: Journal[None] = journal_at(data / "journal.sqlite3", reactor=reactor)  # type: ignore[arg-type]
    now = time.time()
    journal.open(round((now - 300) * 1e6))
    journal.start(lambda entry: None)

    def add(at: float, stream: str, event: object) -> None:
        journal.append(Draft(round(at * 1e6), stream, event))  # type: ignore[arg-type]

    add(now - 300, PROJECT, ProjectCreated("bench", "pingkey000000000000000"))
    value: dict[str, object] = {"url_down": f"http://127.0.0.1:{port}/", "method_down": "POST"}
    add(now - 300, HOOK, ChannelCreated(PROJECT, "webhook", "hook", value, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3"))
    for number in range(alerts):
        due = first + seconds * number / alerts
        spec = CheckSpec(name=f"{due:.3f}", timeout=60, grace=60, channels=(HOOK,))
        add(due - 121, check_id(BUSY + number), CheckCreated(PROJECT, spec))
        add(round(due, 3) - 120, check_id(BUSY + number), PingReceived())
    for number in range(BUSY):
        add(now, check_id(number), CheckCreated(PROJECT, CheckSpec(name=f"busy-{number}")))
    (data / "first-run.json").write_text("{}")
    stopped: list[object] = []
    journal.stop().addBoth(stopped.append)
    while not stopped:
        reactor.iterate(0.01)


if __name__ == "__main__":
    main()
