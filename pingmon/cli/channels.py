"""`pingmon channel …`: where people and programs are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.connection import asks
from pingmon.cli.field_options import Duration
from pingmon.cli.subjects import (
    SHORT,
    Json,
    Subject,
    add_list,
    add_rm,
    id_of,
    name_of,
    named,
    show_made,
    show_thing,
    warn,
)
from pingmon.cli.tables import json_option, show_json, show_table, when
from pingmon.wire.api.webhook_channel import DIRECTIONS, METHODS

DELIVERIES: Final = 5
"""Messages that `show` shows."""

CHANNELS: Final = Subject(
    "channel",
    "channels",
    ("name",),
    (
        ("ID", lambda channel, now: id_of(channel)[:SHORT]),
        ("NAME", lambda channel, now: channel["name"] or "-"),
        ("KIND", lambda channel, now: channel["kind"]),
    ),
)


@click.group()
def channel() -> None:
    """Channels: where people and programs are told when something goes down or comes back.

    CHANNEL is an id or a name, or the beginning of one. Kinds and their settings are in
    docs/http-api.md, what a webhook sends in docs/webhooks.md.
    """


add_list(channel, CHANNELS)
add_rm(channel, CHANNELS, "What was owed to them is dropped, and checks and sites lose them.")


def _header(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Json | None:
    headers = {}
    for value in values:
        name, colon, rest = value.partition(":")
        if not colon:
            raise click.BadParameter(f"{value!r}: write NAME: VALUE")
        headers[name.strip()] = rest.strip()
    return headers or None


def _value(ctx: click.Context, param: click.Parameter, value: str | None) -> Json:
    try:
        found: Json = json.loads(value or "{}")
    except ValueError as error:
        raise click.BadParameter(f"no JSON: {error}") from error
    return found


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make a channel's `value`: of a webhook one by one, of any kind as JSON."""
    names = [f"{part}_{direction}" for direction in DIRECTIONS for part in ("url", "method", "headers", "body")]

    @wraps(command)
    def collecting(*args: Any, webhook: str | None, value: Json, **given: Any) -> Any:
        found = {name: given.pop(name) for name in names}
        both = {} if webhook is None else {f"url_{each}": webhook for each in DIRECTIONS}
        both |= {} if webhook is None else {f"method_{each}": "POST" for each in DIRECTIONS}
        told = {name: what for name, what in found.items() if what is not None}
        return command(*args, value=value | both | told, **given)

    options = [click.option("--webhook", metavar="URL", help="Both URLs at once, with POST.")]
    for direction, happens in zip(DIRECTIONS, ("goes down", "comes back"), strict=True):
        options += [
            click.option(f"--url-{direction}", metavar="URL", help=f"What is called when something {happens}."),
            click.option(f"--method-{direction}", type=click.Choice(METHODS), help="How; GET if nothing is said."),
            click.option(
                f"--header-{direction}",
                f"headers_{direction}",
                multiple=True,
                callback=_header,
                metavar="'NAME: VALUE'",
                help="With this header; may be repeated.",
            ),
            click.option(f"--body-{direction}", metavar="TEXT", help="With this body, which may hold $PLACEHOLDERS."),
        ]
    options.append(click.option("--value", callback=_value, metavar="JSON", help="All settings, as the API has them."))
    for option in reversed(options):
        collecting = option(collecting)
    return collecting


@channel.command()
@click.argument("name")
@click.option("--kind", default="webhook", show_default=True, help="What kind of channel.")
@_settings
@json_option
@asks("project")
def add(api: ApiClient, name: str, kind: str, value: Json, as_json: bool) -> None:
    """Make a channel called NAME.

    The secret with which its messages are signed (Standard Webhooks) goes to standard output, and is not shown again.
    Checks and sites that are made from now on have the channel, unless you say otherwise; others get it with
    `pingmon check edit --channels '*' CHECK...`.

    \b
    pingmon channel add ops --webhook https://example.org/alert
    pingmon channel add phone --url-down 'https://ntfy.sh/my-topic' --method-down POST --body-down '$NAME is $STATUS'
    """
    made = api.ask("POST", "channels/", {"kind": kind, "name": name, "value": value})
    show_made(made, "secret", f"channel {name_of(made)}", as_json=as_json)


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@click.option("--name", help="What people call it.")
@_settings
@json_option
@asks("project")
def edit(api: ApiClient, channel: str, name: str | None, value: Json, as_json: bool) -> None:
    """Change the settings that are given; the others stay.

    What waits for the channel is tried at once."""
    fields = ({} if name is None else {"name": name}) | ({"value": value} if value else {})
    if not fields:
        raise click.UsageError("what shall be changed? --help shows the options")
    (found,) = named(api, CHANNELS, [channel])
    changed = api.ask("POST", f"channels/{found['id']}", fields)
    if as_json:
        show_json(changed)
        return
    click.echo(f"changed {name_of(changed)} ({changed['id']})")
    warn(changed)


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@click.option(
    "-n", "count", type=click.IntRange(0, 1000), default=DELIVERIES, show_default=True, help="Messages shown."
)
@json_option
@asks("project")
def show(api: ApiClient, channel: str, count: int, as_json: bool) -> None:
    """Show all of a channel, and what became of its newest messages."""
    (short,) = named(api, CHANNELS, [channel])
    found = api.ask("GET", f"channels/{short['id']}")
    if as_json:
        show_json(found)
        return
    value = {name: what for name, what in found.pop("value").items() if what}
    value = {
        name: [f"{key}: {text}" for key, text in what.items()] if isinstance(what, dict) else what
        for name, what in value.items()
    }
    show_thing({**found, **value}, api.now)
    sent = api.ask("GET", f"channels/{found['id']}/deliveries/", query={"limit": count})["deliveries"] if count else []
    if sent:
        click.echo()
        rows = [(when(each["due"], api.now), each.get("name", "-"), each["event"], each["result"]) for each in sent]
        show_table(("DUE", "ABOUT", "EVENT", "RESULT"), rows)


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@click.option("--up", is_flag=True, help="As if something came back; else as if it went down.")
@json_option
@asks("project")
def test(api: ApiClient, channel: str, up: bool, as_json: bool) -> None:
    """Send a test message now, and say what became of it. Exit status 1 if it was not delivered."""
    (found,) = named(api, CHANNELS, [channel])
    answer = api.ask("POST", f"channels/{found['id']}/test", {"event": "up"} if up else {})
    if as_json:
        show_json(answer)
    if not answer["delivered"]:
        raise click.ClickException(f"{name_of(found)} was not told: {answer['error']}")
    if not as_json:
        click.echo(f"{name_of(found)} was told: status {answer['status']}, {answer['ms']} ms")


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@click.option("--overlap", type=Duration(), help="For how long; 0 if the old one has leaked.  [default: 1d]")
@json_option
@asks("project")
def secret(api: ApiClient, channel: str, overlap: int | None, as_json: bool) -> None:
    """Make a new secret.

    It goes to standard output, and is not shown again. While --overlap lasts, messages are signed with both.
    """
    (found,) = named(api, CHANNELS, [channel])
    fields = {} if overlap is None else {"overlap": overlap}
    made = api.ask("POST", f"channels/{found['id']}/secret", fields)
    show_made(made, "secret", f"channel {name_of(made)}", as_json=as_json)
