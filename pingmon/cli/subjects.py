"""What the commands about checks, sites, projects and the like have in common: how one is named, and how many are.

    pingmon check pause backup            by id, slug or name, or by the beginning of one
    pingmon check pause --tag prod        all that have the tag; `--status down`: all that are so
    … | pingmon check pause -             names from standard input, one a line

What is named is looked up before anything is done: if one is not there, or not clear, nothing is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial, wraps
from typing import Any, Final, NamedTuple, TypeAlias

import click

from pingmon.cli.api_client import ApiClient, NotAllowed, NotThere, Unreachable
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text
from pingmon.cli.tables import json_option, printable, show_facts, show_json, show_table, when

Json: TypeAlias = dict[str, Any]

BEGINNING: Final = 4
"""Characters of the beginning of an id, a slug or a name that are enough, if only one thing begins so."""
WHOLE: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FEW: Final = 5
SHORT: Final = 8
"""Characters of a UUID that tables show."""
DURATIONS: Final = frozenset(
    {"grace", "timeout", "interval", "patience", "max_suppression", "last_duration", "remind_every", "duration"}
)
"""Keys of the API that are seconds."""
INSTANTS: Final = frozenset(
    {
        *("start", "end", "open_until", "opens"),
        *("at", "since", "until", "created", "incident", "next_try", "old_secret_until", "quiet_until", "silent_until"),
        *("last_delivered", "last_ping", "last_probe", "last_start", "last_success", "next_ping", "suppressed_until"),
    }
)
"""Keys of the API that are instants."""
ONCE: Final = ("key", "secret")
"""Keys of the API that are in the answer that makes something, and in no other."""
EMPTY: Final[tuple[object, ...]] = (None, "", False, [], {})
"""What is not worth a line; 0 is not, either."""
LISTED: Final = 10
"""How many are named in an error."""


class Subject(NamedTuple):
    """A kind of thing: what it is called, where the API has it, and what tables show of it.

    A column is its head and what it shows of one thing, at a time of the daemon (seconds since the epoch). `statuses`:
    those that things can have; such things have tags, too. `many`: what several are called, if not as the API's path.
    """

    word: str
    path: str
    named_by: tuple[str, ...]
    columns: tuple[tuple[str, Callable[[Json, float], object]], ...]
    role: str = "project"
    statuses: tuple[str, ...] = ()
    many: str = ""

    @property
    def plural(self) -> str:
        """What several are called."""
        return self.many or self.path


def id_of(item: Json) -> str:
    """What the API knows one thing by."""
    return str(item.get("uuid") or item.get("unique_key") or item["id"])


def name_of(item: Json) -> str:
    """What people know it by."""
    return printable(str(item.get("name") or item.get("slug") or item.get("url") or id_of(item)))


# --- finding ------------------------------------------------------------------------------------------------------


def listed(api: ApiClient, subject: Subject, tags: Sequence[str] = (), statuses: Sequence[str] = ()) -> list[Json]:
    """All things of the kind, or those that have all of `tags` and any of `statuses`."""
    query = {"tag": list(tags), "status": list(statuses)}
    found: list[Json] = api.ask("GET", f"{subject.path}/", query=query)[subject.path]
    # Healthchecks, say, knows no such filter and lists all, which `rm` would delete.
    return [item for item in found if not statuses or item["status"] in statuses]


def meant(items: Sequence[Json], subject: Subject, wanted: str, *, whole: bool = False) -> Json:
    """The thing that `wanted` names. `ClickException` with one line if it is none, or several.

    `whole`: the beginning of a slug or a name is not enough, only that of an id is.
    """
    found = [item for item in items if wanted and wanted in (id_of(item), *(item.get(n) for n in subject.named_by))]
    if not found and len(wanted) >= BEGINNING:
        found = [item for item in items if _begins(item, wanted, whole=whole)]
    if len(found) == 1:
        return found[0]
    shown = printable(wanted)
    if not found:
        more = "; with --yes a name must be whole" * whole
        raise click.ClickException(f"there is no {subject.word} {shown} (pingmon {subject.word} list shows all{more})")
    raise click.ClickException(f"{shown} names {len(found)} {subject.plural}; take the id: {ids_and_names(found)}")


def _begins(item: Json, wanted: str, *, whole: bool) -> bool:
    names = () if whole else (item.get("slug") or "", item.get("name") or "")
    return id_of(item).startswith(wanted.lower()) or any(name.startswith(wanted) for name in names)


def ids_and_names(items: Sequence[Json]) -> str:
    """Ids and names on one line, not too many."""
    return ", ".join(f"{id_of(item)} ({name_of(item)})" for item in items[:LISTED]) + ", …" * (len(items) > LISTED)


def named(api: ApiClient, subject: Subject, names: Sequence[str], *, whole: bool = False) -> list[Json]:
    """The things with these names. A few UUIDs are asked for one by one: a list of all may be long."""
    if len(names) <= FEW and all(WHOLE.fullmatch(name.lower()) for name in names):
        with suppress(NotThere):
            return [api.ask("GET", f"{subject.path}/{name.lower()}") for name in names]
    items = listed(api, subject)
    return [meant(items, subject, name, whole=whole) for name in names]


def selected(
    api: ApiClient,
    subject: Subject,
    names: Sequence[str],
    tags: Sequence[str],
    statuses: Sequence[str],
    *,
    whole: bool = False,
) -> list[Json]:
    """The things that a command does something with, each once. `whole`: as in `meant`."""
    if "-" in names:
        lines = (line.strip() for line in sys.stdin)
        names = [*(name for name in names if name != "-"), *filter(None, lines)]
    elif not names and not tags and not statuses:
        more = ", or say --tag, --status" if subject.statuses else ""
        raise click.UsageError(f"which {subject.word}? Name one or more{more}, or - for names from standard input")
    if names and (tags or statuses):
        raise click.UsageError(f"name {subject.path}, or say --tag and --status; not both")
    found = listed(api, subject, tags, statuses) if tags or statuses else named(api, subject, names, whole=whole)
    if not found and (tags or statuses):
        raise click.ClickException(f"no {subject.word} fits, so nothing was done")
    if any("unique_key" in item for item in found):
        raise NotAllowed(f"a read-only key may only look: {api.key_hint}")
    return list({id_of(item): item for item in found}.values())


def each(
    subject: Subject,
    items: Iterable[Json],
    act: Callable[[Json], Json],
    done: str,
    *,
    as_json: bool,
    warns: bool = False,
) -> None:
    """Do something with each of `items`, and tell it. What one refuses is told, and the others are done."""
    answers, refused = [], 0
    for item in items:
        try:
            answers.append(act(item))
        except (Unreachable, NotAllowed):
            raise
        except click.ClickException as error:
            refused += 1
            click.echo(f"Error: {name_of(item)}: {error.message}", err=True)
        else:
            if not as_json:
                click.echo(f"{done} {name_of(answers[-1])} ({id_of(item)})")
                if warns:
                    warn(answers[-1])
    if as_json:
        show_json({subject.path: answers})
    if refused:
        raise click.exceptions.Exit(1)


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether to go on, unless `yes`. Aborts if not; `ClickException` if there is no terminal to ask at."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.ClickException("nobody can be asked here, so nothing was done: with --yes it is done without")
    click.confirm(question, abort=True, err=True)


def show_made(made: Json, what: str, called: str, *, as_json: bool) -> None:
    """Show what was made: its `what` on standard output, for scripts, and for people its name and id on standard error.

    People are told in any case, above all if standard output takes nothing: a secret is not shown again.
    """
    if as_json:
        show_json(made)
        return
    once = f"; the {what} is not shown again" * (what in ONCE)
    try:
        click.echo(made[what])
    finally:
        click.echo(f"{called} ({id_of(made)}){once}", err=True)
    warn(made)


def warn(answer: Json) -> None:
    """Write the warnings of an answer to standard error."""
    for warning in answer.get("warnings", []):
        click.echo(f"warning: {printable(warning)}", err=True)


# --- commands -----------------------------------------------------------------------------------------------------


def selection(subject: Subject) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The arguments and options by which a command is told of many things: `names`, `tags`, `statuses`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        if subject.statuses:
            command = filters(subject)(command)
        else:
            command = wraps(command)(partial(command, tags=(), statuses=()))
        return click.argument("names", metavar=f"{subject.word.upper()}...", nargs=-1)(command)

    return decorate


def filters(subject: Subject) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options `--tag` and `--status`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        only = f"Only {subject.path} with this"
        kind = click.Choice(subject.statuses)
        status = click.option("--status", "statuses", type=kind, multiple=True, help=f"{only} status; of several, any.")
        tag = click.option("--tag", "tags", multiple=True, help=f"{only} tag; of several, all.")
        return tag(status(command))

    return decorate


def add_list(group: click.Group, subject: Subject) -> None:
    """The command `list`."""

    def command(
        api: ApiClient, as_json: bool, ids: bool, tags: Sequence[str] = (), statuses: Sequence[str] = ()
    ) -> None:
        found = listed(api, subject, tags, statuses)
        if as_json:
            show_json({subject.path: found})
        elif ids:
            for item in found:
                click.echo(id_of(item))
        else:
            show_items(subject, found, api.now)

    decorated = asks(subject.role)(command)
    decorated = click.option("--ids", is_flag=True, help="Ids and nothing else, one a line.")(json_option(decorated))
    if subject.statuses:
        decorated = filters(subject)(decorated)
    more = ", or those that fit" if subject.statuses else ""
    group.command("list", help=f"All {subject.plural}{more}.")(decorated)


def show_items(subject: Subject, items: Iterable[Json], now: float) -> None:
    """Write the subject's table to standard output. `now`: the daemon's time, in seconds since the epoch."""
    heads = [head for head, _ in subject.columns]
    show_table(heads, [[show(item, now) for _, show in subject.columns] for item in items])


def add_rm(group: click.Group, subject: Subject, consequence: str) -> None:
    """The command `rm`, which asks first."""

    @asks(subject.role)
    def command(
        api: ApiClient, names: Sequence[str], tags: Sequence[str], statuses: Sequence[str], yes: bool, as_json: bool
    ) -> None:
        items = selected(api, subject, names, tags, statuses, whole=yes)
        shown = ", ".join(name_of(item) for item in items[:LISTED]) + ", …" * (len(items) > LISTED)
        many = subject.word if len(items) == 1 else f"{len(items)} {subject.plural}"
        confirm(f"Delete {many} for ever: {shown}?", yes=yes or not items)

        def delete(item: Json) -> Json:
            answer: Json = api.ask("DELETE", f"{subject.path}/{id_of(item)}")
            return answer

        each(subject, items, delete, "deleted", as_json=as_json, warns=subject.word == "channel")

    decorated = selection(subject)(yes_option(json_option(command)))
    group.command("rm", help=f"Delete {subject.plural} for ever. {consequence}")(decorated)


def add_simple(group: click.Group, subject: Subject, name: str, done: str, help_text: str) -> None:
    """A command that is one request without a body for each thing: `pause`, `resume`."""

    @asks(subject.role)
    def command(
        api: ApiClient, names: Sequence[str], tags: Sequence[str], statuses: Sequence[str], as_json: bool
    ) -> None:
        def act(item: Json) -> Json:
            answer: Json = api.ask("POST", f"{subject.path}/{id_of(item)}/{name}")
            return answer

        each(subject, selected(api, subject, names, tags, statuses), act, done, as_json=as_json)

    group.command(name, help=help_text)(selection(subject)(json_option(command)))


def add_edit(group: click.Group, subject: Subject, options: Callable[[Any], Any], help_text: str) -> None:
    """The command `edit`; `options` collect what is to be set as `fields`."""

    @asks(subject.role)
    def command(
        api: ApiClient,
        names: Sequence[str],
        tags: Sequence[str],
        statuses: Sequence[str],
        fields: Json,
        as_json: bool,
    ) -> None:
        if not fields:
            raise click.UsageError("what shall be changed? --help shows the options")

        def change(item: Json) -> Json:
            answer: Json = api.ask("POST", f"{subject.path}/{id_of(item)}", fields)
            return answer

        each(subject, selected(api, subject, names, tags, statuses), change, "changed", as_json=as_json, warns=True)

    group.command("edit", help=help_text)(selection(subject)(options(json_option(command))))


def show_thing(item: Json, now: float, skipped: Iterable[str] = ()) -> None:
    """Write what the API says of one thing to standard output, without what is empty or `skipped`.

    `now`: the daemon's time, in seconds since the epoch.
    """
    hidden = {*skipped, "warnings"}
    facts: list[tuple[str, object]] = []
    for name, value in item.items():
        if name not in hidden and value not in EMPTY:
            facts += _flat(name, value, now)
    facts += [("warning", warning) for warning in item.get("warnings", [])]
    show_facts([(name.replace("_", " "), value) for name, value in facts])


def _flat(name: str, value: object, now: float) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [(f"{name} {key}", _told(key, inner, now)) for key, inner in value.items() if inner not in EMPTY]
    return [(name, _told(name, value, now))]


def _told(name: str, value: Any, now: float) -> object:
    if name in DURATIONS:
        return duration_text(value)
    if name in INSTANTS:
        return when(value, now)
    if isinstance(value, bool):
        return "yes"
    return value.splitlines() if isinstance(value, str) and "\n" in value else value
