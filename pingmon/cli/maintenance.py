"""`pingmon maintenance …`: times in which an outage is expected, and nobody is told of it unless it outlasts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.checks import CHECKS
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text, seconds_of
from pingmon.cli.field_options import Duration, field_options
from pingmon.cli.sites import SITES
from pingmon.cli.subjects import (
    SHORT,
    Json,
    Subject,
    add_list,
    add_rm,
    id_of,
    listed,
    name_of,
    named,
    show_made,
    show_thing,
)
from pingmon.cli.tables import json_option, show_json, when
from pingmon.wire.api.maintenance import WINDOW_FIELDS
from pingmon.wire.api.timezones import canonical

SETTINGS: Final = {
    "name": "What people call it.",
    "schedule": "It comes again: cron (0 2 * * 6) or OnCalendar (Sat 02:00), and lasts as long as --for says.",
    "tz": "The time zone of the schedule, and of a --start and --end that name none.  [default: UTC]",
}


def _scope(window: Json, now: float) -> str:
    ids = [id for id in window["subjects"].split(",") if id]
    return " ".join([*([f"{len(ids)} named"] if ids else []), *window["tags"].split()]) or "all"


def _recurrence(window: Json, now: float) -> str:
    if window["schedule"] is not None:
        return f"{window['schedule']} {window['tz']}, {duration_text(window['duration'])}"
    return f"once, {duration_text(_seconds(window['end']) - _seconds(window['start']))}"


def _state(window: Json, now: float) -> str:
    if window["open_until"]:
        return f"open, ends {when(window['open_until'], now)}"
    return f"begins {when(window['opens'], now)}" if window["opens"] else "over"


WINDOWS: Final = Subject(
    "maintenance",
    "maintenance",
    ("name",),
    (
        ("ID", lambda window, now: id_of(window)[:SHORT]),
        ("NAME", lambda window, now: window["name"] or "-"),
        ("FOR", _scope),
        ("WHEN", _recurrence),
        ("STATE", _state),
    ),
    many="maintenance windows",
)


@click.group()
def maintenance() -> None:
    """Maintenance windows: times in which outages are expected.

    What goes down meanwhile is recorded as ever, and people are told of it only if it is still down at the end.
    MAINTENANCE is an id or a name, or the beginning of one.

    \b
    pingmon maintenance add disks --for 2h --check backup --tag db
    pingmon maintenance add move --start '2026-12-01 22:00' --end '2026-12-02 04:00' --tz Europe/Riga
    pingmon maintenance add updates --schedule '0 2 * * 6' --for 1h --site shop
    pingmon maintenance edit disks --end now
    """


add_list(maintenance, WINDOWS)
add_rm(maintenance, WINDOWS, "Of what is down people are told then.")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a window is for and when; the command gets `fields`, and as `times` what `_when_fields` reads."""

    @wraps(command)
    def collecting(*args: Any, start: str | None, end: str | None, lasts: int | None, **given: Any) -> Any:
        return command(*args, times=(start, end, lasts), **given)

    made: Callable[..., Any] = collecting
    for name, help_text in (
        ("tag", "All checks and sites with this tag; may be given several times."),
        ("site", "A site, by its id, name or URL; may be given several times."),
        ("check", "A check, by its id, slug or name; may be given several times."),
    ):
        made = click.option(f"--{name}", f"{name}s", multiple=True, help=help_text)(made)
    made = click.option("--for", "lasts", type=Duration(), help="How long it lasts: 30m, 2h.")(made)
    made = click.option("--end", metavar="TIME", help="When it ends: also 2h, from its start on, or now.")(made)
    made = click.option("--start", metavar="TIME", help="When it begins: 2026-12-01T22:00, now, or 2h from now.")(made)
    return field_options(WINDOW_FIELDS, SETTINGS)(made)


@maintenance.command()
@click.argument("name", required=False)
@_options
@json_option
@asks("project")
def add(
    api: ApiClient,
    name: str | None,
    fields: Json,
    times: tuple[str | None, str | None, int | None],
    checks: Sequence[str],
    sites: Sequence[str],
    tags: Sequence[str],
    as_json: bool,
) -> None:
    """Make a maintenance window called NAME.

    Its id goes to standard output. It begins now, unless you say otherwise, and is for the whole project if no
    --check, --site or --tag is given.
    """
    if times[2] is None and (times[1] is None or "schedule" in fields):
        raise click.UsageError("how long? Say --for, or --end")
    wanted = ({} if name is None else {"name": name}) | fields | _scope_fields(api, checks, sites, tags)
    listed(api, WINDOWS)  # says what time it is for the daemon
    made = api.ask("POST", "maintenance/", wanted | when_fields(fields, times, None, api.now))
    show_made(made, "uuid", f"maintenance {name_of(made)}", as_json=as_json)


