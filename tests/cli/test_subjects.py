"""What commands have in common: how things are found that are named, how is asked, and how is shown what was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pingmon.cli.api_client import ApiClient
from pingmon.cli.channels import CHANNELS
from pingmon.cli.checks import CHECKS
from pingmon.cli.keys import KEYS
from pingmon.cli.maintenance import WINDOWS
from pingmon.cli.partners import PARTNERS
from pingmon.cli.projects import PROJECTS
from pingmon.cli.sites import SITES
from pingmon.cli.subjects import INSTANTS, Json, Subject, confirm, id_of, listed, meant, show_made, show_thing
from pingmon.testing import uuid
from pingmon.wire.api import answer_shapes as shapes
from tests.cli.terminal import Terminal

SUBJECTS = [CHANNELS, CHECKS, KEYS, PARTNERS, PROJECTS, SITES, WINDOWS]
A, B = uuid(1), "9" + uuid(2)[1:]


class Api:
    """Answers each request with `found`, and keeps what was asked."""

    def __init__(self, found: Any) -> None:
        self.found = found
        self.asked: list[tuple[str, Mapping[str, object] | None]] = []

    def ask(self, method: str, path: str, body: object = None, *, query: Mapping[str, object] | None = None) -> Any:
        """As `ApiClient.ask`."""
        self.asked.append((path, query))
        return self.found


def item(subject: Subject, id: str, name: str, slug: str = "") -> Json:
    """A thing as the API tells it."""
    return {"id" if subject is CHANNELS else "uuid": id, "name": name, "slug": slug}


# --- naming -------------------------------------------------------------------------------------------------------


def test_the_daemon_is_asked_for_a_status_and_not_trusted_to_know_it() -> None:
    """A server that lists all checks has not all of them deleted."""
    api = Api({"checks": [{"uuid": "a", "status": "up"}, {"uuid": "b", "status": "down"}]})
    assert listed(cast(ApiClient, api), CHECKS, ["prod"], ["down"]) == [{"uuid": "b", "status": "down"}]
    assert api.asked == [("checks/", {"tag": ["prod"], "status": ["down"]})]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.word)
def test_everything_is_found_alike(subject: Subject) -> None:
    """By its id or name, or by the beginning of one if only one begins so; what is wrong is said in the same words."""
    office, other = item(subject, A, "Office one"), item(subject, B, "Office two")
    items = [office, other]
    for wanted in (A, A[:4], A[:8].upper(), "Office one", "Office o"):
        assert meant(items, subject, wanted) is office, wanted
    for wanted, line in (
        ("Home", f"there is no {subject.word} Home (pingmon {subject.word} list shows all)"),
        ("", f"there is no {subject.word}  (pingmon {subject.word} list shows all)"),
        (B[:3], f"there is no {subject.word} {B[:3]} (pingmon {subject.word} list shows all)"),
        ("Offi", f"Offi names 2 {subject.plural}; take the id: {A} (Office one), {B} (Office two)"),
    ):
        with pytest.raises(click.ClickException) as refused:
            meant(items, subject, wanted)
        assert refused.value.message == line


def test_what_nobody_is_asked_about_is_named_whole() -> None:
    """A script that deletes a check twice deletes no other that begins so."""
    backup = item(CHECKS, A, "", "backup-db")
    assert meant([backup], CHECKS, "backup") is backup
    assert meant([backup], CHECKS, "backup-db", whole=True) is meant([backup], CHECKS, A[:4], whole=True) is backup
    with pytest.raises(click.ClickException, match="with --yes a name must be whole"):
        meant([backup], CHECKS, "backup", whole=True)


@given(st.lists(st.text("ab-", max_size=6), min_size=1, max_size=6), st.integers(0, 5), st.integers(1, 6))
def test_a_beginning_names_one_thing_or_none(names: list[str], which: int, length: int) -> None:
    """What is whole wins over what is longer; what is not clear is never guessed."""
    items = [item(CHECKS, uuid(number), name) for number, name in enumerate(names)]
    name = names[which % len(names)]
    wanted = name[:length]
    whole = [each for each in items if each["name"] == wanted]
    fitting = whole or [each for each in items if each["name"].startswith(wanted) and len(wanted) >= 4]
    try:
        found = meant(items, CHECKS, wanted)
    except click.ClickException:
        assert len(fitting) != 1 or not wanted
    else:
        assert [found] == fitting


# --- asking -------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--yes", is_flag=True)
def destroy(yes: bool) -> None:
    """A command that does what cannot be undone."""
    confirm("Sure?", yes=yes)
    click.echo("done")


def test_what_cannot_be_undone_is_asked_about_at_a_terminal() -> None:
    """And done when somebody says so, there or with --yes."""
    runner = CliRunner()
    asked = runner.invoke(destroy, input=Terminal(b"n\n"))
    assert (asked.exit_code, asked.stdout, "Sure? [y/N]" in asked.stderr) == (1, "", True)
    assert runner.invoke(destroy, input=Terminal(b"y\n")).stdout == "done\n"
    assert runner.invoke(destroy, ["--yes"]).stdout == "done\n"


def test_where_nobody_can_be_asked_nothing_is_done() -> None:
    """What a pipe says is no answer, and the line says what to do."""
    refused = CliRunner().invoke(destroy, input="y\n")
    line = "Error: nobody can be asked here, so nothing was done: with --yes it is done without\n"
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", line)


# --- showing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        shapes.ShownCheck,
        shapes.ShownSite,
        shapes.FoundHost,
        shapes.ShownWord,
        shapes.ShownChannel,
        shapes.ShownTrouble,
        shapes.ShownPartner,
        shapes.ShownWindow,
    ],
)
def test_every_instant_is_told_by_its_distance(shape: Any) -> None:
    """As tables tell it, wherever the API has one in what commands show."""
    named = {name for name, type in shape.__annotations__.items() if "Instant" in str(type)}
    assert named
    assert named <= INSTANTS


def test_a_thing_is_shown_as_tables_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Instants by their distance, durations with units, and nothing that is empty."""
    at = "2026-01-01T00:00:00+00:00"
    shown = {"since": at, "grace": 3600, "told": True, "name": "", "failing": {"since": at, "attempts": 0}}
    show_thing(shown, 1_767_225_630.0)
    assert [re.split("  +", line) for line in capsys.readouterr().out.splitlines()] == [
        ["since", "30s ago"],
        ["grace", "1h"],
        ["told", "yes"],
        ["failing since", "30s ago"],
    ]


def test_what_was_made_is_one_line_for_scripts_and_one_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Or JSON; warnings are for people."""
    made = {"uuid": A, "name": "ops", "secret": "whsec_x", "warnings": ["beware"]}
    assert id_of(made) == A
    show_made(made, "uuid", "channel ops", as_json=False)
    assert capsys.readouterr() == (f"{A}\n", f"channel ops ({A})\nwarning: beware\n")
    show_made(made, "secret", "channel ops", as_json=False)
    assert capsys.readouterr().err.startswith(f"channel ops ({A}); the secret is not shown again\n")
    show_made({"uuid": A}, "uuid", "x", as_json=True)
    assert capsys.readouterr() == (f'{{\n  "uuid": "{A}"\n}}\n', "")
