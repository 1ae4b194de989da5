"""10,000 sites every 60 s: `python bench/sites.py`.

A log is written in which the sites are up; the daemon is started over it as a user starts it. The sites are one server
on many loopback addresses, in a process of its own, that notes when each was looked at: the distance to the instant on
the site's own grid (`core.site.probe_schedule.phase`) is how late the probe started, the way to the server included.
Meanwhile the daemon's status page is asked twenty times a second: what that takes is an upper bound of how long its
event loop was busy with something else. One site in a hundred fails (`--failing`), so that verdicts are in the mix.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import cpu_seconds, daemon_command, free_port, machine, pause, process, resident_bytes, until, write_log
from scale import PROJECT, healthy

if TYPE_CHECKING:
    from pingmon.core.world.events import AnyEvent

INTERVAL = 60
ASKED_PER_S = 20
ADDRESSES = 200


def main() -> None:
    """Run, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--failing", type=int, default=100, help="one site in so many fails; 0: none does")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--fill", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.fill:
        write_log(Path(wanted.fill[0]), story(int(wanted.fill[1]), int(wanted.fill[2])))
    elif wanted.serve:
        serve(int(wanted.serve[0]), Path(wanted.serve[1]), int(wanted.serve[2]))
    else:
        measure(wanted.sites, wanted.failing, wanted.minutes)


def measure(sites: int, failing: int, minutes: float) -> None:
    """Start all, wait, ask, and report."""
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        place = Path(name)
        data, seen = place / "data", place / "seen.json"
        data.mkdir(mode=0o700)
        port, web = free_port(), free_port()
        subprocess.run([sys.executable, __file__, "--fill", str(data), str(sites), str(web)], check=True)
        config = place / "pingmon.toml"
        config.write_text('[outgoing]\nallow = ["127.0.0.0/8"]\n')
        server = [sys.executable, __file__, "--serve", str(web), str(seen), str(failing)]
        with (
            process(server, web, place / "server.log"),
            process(daemon_command(data, port, "--config", str(config)), port, place / "log") as daemon,
        ):
            until(lambda: healthy(port), "the daemon to be well")
            pause(INTERVAL)  # every site has been looked at once
            began, cpu = time.time(), cpu_seconds(daemon.pid)
            asked = ask(port, began + minutes * 60)
            share = (cpu_seconds(daemon.pid) - cpu) / (time.time() - began)
            memory = resident_bytes(daemon.pid)
        late = lateness(json.loads(seen.read_text()), sites, began)
    print(f"{machine()}\n{sites:,} sites every {INTERVAL} s, {minutes:g} min, {len(late):,} probes")
    healthy_sites = sites - (sites // failing if failing else 0)
    print(f"healthy sites were looked at {len(late):,} times, expected {healthy_sites * minutes * 60 / INTERVAL:,.0f}")
    print(f"probes started late by: {spread(late)} (the site's server counts on its own clock)")
    print(f"status page answered in: {spread(asked)}")
    print(f"processor: {share:.0%} of one core; memory: {memory >> 20} MiB")


def ask(port: int, until_s: float) -> list[float]:
    """How many seconds the status page took, each time."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while time.time() < until_s:
        began = time.monotonic()
        connection.request("GET", "/api/v3/status/")
        connection.getresponse().read()
        took.append(time.monotonic() - began)
        pause(max(0.0, 1 / ASKED_PER_S - took[-1]))
    connection.close()
    return took


def lateness(seen: list[tuple[int, float]], sites: int, began: float) -> list[float]:
    """By how many seconds each look at a healthy site missed the instant on its grid."""
    from pingmon.core.site.probe_schedule import phase

    return [(at - phase(site_id(number), INTERVAL)) % INTERVAL for number, at in seen if at >= began]


def spread(values: list[float]) -> str:
    """Median, 99th percentile and maximum, in milliseconds."""
    ranked = sorted(values)
    p50, p99 = ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)]
    return f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, max {ranked[-1] * 1000:.0f} ms"


def site_id(number: int) -> str:
    """The id of the site with this number."""
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15 << 64 | number) % (1 << 128), version=4))


def story(sites: int, port: int) -> Iterator[tuple[str, AnyEvent]]:
    """Sites that are up, spread over many addresses, for a daemon's own pace is bounded for each."""
    from pingmon.core.site.probe_result import ProbeResult
    from pingmon.core.site.settings import SiteSpec
    from pingmon.core.world.events import ProjectCreated, SiteCreated, SiteProbed

    yield PROJECT, ProjectCreated("bench", "pingkey000000000000000")
    for number in range(sites):
        url = f"http://127.0.{1 + number % ADDRESSES}.1:{port}/{number}"
        yield site_id(number), SiteCreated(PROJECT, SiteSpec(name=f"site {number}", url=url, interval=INTERVAL))
        yield site_id(number), SiteProbed((ProbeResult(at=round(time.time() * 1e6), code=200, ms=1),))


def serve(port: int, seen: Path, failing: int) -> None:
    """Answer every look, 503 where a site fails; what was seen of healthy ones is written when the server is ended."""
    from twisted.internet import reactor
    from twisted.internet.protocol import Factory, Protocol, connectionDone
    from twisted.python.failure import Failure

    looks: list[tuple[int, float]] = []

    class Site(Protocol):
        """One connection: the first line names the site."""

        def dataReceived(self, data: bytes) -> None:
            number = int(data.split(b" ", 2)[1][1:] or b"0")
            down = failing and number % failing == 0
            if not down:
                looks.append((number, time.time()))
            status = b"503 Service Unavailable" if down else b"200 OK"
            to: Any = self.transport
            to.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)

        def connectionLost(self, reason: Failure = connectionDone) -> None:
            """The prober aborts."""

    running: Any = reactor
    running.listenTCP(port, Factory.forProtocol(Site), backlog=1000)
    running.addSystemEventTrigger("before", "shutdown", lambda: seen.write_text(json.dumps(looks)))
    running.run()


if __name__ == "__main__":
    main()
