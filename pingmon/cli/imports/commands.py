"""`pingmon import healthchecks` and `pingmon import kuma`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pingmon.cli.api_client import ApiClient, NotAllowed, Unreachable
from pingmon.cli.connection import connection_options, opened
from pingmon.cli.imports import healthchecks as from_healthchecks
from pingmon.cli.imports import kuma as from_kuma
from pingmon.cli.imports.carry_over import Destination, Result
from pingmon.cli.imports.plan import Plan
from pingmon.cli.imports.report import show


@click.group()
def import_() -> None:
    """Watch here what another monitor watches.

    The other monitor is only read. What is made stays as it is when the same import is run again, so it can be tried
    with --dry-run, run while the other one still works, and run once more before it is switched off. A report says
    what could not be carried over.
    """


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What both imports may be told."""
    command = connection_options("project")(command)
    command = click.option("--json", "as_json", is_flag=True, help="The report as JSON, for programs.")(command)
    command = click.option("--update", is_flag=True, help="Change what is here already and differs.")(command)
    return click.option("--dry-run", "dry", is_flag=True, help="Change nothing, and say what would be done.")(command)


def _asked_for() -> str:
    """The key, from whoever sits at the terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("which key there? Set HEALTHCHECKS_API_KEY or --from-key")
    return str(click.prompt("API key of the project at Healthchecks", hide_input=True, err=True))


@import_.command()
@click.argument("source", metavar="URL")
@click.option(
    "--from-key",
    envvar="HEALTHCHECKS_API_KEY",
    show_envvar=True,
    callback=lambda _, __, value: _asked_for() if value is None else value,
    metavar="KEY",
    help="A read-write API key of the project there.",
)
@click.option("--ping-key", metavar="KEY", help="The ping key there, so that URLs with a slug stay, too. Needs --data.")
@_options
def healthchecks(source: str, from_key: str, ping_key: str | None, **options: Any) -> None:
    """Take over the checks of a project of Healthchecks.

    URL is where its pages are: https://hc.example.org. The checks keep their UUIDs, so their ping URLs stay as they are
    once the name leads to this pingmon. Channels have to be made first, by hand, under the names that they have there:
    Healthchecks tells no addresses. It does not tell its ping key either; with --ping-key the project takes that in
    place of its own, whose ping URLs name nothing from then on.
    """
    _run(from_healthchecks.plan(source, from_key, ping_key), ping_key=ping_key, **options)


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_options
def kuma(file: Path, **options: Any) -> None:
    """Take over what Uptime Kuma watches.

    FILE is its database, kuma.db, or the JSON of its backup (versions before 2). Push monitors become checks, monitors
    of web pages sites, webhooks channels, groups and tags tags. The URLs of push monitors change; they are listed.
    """
    _run(from_kuma.plan(file), **options)


def _run(
    plan: Plan,
    *,
    dry: bool,
    update: bool,
    as_json: bool,
    url: str | None,
    key: str | None,
    data: Path | None,
    project: str | None,
    ping_key: str | None = None,
) -> None:
    """Carry the plan over, and tell. Exit status 1 if something was refused."""
    results: list[Result] = []
    with opened("project", url, key, data, project) as api:
        if ping_key is not None:
            _take_ping_key(api, ping_key, dry=dry)
        there = Destination(api, dry=dry, update=update)
        ended: click.ClickException | None = None
        hidden = not sys.stderr.isatty()
        with click.progressbar(length=len(plan.wanted), label="Importing", file=sys.stderr, hidden=hidden) as bar:
            try:
                for result in there.carried(plan.wanted):
                    results.append(result)
                    bar.update(1)
            except (Unreachable, NotAllowed) as error:
                ended = error
        show(plan, results, [] if ended else plan.notes(api), dry=dry, as_json=as_json)
    if ended is not None:
        undone = len(plan.wanted) - len(results)
        click.echo(f"{undone} of {len(plan.wanted)} were not done; run this again.", err=True)
        raise ended
    if any(result.came == "refused" for result in results):
        raise click.exceptions.Exit(1)


def _take_ping_key(api: ApiClient, ping_key: str, *, dry: bool) -> None:
    """Have the project take this ping key, which only an operator may; with --data its owner is one."""
    project = api.sent.get("X-Project")
    if project is None:
        raise click.UsageError("--ping-key needs --data; elsewhere an operator's: pingmon project rotate-ping-key")
    if not dry:
        api.ask("POST", f"projects/{project}/rotate-ping-key", {"ping_key": ping_key})
