"""`pingmon site …`: the sites of a project."""

from __future__ import annotations

from typing import Final

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.check_settings import ALERTS
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
    id_of,
    name_of,
    named,
    show_made,
    show_thing,
)
from pingmon.cli.tables import json_option, show_json, show_table, when
from pingmon.cli.why import add_explain
from pingmon.wire.api.site_fields import FIELDS

FLIPS: Final = 5
"""Changes of status that `show` shows."""

SETTINGS: Final = {
    "name": "What people call it.",
    "url": "The URL that is probed.",
    "interval": "The time between two probes, 1m to 1d.",
    "timeout": "How long a probe may take, 1s to 30s.",
    "patience": "How long it must fail before it is down, 0 to 1h.",
    "method": "What it is asked.",
    "head_only": "Whether it is down when it does not like HEAD, without a GET to make sure.",
    "local_only": "Whether verifiers are left out, because only pingmon itself can reach it.",
    "host": "Who hosts it and is asked before people are told: a partner's slug, '' for nobody, or auto.",
    "tags": "Tags, separated by spaces.",
    "channels": "Who is told: ids or exact names, separated by commas; * is all channels, '' none.",
} | ALERTS
"""The options that set a field of the API, each with what `--help` says of it. The URL's is called --site-url."""

NAMES: Final = {"url": "site-url"}

SITES: Final = Subject(
    "site",
    "sites",
    ("name", "url"),
    (
        ("ID", lambda site, now: id_of(site)[:SHORT]),
        ("NAME", lambda site, now: site["name"] or "-"),
        ("STATUS", lambda site, now: status_of(site)),
        ("SINCE", lambda site, now: when(site["since"], now)),
        ("URL", lambda site, now: site["url"]),
        ("EVERY", lambda site, now: duration_text(site["interval"])),
        ("ANSWER", lambda site, now: site["last_code"] or site["last_class"] or "-"),
        ("MS", lambda site, now: "-" if site["last_ms"] is None else site["last_ms"]),
        ("TAGS", lambda site, now: site["tags"] or "-"),
    ),
    statuses=("new", "up", "suspect", "down", "unknown", "paused"),
)


@click.group()
def site() -> None:
    """Sites: URLs that are watched by probes.

    SITE is an id or a name, the beginning of one, or the URL. Where several may be named, --tag and --status
    choose them as well, and - reads names from standard input, one a line.
    """


add_list(site, SITES)
add_edit(
    site,
    SITES,
    field_options(FIELDS, SETTINGS, NAMES),
    "Change the settings that are given; the others stay. Times are seconds, or 30m, 1h30m, 2d.",
)
add_simple(site, SITES, "pause", "paused", "Probe sites no more, until they are resumed.")
add_simple(site, SITES, "resume", "resumed", "Probe paused sites again.")
add_ack(site, SITES)
add_explain(site, SITES)
add_rm(site, SITES, "Their history stays in the log only.")


@site.command()
@click.argument("address", metavar="URL")
@field_options(FIELDS, {name: text for name, text in SETTINGS.items() if name != "url"})
@json_option
@asks("project")
def add(api: ApiClient, address: str, fields: Json, as_json: bool) -> None:
    """Watch URL.

    The new site's id goes to standard output. It is probed every five minutes, and all channels of the project are
    told, unless you say otherwise. Times are seconds, or 30m, 1h30m, 2d.
    """
    made = api.ask("POST", "sites/", {"url": address, **fields})
    show_made(made, "uuid", f"site {name_of(made)}", as_json=as_json)


@site.command()
@click.argument("site", metavar="SITE")
@json_option
@asks("project")
def show(api: ApiClient, site: str, as_json: bool) -> None:
    """Show all of a site, with its newest changes of status."""
    (found,) = named(api, SITES, [site])
    if as_json:
        show_json(found)
        return
    told = found | rules_told(api, found)
    show_thing(told, api.now, ("update_url", "pause_url", "resume_url", "probe_url"))
    flips = api.ask("GET", f"sites/{found['uuid']}/flips/", query={"limit": FLIPS})["flips"]
    if flips:
        click.echo()
        rows = [(when(flip["timestamp"], api.now), flip["old"], flip["new"], flip["why"]) for flip in flips]
        show_table(("WHEN", "WAS", "BECAME", "WHY"), rows)


@site.command()
@click.argument("site", metavar="SITE")
@json_option
@asks("project")
def probe(api: ApiClient, site: str, as_json: bool) -> None:
    """Probe a site now, and say what was seen. That may take as long as its verifiers."""
    (found,) = named(api, SITES, [site])
    answer = api.ask("POST", f"sites/{found['uuid']}/probe", {})
    if as_json:
        show_json(answer)
        return
    look, now = answer["look"], answer["site"]
    said = " ".join(str(part) for part in (look["class"], look["code"] or "", look["detail"]) if part)
    click.echo(f"{name_of(now)} is {now['status']}: {said}, {look['ms']} ms")
