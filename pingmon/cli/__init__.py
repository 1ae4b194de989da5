"""The command `pingmon`: tools for the one who runs the daemon. The daemon itself is `twistd pingmon`."""

from __future__ import annotations

import click

from pingmon import __version__
from pingmon.cli.keys import key
from pingmon.cli.projects import project
from pingmon.journal.commands import journal


@click.group()
@click.version_option(__version__, prog_name="pingmon")
def main() -> None:
    """Tools for a pingmon that runs as `twistd pingmon`."""


main.add_command(journal)
main.add_command(key)
main.add_command(project)
