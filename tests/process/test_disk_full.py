"""A full disk under a running daemon: 503, nothing changed, and well again without a restart when there is room."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.process.daemons import Running, Starter, until

pytestmark = pytest.mark.process

BODY = os.urandom(4096).hex().encode()


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, or as many as its parameter says, where the machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={getattr(request, 'param', 1)}m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def fill_by_pings(daemon: Running) -> int:
    """Ping with bodies until the answer is no longer 200; how many were taken."""
    for taken in range(5000):
        answer = daemon.ping("job", method="POST", body=BODY)
        if answer.status != 200:
            assert (answer.status, answer.body) == (503, b"try again")
            assert int(answer.headers["Retry-After"]) > 0
            return taken
    raise AssertionError("the disk did not fill up")


def n_pings(daemon: Running) -> int:
    """As the daemon counts them."""
    return int(daemon.api("GET", "checks/").json["checks"][0]["n_pings"])


def check_recovery(daemon: Running, taken: int, start: Starter) -> None:
    """The refused pings changed nothing; the daemon takes pings again by itself; all is there after a restart."""
    assert n_pings(daemon) == taken + 1
    until(lambda: daemon.ping("job").status == 200, "the daemon to take pings again")
    until(lambda: daemon.ask("GET", "/api/v3/status/").status == 200, "the daemon to report that it is well")
    counted = n_pings(daemon)
    daemon.kill()
    again = start(daemon.data)
    assert n_pings(again) == counted
    assert "Traceback" not in daemon.log.read_text() + again.log.read_text()


def test_a_full_disk_refuses_pings_and_loses_none(start: Starter, small_disk: Path) -> None:
    """503 while it is full, and the health report says why; once there is room, all goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    daemon = start(small_disk / "data")
    daemon.ping("job", "?create=1")
    taken = fill_by_pings(daemon)
    health = daemon.ask("GET", "/api/v3/status/")
    assert health.status == 503
    assert "journal" in str(health.json)
    ballast.unlink()
    check_recovery(daemon, taken, start)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_daemon_starts_on_a_full_disk_and_works_when_there_is_room(
    start: Starter, small_disk: Path, kill: bool
) -> None:
    """It can say that it is unwell then, which is more than one that does not run could."""
    first = start(small_disk / "data")
    assert first.ping("job", "?create=1").status == 201
    if kill:
        first.kill()
    else:
        first.stop()
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    again = start(small_disk / "data", wait=False)
    until(lambda: answers(again) == 503, "the daemon to say that it is not well")
    assert again.ping("job").status == 503
    ballast.unlink()
    until(lambda: answers(again) == 200, "the daemon to be well")
    assert again.ping("job").status == 200
    assert n_pings(again) == 2


def answers(daemon: Running) -> int:
    """What `status/` answers; 0 while nobody does."""
    try:
        return daemon.ask("GET", "/api/v3/status/").status
    except OSError:
        return 0


def test_a_write_that_fails_half_way_refuses_pings_and_loses_none(start: Starter) -> None:
    """The same with a limit on the size of files, which cuts writes short in the middle."""
    daemon = start()
    daemon.ping("job", "?create=1")
    size = max(file.stat().st_size for file in daemon.data.iterdir())
    unlimited = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size + 200_001, unlimited[1]))
    taken = fill_by_pings(daemon)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, unlimited)
    check_recovery(daemon, taken, start)
