"""The benchmarks of pings run as their documents say, and do not hide what fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import callers
import pings
import profile_pings
import pytest
import servers

from twisted import web

pytestmark = pytest.mark.process

HOUSE = Path(__file__).resolve().parents[2]


class Unwell(BaseHTTPRequestHandler):
    """Answers 503."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def unwell() -> Iterator[int]:
    """The port of a server that answers 503."""
    with HTTPServer(("127.0.0.1", 0), Unwell) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join(10)


def test_the_table_has_a_row_for_each_server() -> None:
    """A run of one case, over plain connections and over TLS, prints Markdown and finds every ping in the log."""
    command = [sys.executable, str(HOUSE / "bench" / "pings.py"), "--rounds", "1", "--seconds", "1"]
    ran = subprocess.run([*command, "--case", "new", "--case", "https"], capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = [line for line in ran.stdout.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    for name in ("twisted.web leaf", "pingmon", "Klein"):
        assert sum(f"| {name} |" in line for line in lines) == 2
    assert ran.stdout.endswith("every one\n")


def test_the_management_api_is_asked_for_all_that_grows(tmp_path: Path) -> None:
    """A run over a short log has a row for each kind of request, and draws it."""
    command = [sys.executable, str(HOUSE / "bench" / "api.py"), "--sizes", "5", "--events", "50", "--seconds", "1"]
    ran = subprocess.run(
        [*command, "--no-lists", "--plots", str(tmp_path)], capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [line for line in ran.stdout.splitlines() if line.startswith("| 50 | 5 |")]
    assert [line.split(" | ")[2] for line in rows] == ["list", "get", "pings", "ping", "create"]
    assert len(list(tmp_path.glob("api-*.svg"))) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--kill"]], ids=["whole", "killed in its middle"])
def test_nobody_misses_anything_in_a_storm(more: list[str]) -> None:
    """Receivers that are well, slow and dead are told of each of 200 checks, in messages and digests, also over a kill.

    The script holds what they got against what the log says that they were told, and how late that was.
    """
    command = [sys.executable, str(HOUSE / "bench" / "storm.py"), "--checks", "200", "--seconds", "4", "--rates", "0"]
    ran = subprocess.run([*command, *more], capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [line.split(" | ") for line in ran.stdout.splitlines()[-4:]]
    assert [row[0] for row in rows] == ["| well", "| well too", "| slow", "| dead"]
    assert all(int(digests) >= 1 for _, _, _, digests, *_ in rows)
    assert int(rows[3][1]) == 1


def test_a_request_that_fails_ends_the_run(unwell: int) -> None:
    """Answers that are not 2xx are failures, and a failure ends the benchmark with what failed."""
    load = callers.curl(unwell, [callers.request("/ping/x")], 0.05, 1)
    assert load.failed == load.requests > 0
    server = servers.Server("unwell", unwell, unwell, pid=os.getpid())
    with pytest.raises(SystemExit, match="requests to unwell failed"):
        pings.cost(pings.Case("new", callers.request, 1, new=True), server, ["GET / HTTP/1.1\r\n\r\n"], 0, Path())


def test_a_new_number_stands_in_each_request() -> None:
    """The cases of heads that were never seen before ask for something else each time, and the others do not."""
    varied = {name for name, case in pings.CASES.items() if "{n}" in case.ask("/ping/x")}
    assert varied == {"kept-header", "kept-run", "new-header", "slug-header", "create"}


def test_the_profile_names_parts_that_there_are() -> None:
    """Each place by which `profile_pings.py` tells the parts of a ping apart is in the code of today."""
    roots = (HOUSE, Path(web.__file__).parents[2])
    places = [mark for _, marks in profile_pings.PARTS for mark in marks if "/" in mark]
    assert [mark for mark in places if not any((root / mark).exists() for root in roots)] == []
