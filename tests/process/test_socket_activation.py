"""A socket that outlives the daemon, as systemd holds one: a restart loses no ping."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.process.daemons import Running, Starter, until
from tests.process.forked import BIN

pytestmark = pytest.mark.process

ENDPOINT = "systemd:domain=INET6:name=pingmon"


def activated(start: Starter, listening: socket.socket, data: Path, number: int) -> Running:
    """A daemon that is given `listening` the way systemd does it: as descriptor 3, named, for this process id."""
    script = (
        "exec 3<&$FD; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=pingmon; "
        f'exec "{BIN / "twistd"}" -n --pidfile= pingmon --data "{data}" --listen {ENDPOINT}'
    )
    log = start.tmp_path / f"activated-{number}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", script],
            stdout=out,
            stderr=out,
            cwd=start.tmp_path,
            pass_fds=[listening.fileno()],
            env=os.environ | {"FD": str(listening.fileno())},
        )
    daemon = Running(data, listening.getsockname()[1], process, log)
    start.running.append(daemon)
    return daemon


def test_pings_that_come_during_a_restart_are_taken_after_it(start: Starter) -> None:
    """They wait in the socket's queue, over IPv4 and IPv6."""
    listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    daemon = activated(start, listening, start.tmp_path / "data", 1)
    until(daemon.listening, "the daemon to listen")
    assert daemon.ping("job", "?create=1").status == 201
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(30)
    answers: list[int] = []
    waiting = [threading.Thread(target=lambda: answers.append(daemon.ping("job").status)) for _ in range(10)]
    for thread in waiting:
        thread.start()
    again = activated(start, listening, daemon.data, 2)
    for thread in waiting:
        thread.join(30)
    assert answers == [200] * 10
    assert again.api("GET", "checks/").json["checks"][0]["n_pings"] == 11
    again.stop()
    assert "Traceback" not in again.log.read_text()
    listening.close()
