"""`pingmon check …`: the checks of a project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.check_settings import ALERTS, SETTINGS, UNIQUE
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text
from pingmon.cli.field_options import field_options
from pingmon.cli.outages import add_ack, rules_told, status_of
from pingmon.cli.subjects import (
    SHORT,
    Json,
    Subject,
    add_edit,
    add_list,
    add_rm,
    add_simple,
    each,
    id_of,
    name_of,
    named,
    selected,
    selection,
    show_made,
    show_thing,
    warn,
)
from pingmon.cli.tables import json_option, printable, show_json, show_table, when
from pingmon.cli.why import add_explain, show_rehearsal
from pingmon.wire.api.check_fields import FIELDS, slugify

PINGS: Final = 5
"""Pings that `show` shows if nothing is said."""
EXIT_STATUS_MAX: Final = 255

HIDDEN: Final = ("subject", "subject_fail", "badge_url", "update_url", "pause_url", "resume_url")
"""What `show` leaves to `--json`."""

LABELS: Final = frozenset({"name", "slug", "tags", "desc", "channels", *ALERTS})
"""Settings that have no say in when there is an alert, or that no rehearsal goes by."""


def _expected(check: Json, now: float) -> str:
    if "schedule" in check:
        return f"{check['schedule']} {check['tz']}"
    return f"every {duration_text(check['timeout'])}"


CHECKS: Final = Subject(
    "check",
    "checks",
    ("slug", "name"),
    (
        ("ID", lambda check, now: id_of(check)[:SHORT]),
        ("NAME", lambda check, now: check["name"] or check["slug"]),
        ("SLUG", lambda check, now: check["slug"] or "-"),
        ("STATUS", lambda check, now: status_of(check)),
        ("EXPECTED", _expected),
        ("GRACE", lambda check, now: duration_text(check["grace"])),
        ("LAST PING", lambda check, now: when(check["last_ping"], now)),
        ("NEXT", lambda check, now: when(check["next_ping"], now)),
        ("TAGS", lambda check, now: check["tags"] or "-"),
    ),
    statuses=("new", "up", "grace", "down", "paused"),
)


@click.group()
def check() -> None:
    """Checks: jobs that are watched by the pings that they send.

    CHECK is an id, a slug or a name, or the beginning of one. Where several may be named, --tag and --status
    choose them as well, and - reads names from standard input, one a line.
    """


add_list(check, CHECKS)
add_edit(
    check,
    CHECKS,
    field_options(FIELDS, SETTINGS),
    "Change the settings that are given; the others stay. Times are seconds, or 30m, 1h30m, 2d.",
)
add_simple(check, CHECKS, "pause", "paused", "Watch checks no more, until they are pinged or resumed.")
add_simple(check, CHECKS, "resume", "resumed", "Watch paused checks again.")
add_ack(check, CHECKS)
add_explain(check, CHECKS)
add_rm(check, CHECKS, "Their pings are answered 404 from then on.")


@check.command()
@click.argument("name", required=False)
@field_options(FIELDS, {name: text for name, text in SETTINGS.items() if name != "name"} | UNIQUE)
@json_option
@asks("project")
def add(api: ApiClient, name: str | None, fields: Json, as_json: bool) -> None:
    """Make a check called NAME.

    Its ping URL goes to standard output. Its slug is made of the name if none is said. It has all channels of the
    project, expects a ping once a day and grants an hour of grace, unless you say otherwise. Times are seconds, or
    30m, 1h30m, 2d.
    """
    if name is not None:
        fields = {"name": name, "slug": slugify(name), **fields}
    made = api.ask("POST", "checks/", fields)
    show_made(made, "ping_url", f"check {name_of(made)}", as_json=as_json)


@check.command()
@click.argument("check", metavar="CHECK")
@click.option("-n", "count", type=click.IntRange(0, 1000), default=PINGS, show_default=True, help="Newest pings shown.")
@click.option("--body", is_flag=True, help="With the newest body among them: what the job wrote.")
@json_option
@asks("project")
def show(api: ApiClient, check: str, count: int, body: bool, as_json: bool) -> None:
    """Show all of a check, with its newest pings. A read-only key sees no pings."""
    (found,) = named(api, CHECKS, [check])
    if as_json:
        show_json(found)
        return
    show_thing(found | rules_told(api, found), api.now, HIDDEN)
    if count and "uuid" in found:
        pings = api.ask("GET", f"checks/{found['uuid']}/pings/", query={"limit": count})["pings"]
        if pings:
            click.echo()
            show_table(
                ("PING", "WHEN", "TYPE", "EXIT", "SECONDS", "FROM"), [_ping_row(ping, api.now) for ping in pings]
            )
        with_body = [ping["n"] for ping in pings if ping["body_url"]]
        if body and with_body:
            _show_body(api, f"checks/{found['uuid']}/pings/{with_body[0]}/body", f"BODY OF PING {with_body[0]}")


def _show_body(api: ApiClient, path: str, head: str) -> None:
    _, raw = api.request("GET", path)
    click.echo(f"\n{head}")
    for line in raw.decode("utf-8", "replace").splitlines():
        click.echo(printable(line))


def _ping_row(ping: Json, now: float) -> list[object]:
    exit_status, seconds = ping["exitstatus"], ping.get("duration")
    told = ["-" if value is None else value for value in (exit_status, seconds)]
    return [ping["n"], when(ping["date"], now), ping["type"], *told, ping["remote_addr"] or "-"]


def _signal(ctx: click.Context, param: click.Parameter, value: str) -> str:
    is_status = re.fullmatch("[0-9]{1,3}", value) and int(value) <= EXIT_STATUS_MAX
    if value not in ("success", "start", "fail", "log") and not is_status:
        raise click.BadParameter(f"write success, start, fail, log, or an exit status, 0 to {EXIT_STATUS_MAX}")
    return value


@check.command()
@selection(CHECKS)
@click.option("--signal", default="success", callback=_signal, help="start, fail, log, or an exit status.")
@click.option("--rid", type=click.UUID, help="The run's id, the same at its start and its end.")
@click.option("-m", "--message", default="", help="The body of the ping.")
@json_option
@asks("project")
def ping(
    api: ApiClient,
    names: Sequence[str],
    tags: Sequence[str],
    statuses: Sequence[str],
    signal: str,
    rid: Any,
    message: str,
    as_json: bool,
) -> None:
    """Ping checks, as their jobs would. For jobs themselves there is `pingmon run`."""
    ending = "" if signal == "success" else f"/{signal}"
    query = "" if rid is None else f"?rid={rid}"

    def send(item: Json) -> Json:
        api.ping(f"{item['uuid']}{ending}{query}", message.encode("utf-8", "replace"))
        answer: Json = api.ask("GET", f"checks/{item['uuid']}")
        return answer

    each(CHECKS, selected(api, CHECKS, names, tags, statuses), send, "pinged", as_json=as_json)


@check.command()
@click.argument("check", metavar="CHECK")
@field_options(FIELDS, {name: told for name, told in SETTINGS.items() if name not in LABELS})
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How far back.")
@json_option
@asks("project")
def rehearse(api: ApiClient, check: str, fields: Json, days: int, as_json: bool) -> None:
    """Say which alerts other settings would have given.

    The check's own pings are replayed under the settings that are given, and nothing is saved. Times are seconds, or
    30m, 1h30m, 2d.
    """
    if not fields:
        raise click.UsageError("what shall be tried? --help shows the options")
    (found,) = selected(api, CHECKS, [check], (), ())
    answer = api.ask("POST", f"checks/{found['uuid']}/rehearse", fields, query={"days": days})
    show_rehearsal(answer, api.now, as_json)
    warn(answer)
