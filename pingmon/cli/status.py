"""`pingmon status`: whether the daemon is well, and how what it watches is."""

from __future__ import annotations

import json
from collections import Counter
from http.client import HTTPException
from typing import Any

import click

from pingmon.cli.api_client import ApiClient, Unreachable
from pingmon.cli.connection import asks
from pingmon.cli.tables import json_option, printable, show_facts, show_json


@click.command()
@json_option
@asks("project")
def status(api: ApiClient, as_json: bool) -> None:
    """Say whether pingmon is well, and how many checks and sites are up or down.

    Exit status 1 if something is wrong with pingmon itself; 3 if it does not answer.
    """
    found = _health(api)
    found["checks"] = dict(Counter(check["status"] for check in api.ask("GET", "checks/")["checks"]))
    found["sites"] = dict(Counter(site["status"] for site in api.ask("GET", "sites/")["sites"]))
    if as_json:
        show_json(found)
    else:
        told = [f"{problem['text']}: {problem['detail']}" for problem in found["problems"]]
        warned = [f"{warning['text']}: {warning['detail']}" for warning in found["warnings"]]
        show_facts(
            [
                (f"pingmon {found['version']}", told or "is well"),
                *([("warning", warned)] if warned else []),
                ("checks", _counted(found["checks"])),
                ("sites", _counted(found["sites"])),
            ]
        )
    if found["problems"]:
        raise click.exceptions.Exit(1)


def _health(api: ApiClient) -> dict[str, Any]:
    """The answer of `status/`, which is 503 when something is wrong."""
    try:
        code, raw = api.request("GET", "status/")
    except (OSError, HTTPException) as error:
        raise api.lost(error) from error
    if code not in (200, 503):
        api.ask("GET", "status/")  # as an error is told
    try:
        found = json.loads(raw)
    except ValueError:
        raise Unreachable(f"{code} {printable(raw[:100].decode('utf-8', 'replace'))}: this is no pingmon") from None
    return {"version": found["version"], "problems": found["problems"], "warnings": found["warnings"]}


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"
