"""`explain` and `rehearse`: why a check or site is as it is, and what other settings would have made of a check."""

from __future__ import annotations

import click

from pingmon.cli.api_client import ApiClient
from pingmon.cli.connection import asks
from pingmon.cli.durations import duration_text
from pingmon.cli.subjects import Json, Subject, id_of, named
from pingmon.cli.tables import json_option, printable, show_json, show_table, when


def add_explain(group: click.Group, subject: Subject) -> None:
    """The command `explain`."""

    @asks(subject.role)
    def command(api: ApiClient, name: str, at: str | None, entries: bool, as_json: bool) -> None:
        (found,) = named(api, subject, [name])
        query = {} if at is None else {"at": at}
        answer = api.ask("GET", f"{subject.path}/{id_of(found)}/explain", query=query)
        if as_json:
            show_json(answer)
            return
        for sentence in answer["sentences"]:
            rests_on = f" {sentence['entries']}" if entries else ""
            click.echo(printable(sentence["text"]) + rests_on)

    decorated = click.option("--entries", is_flag=True, help="With the log entries that each sentence rests on.")(
        json_option(command)
    )
    decorated = click.option("--at", metavar="TIME", help="As it was then: 2026-11-24T04:00:00Z.")(decorated)
    decorated = click.argument("name", metavar=subject.word.upper())(decorated)
    summary = f"Say why a {subject.word} is as it is, and what comes next. Also who was told; docs/explain.md has more."
    group.command("explain", help=summary)(decorated)


def show_rehearsal(answer: Json, now: float, as_json: bool) -> None:
    """Write what a rehearsal found: in a sentence, with the alerts that the other settings would have given."""
    if as_json:
        show_json(answer)
        return
    click.echo(answer["text"])
    alerts = answer["changed"]["alerts"]
    if alerts:
        click.echo()
        lasted = [duration_text(alert["seconds"]) if alert["until"] else "still" for alert in alerts]
        rows = [(when(alert["at"], now), length, alert["why"]) for alert, length in zip(alerts, lasted, strict=True)]
        show_table(("WENT DOWN", "FOR", "WHY"), rows)
    for note in answer["notes"]:
        click.echo(f"note: {printable(note)}", err=True)
