"""`pingmon key …`: API keys. Lost ones lock nobody out of the daemon's own machine, leaked ones are revoked."""

from __future__ import annotations

from typing import Final

import click

from pingmon.api.credentials import KEY_LENGTH, PREFIX_LENGTH
from pingmon.cli.api_client import ApiClient
from pingmon.cli.connection import asks
from pingmon.cli.field_options import Duration
from pingmon.cli.projects import PROJECTS, chosen
from pingmon.cli.subjects import (
    SHORT,
    Json,
    Subject,
    confirm,
    id_of,
    listed,
    meant,
    name_of,
    show_items,
    show_made,
    yes_option,
)
from pingmon.cli.tables import json_option, printable, show_json, when

KEYS: Final = Subject(
    "key",
    "keys",
    ("prefix", "name"),
    (
        ("ID", lambda key, now: id_of(key)[:SHORT]),
        ("KEY", lambda key, now: f"{key['prefix']}…"),
        ("ROLE", lambda key, now: key["role"]),
        ("NAME", lambda key, now: key["name"] or "-"),
        ("CREATED", lambda key, now: when(key["created"], now)),
        ("USED", lambda key, now: when(key["last_used"], now)),
        ("EXPIRES", lambda key, now: when(key["expires"], now)),
        ("PROJECT", lambda key, now: key["whose"]),
    ),
    role="operator",
)
"""`whose` is the name of a key's project."""


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
    path = "keys/" if project is None else f"projects/{chosen(api, project)['uuid']}/keys/"
    answer = api.ask("GET", path)
    if as_json:
        show_json(answer)
        return
    names = {each["uuid"]: each["name"] for each in listed(api, PROJECTS)}
    show_items(KEYS, [each | {"whose": names.get(each["project"], "-")} for each in answer["keys"]], api.now)


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
        found = chosen(api, project)
        made, whose = api.ask("POST", f"projects/{id_of(found)}/keys/", {"role": role, "name": name}), name_of(found)
    show_made(made, "key", f"{role} key for {whose}", as_json=as_json)


@key.command()
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@yes_option
@json_option
@asks("operator")
def revoke(api: ApiClient, keys: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Revoke keys for ever: they are answered 401 at once.

    KEY is an id, a name, the beginning of one, the first eight characters, or what leaked, as it is. If one is not
    there, none is revoked.
    """
    known = listed(api, KEYS)
    found = {id_of(each): each for each in (_meant(known, wanted, whole=yes) for wanted in keys)}
    confirm(f"Revoke for ever: {', '.join(map(_called, found.values()))}?", yes=yes)
    gone = [api.ask("DELETE", f"keys/{id}") for id in found]
    if as_json:
        show_json({"keys": gone})
        return
    for each in gone:
        click.echo(f"revoked {_called(each)}")


@key.command()
@click.argument("wanted", metavar="KEY")
@click.option("--overlap", type=Duration(), help="For how long the old one opens, too; 0 if it leaked.  [default: 1d]")
@json_option
@asks("operator")
def rotate(api: ApiClient, wanted: str, overlap: int | None, as_json: bool) -> None:
    """Make a new key in place of KEY.

    It goes to standard output, and is not shown again. It has the same role and name. KEY is an id, a name, the
    beginning of one, the first eight characters, or the key as it is.
    """
    found = _meant(listed(api, KEYS), wanted)
    made = api.ask("POST", f"keys/{id_of(found)}/rotate", {} if overlap is None else {"overlap": overlap})
    show_made(made, "key", f"{made['role']} key in place of {found['prefix']}…", as_json=as_json)


def _called(key: Json) -> str:
    return f"{key['prefix']}… ({key['role']}{', ' * bool(key['name'])}{printable(key['name'])})"


def _meant(known: list[Json], wanted: str, *, whole: bool = False) -> Json:
    """The key that is meant. One that is given as it is is known, and shown, by its beginning only."""
    secret = len(wanted) == KEY_LENGTH and not any(wanted == each["name"] for each in known)
    return meant(known, KEYS, wanted[:PREFIX_LENGTH] if secret else wanted, whole=whole)
