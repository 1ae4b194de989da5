"""`pingmon apply FILE` makes of a project what a file says, and `pingmon export` writes such a file.

What is to be done is decided by `project_difference`; here it is shown, asked about and done, one request after the
other. If one fails, what was done stays, and the next run begins with what is left.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text
from pingmon.cli.project_difference import Step, Verb, difference, sent
from pingmon.cli.project_file import (
    DEFAULTS,
    GENERIC,
    KINDS,
    NAMING,
    WEBHOOK,
    WORDS,
    Fields,
    Item,
    Kind,
    is_seconds,
    read,
    renamed,
    told_fields,
    written,
)
from pingmon.cli.subjects import confirm, yes_option
from pingmon.cli.tables import json_option, printable, show_json
from pingmon.core.notify.channel import GROUP

SIGNS: Final[dict[Verb, tuple[str, str, str]]] = {
    "add": ("+", "green", "added"),
    "change": ("~", "yellow", "changed"),
    "remove": ("-", "red", "removed"),
}
"""How a step is shown, and what is said of it when it is done."""
SHOWN: Final = 60
"""Characters of a value that are shown."""
NAMED: Final = 10
"""How many items are named in one line."""


# --- the commands -------------------------------------------------------------------------------------------------


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--prune", is_flag=True, help="Remove what the project has and the file has not.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@yes_option
@json_option
@asks("project")
def apply(api: ApiClient, file: str, prune: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Make of a project what FILE says: its channels, sites, checks and maintenance windows, in TOML.

    What would change is shown first, and done if you say so. Nothing is removed without --prune; a second run changes
    nothing. If anything in the file is wrong, all of that is told, and nothing is done. - is standard input.

    \b
    [channels.ops]                        # called so by checks and sites
    url_down = "env:OPS_URL"              # from the environment
    url_up = "env:OPS_URL"
    [sites.shop]
    url = "https://shop.example/"
    [checks.nightly-backup]               # its slug
    schedule = "30 3 * * *"
    tz = "Europe/Riga"
    grace = "30m"
    channels = ["ops"]                    # all of the project if not said
    """
    if file == "-" and not yes and not dry_run:
        raise click.UsageError("the file comes from standard input, so nobody can be asked: say --yes or --dry-run")
    steps = _planned(api, file, prune)
    todo = [step for step in steps if step.verb in SIGNS]
    names = {step.id: step.item.reference for step in steps}
    if not as_json:
        _show(steps, names)
    if todo and not dry_run:
        confirm("Apply this?", yes=yes)
        _carry_out(api, todo, quiet=as_json)
    if as_json:
        show_json(
            {"changes": [_step_json(step, names) for step in steps if step.verb != "keep"], "applied": not dry_run}
        )


@click.command()
@click.option("--secrets", is_flag=True, help="Write URLs, headers and bodies of channels, too.")
@asks("project")
def export(api: ApiClient, secrets: bool) -> None:
    """Write a project's settings to standard output, as `pingmon apply` reads them.

    The same project gives the same bytes. Who may post to a channel knows its URL, its headers and its body, so these
    are left out, and `pingmon apply` leaves them as they are. The secrets that sign messages are never written.
    """
    click.echo(written(state(api), secrets=secrets), nl=False)


def _planned(api: ApiClient, file: str, prune: bool) -> list[Step]:
    """The steps. `ClickException` after all faults were told, if there are any."""
    try:
        with click.open_file(file, "rb") as opened:
            text = opened.read().decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not UTF-8") from error
    wanted, faults, labels = read(text, os.environ)
    if prune and not wanted and not faults:
        raise click.ClickException(f"{file} has nothing in it; with --prune, all of the project would be removed")
    have = state(api)
    steps, more = difference(wanted, have, labels=labels, now=round(api.now * 1_000_000), prune=prune)
    faults += more
    if faults:
        for fault in faults:
            click.echo(printable(fault), err=True)
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise click.ClickException(f"{file} has {count}, and nothing was changed")
    return steps


# --- what there is ------------------------------------------------------------------------------------------------


def state(api: ApiClient) -> list[Item]:
    """All channels, sites, checks and maintenance windows of the project."""
    listed = {kind: api.ask("GET", f"{kind}/")[kind] for kind in KINDS}
    listed["channels"] = [api.ask("GET", f"channels/{each['id']}") for each in listed["channels"]]
    return [_item(kind, each) for kind in KINDS for each in listed[kind]]


def _item(kind: Kind, answer: dict[str, Any]) -> Item:
    """One of them, from the API's answer."""
    if kind == "channels":
        settings = WEBHOOK if answer["kind"] == "webhook" else {}
        generic = {name: answer[name] for name in GENERIC}
        fields = {"name": answer["name"], "kind": answer["kind"], **settings, **answer["value"], **generic}
        if answer["kind"] == GROUP:
            fields["channels"] = _ids(fields["channels"])
        return Item(kind, answer["name"] or answer["id"], answer["id"], fields)
    fields = {name: answer[name] for name in DEFAULTS[kind] if name in answer}
    if kind == "maintenance":
        fields = {name: value for name, value in fields.items() if value is not None}
    for name in ("channels", "subjects"):
        if name in answer:
            fields[name] = _ids(answer[name])
    if fields.get("escalation") is not None:
        fields["escalation"] = tuple({**step, "channels": _ids(step["channels"])} for step in fields["escalation"])
    label = answer.get("slug") or answer["name"] or answer.get("url") or answer["uuid"]
    return Item(kind, label, answer["uuid"], fields)


