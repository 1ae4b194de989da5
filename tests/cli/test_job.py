"""Commands that are run as a shell would run them, and what is kept of their output."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from pingmon.cli import job
from pingmon.cli.job import Ended, Job

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("own_signals")]


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Gives the test's signals back as they were."""
    numbers = [*job.PASSED_ON, signal.SIGALRM, signal.SIGCHLD]
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, action in before:
        signal.signal(number, action)


def sh(script: str, *, timeout_s: float | None = None, quiet: bool = False) -> Ended:
    return Job(["sh", "-c", script], timeout_s=timeout_s, quiet=quiet).run()


def test_the_output_passes_through_and_its_end_is_kept(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Both kinds of it, each where it belongs."""
    ended = sh("printf one; printf two >&2; sleep 0.1; printf three")
    assert capfdbinary.readouterr() == (b"onethree", b"two")
    assert ended in (Ended(0, b"onetwothree"), Ended(0, b"twoonethree"))


def test_of_a_long_output_the_end_is_kept(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """All of it passes through."""
    ended = sh("seq 1 100000")
    shown = capfdbinary.readouterr().out
    assert shown.endswith(b"\n99999\n100000\n")
    assert shown.count(b"\n") == 100_000
    assert ended.output == shown[-job.KEPT :]


def test_a_quiet_job_is_only_kept(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Nothing is shown."""
    assert sh("echo out; echo err >&2", quiet=True).output.split() in ([b"out", b"err"], [b"err", b"out"])
    assert capfdbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize(("script", "status"), [("true", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137)])
def test_the_exit_status_is_as_a_shell_says_it(script: str, status: int) -> None:
    """Signals, too."""
    assert sh(script).status == status


def test_how_a_signal_ended_it_is_said() -> None:
    """On a line of its own."""
    assert sh("printf begun; kill -SEGV $$").output == b"begun\npingmon run: the job was ended by SIGSEGV\n"


def test_a_signal_without_a_name_is_said_by_its_number() -> None:
    """Real-time signals have none."""
    assert sh("kill -40 $$").output == b"pingmon run: the job was ended by signal 40\n"


def test_a_command_that_is_not_there_is_127(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """And one that is no program is 126."""
    assert Job(["no-such-command"]).run() == Ended(127, b"pingmon run: no-such-command: command not found\n")
    assert Job([str(tmp_path)]).run().status == 126
    assert capfdbinary.readouterr().err.count(b"pingmon run: ") == 2


def test_a_script_without_its_first_line_is_run_by_a_shell(tmp_path: Path) -> None:
    """As cron's shell would."""
    script = tmp_path / "script"
    script.write_text("exit $1")
    script.chmod(0o700)
    assert Job([str(script), "7"]).run().status == 7


def test_a_job_that_runs_too_long_is_ended(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With all of its processes; what it has written is kept."""
    ended = sh("echo begun; sleep 60 & wait", timeout_s=0.3)
    line = b"pingmon run: the job was ended because it ran longer than 0.3 s (--timeout)\n"
    assert ended == Ended(124, b"begun\n" + line)
    assert capfdbinary.readouterr() == (b"begun\n", line)


def test_a_job_that_does_not_want_to_end_is_killed() -> None:
    """A while after it was asked."""
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
    assert Job(stubborn, timeout_s=0.2, kill_after_s=0.2).run().status == 124


def test_what_a_job_leaves_running_does_not_hold_it() -> None:
    """Though it still has the output."""
    assert sh("sleep 60 & echo done").output == b"done\n"


def test_a_signal_for_us_reaches_the_job() -> None:
    """All of its processes; it may do as it likes with it."""
    ended = sh(f"trap 'echo heard; exit 5' TERM; kill -TERM {os.getpid()}; while :; do sleep 0.05; done")
    assert ended.status == 5
    assert b"heard\n" in ended.output


def test_a_signal_that_we_were_to_ignore_stays_ignored() -> None:
    """As nohup wants it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert sh(f"kill -HUP {os.getpid()}; kill -HUP $$; echo alive").output == b"alive\n"


def test_an_output_that_takes_nothing_does_not_end_the_job() -> None:
    """A full disk, say."""
    kept = os.dup(1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    try:
        ended = sh("echo one; sleep 0.1; echo two")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(full)
    assert ended == Ended(0, b"one\ntwo\n")


def test_a_reader_that_goes_away_ends_the_job_as_it_would_without_us() -> None:
    """`| head` after `yes`."""
    kept = os.dup(1)
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)
    os.close(writing)
    try:
        ended = Job(["yes"]).run()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert ended.status == 128 + signal.SIGPIPE


def test_an_output_that_does_not_block_is_waited_for() -> None:
    """Somebody else may have made it so. Nothing is lost."""
    kept, (reading, writing) = os.dup(1), os.pipe()
    os.set_blocking(writing, False)
    os.dup2(writing, 1)
    os.close(writing)
    read: list[bytes] = []

    def read_all() -> None:
        while found := os.read(reading, 65_536):
            read.append(found)

    reader = Thread(target=read_all)
    reader.start()
    try:
        ended = Job(["head", "-c", "1000000", "/dev/zero"]).run()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        reader.join(10)
        os.close(reading)
    assert ended.status == 0
    assert len(b"".join(read)) == 1_000_000
