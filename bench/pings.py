"""What a ping costs, beside other servers: `python bench/pings.py`; `--case NAME` for some of it.

pingmon runs as a user starts it, with every limit of its door on, and each ping is on disk before its 200. Beside it:
the least that twisted.web and Klein can do, nginx, and a Go server that groups its fdatasync; those that a machine
lacks are left out. Every case asks all servers in turn, `--rounds` times, `--seconds` each. A ratio compares a server
with the twisted.web leaf of the same round; shown are the median of all rounds and [least-greatest].

Processor time is what all threads of the server used, by `/proc/PID/task/*/schedstat`; for pingmon in brackets the
reactor's thread and the others, of which the log's writer is the one that works. What is written is what
`/proc/PID/io` counts, see `common.written_bytes`; the data is where `TMPDIR` says. It ends at once with status 1 when a
request fails, or at the end if the log lacks pings that were answered.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from callers import Load, curl, request, wrk
from common import machine, median, pause, thread_seconds, written_bytes
from servers import CHECKS, Server, by_slug, checks, listed, start

LEAF, PINGMON = "twisted.web leaf", "pingmon"
OUTPUT = ("All is well, says the job that was asked for its output. " * 200)[:10_000]


@dataclass(frozen=True)
class Case:
    """How callers ping. `ask` makes a request of a check's path; `connections` are kept and used again, or `new`."""

    title: str
    ask: Callable[[str], str]
    connections: int = 64
    new: bool = False
    tls: bool = False
    slugs: bool = False


def another_header(path: str) -> str:
    """As a proxy makes it that numbers its requests."""
    return request(path, headers="X-Request-Id: {n}\r\n")


def another_run(path: str) -> str:
    """As a job makes it that tells its runs apart."""
    return request(path + "?rid=00000000-0000-4000-8000-{n}")


def output(path: str) -> str:
    """With as much of a job's output as is kept by default."""
    return request(path, "POST", body=OUTPUT)


CASES = {
    "kept": Case("64 kept connections", request),
    "kept-header": Case("64 kept connections, another header each time", another_header),
    "kept-run": Case("64 kept connections, another run ID each time", another_run),
    "kept-1": Case("1 kept connection", request, connections=1),
    "new": Case("new connection per ping, 32 at a time", request, connections=32, new=True),
    "new-header": Case("new connection, 32, another header each time", another_header, connections=32, new=True),
    "new-1": Case("new connection per ping, 1 at a time", request, connections=1, new=True),
    "body": Case("POST of 10 kB, 64 kept", output),
    "slug": Case("by slug, 64 kept", request, slugs=True),
    "slug-header": Case("by slug, another header each time", another_header, slugs=True),
    "https": Case("HTTPS, new connection, 32 at a time", request, connections=32, new=True, tls=True),
    "create": Case("`create=1` makes a check, 64 kept", lambda path: request(path + "-{n}?create=1"), slugs=True),
}
"""`create` is last, as its checks stay. What has no case of other heads is dear for a body, commit or handshake."""
COLUMNS = """\
| | server | CPU µs (reactor, others) | leaf's ÷ its | pings/s, × leaf | p50 ms, × leaf | p99 ms, × leaf | B written |
|---|---|---:|---:|---:|---:|---:|---:|"""


@dataclass(frozen=True)
class Cost:
    """What a round cost a server, per request: microseconds of its first thread and of the others, bytes written."""

    load: Load
    first_us: float
    others_us: float
    written: float

    @property
    def cpu_us(self) -> float:
        """Of all threads."""
        return self.first_us + self.others_us


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--case", choices=CASES, action="append", metavar="NAME", help=", ".join(CASES))
    wanted = parser.parse_args()
    print(f"{machine()}; {wanted.rounds} rounds of {wanted.seconds} s\n")
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name, ExitStack() as stack:
        place, data = Path(name), Path(name) / "data"
        running = start(place, stack)
        (pingmon,) = (server for server in running if server.name == PINGMON)
        by_id, answered = checks(data, pingmon.plain), 0
        by_name = [f"{by_slug(data)}/job-{number}" for number in range(CHECKS)]
        print(COLUMNS, flush=True)
        for case in (CASES[each] for each in CASES if each in (wanted.case or CASES)):
            requests = [case.ask(path) for path in (by_name if case.slugs else by_id)]
            costs: dict[str, list[Cost]] = {server.name: [] for server in running}
            for _ in range(wanted.rounds):
                for server in running:
                    costs[server.name].append(cost(case, server, requests, wanted.seconds, place / "load.lua"))
            answered += sum(cost.load.requests for cost in costs[PINGMON])
            for server in running:
                title = case.title if server.name == LEAF else ""
                print(row(title, server.name, costs[server.name], costs[LEAF]), flush=True)
        verify(data, pingmon.plain, answered)


def cost(case: Case, server: Server, requests: list[str], seconds: int, script: Path) -> Cost:
    """One round of a case against a server; raises `SystemExit` if a request fails."""
    before, written = thread_seconds(server.pid), written_bytes(server.pid)
    if case.new:
        port = server.tls if case.tls else server.plain
        load = curl(port, requests, seconds, case.connections, tls=case.tls)
    else:
        load = wrk(server.plain, requests, seconds, case.connections, script)
    pause(0.1)  # for what is still under way
    if load.failed or not load.requests:
        raise SystemExit(f"{case.title}: {load.failed} of {load.requests} requests to {server.name} failed")
    used = {thread: now - before.get(thread, 0.0) for thread, now in thread_seconds(server.pid).items()}
    first = used.pop(server.pid)
    count = load.requests
    others, stored = sum(used.values()), written_bytes(server.pid) - written
    return Cost(load, first / count * 1e6, others / count * 1e6, stored / count)


def row(title: str, name: str, costs: list[Cost], leaf: list[Cost]) -> str:
    """A line of the table."""
    pairs = list(zip(costs, leaf, strict=True))

    def spread(ratios: list[float]) -> str:
        return "1" if costs is leaf else f"{median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"

    def beside(figure: Callable[[Load], float], form: str) -> str:
        ratios = [figure(its.load) / figure(of_leaf.load) for its, of_leaf in pairs]
        return f"{median([figure(its.load) for its in costs]):{form}}, {spread(ratios)}"

    cpu = f"{median([its.cpu_us for its in costs]):.0f}"
    if name == PINGMON:
        cpu += f" ({median([its.first_us for its in costs]):.0f}, {median([its.others_us for its in costs]):.0f})"
    return (
        f"| {title} | {name} | {cpu} | {spread([of_leaf.cpu_us / its.cpu_us for its, of_leaf in pairs])} "
        f"| {beside(lambda load: load.per_s, ',.0f')} | {beside(lambda load: load.p50_ms, '.2f')} "
        f"| {beside(lambda load: load.p99_ms, '.2f')} | {median([its.written for its in costs]):,.0f} |"
    )


def verify(data: Path, port: int, answered: int) -> None:
    """Every ping that was answered is in the log. wrk stops without waiting for answers, so there may be more."""
    logged = sum(int(str(check["n_pings"])) for check in listed(data, port)) - CHECKS
    print(f"\nanswered {answered}, in the log {logged}: {'every one' if logged >= answered else 'PINGS ARE MISSING'}")
    if logged < answered:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
