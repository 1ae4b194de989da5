"""systemd's timers: when they start a job, and drop-ins that let it ping."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pingmon.cli import systemd_timers as timers

TIMER = """\
# /etc/systemd/system/backup.timer
[Unit]
Description=Backups
[Timer]
OnCalendar=daily
; replaced below
RandomizedDelaySec=1h 30min

# /etc/systemd/system/backup.timer.d/more.conf
[Timer]
OnCalendar=
OnCalendar=Mon..Fri 03:30
OnCalendar=Sat \\
  05:00
"""


def test_a_unit_is_read_with_its_drop_ins() -> None:
    """An empty value forgets those before it, and a line may go on in the next."""
    timer = timers.unit(TIMER)
    assert timers.expected(timer) == {"schedule": "Mon..Fri 03:30\nSat    05:00"}
    assert timers.delay(timer) == 5400
    assert timers.service_of("backup.timer", timer) == "backup.service"
    assert timers.service_of("x.timer", timers.unit("[Timer]\nUnit=y.service")) == "y.service"


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("90", 90),
        ("5min", 300),
        ("1h 30min", 5400),
        ("2d", 172_800),
        ("1w2d", 777_600),
        ("1s 500ms", 1),
        ("1 month", 2_630_016),
    ],
)
def test_time_spans(span: str, seconds: int) -> None:
    """As systemd.time(7) has them, in whole seconds."""
    assert timers.seconds(span) == seconds


def test_a_timer_that_no_clock_drives() -> None:
    """Repeated, it has a timeout; once after boot, nothing can be expected."""
    assert timers.expected(timers.unit("[Timer]\nOnBootSec=5\nOnUnitActiveSec=15min")) == {"timeout": 900}
    with pytest.raises(ValueError, match="nothing can be expected"):
        timers.expected(timers.unit("[Timer]\nOnBootSec=5"))
    with pytest.raises(ValueError, match="soon is no time span"):
        timers.expected(timers.unit("[Timer]\nOnUnitActiveSec=soon"))


@pytest.mark.parametrize(
    ("service", "can"),
    [
        ("ExecStart=/bin/a b", True),
        ("Type=oneshot\nExecStart=-/bin/a", True),
        ("Type=notify\nExecStart=/bin/a", False),
        ("ExecStart=/bin/a\nExecStart=/bin/b", False),
        ("ExecStart=+/bin/a", False),
        ("ExecStart=-@/bin/a b", False),
        ("", False),
    ],
)
def test_which_commands_can_be_run_by_another(service: str, can: bool) -> None:
    """The only one of its service, if nobody waits for a word of it."""
    assert timers.can_run(timers.unit(f"[Service]\n{service}")) is can


def test_drop_ins_put_pingmon_before_the_command() -> None:
    """What systemd would take for a specifier or a variable is written twice."""
    service = timers.unit("[Service]\nExecStart=-/bin/a %n $X")
    assert timers.with_run(service, "http://h/a%20b", "/usr/bin/pingmon") == (
        "[Service]\nExecStart=\nExecStart=-/usr/bin/pingmon run http://h/a%%20b /bin/a %n $X\n"
    )
    assert timers.pings(timers.unit(timers.with_run(service, "x", "/usr/bin/pingmon")))
    assert timers.pings(timers.unit(timers.with_curl("http://h/ping/x")))
    assert not timers.pings(service)


@pytest.mark.parametrize(("end", "told"), [("0", "0"), ("3", "3"), ("KILL", "fail"), ("", "fail")])
def test_the_ping_of_a_drop_in_tells_how_the_service_ended(tmp_path: Path, end: str, told: str) -> None:
    """An exit status, or a failure where a signal ended it."""
    curl = tmp_path / "curl"
    curl.write_text(f"#!/bin/sh\nfor last; do :; done\necho $last > {tmp_path}/ping\n")
    curl.chmod(0o755)
    script = timers.with_curl("http://h/ping/x").split(" -c '")[1].rstrip().removesuffix("'").replace("$$", "$")
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EXIT_STATUS": end}
    subprocess.run(["sh", "-c", script], env=environ, timeout=10, check=True)
    assert (tmp_path / "ping").read_text() == f"http://h/ping/x/{told}\n"
