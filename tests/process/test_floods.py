"""Floods from many connections against a whole daemon: others are served, memory stays, and it ends when it should."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

import pytest
from floods import FLOODS, attack

from tests.process.daemons import Running, Starter, free_port, until
from tests.process.test_hostile import descriptors, resident, sound
from tests.process.test_https import certificate

pytestmark = pytest.mark.process

BENCH = Path(__file__).resolve().parents[2] / "bench"
CONNECTIONS = 20
SECONDS = 1.0
USUAL_S, LONGEST_S = 0.5, 3.0
"""For one ping, on a machine that is busy with more than this; `bench/hostile.py` measures. Before there were turns of
the loop these took up to 2.5 and 20 s."""

CHOSEN = [
    "pipelined: 404",
    "pipelined: status page",
    "pipelined, answers unread",
    "body in chunks of one byte",
    "TLS: shake hands and go",
    "TLS: records of one byte",
    "HTTP/2: resource loop (CVE-2019-9513)",
    "HTTP/2: reset flood (CVE-2019-9514)",
    "HTTP/2: settings flood (CVE-2019-9515)",
    "HTTP/2: internal data buffering (CVE-2019-9517)",
    "HTTP/2: empty frames (CVE-2019-9518)",
    "HTTP/2: window shut",
    "HTTP/2: rapid reset (CVE-2023-44487)",
    "HTTP/2: CONTINUATION flood",
    "HTTP/2: on and on after an error",
]


@pytest.fixture
def attacked(start: Starter) -> tuple[Running, int]:
    """A daemon with a plain and a TLS endpoint, and the port of the latter."""
    certificate(start.tmp_path, "localhost")
    plain, tls, pem = free_port(), free_port(), start.tmp_path / "localhost.pem"
    secure = f"ssl:{tls}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    config = "[http]\nidle_timeout = 3\nrequest_deadline = 3\ndrain = 1\n"
    daemon = start(port=plain, listen=(f"tcp:{plain}:interface=127.0.0.1", secure), config=config)
    assert daemon.ping("job", "?create=1").status == 201
    return daemon, tls


@pytest.mark.parametrize("name", CHOSEN)
def test_a_flood_holds_nobody_up(attacked: tuple[Running, int], name: str) -> None:
    """Pings are answered meanwhile, its memory is bounded, its places are free afterwards, and nothing is logged."""
    daemon, tls = attacked
    (flood,) = (each for each in FLOODS if each.name == name)
    before, port = resident(daemon), tls if flood.tls else daemon.port
    command = [sys.executable, str(BENCH / "floods.py"), name, str(port), str(SECONDS), str(CONNECTIONS)]
    attacking = subprocess.Popen(command, stdout=subprocess.PIPE)
    took = []
    while attacking.poll() is None:
        began = time.monotonic()
        assert daemon.ping("job").status == 200
        took.append(time.monotonic() - began)
    assert int(attacking.communicate()[0]) >= CONNECTIONS
    assert median(took) < USUAL_S
    assert max(took) < LONGEST_S
    assert resident(daemon) - before < 40 << 20
    sound(daemon)
    assert len(daemon.log.read_text().splitlines()) < 30


def test_a_daemon_that_is_flooded_ends_when_it_should(attacked: tuple[Running, int]) -> None:
    """By more than `drain` and two seconds nothing outlives SIGTERM, whatever is being sent."""
    daemon, tls = attacked
    threads = []
    for flood in FLOODS:
        port = tls if flood.tls else daemon.port
        threads.append(threading.Thread(target=attack, args=(flood, port, 4.0)))
        threads[-1].start()
    until(lambda: descriptors(daemon) > 30, "the floods to have begun")
    assert daemon.ping("job").status == 200
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 3
    for thread in threads:
        thread.join()
    assert "Traceback" not in daemon.log.read_text()
