"""`pingmon run` among the other commands, for `--help`, completion, and whoever writes an option before it."""

from __future__ import annotations

import click


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Run a command as a job that is watched."""
    from pingmon.cli.run import main

    main(arguments)
