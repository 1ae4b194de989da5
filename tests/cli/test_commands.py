"""The commands as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
import pytest
from click.testing import CliRunner

from pingmon.cli.checks import CHECKS
from pingmon.cli.commands import COMMANDS, pingmon
from pingmon.cli.run import main as run
from pingmon.cli.sites import SITES
from pingmon.cli.subjects import Subject
from pingmon.core.check.check import ShownStatus
from pingmon.core.site.site import SiteStatus

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_manual_knows_every_command(name: str) -> None:
    """In the table at its beginning."""
    rows = [row for row in MANUAL.splitlines() if row.startswith(f"| `pingmon {name}")]
    assert rows, name
    command: Any = pingmon.get_command(click.Context(pingmon), name)
    for each in getattr(command, "commands", {}):
        assert f"{each}`" in rows[0], f"{name} {each}"


def test_a_command_that_there_is_not_is_a_usage_error() -> None:
    """As any other word that was mistyped."""
    result = CliRunner().invoke(pingmon, ["chek", "list"])
    assert (result.exit_code, "No such command" in result.stderr) == (2, True)


def test_what_each_command_is_for_is_said_where_they_are_listed() -> None:
    """Without importing any."""
    listed = CliRunner().invoke(pingmon, ["--help"]).stdout
    for name, (_, summary) in COMMANDS.items():
        assert f"  {name}" in listed
        assert summary in listed


@pytest.mark.parametrize("asked", [["-h"], ["check", "-h"], ["check", "list", "-h"]])
def test_help_is_there_for_short(asked: list[str]) -> None:
    """At every level, and of `pingmon run`, which reads its own options."""
    assert CliRunner().invoke(pingmon, asked).exit_code == 0
    with pytest.raises(SystemExit) as ended:
        run(["-h"])
    assert ended.value.code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_no_list_of_commands_breaks_off(name: str) -> None:
    """Each is explained by a whole sentence on a line of 80 columns."""
    group = pingmon.get_command(click.Context(pingmon), name)
    if isinstance(group, click.Group):
        listed = CliRunner().invoke(group, ["--help"], terminal_width=80).stdout.partition("Commands:")[2]
        assert listed
        assert "..." not in listed


@pytest.mark.parametrize(("subject", "statuses"), [(CHECKS, get_args(ShownStatus)), (SITES, get_args(SiteStatus))])
def test_all_statuses_can_be_asked_for(subject: Subject, statuses: tuple[str, ...]) -> None:
    """The commands know those that the daemon shows."""
    assert subject.statuses == statuses


@pytest.mark.parametrize(
    "mistyped",
    [
        ["check", "list", "--status", "dwon"],
        ["site", "pause", "--status", "grace"],
        ["check", "ping", "x", "--signal", "256"],
        ["check", "ping", "x", "--signal", "finished"],
    ],
)
def test_a_word_that_nothing_can_be_is_a_usage_error(mistyped: list[str]) -> None:
    """Nobody is asked: an empty list would look as if all were well."""
    result = CliRunner().invoke(pingmon, mistyped)
    assert (result.exit_code, "Invalid value for '--s" in result.stderr) == (2, True)
