"""A daemon that is watched by another monitor, and whose disk fills up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.process.daemons import Receiver, Starter, until
from tests.process.test_disk_full import fill_by_pings, small_disk
from tests.process.test_reload import hang_up

__all__ = ["small_disk"]
pytestmark = pytest.mark.process


def config(receiver: Receiver, path: str) -> str:
    return f'[watchdog]\nurl = "{receiver.url}{path}"\nevery = 1\n'


def test_a_daemon_whose_disk_is_full_says_so_and_one_that_is_dead_says_nothing(
    start: Starter, small_disk: Path, receiver: Receiver
) -> None:
    """And all is well again when there is room."""
    ballast = small_disk / "ballast"
    daemon = start(small_disk / "data", config=config(receiver, "/ping/dog"))
    until(lambda: len(receiver.got) > 1, "pings")
    assert {(each.method, each.path, each.body) for each in receiver.got} == {("POST", "/ping/dog", b"")}
    daemon.ping("job", "?create=1")
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    fill_by_pings(daemon)
    until(lambda: daemon.ping("job").status == 503, "a disk that takes not even a small ping")
    until(lambda: receiver.got[-1].path == "/ping/dog/fail", "a failure")
    assert b"the journal takes no events" in receiver.got[-1].body
    ballast.unlink()
    until(lambda: receiver.got[-1].path == "/ping/dog", "a ping")
    daemon.kill()
    heard = len(receiver.arrived)
    start(daemon.data)  # without a watchdog
    assert len(receiver.arrived) == heard
    assert "Traceback" not in daemon.log.read_text()


def test_another_watchdog_is_taken_up_by_a_hangup(start: Starter, receiver: Receiver) -> None:
    """The daemon goes on; a URL that cannot be pinged changes nothing."""
    daemon = start(config=config(receiver, "/one"))
    until(lambda: receiver.got, "a ping")
    file = start.tmp_path / "config-0.toml"
    file.write_text(config(receiver, "/two"))
    hang_up(daemon, "the configuration was read again")
    until(lambda: receiver.got[-1].path == "/two", "a ping")
    file.write_text('[watchdog]\nurl = "http://[1]/"\n')
    hang_up(daemon, "the configuration stays as it was")
    assert "only a restart takes them up" not in daemon.log.read_text()
    before = len(receiver.got)
    until(lambda: len(receiver.got) > before + 1, "pings")
    assert receiver.got[-1].path == "/two"
