"""How long pings take while somebody lists many checks: `python bench/lists.py`.

One client pings, one ping after another, alone and while another process lists all checks of the project, again and
again. Both in turn, `--rounds` times; the ratio compares the p99 of a round with that of the same round alone.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import random
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from common import daemon_command, free_port, machine, median, pause, process
from scale import healthy

from pingmon.daemon.data_directory import FIRST_RUN

APART_S = 0.2
"""Between two lists."""


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    wanted = parser.parse_args()
    pings_beside_lists(wanted.checks, wanted.rounds, wanted.seconds)


def pings_beside_lists(checks: int, rounds: int, seconds: float) -> None:
    """Run the rounds and print the table."""
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name:
        data, port = Path(name) / "data", free_port()
        with process(daemon_command(data, port), port, Path(name) / "daemon.log"):
            healthy(port)
            keys = json.loads((data / FIRST_RUN).read_text())
            urls = [f"/ping/{keys['ping_key']}/job-{number}" for number in range(checks)]
            asked(port, [url + "?create=1" for url in urls])
            print(f"{machine()}; {checks:,} checks\n\n| pings | p50 ms | p99 ms | max ms |\n|---|---:|---:|---:|")
            ratios = []
            for _ in range(rounds):
                alone = row("alone", port, urls, seconds)
                stop = multiprocessing.Event()
                lister = multiprocessing.Process(target=listed, args=(port, keys["api_key"], stop))
                lister.start()
                pause(1.0)
                ratios.append(row("beside lists", port, urls, seconds) / alone)
                stop.set()
                lister.join()
            print(f"\np99 beside lists ÷ alone: {median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]")


def row(title: str, port: int, urls: list[str], seconds: float) -> float:
    """Ping for so long, print how long each took, and return the p99, in milliseconds."""
    end = time.monotonic() + seconds
    picked = itertools.takewhile(lambda _: time.monotonic() < end, iter(lambda: random.choice(urls), ""))
    took = sorted(asked(port, picked, apart_s=0.003))
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(f"| {title} | {p50:.2f} | {p99:.2f} | {took[-1]:.1f} |", flush=True)
    return p99


def asked(port: int, urls: itertools.takewhile[str] | list[str], *, apart_s: float = 0.0) -> list[float]:
    """Milliseconds that each ping took. `SystemExit` if one fails."""
    client, took = http.client.HTTPConnection("127.0.0.1", port), []
    for url in urls:
        began = time.monotonic()
        client.request("GET", url)
        answer = client.getresponse()
        answer.read()
        took.append((time.monotonic() - began) * 1000)
        if answer.status not in (200, 201):
            raise SystemExit(f"{url}: {answer.status}")
        pause(apart_s)
    return took


def listed(port: int, key: str, stop: Event) -> None:
    """List all checks until told to stop, and print how long a list takes."""
    client, took = http.client.HTTPConnection("127.0.0.1", port), []
    while not stop.wait(APART_S):
        began = time.monotonic()
        client.request("GET", "/api/v3/checks/", headers={"X-Api-Key": key})
        answer = client.getresponse()
        size = len(answer.read())
        took.append(time.monotonic() - began)
    print(f"| ({len(took)} lists of {size / 1e6:.1f} MB, {median(took):.2f} s each) | | | |", flush=True)


if __name__ == "__main__":
    main()
