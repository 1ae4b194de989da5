"""A daemon that is started over the journal of an older one, and killed in the middle of the upgrade."""

from __future__ import annotations

import shutil
import time

import pytest

from tests.journal.old_formats import aged, format_of
from tests.process.daemons import PATIENCE_S, Running, Starter
from tests.process.forked import ran

pytestmark = pytest.mark.process
MORE = 60_000


def begun(daemon: Running) -> None:
    """Wait, without a pause that might be too long, until the upgrade has begun; fails if it never does."""
    end = time.monotonic() + PATIENCE_S
    while "is upgraded from format 1" not in daemon.log.read_text():
        assert time.monotonic() < end, daemon.log.read_text()


def test_a_daemon_that_is_killed_in_the_middle_of_an_upgrade_does_it_at_the_next_start(start: Starter) -> None:
    """Every ping is counted and found, old and new; the log says what is done; commands read either format."""
    first = start()
    assert first.ping("job", "?create=1").status == 201
    assert [first.ping("job").status for _ in range(9)] == [200] * 9
    first.stop()
    path = first.data / "journal.sqlite3"
    aged(path, MORE)
    shutil.copy(path, first.data / "old")
    for _ in range(3):
        daemon = start(first.data, wait=False)
        begun(daemon)
        daemon.kill()
    assert format_of(path) == 1
    daemon = start(first.data)
    assert "is upgraded from format 1 to format 2" in daemon.log.read_text()
    assert format_of(path) == 2
    (check,) = daemon.api("GET", "checks/").json["checks"]
    assert check["n_pings"] == 10 + MORE
    assert daemon.ping("job").status == 200
    pings = daemon.api("GET", f"checks/{check['uuid']}/pings/?limit=1000").json["pings"]
    assert [ping["n"] for ping in pings] == list(range(11 + MORE, 11 + MORE - len(pings), -1))
    daemon.stop()
    for journal in (path, first.data / "old"):
        said = ran("pingmon", "journal", "verify", journal)
        assert said.returncode == 0, said
