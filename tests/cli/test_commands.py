"""The commands as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pingmon.cli.commands import COMMANDS, pingmon

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
