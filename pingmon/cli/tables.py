"""Answers for people: columns that stand below each other, and nothing that a terminal would take for a command.

On a terminal, colours say what is well, and columns fit its width. What goes elsewhere is never folded or coloured, so
that `grep` and `awk` find what they look for; and what nobody looks at costs no `rich`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from unicodedata import east_asian_width

import click

from pingmon.cli.durations import duration_text

STYLES: Final = {
    "up": "green",
    "success": "green",
    "delivered": "green",
    "grace": "yellow",
    "suspect": "yellow",
    "unknown": "yellow",
    "waiting": "yellow",
    "down": "bold red",
    "down, acknowledged": "red",
    "fail": "red",
    "given_up": "red",
    "paused": "dim",
    "new": "dim",
}
"""How a word that says how something does looks on a terminal."""

json_option = click.option("--json", "as_json", is_flag=True, help="JSON for programs, as the API answers.")


def show_json(answer: Any) -> None:
    """Write `answer` to standard output."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def show_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write rows to standard output, below their heads."""
    lines = [[printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_on_terminal(heads, lines)
        return
    lines.insert(0, list(heads))
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _show_on_terminal(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in line))
    Console(highlight=False).print(table)


def show_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Write names and what is said of each to standard output; a list has a line for each of its items."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        for line in value if isinstance(value, list) else [value]:
            click.echo(f"{name:{width}}  {_styled(printable(str(line)))}")
            name = ""


def _styled(text: str) -> str:
    words = STYLES.get(text, "").split()
    if not words:
        return text
    colour = next((word for word in words if word not in ("bold", "dim")), None)
    return click.style(text, fg=colour, bold="bold" in words or None, dim="dim" in words or None)


def printable(text: str) -> str:
    """What somebody has chosen as a name, fit for a terminal and one line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def when(text: str | None, now: float) -> str:
    """How long ago an instant of the API was, or in which time it comes; `-` if there is none.

    `now` is the daemon's time, in seconds since the epoch.
    """
    if not text:
        return "-"
    seconds = round(now - datetime.fromisoformat(text).timestamp())
    if seconds == -1:  # the daemon tells its time in whole seconds
        seconds = 0
    told = duration_text(_rounded(abs(seconds)))
    return f"{told} ago" if seconds >= 0 else f"in {told}"


def _rounded(seconds: int) -> int:
    """Seconds do not matter after some minutes, nor minutes after some days."""
    if seconds < 600:
        return seconds
    return seconds - seconds % (60 if seconds < 86_400 else 3600)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
