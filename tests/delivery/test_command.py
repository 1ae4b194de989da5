"""Tests of `pingmon.delivery.command`, with real programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor

from pingmon.delivery.attempt import Delivered, NotDelivered, Result, attempt
from pingmon.delivery.command import OUTPUT_MAX, Command
from pingmon.wire.message.digest import AnyMessage
from tests.delivery.letters import letter, many
from tests.delivery.receiver import last_body, seconds, until

pytestmark = pytest.mark.usefixtures("nothing_left")

WAITS = "sleep 60 & echo $! > child; echo $$ > leader; wait"


async def told(program: Path, *arguments: str, message: AnyMessage | None = None, timeout_s: float = 10) -> Result:
    """The result of telling a program that may be run."""
    value: dict[str, object] = {"program": str(program), "arguments": list(arguments)}
    command = Command(reactor, [str(program)], lambda check, now: {"uuid": check.id}, last_body)
    told = letter(value) if message is None else message
    return await attempt(command, told, cast(Any, reactor), timeout_s)


def script(place: Path, *lines: str) -> Path:
    """A program that does this, in its directory."""
    path = place / "program"
    path.write_text("\n".join(("#!/bin/sh", f"cd {place}", *lines)) + "\n")
    path.chmod(0o755)
    return path


def gone(place: Path, name: str) -> bool:
    """Whether the process is dead (or waits only for somebody to hear of it) whose number was left there."""
    stat = Path(f"/proc/{(place / name).read_text().strip()}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest_twisted.ensureDeferred
async def test_a_program_is_given_the_message(tmp_path: Path) -> None:
    """As JSON on its standard input, with its arguments as they are; its environment is what it is told and no more."""
    program = script(tmp_path, "cat > said", 'printf "%s\\n" "$@" > arguments', "/usr/bin/env > environment")
    assert await told(program, "$HOME; x", "-y") == Delivered()
    said = json.loads((tmp_path / "said").read_text())
    assert (said["event"], said["check"]["uuid"][:8]) == ("check.down", "cccccccc")
    assert said["body"] == "last of cccc up to 7"
    assert (tmp_path / "arguments").read_text() == "$HOME; x\n-y\n"
    lines = (tmp_path / "environment").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    assert environment.keys() - {"PWD", "OLDPWD", "SHLVL", "_"} == {
        "PATH", "LANG", "PINGMON_EVENT", "PINGMON_STATUS", "PINGMON_ID", "PINGMON_TEXT",
    }  # fmt: skip
    assert (environment["PINGMON_STATUS"], environment["PINGMON_ID"]) == ("down", said["id"])
    assert environment["PINGMON_TEXT"] == said["text"]


@pytest_twisted.ensureDeferred
async def test_a_digest_is_one_message(tmp_path: Path) -> None:
    """With all that it tells."""
    program = script(tmp_path, "cat > said", 'echo "$PINGMON_EVENT" > event')
    value: dict[str, object] = {"program": str(program), "arguments": []}
    assert await told(program, message=many(value, 30)) == Delivered()
    assert json.loads((tmp_path / "said").read_text())["counts"]["down"] == 30
    assert (tmp_path / "event").read_text() == "digest\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("echo all well; echo 'no  paper' >&2; echo; exit 3", "exit status 3: no  paper"),
        ("exit 1", "exit status 1"),
        ("kill -9 $$", "signal 9"),
        ("printf '\\033[31mred\\n'; exit 1", "exit status 1: ?[31mred"),
        ("rm program; exec ./program", "exit status"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_failure_is_told_by_its_last_line(tmp_path: Path, line: str, error: str) -> None:
    """In a form that forges no line of the log."""
    result = await told(script(tmp_path, line))
    assert isinstance(result, NotDelivered)
    assert result.error.startswith(error)
    assert not result.permanent


@pytest_twisted.ensureDeferred
async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """The operator may put it there yet."""
    result = await told(tmp_path / "missing")
    assert result == NotDelivered("exit status 1: FileNotFoundError: [Errno 2] No such file or directory")


@pytest_twisted.ensureDeferred
async def test_what_is_not_allowed_is_not_run(tmp_path: Path) -> None:
    """Though it was, when the channel was made."""
    program = script(tmp_path, "touch ran")
    command = Command(reactor, [], lambda check, now: {}, last_body)
    result = await attempt(command, letter({"program": str(program), "arguments": []}), cast(Any, reactor))
    assert result == NotDelivered(f'{program} may not be run; allow it with [commands] allow = ["{program}"]')
    assert not (tmp_path / "ran").exists()


@pytest_twisted.ensureDeferred
async def test_a_program_that_reads_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """Its standard input may be longer than a pipe holds."""
    program = script(tmp_path, "exit 0")
    value: dict[str, object] = {"program": str(program), "arguments": []}
    assert await told(program, message=many(value, 2000)) == Delivered()


@pytest_twisted.ensureDeferred
async def test_at_the_deadline_all_that_it_has_started_is_killed(tmp_path: Path) -> None:
    """Nothing of it is left."""
    telling = told(script(tmp_path, WAITS), timeout_s=1.5)
    assert await telling == NotDelivered("timed out after 1.5 s")
    await until(lambda: gone(tmp_path, "child") and gone(tmp_path, "leader"))
    await seconds(0.1)


@pytest_twisted.ensureDeferred
async def test_what_holds_its_output_open_is_killed_soon(tmp_path: Path) -> None:
    """The program has ended, and its result stands."""
    assert await told(script(tmp_path, "sleep 60 & echo $! > child")) == Delivered()
    await until(lambda: gone(tmp_path, "child"))


@pytest_twisted.ensureDeferred
async def test_a_program_that_says_too_much_is_killed(tmp_path: Path) -> None:
    """And fails."""
    result = await told(script(tmp_path, "echo $$ > leader", "while :; do echo yes; done"))
    assert result == NotDelivered(f"it said more than {OUTPUT_MAX} bytes, and was killed")
    await until(lambda: gone(tmp_path, "leader"))
    await seconds(0.1)
