"""Options for the fields of the API, made from its own tables: their names, kinds and values are told there once.

What a value may be beyond that is judged by the daemon, whose errors name the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

import click

from pingmon.cli.durations import seconds_of
from pingmon.wire.api.check_fields import FieldRule

COUNTS: Final = frozenset({"digest_over", "notify_after"})
"""Numbers that are no seconds."""


class Duration(click.ParamType[int]):
    """Seconds, or `30m`, `1h30m`, `2d`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Whole seconds."""
        try:
            return value if isinstance(value, int) else seconds_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def field_options(
    rules: Mapping[str, FieldRule], told: Mapping[str, str], names: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for each field that `told` explains; the command gets those that were given, as `fields`.

    Numbers are seconds unless the field counts something. `names`: options that are called otherwise than their field.
    """
    called = {field: (names or {}).get(field, field).replace("_", "-") for field in told}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def collecting(*args: Any, **given: Any) -> Any:
            fields = {field: given.pop(f"field_{field}") for field in told}
            return command(*args, fields={name: value for name, value in fields.items() if value is not None}, **given)

        for field, help_text in reversed(list(told.items())):
            collecting = _option(called[field], field, rules[field], help_text)(collecting)
        return collecting

    return decorate


def _option(name: str, field: str, rule: FieldRule, help_text: str) -> Callable[[Any], Any]:
    variable = f"field_{field}"
    if rule.type == "boolean":
        return click.option(f"--{name}/--no-{name}", variable, default=None, help=help_text)
    if rule.items is not None:
        return click.option(f"--{name}", variable, metavar="STEPS", callback=_steps, help=help_text)
    if field in COUNTS:
        return click.option(f"--{name}", variable, type=int, help=help_text)
    if rule.type == "integer":
        return click.option(f"--{name}", variable, type=Duration(), help=help_text)
    if rule.type == "array":
        return click.option(f"--{name}", variable, metavar="LIST", callback=_listed, help=help_text)
    if rule.values is not None and "" not in rule.values:
        return click.option(f"--{name}", variable, type=click.Choice(rule.values), help=help_text)
    return click.option(f"--{name}", variable, metavar="TEXT", help=help_text)


def _steps(ctx: click.Context, param: click.Parameter, value: str | None) -> list[dict[str, object]] | None:
    """Steps of an escalation: `10m=boss,30m=phone+pager`."""
    if value is None:
        return None
    steps: list[dict[str, object]] = []
    for step in filter(None, value.split(",")):
        after, equals, channels = step.partition("=")
        if not equals or not channels:
            raise click.BadParameter(f"{step!r} is no step: write a time and who, as in 10m=boss+pager", ctx, param)
        try:
            steps.append({"after": seconds_of(after), "channels": channels.replace("+", ",")})
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error
    return steps


def _listed(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [item for item in value.split(",") if item]
