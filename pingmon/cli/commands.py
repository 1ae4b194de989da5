"""All commands of `pingmon` by name. Each is imported when it is asked for, so that none pays for the others."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Any, Final

import click

from pingmon import __version__

COMMANDS: Final = {
    "status": ("status", "Whether pingmon is well, and how checks and sites are."),
    "watch": ("watch", "Show what happens, as it happens."),
    "check": ("checks", "Checks: jobs that are watched by their pings."),
    "site": ("sites", "Sites: URLs that are watched by probes."),
    "channel": ("channels", "Channels: where people and programs are told."),
    "maintenance": ("maintenance", "Maintenance windows, in which outages are expected."),
    "run": ("run_command", "Run a command as a job that is watched."),
    "apply": ("apply", "Make of a project what a file says."),
    "export": ("apply", "Write what a project has as such a file."),
    "crontab": ("crontab_command", "Propose checks for the jobs of a crontab, or for systemd timers."),
    "project": ("projects", "Projects, which own checks, sites and channels."),
    "key": ("keys", "Make, list and revoke API keys."),
    "partner": ("partners", "Partners: hosts that are asked about outages."),
    "import": ("imports.commands", "Watch here what Healthchecks or Uptime Kuma watches."),
    "journal": ("journal", "Look at the append-only log, prove that it is whole, copy it."),
    "completion": ("completion", "Completion for bash, zsh and fish."),
}
"""The module of each command, which calls it by the same name (but `import_`), and what it is for."""


class Commands(click.Group):
    """Imports what was asked for. The trouble that it has with a journal or a file becomes one line, exit status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        found = import_module(f"pingmon.cli.{module}")
        command: click.Command = getattr(found, f"{name}_" if iskeyword(name) else name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, for which nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

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
        except OSError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pingmon")
def pingmon() -> None:
    """Watch jobs and sites with a pingmon that runs as `twistd pingmon`, here or elsewhere.

    \b
    settings, also in ~/.config/pingmon/client.toml (url = "…", key = "…"):
      PINGMON_URL           where pingmon is, http://localhost:8000 if nothing is said
      PINGMON_KEY           a project's API key
      PINGMON_OPERATOR_KEY  the operator's API key, for projects, keys and partners
      PINGMON_PING_KEY      a project's ping key, for pingmon run

    On the daemon's own machine no key is needed: --data names its data directory, and if neither that nor a key is
    given, it is ./pingmon-data.

    \b
    exit status:
      0  done                  3  pingmon cannot be reached or do it now; try again later
      1  not done, see why     4  the key is missing, wrong, or may not do this
      2  mistyped
    """
