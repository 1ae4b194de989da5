"""Durable pings per second, beside servers that store nothing: `python bench/pings.py`.

100 checks at random, 64 keep-alive connections, one wrk thread. pingmon runs as a user starts it, with every limit of
its door on and each ping on disk before its 200. The rounds of all servers are interleaved, the medians compared, and
at the end the log is asked whether it holds every ping that was answered.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from common import BIN, HERE, Load, daemon_command, free_port, machine, median, process, until, wrk

CHECKS = 100


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=64)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name, ExitStack() as stack:
        place = Path(name)
        ports = {server: free_port() for server in ("pingmon", "twisted.web leaf", "Klein", "nginx")}
        python = str(BIN / "python")
        commands = {
            "pingmon": daemon_command(place / "data", ports["pingmon"]),
            "twisted.web leaf": [python, str(HERE / "baseline.py"), "leaf", str(ports["twisted.web leaf"])],
            "Klein": [python, str(HERE / "baseline.py"), "klein", str(ports["Klein"])],
        }
        if shutil.which("nginx") or Path("/usr/sbin/nginx").exists():
            commands["nginx"] = nginx(place, ports["nginx"])
        for server, command in commands.items():
            stack.enter_context(process(command, ports[server], place / f"{server}.log"))
        paths = checks(place / "data", ports["pingmon"])
        loads: dict[str, list[Load]] = {server: [] for server in commands}
        for _ in range(wanted.rounds):
            for server, found in loads.items():
                found.append(wrk(ports[server], paths, wanted.seconds, wanted.connections, place / "load.lua"))
        report(loads)
        verify(place / "data", ports["pingmon"], sum(load.requests for load in loads["pingmon"]))


def nginx(place: Path, port: int) -> list[str]:
    """An nginx that answers 200 from memory, with one worker."""
    for folder in ("body", "logs"):
        (place / folder).mkdir(exist_ok=True)
    (place / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {place}/nginx.pid; error_log {place}/logs/error.log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; client_body_temp_path {place}/body; keepalive_requests 1000000000;\n"
        f'  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "OK"; }} }} }}\n'
    )
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(place), "-c", str(place / "nginx.conf")]


def checks(data: Path, port: int) -> list[str]:
    """Make the checks; their ping paths."""
    until((data / "first-run.json").exists, "the first run's keys")
    keys = json.loads((data / "first-run.json").read_text())
    until(lambda: status(port) == 200, "the daemon to be well")
    for number in range(CHECKS):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ping/{keys['ping_key']}/job-{number}?create=1").read()
    listed = api(port, keys["api_key"])
    return [f"/ping/{check['uuid']}" for check in listed]


def status(port: int) -> int:
    """What the daemon says of itself."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v3/status/") as answer:
            return int(answer.status)
    except OSError:
        return 0


def api(port: int, key: str) -> list[dict[str, object]]:
    """All checks."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v3/checks/", headers={"X-Api-Key": key})
    with urllib.request.urlopen(request) as answer:
        found: list[dict[str, object]] = json.loads(answer.read())["checks"]
        return found


def verify(data: Path, port: int, answered: int) -> None:
    """Every ping that wrk saw answered is in the log. wrk stops without waiting for answers, so there may be more."""
    keys = json.loads((data / "first-run.json").read_text())
    logged = sum(int(str(check["n_pings"])) for check in api(port, keys["api_key"])) - CHECKS
    print(f"\nanswered {answered}, in the log {logged}: {'every one' if logged >= answered else 'PINGS ARE MISSING'}")
    if logged < answered:
        raise SystemExit(1)


def report(loads: dict[str, list[Load]]) -> None:
    """The table."""
    rates = {server: median([load.per_s for load in found]) for server, found in loads.items()}
    print(f"{machine()}\n\n| server | requests/s | × twisted.web leaf | p50 ms | p99 ms | failed |")
    print("|---|---:|---:|---:|---:|---:|")
    for server, found in loads.items():
        p50, p99 = median([load.p50_ms for load in found]), median([load.p99_ms for load in found])
        ratio = rates[server] / rates["twisted.web leaf"]
        failed = sum(load.failed for load in found)
        print(f"| {server} | {rates[server]:,.0f} | {ratio:.2f} | {p50:.1f} | {p99:.1f} | {failed} |")


if __name__ == "__main__":
    main()
