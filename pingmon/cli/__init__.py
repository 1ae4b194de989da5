"""The command `pingmon`: tools for the one who runs the daemon. The daemon itself is `twistd pingmon`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from pingmon import __version__
from pingmon.cli.journal import journal
from pingmon.cli.keys import key
from pingmon.cli.projects import project
from pingmon.journal import JournalDamaged, JournalFormatError, JournalUnavailable


class PlainErrors(click.Group):
    """Makes one line and exit status 1 of the trouble that a command has with a journal or a file."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A reader that went away (`| head`) is no trouble."""
        if sys.stdout is None:
            raise click.ClickException("standard output is closed, so nothing was done")
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # What is still buffered would be written, and fail, when the interpreter flushes at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from error
        except (JournalDamaged, JournalFormatError, JournalUnavailable, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=PlainErrors)
@click.version_option(__version__, prog_name="pingmon")
def main() -> None:
    """Tools for a pingmon that runs as `twistd pingmon`."""


main.add_command(journal)
main.add_command(key)
main.add_command(project)
