"""A daemon whose wall clock is set while it runs goes on as if nothing had happened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.process.daemons import Receiver, Starter, until

pytestmark = pytest.mark.process

FAKE = """
import os, time
_real, _file = time.time, os.environ["PINGMON_TEST_CLOCK"]
def _set():
    try:
        return _real() + float(open(_file).read() or 0)
    except OSError:
        return _real()
time.time = _set
"""


@pytest.mark.parametrize("step", [-7200, 7200], ids=["back", "forward"])
def test_timers_run_on_and_nothing_is_told_early_or_late(
    start: Starter, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A clock that is set by two hours neither stops deadlines nor lets those of healthy checks pass."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "sitecustomize.py").write_text(FAKE)
    clock = tmp_path / "clock"
    monkeypatch.setenv("PINGMON_TEST_CLOCK", str(clock))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "fake"), os.environ.get("PYTHONPATH", "")]))
    start.forks = False  # what is imported at the start sets the clock
    daemon = start(config='[outgoing]\nallow = ["127.0.0.0/8"]\n[monitor]\nhold = 0\n')
    value = {
        f"{name}_{way}": what for way in ("down", "up") for name, what in (("url", receiver.url), ("method", "POST"))
    }
    daemon.api("POST", "channels/", {"kind": "webhook", "name": "hook", "value": value})
    for job, timeout in (("short", 60), ("long", 86_400)):
        daemon.ping(job, "?create=1")
        daemon.api("POST", "checks/", {"slug": job, "unique": ["slug"], "timeout": timeout, "grace": 60})
    clock.write_text(str(step))
    until(lambda: "the wall clock was set" in daemon.log.read_text(), "the step to be noticed", 10)
    until(lambda: daemon.api("GET", "checks/").status == 200, "an answer")
    daemon.ping("short", "/fail")
    (told,) = receiver.wait(1, 10)
    assert b'"check.down"' in told.body
    assert daemon.ask("GET", "/api/v3/status/").body == b"OK"
    statuses = {check["slug"]: check["status"] for check in daemon.api("GET", "checks/").json["checks"]}
    assert statuses == {"short": "down", "long": "up"}
