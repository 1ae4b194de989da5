"""Answers for people: columns that stand below each other, and nothing that a terminal would take for a command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width

import click

json_option = click.option("--json", "as_json", is_flag=True, help="JSON for programs, as the API answers.")


def show_json(answer: Any) -> None:
    """Write `answer` to standard output."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def show_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write rows to standard output, below their heads."""
    lines = [list(heads), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """What somebody has chosen as a name, fit for a terminal and one line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
