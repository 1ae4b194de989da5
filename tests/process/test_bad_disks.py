"""Disks that fail and forget, and disks that hang, under a real daemon: a library that is loaded before others."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.journal.old_formats import aged, format_of
from tests.process.daemons import PATIENCE_S, Answer, Running, Starter, until
from tests.process.forked import ran

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("cc"), reason="needs Linux and cc"),
]


class Disk:
    """The disk under a daemon. What is `told` is in force until it is `untold`."""

    def __init__(self, place: Path) -> None:
        self.library = place / "disk.so"
        self.left = place / "disk"
        self.left.mkdir()
        source = Path(__file__).with_name("disk.c")
        command = ["cc", "-shared", "-fPIC", "-pthread", "-o", str(self.library), str(source), "-ldl"]
        subprocess.run(command, check=True, timeout=60)

    def told(self, what: str) -> None:
        """`fails` or `hangs`."""
        (self.left / what).touch()

    def untold(self, what: str) -> None:
        """Be well again."""
        (self.left / what).unlink()

    def lose_power(self, data: Path, note: bytes) -> None:
        """Leave of a dead daemon's journal what its disk was made to keep; `note`: an old one, for nobody syncs it."""
        for file in data.glob("journal.sqlite3*"):
            if file.name.endswith("-lock"):
                file.write_bytes(note)
            elif file.name.endswith("-shm"):
                file.unlink()
            else:
                left = self.left / str(file.stat().st_ino)
                file.write_bytes(left.read_bytes() if left.exists() else b"")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk under all daemons that the test starts."""
    made = Disk(tmp_path)
    monkeypatch.setenv("DISK", str(made.left))
    monkeypatch.setenv("LD_PRELOAD", str(made.library))
    return made


def pings(daemon: Running, count: int) -> int:
    """How many of so many pings were answered 200."""
    return sum(daemon.ping("job").status == 200 for _ in range(count))


def note(daemon: Running) -> bytes:
    """What the lock file says."""
    return (daemon.data / "journal.sqlite3-lock").read_bytes()


def check_after_power_failure(
    start: Starter, disk: Disk, monkeypatch: pytest.MonkeyPatch, daemon: Running, old: bytes, answered: int
) -> None:
    """All that was answered is there, and the journal is sound."""
    daemon.kill()
    disk.lose_power(daemon.data, old)
    monkeypatch.delenv("LD_PRELOAD")
    again = start(daemon.data)
    (check,) = again.api("GET", "checks/").json["checks"]
    assert check["n_pings"] >= answered
    again.stop()
    assert ran("pingmon", "journal", "verify", "--data", daemon.data).returncode == 0


def test_what_a_failed_sync_forgot_is_written_anew_before_anything_is_answered(
    start: Starter, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An fsync that failed is never made good by the next one: what is answered after it must not stand on it."""
    daemon = start()
    assert daemon.ping("job", "?create=1").status == 201
    answered = 1 + pings(daemon, 20)
    old = note(daemon)
    disk.told("fails")
    assert pings(daemon, 3) == 0
    disk.untold("fails")
    until(lambda: daemon.ping("job").status == 200, "the journal to take pings again")
    answered += 1 + pings(daemon, 40)
    assert answered == 62
    check_after_power_failure(start, disk, monkeypatch, daemon, old, answered)


def test_a_daemon_writes_anew_what_a_killed_one_may_not_have_synced(
    start: Starter, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds a commit in the kernel's cache that no fsync has confirmed, and cannot know that."""
    first = start()
    assert first.ping("job", "?create=1").status == 201
    old = note(first)
    disk.told("hangs")
    size = (first.data / "journal.sqlite3-wal").stat().st_size
    waiting = threading.Thread(target=unanswered, args=(first,))
    waiting.start()
    until(lambda: (first.data / "journal.sqlite3-wal").stat().st_size > size, "the commit to be written")
    first.kill()
    waiting.join()
    disk.untold("hangs")
    second = start(first.data)
    (check,) = second.api("GET", "checks/").json["checks"]
    assert check["n_pings"] == 2, "the cache has it"
    answered = 2 + pings(second, 20)
    check_after_power_failure(start, disk, monkeypatch, second, old, answered)


def unanswered(daemon: Running) -> None:
    """A ping whose daemon dies."""
    with pytest.raises(OSError, match=r"."):
        daemon.ping("job")


def test_an_upgrade_that_the_disk_does_not_confirm_is_refused_and_harms_nothing(
    start: Starter, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power failure the journal is as it was, and is upgraded by the next start."""
    first = start()
    assert first.ping("job", "?create=1").status == 201
    assert pings(first, 20) == 20
    first.stop()
    path = first.data / "journal.sqlite3"
    aged(path, 100)
    (disk.left / str(path.stat().st_ino)).write_bytes(path.read_bytes())
    disk.told("fails")
    refused = start(first.data, wait=False)
    assert refused.process.wait(PATIENCE_S) == 1
    assert "I/O error" in refused.log.read_text()
    disk.untold("fails")
    check_after_power_failure(start, disk, monkeypatch, refused, b"", 121)
    assert format_of(path) == 2


def test_a_daemon_whose_disk_hangs_can_be_stopped(start: Starter, disk: Disk) -> None:
    """It waits as long as pings do, says that the journal was not closed, and loses nothing by that."""
    daemon = start(config="[http]\ndrain = 1.0\n")
    assert daemon.ping("job", "?create=1").status == 201
    disk.told("hangs")
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 20
    assert "could not close the journal in full: the disk does not answer" in daemon.log.read_text()
    disk.untold("hangs")
    again = start(daemon.data)
    assert again.ping("job").status == 200
    assert again.api("GET", "checks/").json["checks"][0]["n_pings"] == 2


def test_a_disk_that_hangs_is_named_and_nobody_waits_for_it_for_long(start: Starter, disk: Disk) -> None:
    """503 after ten seconds, then at once; `status/` names it; and all goes on when the disk does, nothing doubled."""
    daemon = start()
    assert daemon.ping("job", "?create=1").status == 201
    disk.told("hangs")
    answers: list[tuple[Answer, float]] = []

    def ping() -> None:
        began = time.monotonic()
        answers.append((daemon.ping("job"), time.monotonic() - began))

    waiting = threading.Thread(target=ping)
    waiting.start()
    health = until(lambda: (found := daemon.ask("GET", "/api/v3/status/")).status == 503 and found, "a word of it")
    assert "has not answered" in str(health.json)
    ping()
    waiting.join()
    (at_once, soon), (given_up, late) = answers
    assert (at_once.status, given_up.status) == (503, 503)
    assert int(given_up.headers["Retry-After"]) > 0
    assert soon < 2
    assert 8 < late < 15
    disk.untold("hangs")
    until(lambda: daemon.ask("GET", "/api/v3/status/").body == b"OK", "the daemon to be well")
    assert pings(daemon, 5) == 5
    (check,) = daemon.api("GET", "checks/").json["checks"]
    assert check["n_pings"] == 1 + 5 + 1, "what hung became durable in the end"
    assert "Traceback" not in daemon.log.read_text()
