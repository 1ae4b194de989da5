"""`pingmon partner …`: who hosts sites, and is asked about their outages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text
from pingmon.cli.field_options import field_options
from pingmon.cli.subjects import (
    SHORT,
    Json,
    Subject,
    add_edit,
    add_list,
    add_rm,
    id_of,
    name_of,
    named,
    show_made,
    show_thing,
)
from pingmon.cli.tables import json_option, show_json
from pingmon.wire.api.partners import FIELDS

SETTINGS: Final = {
    "name": "What people call it.",
    "webhook": "Where it is asked whether an outage is known; '': it is not asked.",
    "scope": "site: about one site at a time; partner: one word of it counts for all of its sites.",
    "suppress_users": "Whether its word that an outage is known keeps people from being told.",
    "max_suppression": "How long in all its word can keep people from being told of one outage.",
    "secret": "What its questions are signed with, whsec_…; made if none is said.",
}
"""The options that set a field of the API, each with what `--help` says of it."""

PARTNERS: Final = Subject(
    "partner",
    "partners",
    ("slug", "name"),
    (
        ("ID", lambda partner, now: id_of(partner)[:SHORT]),
        ("SLUG", lambda partner, now: partner["slug"]),
        ("NAME", lambda partner, now: partner["name"] or "-"),
        ("WEBHOOK", lambda partner, now: partner["webhook"] or "-"),
        ("RULES", lambda partner, now: len(partner["rules"])),
        ("AT MOST", lambda partner, now: duration_text(partner["max_suppression"])),
    ),
    role="operator",
)


def _rule(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[Json]:
    rules = []
    for value in values:
        kind, equals, rest = value.partition("=")
        if not equals:
            raise click.BadParameter(f"{value!r}: write KIND=VALUE, as in cname=*.host.example")
        rules.append({"kind": kind, "value": rest})
    return rules


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The fields of the table, and `--rule`."""

    @wraps(command)
    def collecting(*args: Any, fields: Json, rules: list[Json], **given: Any) -> Any:
        return command(*args, fields=fields | ({"rules": rules} if rules else {}), **given)

    rules = click.option(
        "--rule",
        "rules",
        multiple=True,
        callback=_rule,
        metavar="KIND=VALUE",
        help="What marks its sites, as cname=*.host.example.",
    )
    return field_options(FIELDS, SETTINGS)(rules(collecting))


@click.group()
def partner() -> None:
    """Partners: hosts that are asked whether an outage is known before people are told.

    All of it needs the operator's key, or --data. PARTNER is an id, a slug or a name, or the beginning of one.
    """


add_list(partner, PARTNERS)
add_edit(
    partner,
    PARTNERS,
    _options,
    "Change the settings that are given; the others stay. With --rule, all rules are set anew.",
)
add_rm(partner, PARTNERS, "Nobody is asked about their sites any more.")


@partner.command()
@click.argument("slug")
@_options
@json_option
@asks("operator")
def add(api: ApiClient, slug: str, fields: Json, as_json: bool) -> None:
    """Make a partner that sites know as SLUG.

    Its secret goes to standard output, and is not shown again. --rule may be given several times; docs/partners.md has
    the kinds of rules.
    """
    made = api.ask("POST", "partners/", {"slug": slug, **fields})
    show_made(made, "secret", f"partner {name_of(made)}", as_json=as_json)


@partner.command()
@click.argument("partner", metavar="PARTNER")
@json_option
@asks("operator")
def show(api: ApiClient, partner: str, as_json: bool) -> None:
    """Show all of a partner, and what it has answered."""
    (found,) = named(api, PARTNERS, [partner])
    if as_json:
        show_json(found)
        return
    show_thing({**found, "rules": [f"{rule['kind']}={rule['value']}" for rule in found["rules"]]}, api.now)