@maintenance.command()
@click.argument("maintenance", metavar="MAINTENANCE")
@_options
@click.option("--all", "everything", is_flag=True, help="For the whole project, from now on.")
@json_option
@asks("project")
def edit(
    api: ApiClient,
    maintenance: str,
    fields: Json,
    times: tuple[str | None, str | None, int | None],
    checks: Sequence[str],
    sites: Sequence[str],
    tags: Sequence[str],
    everything: bool,
    as_json: bool,
) -> None:
    """Change what is given; the rest stays. Checks and sites are set anew, as are tags."""
    (found,) = named(api, WINDOWS, [maintenance])
    wanted = fields | ({"subjects": "", "tags": ""} if everything else {}) | _scope_fields(api, checks, sites, tags)
    wanted |= when_fields(fields, times, found, api.now)
    if not wanted:
        raise click.UsageError("what shall be changed? --help shows the options")
    changed = api.ask("POST", f"maintenance/{id_of(found)}", wanted)
    if as_json:
        show_json(changed)
    else:
        click.echo(f"changed {name_of(changed)} ({id_of(changed)}): {_state(changed, api.now)}")


@maintenance.command()
@click.argument("maintenance", metavar="MAINTENANCE")
@json_option
@asks("project")
def show(api: ApiClient, maintenance: str, as_json: bool) -> None:
    """Show all of a maintenance window."""
    (found,) = named(api, WINDOWS, [maintenance])
    if as_json:
        show_json(found)
        return
    told: Json = {}
    if found["subjects"]:
        names = {id_of(item): name_of(item) for subject in (CHECKS, SITES) for item in listed(api, subject)}
        told = {"subjects": [names.get(id, id) for id in found["subjects"].split(",")]}
    show_thing(found | told, api.now)


def _scope_fields(api: ApiClient, checks: Sequence[str], sites: Sequence[str], tags: Sequence[str]) -> Json:
    fields: Json = {"tags": " ".join(tags)} if tags else {}
    if checks or sites:
        found = [*named(api, CHECKS, checks), *named(api, SITES, sites)]
        fields["subjects"] = ",".join(id_of(item) for item in found)
    return fields


def when_fields(
    fields: Json, times: tuple[str | None, str | None, int | None], window: Json | None, now: float
) -> Json:
    """What the API is told of when a window is open, by `--start`, `--end` and `--for`. Usage error if it is no time.

    `window` is what there is, None for a new one. `now`: the daemon's time, in seconds since the epoch.
    """
    start, end, lasts = times
    if end is not None and lasts is not None:
        raise click.UsageError("say --end or --for, not both")
    old = window or {"schedule": None, "start": None, "end": None}
    comes_again = "schedule" in fields or (old["schedule"] is not None and start is None and end is None)
    if comes_again:
        given = {"start": start, "end": end}  # the API says that both cannot be
        told: Json = {name: text for name, text in given.items() if text is not None}
        return told if lasts is None else told | {"duration": lasts}
    if window is not None and start is None and end is None and lasts is None:
        return {}
    if old["schedule"] is not None and start is None:
        raise click.UsageError("it comes again: say --start, too, if it shall be open only once")
    tz = fields.get("tz", "UTC")
    begins = (
        _seconds(old["start"]) if start is None and old["start"] else _moment("start", start or "now", now, now, tz)
    )
    if lasts is not None:
        ends = begins + lasts
    elif end is not None:
        ends = _moment("end", end, begins, now, tz)
    elif old["end"]:
        ends = _seconds(old["end"])
    else:
        raise click.UsageError("how long? Say --for, or --end")
    return {"start": str(begins), "end": str(ends)}


def _moment(option: str, text: str, base: float, now: float, tz: str) -> int:
    """Seconds since the epoch; a duration counts from `base` on."""
    if text == "now":
        return int(now)
    try:
        return int(base) + seconds_of(text)
    except ValueError:
        pass
    zone = canonical(tz)
    if zone is None:
        raise click.UsageError(f"--tz: there is no time zone {tz}")
    try:
        moment = datetime.fromisoformat(text)
        return int(moment.replace(tzinfo=moment.tzinfo or ZoneInfo(zone)).timestamp())
    except (ValueError, OverflowError):
        raise click.UsageError(f"--{option}: {text!r} is no time: write 2026-12-01T22:00, now, or 2h") from None


def _seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())
