"""What requests to the management API cost, and how that grows: `python bench/api.py`.

Daemons as a user starts them, over logs of few and of many events with 100, 1,000 and 10,000 checks. At most 1,000 of
the checks are in the project that is asked about. `list` asks for all checks of that project, `get` for one of them,
`pings` for the newest 100 pings of one, `create` makes one more, `ping` is a job's. wrk asks without pause over eight
connections. With `--plots DIR`, an SVG of each for the longest log. Last, how long jobs' pings take while 10,000 checks
are listed again and again (`bench/lists.py`), unless `--no-lists` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from callers import Load, request, wrk
from common import daemon_command, free_port, machine, process, until, write_log
from lists import pings_beside_lists
from plot import Plot
from scale import check_id, healthy

from pingmon.api.credentials import key_created, new_key

SIZES = (100, 1_000, 10_000)
EVENTS = (50_000, 1_000_000)
LISTED = 1_000
PROJECT = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
CONNECTIONS = 8
UNLIMITED = "[limits]\napi_requests = 0\nchecks = 1000000\n"


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plots", type=Path, help="write an SVG of each figure into this directory")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--events", type=int, nargs="+", default=list(EVENTS))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--no-lists", action="store_true")
    parser.add_argument("--fill", nargs=4, metavar=("DATA", "CHECKS", "EVENTS", "KEY"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.fill:
        fill(Path(wanted.fill[0]), int(wanted.fill[1]), int(wanted.fill[2]), wanted.fill[3])
        return
    print(f"{machine()}; {CONNECTIONS} connections\n\n| events | checks | request | requests/s | p50 ms | p99 ms |")
    print("|---:|---:|---|---:|---:|---:|")
    for events in wanted.events:
        loads = {size: measured(size, events, wanted.seconds) for size in wanted.sizes}
        if wanted.plots and events == max(wanted.events):
            plots(wanted.plots, loads)
    if not wanted.no_lists:
        print("\nJobs' pings, one after another, while 10,000 checks are listed:\n")
        pings_beside_lists(10_000, rounds=3, seconds=wanted.seconds)


def measured(size: int, events: int, seconds: int) -> dict[str, Load]:
    """The load of each kind of request on a daemon with `size` checks and a log of `events`."""
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        data, config, port, key = (
            Path(name) / "data",
            Path(name) / "pingmon.toml",
            free_port(),
            new_key("rw", os.urandom),
        )
        data.mkdir(mode=0o700)
        config.write_text(UNLIMITED)
        subprocess.run([sys.executable, __file__, "--fill", str(data), str(size), str(events), key], check=True)
        loads = {}
        with process(daemon_command(data, port, "--config", str(config)), port, Path(name) / "log"):
            until(lambda: healthy(port), "the daemon to be well", 300)
            for kind, asked in requests(size, key).items():
                load = wrk(port, asked, seconds, CONNECTIONS, Path(name) / "load.lua")
                if load.failed:
                    raise SystemExit(f"{kind}: {load.failed} of {load.requests} requests failed")
                figures = f"{load.per_s:,.0f} | {load.p50_ms:.1f} | {load.p99_ms:.1f}"
                print(f"| {events:,} | {size:,} | {kind} | {figures} |", flush=True)
                loads[kind] = load
        return loads


def requests(size: int, key: str) -> dict[str, list[str]]:
    """What is asked of each kind; those that add to the log or the list come last."""
    shown, checks = f"X-Api-Key: {key}\r\n", [check_id(number) for number in range(min(size, LISTED))]
    new = json.dumps({"name": "made by the benchmark", "timeout": 3600})
    return {
        "list": [request("/api/v3/checks/", headers=shown)],
        "get": [request(f"/api/v3/checks/{check}", headers=shown) for check in checks],
        "pings": [request(f"/api/v3/checks/{check}/pings/", headers=shown) for check in checks],
        "ping": [request(f"/ping/{check}") for check in checks],
        "create": [request("/api/v3/checks/", "POST", shown, new)],
    }


def fill(data: Path, size: int, events: int, key: str) -> None:
    """A journal as a daemon would have left it: `size` checks, pinged one after another until there are `events`."""
    from pingmon.core.check.settings import CheckSpec
    from pingmon.core.world.events import AnyEvent, CheckCreated, PingReceived, ProjectCreated

    def story() -> Iterator[tuple[str, AnyEvent]]:
        yield PROJECT, ProjectCreated("bench", "pingkey000000000000000")
        yield OTHER, ProjectCreated("other", "pingkey000000000000001")
        yield PROJECT, key_created(key, "rw", os.urandom)
        for number in range(size):
            name = f"nightly-backup-{number}"
            project = PROJECT if number < LISTED else OTHER
            yield check_id(number), CheckCreated(project, CheckSpec(name=name, slug=name, tags="prod db"))
        for number in range(events - size - 3):
            yield check_id(number % size), PingReceived(addr="192.0.2.1", ua="curl/8.5.0")

    write_log(data, story())


def plots(folder: Path, loads: dict[int, dict[str, Load]]) -> None:
    """An SVG for each kind of request: how many there are in a second, over the number of checks."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in next(iter(loads.values())):
        rates = [of_size[kind].per_s for of_size in loads.values()]
        (folder / f"api-{kind}.svg").write_text(Plot(f"{kind}, requests/s", "checks").svg(list(loads), rates))


if __name__ == "__main__":
    main()
