"""`pingmon project …`: the projects of a daemon."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.check_settings import ALERTS, SETTINGS
from pingmon.cli.connection import asks, connection_options, opened
from pingmon.cli.field_options import field_options
from pingmon.cli.subjects import (
    SHORT,
    Json,
    Subject,
    add_list,
    confirm,
    id_of,
    ids_and_names,
    listed,
    name_of,
    named,
    show_made,
    show_thing,
    yes_option,
)
from pingmon.cli.tables import json_option, printable, show_json, when
from pingmon.wire.api.projects import DEFAULTS_FIELDS, PROJECT_FIELDS

PROJECTS: Final = Subject(
    "project",
    "projects",
    ("name",),
    (
        ("ID", lambda project, now: id_of(project)[:SHORT]),
        ("NAME", lambda project, now: project["name"]),
        ("PING KEY", lambda project, now: project["ping_key"]),
        ("CHECKS", lambda project, now: project["checks"]),
        ("SITES", lambda project, now: project["sites"]),
        ("CHANNELS", lambda project, now: project["channels"]),
        ("CREATED", lambda project, now: when(project["created"], now)),
    ),
    role="operator",
)
DEFAULTS: Final = {name: text for name, text in SETTINGS.items() if name in DEFAULTS_FIELDS}
WARNING: Final = (
    "URLs with the old ping key, /ping/<key>/<slug>, will be answered 404 at once: jobs that use them look silent "
    "until they are changed. URLs with a UUID stay as they are."
)


@click.group()
def project() -> None:
    """Projects, which own checks, sites, channels and keys.

    On the daemon's own machine no key is needed (--data), and the daemon may be stopped; from elsewhere the operator's
    is. PROJECT is an id or a name, or the beginning of one.
    """


add_list(project, PROJECTS)


@project.command()
@click.argument("name")
@json_option
@asks("operator")
def create(api: ApiClient, name: str, as_json: bool) -> None:
    """Make a project called NAME.

    Its id goes to standard output. It has a ping key, and no API key until one is made for it:
    `pingmon key create --project NAME`.
    """
    made = api.ask("POST", "projects/", {"name": name})
    show_made(made, "uuid", f"project {name_of(made)}", as_json=as_json)


@project.command()
@click.argument("project", metavar="PROJECT")
@click.argument("name")
@json_option
@asks("operator")
def rename(api: ApiClient, project: str, name: str, as_json: bool) -> None:
    """Call PROJECT NAME from now on."""
    found = chosen(api, project)
    changed = api.ask("POST", f"projects/{found['uuid']}", {"name": name})
    if as_json:
        show_json(changed)
    else:
        click.echo(f"renamed {name_of(found)} to {name_of(changed)} ({id_of(changed)})")


@project.command()
@click.argument("project", metavar="PROJECT")
@field_options(PROJECT_FIELDS, {name: ALERTS.get(name, "What people call it.") for name in PROJECT_FIELDS})
@json_option
@asks("operator")
def edit(api: ApiClient, project: str, fields: dict[str, Any], as_json: bool) -> None:
    """Change the name of PROJECT, or how its outages are told.

    What is not given stays. The rules hold for checks and sites that say nothing else. Times are seconds, or 30m,
    1h30m, 2d.
    """
    if not fields:
        raise click.UsageError("what shall be changed? --help shows the options")
    found = chosen(api, project)
    changed = api.ask("POST", f"projects/{found['uuid']}", fields)
    if as_json:
        show_json(changed)
    else:
        click.echo(f"changed {name_of(changed)} ({id_of(changed)})")


@project.command("rotate-ping-key")
@click.argument("project", metavar="[PROJECT]", required=False)
@click.option("--ping-key", metavar="KEY", help="Take this one, from Healthchecks say; else a random one.")
@yes_option
@json_option
@connection_options("operator")
def rotate_ping_key(project: str | None, ping_key: str | None, yes: bool, as_json: bool, **connection: Any) -> None:
    """Give PROJECT a new ping key.

    It goes to standard output. All ping URLs with the old key, /ping/<key>/<slug>, are answered 404 at once: jobs that
    use them look silent until they are changed. Ping URLs with a UUID stay as they are. PROJECT may be left out if
    there is only one.
    """
    if not yes:
        click.echo(WARNING, err=True)
    confirm("Go on?", yes=yes)
    with opened("operator", **connection) as api:  # not before it was confirmed: it may keep a daemon from starting
        found = chosen(api, project, "PROJECT")
        wanted = {} if ping_key is None else {"ping_key": ping_key}
        changed = api.ask("POST", f"projects/{found['uuid']}/rotate-ping-key", wanted)
    if as_json:
        show_json(changed)
    else:
        click.echo(changed["ping_key"])


@project.command()
@click.argument("project", metavar="[PROJECT]", required=False)
@field_options(DEFAULTS_FIELDS, DEFAULTS)
@click.option("--reset", is_flag=True, help="Forget those that there are, but for what is given.")
@json_option
@asks("operator")
def defaults(api: ApiClient, project: str | None, fields: dict[str, Any], reset: bool, as_json: bool) -> None:
    """Show or change what checks get that a first ping makes.

    Those that are given are set; the others stay. Times are seconds, or 30m, 1h30m, 2d. PROJECT may be left out if
    there is only one.
    """
    found = chosen(api, project, "PROJECT")
    if fields or reset:
        wanted = fields if reset else {**found["defaults"], **fields}
        if "schedule" in fields or "timeout" in fields:  # the one makes the other idle
            idle = "timeout" if "schedule" in fields else "schedule"
            wanted = {name: value for name, value in wanted.items() if name != idle or name in fields}
        found = api.ask("POST", f"projects/{found['uuid']}", {"defaults": wanted})
    if as_json:
        show_json(found)
    elif found["defaults"]:
        show_thing(found["defaults"], api.now)
    else:
        click.echo("every day, an hour of grace, all channels")


@project.command("take-check")
@click.argument("project", metavar="PROJECT")
@click.argument("check", metavar="CHECK", type=click.UUID)
@json_option
@asks("operator")
def take_check(api: ApiClient, project: str, check: UUID, as_json: bool) -> None:
    """Move a check from another project to PROJECT. CHECK is its UUID.

    Its ping URL and its history stay. By ping key and slug it is pinged with PROJECT's ping key from then on, and it
    has all of PROJECT's channels.
    """
    found = chosen(api, project)
    moved = api.ask("POST", f"projects/{found['uuid']}/take-check", {"check": str(check)})
    if as_json:
        show_json(moved)
    else:
        click.echo(f"moved {printable(moved['name'] or moved['slug'] or str(check))} to {printable(found['name'])}")


@project.command()
@click.argument("project", metavar="PROJECT")
@yes_option
@json_option
@asks("operator")
def rm(api: ApiClient, project: str, yes: bool, as_json: bool) -> None:
    """Delete PROJECT for ever, with all that is in it. That is its checks, sites, channels and keys."""
    (found,) = named(api, PROJECTS, [project], whole=yes)
    counts = ", ".join(f"{found[name]} {name}" for name in ("checks", "sites", "channels"))
    confirm(f"Delete {name_of(found)} for ever, with {counts} and all keys?", yes=yes)
    gone = api.ask("DELETE", f"projects/{found['uuid']}")
    if as_json:
        show_json(gone)
    else:
        click.echo(f"deleted {printable(gone['name'])} ({gone['uuid']})")


def chosen(api: ApiClient, wanted: str | None, say: str = "--project") -> Json:
    """The project that is meant; if nothing is said, the only one. `ClickException` if that is none, or not clear."""
    if wanted is not None:
        return named(api, PROJECTS, [wanted])[0]
    found = listed(api, PROJECTS)
    if not found:
        raise click.ClickException("there is no project (pingmon project create makes one)")
    if len(found) > 1:
        raise click.ClickException(f"which project? Say {say}; there are several: {ids_and_names(found)}")
    return found[0]