def _ids(told: str) -> tuple[str, ...]:
    return tuple(sorted(filter(None, told.split(","))))


# --- doing it -----------------------------------------------------------------------------------------------------


def _carry_out(api: ApiClient, todo: Sequence[Step], *, quiet: bool) -> None:
    made: dict[str, str] = {}
    for number, step in enumerate(todo):
        try:
            answer = _do(api, step, made)
        except (click.ClickException, KeyboardInterrupt) as error:
            left = f"{_named(step)} was not {SIGNS[step.verb][2]}"
            done = f"{number} of {len(todo)} changes are done; the same command goes on with the rest"
            if isinstance(error, KeyboardInterrupt):
                raise click.ClickException(f"{left} before you ended this; {done}") from error
            raise type(error)(f"{left}: {error.message}; {done}") from error
        if not quiet:
            click.echo(f"{SIGNS[step.verb][2]} {_named(step)}")
        gone = step.verb == "remove" and step.item.kind != "channels"  # nobody need be told of what is not there
        for warning in [] if gone else answer.get("warnings", ()):
            click.echo(printable(f"warning: {_named(step)}: {warning}"), err=True)


def _do(api: ApiClient, step: Step, made: dict[str, str]) -> Any:
    """The answer to one request. `made` has the ids of what is new, by what stands for them."""
    kind, id = step.item.kind, step.item.uuid
    if step.verb == "remove":
        return api.ask("DELETE", f"{kind}/{id}")
    body = sent(step, made)
    if kind == "channels":
        named = {name: body.pop(name) for name in ("name", "kind", *GENERIC) if name in body}
        body = named | ({"value": body} if body else {})
    if step.verb == "change":
        return api.ask("POST", f"{kind}/{id}", body)
    if body.get("slug"):
        body["unique"] = ["slug"]  # its first ping may have made it meanwhile
    answer = api.ask("POST", f"{kind}/", body)
    made[step.id] = answer["id"] if kind == "channels" else answer["uuid"]
    return answer


# --- showing it ---------------------------------------------------------------------------------------------------


def _show(steps: Sequence[Step], names: dict[str, str]) -> None:
    for step in steps:
        if step.verb in SIGNS:
            sign, colour, _ = SIGNS[step.verb]
            click.secho(f"{sign} {_named(step)}", fg=colour)
            for field, change in _shown_changes(step, names):
                click.echo(f"    {field:12}  {change}")
    count = Counter(step.verb for step in steps)
    if not any(count[verb] for verb in SIGNS):
        click.echo(f"Nothing changes: {count['keep']} as the file says.")
    else:
        click.echo(
            f"{count['add']} to add, {count['change']} to change, {count['remove']} to remove; {count['keep']} stay."
        )
    if ignored := [_named(step) for step in steps if step.verb == "ignore"]:
        more = f" and {len(ignored) - NAMED} more" if len(ignored) > NAMED else ""
        click.echo(
            f"Not in the file, and left alone: {', '.join(ignored[:NAMED])}{more} (--prune removes what is not)."
        )


def _named(step: Step) -> str:
    return printable(f"{WORDS[step.item.kind]} {step.item.label}")


def _shown_changes(step: Step, names: dict[str, str]) -> list[tuple[str, str]]:
    """The fields of a step as lines; of a new item those that are not what they would be anyway."""
    told = told_fields(step.item)
    lines = []
    for field, (old, new) in step.changes.items():
        after = _value(step.item, field, new, names)
        if step.verb == "change":
            before = _value(step.item, field, old, names)
            lines.append((field, f"{before} → {after}" if before != after else f"{after} (changed)"))
        elif field in told:
            lines.append((field, after))
    return lines


def _value(item: Item, field: str, value: Any, names: dict[str, str]) -> str:
    """A value for people: no secret, on one line."""
    if field in ("channels", "escalation") and value == ():
        return "nobody"
    if value in (None, "", {}):
        return "-"
    if field in NAMING:
        shown = _named_value(field, renamed(field, value, names))
    elif item.is_secret(field):
        shown = _masked(value)
    elif is_seconds(item.kind, field):
        shown = duration_text(value)
    else:
        shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    shown = printable(shown)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"


def _named_value(field: str, value: Any) -> str:
    if field == "escalation":
        return "; ".join(f"{duration_text(step['after'])}: {', '.join(step['channels'])}" for step in value)
    return value if field == "parent" else ", ".join(value)


def _masked(value: Any) -> str:
    """Where a message goes, without what lets others send there."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: …" for name in sorted(value))
    try:
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.hostname}/…" if parts.hostname else "…"
    except (ValueError, AttributeError):
        return "…"


def _step_json(step: Step, names: dict[str, str]) -> Fields:
    """A step for programs: fields as they were and will be, null for none; what may be a secret as people see it."""
    kind, told = step.item.kind, told_fields(step.item)
    shown: Fields = {"do": step.verb, "kind": WORDS[kind], "name": step.item.label}
    if step.verb in ("add", "change"):
        changes = {name: each for name, each in step.changes.items() if step.verb == "change" or name in told}
        shown["fields"] = {
            name: [_plain(step.item, name, each, names) for each in pair] for name, pair in changes.items()
        }
    return shown


def _plain(item: Item, field: str, value: Any, names: dict[str, str]) -> Any:
    if field in NAMING:
        return renamed(field, value, names)
    return _masked(value) if value and item.is_secret(field) else value
