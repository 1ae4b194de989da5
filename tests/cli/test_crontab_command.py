"""What `pingmon crontab` says of jobs that it leaves alone, and of machines that it cannot read. No daemon is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pingmon.cli.commands import pingmon


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory of its own, which is also where commands are looked for first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")


def run(*arguments: str) -> Result:
    """`pingmon crontab ARGUMENTS` on a machine called web1."""
    return CliRunner().invoke(pingmon, ["crontab", "--host", "web1", *arguments])


def command(name: str, script: str) -> None:
    """A command that the machine has."""
    Path(name).write_text(f"#!/bin/sh\n{script}\n")
    Path(name).chmod(0o755)


def timer(name: str, text: str, service: str | None = "ExecStart=/bin/x") -> str:
    """A timer, and the service beside it, if there is one."""
    Path(f"{name}.timer").write_text(f"[Timer]\n{text}\n")
    if service is not None:
        Path(f"{name}.service").write_text(f"[Service]\n{service}\n")
    return f"{name}.timer"


@pytest.mark.parametrize(
    ("text", "service", "why"),
    [
        ("OnBootSec=5", "ExecStart=/bin/x", "it has no OnCalendar, and no OnUnitActiveSec"),
        ("OnCalendar=never", "ExecStart=/bin/x", "left alone: "),
        ("OnCalendar=daily", None, "pingmon run cannot start its command (Type, ExecStart): take --with curl"),
        ("OnCalendar=daily", "Type=notify\nExecStart=/bin/x", "take --with curl"),
        ("OnCalendar=daily", "ExecStart=/usr/bin/pingmon run x /bin/x", "it sends pings already"),
    ],
)
def test_a_timer_that_is_left_alone(text: str, service: str | None, why: str) -> None:
    """With why; nothing is written for it."""
    found = run(timer("job", text, service))
    assert (found.exit_code, found.stdout) == (0, "")
    assert why in found.stderr
    assert found.stderr.endswith("Nothing to do.\n")


def test_a_line_that_cron_would_not_take_is_told() -> None:
    """And stays; comments, settings and empty lines are no such lines."""
    Path("tab").write_text("# jobs\nA=b\n\nnot a job\n0 5 * *\n0 5 * * * /bin/x\n")
    found = run("tab")
    assert "not a job\n0 5 * *\n" in found.stdout
    assert "line 4  left alone: cron takes no such line\nline 5  left alone: cron takes no such line\n" in found.stderr
    assert found.stderr.count("left alone") == 2


def test_a_timer_that_repeats_has_a_timeout_and_the_machine_a_zone() -> None:
    """Two timers of one service get one check."""
    timer("a", "OnUnitActiveSec=90min")
    found = run(timer("b", "OnCalendar=Mon 10:00\nUnit=a.service"), "a.timer", "--checks", "checks.toml")
    assert "a.service  web1-a: Mon 10:00 Asia/Tokyo\n" in found.stderr
    assert "a.timer starts it as well" in found.stderr
    assert 'tz = "Asia/Tokyo"\n' in Path("checks.toml").read_text()
    assert "web1-a: every 1h30m\n" in run("a.timer").stderr


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 1", "systemctl list-timers --all -o json: exit status 1; is this systemd's machine?"),
        ("echo NEXT LEFT", "systemctl writes no JSON"),
    ],
)
def test_a_machine_that_cannot_tell_its_timers(script: str, error: str) -> None:
    """One line says so."""
    command("systemctl", script)
    found = run("--systemd")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith(f"Error: {error}")


def test_a_machine_without_cron(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor are several crontabs read at once."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run().stderr == "Error: crontab: No such file or directory; name a file, or - for standard input\n"
    assert run("a", "b").exit_code == 2


def test_a_system_crontab_is_known_by_its_place() -> None:
    """Elsewhere it must be said."""
    Path("cron.d").mkdir()
    for name in ("cron.d/job", "job"):
        Path(name).write_text("PATH=/bin\n0 5 * * * root /bin/dump\n")
    assert "root /" in run("cron.d/job").stdout
    assert "run web1-dump /bin/dump" in run("cron.d/job").stdout
    assert "run web1-root root /bin/dump" in run("job").stdout
    assert run("job", "--system").stdout == run("cron.d/job").stdout


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    """The description of the check has a sign in their place. What is written is for its owner alone."""
    Path("tab").write_bytes(b"# caf\xe9\n0 6 * * * b \xe9\n")
    assert run("tab", "--write", "new", "--checks", "checks.toml").exit_code == 0
    assert Path("new").read_bytes().startswith(b"# caf\xe9\n0 6 * * * ")
    assert Path("new").read_bytes().endswith(b" run web1-b b \xe9\n")
    assert Path("new").stat().st_mode & 0o077 == 0
    assert 'desc = "caf\N{REPLACEMENT CHARACTER}"' in Path("checks.toml").read_text("utf-8")
