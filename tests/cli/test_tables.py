"""What commands show to people."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.cli.tables import printable, show_json, show_table


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
