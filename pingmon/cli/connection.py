"""Which daemon a command asks: one at a URL, with a key; or, on its own machine, that of a data directory, without.

--data                       the daemon of that directory, running or stopped
a key (option, settings)     the daemon at the URL (option, settings, or http://localhost:8000)
neither                      the daemon of ./pingmon-data

What anybody may ask is asked at the URL without a key, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from pingmon.cli.api_client import ApiClient, NotAllowed, remote_daemon
from pingmon.cli.client_settings import DEFAULT_URL, BadSettings, ClientSettings, client_settings

DEFAULT_DATA: Final = Path("pingmon-data")

url_option = click.option("--url", metavar="URL", help="Where pingmon is (PINGMON_URL); http://localhost:8000.")
data_option = click.option(
    "--data",
    type=click.Path(readable=False, path_type=Path),  # who may not read it is told more than that
    help="Or a daemon on this machine, by its data directory; that needs no key.",
)
OPTIONS: Final = {
    "project": [
        url_option,
        click.option("--key", metavar="KEY", help="The project's API key (PINGMON_KEY)."),
        data_option,
        click.option("--project", metavar="PROJECT", help="Without a key, if there are several: an id or a name."),
    ],
    "operator": [
        url_option,
        click.option("--key", metavar="KEY", help="The operator's API key (PINGMON_OPERATOR_KEY)."),
        data_option,
    ],
}


def settings() -> ClientSettings:
    """The user's settings. `ClickException` with one line if they cannot be read."""
    try:
        return client_settings(os.environ)
    except BadSettings as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def opened(
    role: str, url: str | None, key: str | None, data: Path | None, project: str | None = None
) -> Iterator[ApiClient]:
    """The API for a command that needs a key of this `role`: `project` or `operator`; or none (`anybody`)."""
    if data is not None and (url or key):
        raise click.UsageError("--data is for a daemon on this machine, and needs neither --url nor --key")
    if data is None:
        known = settings()
        name = "PINGMON_OPERATOR_KEY" if role == "operator" else "PINGMON_KEY"
        key = key or (known.operator_key if role == "operator" else known.key)
        if project and (key or url):
            raise click.UsageError("--project is for a daemon on this machine: a key belongs to one project")
        if key or (role == "anybody" and (url or not DEFAULT_DATA.exists())):
            client = remote_daemon(url or known.url or DEFAULT_URL, key)
            whose = "the operator" if role == "operator" else "a project"
            client.key_hint = f"this needs {whose}'s key (--key, {name})"
            yield client
            return
        if url or not DEFAULT_DATA.exists():
            where = "" if url else "; or name the data directory of a daemon on this machine: --data"
            raise NotAllowed(f"which key? Set {name} or --key{where}")
    from pingmon.cli.local_daemon import local_daemon

    with local_daemon(data or DEFAULT_DATA) as local:
        if role == "project" or project:
            from pingmon.cli.projects import chosen

            local.sent["X-Project"] = chosen(local, project)["uuid"]
        yield local


def connection_options(role: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that say which daemon a command asks."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(OPTIONS["operator" if role == "operator" else "project"]):
            command = option(command)
        return command

    return decorate


def asks(role: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command the options that say which daemon it asks, and the API as its first argument."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def asking(*args: Any, url: str | None, key: str | None, data: Path | None, **rest: Any) -> Any:
            named = None if role == "operator" else rest.pop("project")
            with opened(role, url, key, data, named) as api:
                return command(api, *args, **rest)

        return connection_options(role)(asking)

    return decorate
