"""`pingmon channel …`: where people and programs are told."""

from __future__ import annotations

import json
from typing import Final

import click
from msgspec.structs import asdict

from pingmon.api.channel_kinds import KINDS
from pingmon.cli.api_client import ApiClient
from pingmon.cli.channel_options import check_complete, setting_options, shown_value, value_of
from pingmon.cli.connection import asks
from pingmon.cli.field_options import Duration, field_options
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
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.wire.api.channel_fields import SETTINGS_FIELDS
from pingmon.wire.api.webhook_channel import DIRECTIONS

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

    CHANNEL is an id or a name, or the beginning of one. Kinds, and what is told when, are in
    docs/notifications.md, what a webhook sends in docs/webhooks.md.
    """


add_list(channel, CHANNELS)
add_rm(channel, CHANNELS, "What was owed to them is dropped, and checks and sites lose them.")


def _value(ctx: click.Context, param: click.Parameter, value: str | None) -> Json:
    try:
        found: Json = json.loads(value or "{}")
    except ValueError as error:
        raise click.BadParameter(f"no JSON: {error}") from error
    return found


_json_value = click.option(
    "--value", callback=_value, metavar="JSON", help="Settings, as the API has them; options go before them."
)


_generic = field_options(
    SETTINGS_FIELDS,
    {
        "up": "Whether it is told that something came back.",
        "down": "Whether it is told that something went down.",
        "quiet": "Hours in which it is told nothing: 22:00-07:00, or mon-fri 22:00-07:00; sat,sun 00:00-24:00.",
        "tz": "The time zone of these hours.",
        "urgent": "A tag: what has it does not wait for the end of these hours.",
        "digest_over": "Messages within a minute, from which on they are told in digests; 0 is no limit.",
    },
)


@channel.group()
def add() -> None:
    """Make a channel of a kind.

    The secret with which its messages are signed (Standard Webhooks) goes to standard output, and is not shown again.
    Checks and sites that are made from now on have the channel, unless you say otherwise; others get it with
    `pingmon check edit --channels '*' CHECK...`.

    \b
    pingmon channel add webhook ops --webhook https://example.org/alert
    pingmon channel add ntfy phone --topic my-topic
    pingmon channel add apprise chat --apprise-url - < url.txt
    """


def _add_kind(kind: str) -> None:
    def command(
        api: ApiClient,
        name: str,
        settings: Json,
        fields: Json,
        value: Json,
        as_json: bool,
        webhook: str | None = None,
    ) -> None:
        both = {} if webhook is None else {f"url_{each}": webhook for each in DIRECTIONS}
        both |= {} if webhook is None else {f"method_{each}": "POST" for each in DIRECTIONS}
        value = value | both | value_of(kind, settings)
        check_complete(kind, value)
        made = api.ask("POST", "channels/", {"kind": kind, "name": name, "value": value} | fields)
        show_made(made, "secret", f"channel {name_of(made)}", as_json=as_json)

    made = setting_options([kind])(_generic(_json_value(json_option(asks("project")(command)))))
    if kind == "webhook":
        made = click.option("--webhook", metavar="URL", help="Both URLs at once, with POST.")(made)
    add.command(kind, help=f"Make a channel of kind {kind}, called NAME.")(click.argument("name")(made))


for _kind in KINDS:
    _add_kind(_kind)


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@click.option("--name", help="What people call it.")
@setting_options(KINDS)
@_generic
@_json_value
@json_option
@asks("project")
def edit(
    api: ApiClient, channel: str, name: str | None, settings: Json, fields: Json, value: Json, as_json: bool
) -> None:
    """Change the settings that are given; the others stay.

    What waits for the channel is tried at once."""
    if name is None and not settings and not fields and not value:
        raise click.UsageError("what shall be changed? --help shows the options")
    (found,) = named(api, CHANNELS, [channel])
    value = value | value_of(found["kind"], settings)
    fields = fields | ({} if name is None else {"name": name}) | ({"value": value} if value else {})
    changed = api.ask("POST", f"channels/{found['id']}", fields)
    if as_json:
        show_json(changed | {"value": shown_value(changed["kind"], changed["value"])})
        return
    click.echo(f"changed {name_of(changed)} ({changed['id']})")
    warn(changed)


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@click.option(
    "-n", "count", type=click.IntRange(0, 1000), default=DELIVERIES, show_default=True, help="Messages shown."
)
@click.option("--secrets", is_flag=True, help="Show what is secret in its settings, too.")
@json_option
@asks("project")
def show(api: ApiClient, channel: str, count: int, secrets: bool, as_json: bool) -> None:
    """Show all of a channel, and what became of its newest messages."""
    (short,) = named(api, CHANNELS, [channel])
    found = api.ask("GET", f"channels/{short['id']}")
    if not secrets:
        found["value"] = shown_value(found["kind"], found["value"])
    if as_json:
        show_json(found)
        return
    value = {name: what for name, what in found.pop("value").items() if what}
    value = {
        name: [f"{key}: {text}" for key, text in what.items()] if isinstance(what, dict) else what
        for name, what in value.items()
    }
    usual = asdict(ChannelSettings())
    told = {name: found.pop(name) for name in usual}
    told = {name: "no" if what is False else what for name, what in told.items() if what != usual[name]}
    show_thing({**found, **told, **value}, api.now)
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
        status = "" if answer.get("status") is None else f"status {answer['status']}, "
        click.echo(f"{name_of(found)} was told: {status}{answer['ms']} ms")


@channel.command()
@click.argument("channel", metavar="CHANNEL")
@json_option
@asks("project")
def confirm(api: ApiClient, channel: str, as_json: bool) -> None:
    """Ask the receiver once more whether he wants messages. Exit status 1 if that was not delivered."""
    (found,) = named(api, CHANNELS, [channel])
    answer = api.ask("POST", f"channels/{found['id']}/confirm", {})
    if as_json:
        show_json(answer)
    if not answer["delivered"]:
        raise click.ClickException(f"{name_of(found)} was not asked: {answer['error']}")
    if not as_json:
        click.echo(f"{name_of(found)} was asked; nothing else is sent before the link in that mail is followed")


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
