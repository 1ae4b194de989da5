"""Projects and keys as the API shows and takes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.settings import CheckChanges
from pingmon.core.world.project import Key, Members, Project
from pingmon.testing import START as AT
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.projects import defaults_json, key_json, project_json, project_settings


def test_a_project_is_shown_with_its_ping_key_and_how_much_is_in_it() -> None:
    members = Members()
    members.checks[2] = "c"
    assert project_json(Project("p", "Servers", "pingkey", 1, AT), members) == {
        "uuid": "p",
        "name": "Servers",
        "ping_key": "pingkey",
        "created": "2023-11-14T22:13:20+00:00",
        "checks": 1,
        "sites": 0,
        "channels": 0,
        "defaults": {},
        "remind_every": 0,
        "escalation": [],
    }


def test_defaults_are_told_as_they_were_given() -> None:
    """What follows from a field (the kind of a schedule) is not among them; channels are separated by commas."""
    defaults = CheckChanges(kind="cron", schedule="0 5 * * *", grace=60, channels=("a", "b"))
    assert defaults_json(defaults) == {"channels": "a,b", "grace": 60, "schedule": "0 5 * * *"}


def test_a_key_is_shown_without_what_it_could_be_guessed_from() -> None:
    """Neither salt nor digest."""
    assert key_json(Key("k", None, "operator", "hco_abcd", "5a17", "d19e57", "laptop", 1, AT)) == {
        "uuid": "k",
        "project": None,
        "role": "operator",
        "name": "laptop",
        "prefix": "hco_abcd",
        "created": "2023-11-14T22:13:20+00:00",
        "last_used": None,
        "expires": None,
    }


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "name is missing"),
        ({"name": None}, "name is not a string"),
        ({"name": ""}, "name is empty"),
        ({"name": " \t\n"}, "name is empty"),
        ({"name": "x" * 101}, "name is too long"),
        ({"name": "a\0"}, "name contains characters that cannot be stored"),
    ],
)
def test_what_cannot_be_a_projects_name_is_told(body: dict[str, Any], text: str) -> None:
    with pytest.raises(Invalid, match=f"^json validation error: {text}$"):
        project_settings(body, new=True)


def test_a_project_that_is_there_need_not_be_named() -> None:
    assert project_settings({"colour": 1}, new=False) == {}


@given(st.dictionaries(st.sampled_from(["name", "x"]), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_whatever_is_sent_is_a_name_or_an_error(body: dict[str, Any]) -> None:
    try:
        assert project_settings(body, new=True)["name"] == body["name"]
    except Invalid:
        return
    assert 0 < len(body["name"].strip()) <= len(body["name"]) <= 100
