"""Options for fields: every field of the API can be set by one, and each is said only once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pingmon.cli import check_settings, partners, sites
from pingmon.cli.field_options import field_options
from pingmon.wire.api import check_fields, site_fields
from pingmon.wire.api import partners as partner_fields
from pingmon.wire.api.check_fields import FieldRule

OLD_NAMES = {"subject", "subject_fail"}
"""Fields that mean the same as others."""


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (check_fields.FIELDS, {*check_settings.SETTINGS, *check_settings.UNIQUE, *OLD_NAMES}),
        (site_fields.FIELDS, {*sites.SETTINGS}),
        (partner_fields.FIELDS, {*partners.SETTINGS, "slug"}),
    ],
)
def test_every_field_has_an_option(rules: Mapping[str, FieldRule], told: set[str]) -> None:
    """A new one is explained to those who read `--help`."""
    assert told == set(rules)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ([], {}),
        (["--text", "", "--time", "1h", "--flag"], {"text": "", "time": 3600, "flag": True}),
        (["--no-flag", "--choice", "a", "--list", "x,y"], {"flag": False, "choice": "a", "list": ["x", "y"]}),
        (["--called-otherwise", "x"], {"other": "x"}),
        (["--notify-after", "3", "--steps", ""], {"notify_after": 3, "steps": []}),
        (
            ["--steps", "10m=boss,1h=phone+pager"],
            {"steps": [{"after": 600, "channels": "boss"}, {"after": 3600, "channels": "phone,pager"}]},
        ),
    ],
)
def test_a_command_gets_what_was_given(arguments: list[str], fields: dict[str, Any]) -> None:
    """And nothing of what was not, so that it stays as it is."""
    rules = {
        "text": FieldRule(type="string"),
        "other": FieldRule(type="string"),
        "time": FieldRule(type="integer"),
        "flag": FieldRule(type="boolean"),
        "choice": FieldRule(type="string", values=("a", "b")),
        "list": FieldRule(type="array", values=("x", "y")),
        "notify_after": FieldRule(type="integer"),
        "steps": FieldRule(type="array", items=check_fields.STEP),
    }
    got: list[dict[str, Any]] = []

    @click.command()
    @field_options(rules, dict.fromkeys(rules, "what it is for"), {"other": "called_otherwise"})
    def command(fields: dict[str, Any]) -> None:
        got.append(fields)

    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert got == [fields]


@pytest.mark.parametrize("steps", ["boss", "10m=", "soon=boss"])
def test_what_is_no_step_is_told(steps: str) -> None:
    @click.command()
    @field_options({"steps": FieldRule(type="array", items=check_fields.STEP)}, {"steps": "what it is for"})
    def command(fields: dict[str, Any]) -> None:
        raise AssertionError(fields)

    result = CliRunner().invoke(command, ["--steps", steps])
    assert result.exit_code == 2
    assert "--steps" in result.output
