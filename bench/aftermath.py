"""Whether pings are answered as fast after attacks as before: `python bench/aftermath.py`.

Two daemons; one of them is attacked. Load is measured on both before and after, in interleaved rounds. Reported: what
the attacked one takes per second beside the other, before and after; that the ratio stays is the claim.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from attacks import GARBAGE, churn, endless, garbage, throw
from callers import Load, request, wrk
from common import daemon_command, free_port, machine, median, process, resident_bytes
from servers import checks

SERVERS = ("left alone", "attacked")


def main() -> None:
    """Measure, attack, measure again, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--churn", type=int, default=100_000, help="connections that come and go")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name, ExitStack() as stack:
        place = Path(name)
        ports = {server: free_port() for server in SERVERS}
        pids = {}
        for server, port in ports.items():
            command = daemon_command(place / server, port)
            pids[server] = stack.enter_context(process(command, port, place / f"{server}.log")).pid
        paths = {server: checks(place / server, port) for server, port in ports.items()}

        def measured() -> dict[str, list[Load]]:
            found: dict[str, list[Load]] = {server: [] for server in SERVERS}
            for _ in range(wanted.rounds):
                for server, loads in found.items():
                    requests = [request(path) for path in paths[server]]
                    loads.append(wrk(ports[server], requests, wanted.seconds, 64, place / "load.lua"))
            return found

        before, memory = measured(), resident_bytes(pids["attacked"])
        seconds = attack(ports["attacked"], paths["attacked"][0], wanted.churn)
        after, grown = measured(), resident_bytes(pids["attacked"]) - memory
        print(f"{machine()}\n")
        report({"before": before, "after": after})
        print(f"\nattacks took {seconds:.0f} s; memory of the attacked daemon since: {grown / 2**20:+.1f} MiB")
        print(f"tracebacks in its log: {(place / 'attacked.log').read_text().count('Traceback')}")


def attack(port: int, path: str, connections: int) -> float:
    """Every attack, one after another; the seconds they took."""
    began = time.monotonic()
    churn(port, connections)
    for piece in GARBAGE:
        throw(port, piece)
    garbage(port, rounds=100)
    bodies = [threading.Thread(target=endless, args=(port, path)) for _ in range(20)]
    for body in bodies:
        body.start()
    for body in bodies:
        body.join()
    return time.monotonic() - began


def report(rounds: dict[str, dict[str, list[Load]]]) -> None:
    """The table."""
    print("| | left alone, pings/s | attacked, pings/s | ratio | failed |\n|---|---:|---:|---:|---:|")
    for when, loads in rounds.items():
        alone, attacked = (median([load.per_s for load in loads[server]]) for server in SERVERS)
        failed = sum(load.failed for load in loads["attacked"])
        print(f"| {when} the attacks | {alone:,.0f} | {attacked:,.0f} | {attacked / alone:.2f} | {failed} |")


if __name__ == "__main__":
    main()
