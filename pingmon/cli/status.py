"""`pingmon status`: whether the daemon is well, and how what it watches is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, Final

import click

from pingmon.cli.api_client import NO_PINGMON, ApiClient, Unreachable
from pingmon.cli.connection import asks
from pingmon.cli.tables import json_option, show_facts, show_json

WATCHED: Final = ("checks", "sites")


@click.command()
@json_option
@asks("anybody")
def status(api: ApiClient, as_json: bool) -> None:
    """Say whether pingmon is well, and how many checks and sites are up or down.

    Without a key only whether it is well. By a data directory those of all projects, unless one is said. Exit status 1
    if something is wrong with pingmon itself; 3 if it does not answer.
    """
    api.must_run()
    found = _health(api)
    if "version" in found:
        for name in WATCHED:
            found[name] = dict(Counter(item["status"] for item in _all(api, name)))
    if as_json:
        show_json(found)
    else:
        warned = _told(found.get("warnings", []))
        tells = [channel["name"] or channel["id"] for channel in found.get("told", [])]
        show_facts(
            [
                (f"pingmon {found.get('version', '')}".rstrip(), _told(found["problems"]) or "is well"),
                *([("warning", warned)] if warned else []),
                *([("tells", tells)] if tells else []),
                *((name, _counted(found[name])) for name in WATCHED if name in found),
            ]
        )
    if found["problems"]:
        raise click.exceptions.Exit(1)


def _health(api: ApiClient) -> dict[str, Any]:
    """The answer of `status/`, which is 503 when something is wrong, and shorter for who shows no key."""
    try:
        code, raw = api.request("GET", "status/")
    except (OSError, HTTPException) as error:
        raise api.lost(error) from error
    if code not in (200, 503):
        api.ask("GET", "status/")  # as an error is told
    if raw == b"OK":
        return {"problems": []}
    try:
        found = json.loads(raw)
        more = {name: found[name] for name in ("version", "warnings", "told") if name in found}
        return {**more, "problems": found["problems"]}
    except (ValueError, KeyError, TypeError):
        raise Unreachable(f"the daemon answered {code} without a reason: {NO_PINGMON}") from None


def _all(api: ApiClient, name: str) -> Iterator[dict[str, Any]]:
    """The checks or sites of one project; of all if neither a key nor anything else says of which."""
    if api.sent.keys() & {"X-Api-Key", "X-Project"}:
        yield from api.ask("GET", f"{name}/")[name]
        return
    for project in api.ask("GET", "projects/")["projects"]:
        api.sent["X-Project"] = project["uuid"]
        yield from api.ask("GET", f"{name}/")[name]
    api.sent.pop("X-Project", None)


def _told(problems: list[Any]) -> list[str]:
    return [each if isinstance(each, str) else f"{each['text']}: {each['detail']}" for each in problems]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"
