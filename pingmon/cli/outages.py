"""What commands about checks and sites share about how people are told of an outage: `ack`, and the rules, shown."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence

import click

from pingmon.cli.api_client import ApiClient, NotThere
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text
from pingmon.cli.subjects import Json, Subject, each, id_of, name_of, selected, selection
from pingmon.cli.tables import json_option

ACKNOWLEDGED = "down, acknowledged"


def add_ack(group: click.Group, subject: Subject) -> None:
    """The command `ack`."""

    @asks(subject.role)
    def command(
        api: ApiClient,
        names: Sequence[str],
        tags: Sequence[str],
        statuses: Sequence[str],
        by: str | None,
        as_json: bool,
    ) -> None:
        who = {"by": login_name() if by is None else by}

        def acknowledge(item: Json) -> Json:
            answer: Json = api.ask("POST", f"{subject.path}/{id_of(item)}/ack", who)
            return answer

        found = selected(api, subject, names, tags, statuses)
        each(subject, found, acknowledge, "acknowledged", as_json=as_json)

    by = click.option("--by", metavar="NAME", help="Who sees to it.  [default: your login name]")
    summary = f"Say that somebody sees to {subject.path} that are down. Reminders and later steps stop."
    group.command("ack", help=summary)(selection(subject)(by(json_option(command))))


def login_name() -> str:
    """Who runs this command; empty if this machine does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def status_of(item: Json) -> str:
    """The status of a check or site as tables show it."""
    return ACKNOWLEDGED if item.get("acknowledged") else str(item["status"])


def rules_told(api: ApiClient, item: Json) -> Json:
    """Of a check, site or project, what names channels and a parent, with their names instead of ids."""
    told: Json = {}
    steps = item.get("escalation") or []
    if item.get("channels") or steps:
        names = {channel["id"]: channel["name"] for channel in api.ask("GET", "channels/")["channels"]}
        told["channels"] = ", ".join(_named(names, item.get("channels", "")))
        told["escalation"] = [
            f"{duration_text(step['after'])}: {', '.join(_named(names, step['channels']))}" for step in steps
        ]
    if item.get("parent"):
        told["parent"] = parent_name(api, item["parent"])
    return told


def _named(names: Json, ids: str) -> Iterable[str]:
    return (names.get(id, "") or id for id in filter(None, ids.split(",")))


def parent_name(api: ApiClient, id: str) -> str:
    """The name of a check or site; its id if it is no more."""
    for path in ("checks", "sites"):
        try:
            return name_of(api.ask("GET", f"{path}/{id}"))
        except NotThere:
            pass
    return id
