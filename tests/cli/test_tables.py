"""What commands show to people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.cli.tables import printable, show_facts, show_json, show_table, when


def test_columns_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Also below names that are twice as wide; nothing stands at the end of a line."""
    show_table(("ID", "NAME", "N"), [("a", "備份", 1), ("bcd", "", 22)])
    assert capsys.readouterr().out == "ID   NAME  N\na    備份  1\nbcd        22\n"


def test_json_is_for_programs_and_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """In UTF-8, indented."""
    show_json({"name": "Büro"})
    assert capsys.readouterr().out == '{\n  "name": "Büro"\n}\n'


@given(st.text())
def test_a_name_is_no_command_to_a_terminal(name: str) -> None:
    """Nor a second line, nor text that runs backwards."""
    shown = printable(name)
    assert shown.isprintable()
    assert len(shown) == len(name)
    assert json.loads(json.dumps(shown)) == shown


def test_facts_stand_beside_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """A list has a line for each of its items."""
    show_facts([("status", "up"), ("rules", ["a", "b"]), ("n", 1)])
    assert capsys.readouterr().out == "status  up\nrules   a\n        b\nn       1\n"


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (None, "-"),
        ("2026-01-01T00:00:00+00:00", "0s ago"),
        ("2026-01-01T00:00:01+00:00", "0s ago"),
        ("2026-01-01T00:00:30+00:00", "in 30s"),
        ("2025-12-31T22:59:30+00:00", "1h ago"),
        ("2025-12-29T22:30:00+00:00", "2d1h ago"),
    ],
)
def test_instants_are_told_by_their_distance(at: str | None, told: str) -> None:
    """In the daemon's time, and no finer than people care."""
    assert when(at, 1_767_225_600.0) == told
