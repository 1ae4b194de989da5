"""`pingmon key …`: API keys. Lost ones lock nobody out of the daemon's own machine, leaked ones are revoked."""

from __future__ import annotations

from typing import Any

import click

from pingmon.api.credentials import KEY_LENGTH, PREFIX_LENGTH
from pingmon.cli.api_client import ApiClient
from pingmon.cli.connection import asks
from pingmon.cli.field_options import Duration
from pingmon.cli.projects import chosen
from pingmon.cli.tables import json_option, printable, show_json, show_made, show_table


@click.group()
def key() -> None:
    """Make, list and revoke API keys.

    On the daemon's own machine no key is needed (--data), and the daemon may be stopped; from elsewhere the operator's
    is. A key is shown once, when it is made; only a salted hash of it is kept.
    """


project_option = click.option("--project", metavar="PROJECT", help="A project's id or name.")


@key.command("list")
@project_option
@json_option
@asks("operator")
def list_command(api: ApiClient, project: str | None, as_json: bool) -> None:
    """All keys, or those of one project. Of each: what it may, what it is called, how it begins."""
    projects = api.ask("GET", "projects/")["projects"]
    path = "keys/" if project is None else f"projects/{chosen(projects, project)['uuid']}/keys/"
    answer = api.ask("GET", path)
    if as_json:
        show_json(answer)
        return
    names = {each["uuid"]: each["name"] for each in projects} | {None: "-"}
    heads = ("ID", "KEY", "ROLE", "NAME", "CREATED", "USED", "EXPIRES", "PROJECT")
    rows = []
    for each in answer["keys"]:
        shown = (each["uuid"], f"{each['prefix']}…", each["role"], each["name"], each["created"])
        times = (each["last_used"] or "-", each["expires"] or "-")
        rows.append((*shown, *times, names.get(each["project"], each["project"])))
    show_table(heads, rows)


@key.command()
@project_option
@click.option(
    "--role", type=click.Choice(["rw", "ro", "operator"]), default="rw", show_default=True, help="What it may."
)
@click.option("--name", default="", help="For whom or what it is.")
@json_option
@asks("operator")
def create(api: ApiClient, project: str | None, role: str, name: str, as_json: bool) -> None:
    """Make a key.

    It goes to standard output, and is not shown again.

    rw and ro are for one project, which must be said if there are several; operator is for projects, keys and partners
    of the whole daemon.
    """
    if role == "operator" and project is not None:
        raise click.UsageError("an operator's key belongs to no project")
    if role == "operator":
        made, whose = api.ask("POST", "keys/", {"name": name}), "the operator"
    else:
        found = chosen(api.ask("GET", "projects/")["projects"], project)
        path, whose = f"projects/{found['uuid']}/keys/", found["name"]
        made = api.ask("POST", path, {"role": role, "name": name})
    _show_made(made, f"for {printable(whose)}", as_json)


@key.command()
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@json_option
@asks("operator")
def revoke(api: ApiClient, keys: tuple[str, ...], as_json: bool) -> None:
    """Revoke keys for ever: they are answered 401 at once.

    KEY is an id, a name, the first eight characters, or what leaked, as it is. If one is not there, none is revoked.
    """
    known = api.ask("GET", "keys/")["keys"]
    found = {each["uuid"]: each for each in (_meant(known, wanted) for wanted in keys)}
    gone = [api.ask("DELETE", f"keys/{id}") for id in found]
    if as_json:
        show_json({"keys": gone})
        return
    for each in gone:
        click.echo(f"revoked {each['prefix']}… ({each['role']}{', ' * bool(each['name'])}{printable(each['name'])})")


@key.command()
@click.argument("wanted", metavar="KEY")
@click.option("--overlap", type=Duration(), help="For how long the old one opens, too; 0 if it leaked.  [default: 1d]")
@json_option
@asks("operator")
def rotate(api: ApiClient, wanted: str, overlap: int | None, as_json: bool) -> None:
    """Make a new key in place of KEY.

    It goes to standard output, and is not shown again. It has the same role and name. KEY is an id, a name, the first
    eight characters, or the key as it is.
    """
    found = _meant(api.ask("GET", "keys/")["keys"], wanted)
    made = api.ask("POST", f"keys/{found['uuid']}/rotate", {} if overlap is None else {"overlap": overlap})
    _show_made(made, f"in place of {found['prefix']}…", as_json)


def _show_made(made: dict[str, Any], whose: str, as_json: bool) -> None:
    told = f"This {made['role']} key {whose} is not shown again. To revoke: {made['uuid']}"
    show_made(made, "key", told, as_json=as_json)


def _meant(known: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    begin = wanted[:PREFIX_LENGTH] if len(wanted) in (PREFIX_LENGTH, KEY_LENGTH) else None
    found = [each for each in known if wanted in (each["uuid"], each["name"] or None) or begin == each["prefix"]]
    if len(found) == 1:
        return found[0]
    shown = printable(wanted if begin is None else begin + "…")
    if not found:
        raise click.ClickException(f"there is no key {shown}; nothing was done (pingmon key list shows all)")
    ids = ", ".join(each["uuid"] for each in found[:10])
    raise click.ClickException(f"{len(found)} keys are called {shown}; nothing was done: take the id: {ids}")
