"""Options for the settings of channels, made from the API's own description of each kind.

A kind that the API learns has its command and its options without a line here. A setting whose name means something
else on the command line is called after its kind: `--ntfy-url`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from pingmon.api.channel_kinds import KINDS
from pingmon.wire.api.channel_settings import HIDDEN, Setting, without_secrets

TAKEN: Final = frozenset({"data", "help", "json", "key", "name", "project", "url", "value"})
FROM: Final = "- reads it from standard input, @FILE from a file."
_PREFIX: Final = "setting_"


def setting_options(kinds: Iterable[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for each setting of these kinds; the command gets those that were given, by option, as `settings`."""
    kinds = list(kinds)
    settings: dict[str, Setting] = {}
    helps: dict[str, dict[str, list[str]]] = {}
    for kind in kinds:
        for name, setting in KINDS[kind].settings.items():
            option = called(kind, name)
            settings.setdefault(option, setting)
            helps.setdefault(option, {}).setdefault(setting.help, []).append(kind)

    def told(option: str) -> str:
        """What `--help` says of it: with the kinds that have it, where there are several."""
        if len(kinds) == 1:
            text = settings[option].help
        else:
            text = " ".join(f"{', '.join(having)}: {help}" for help, having in helps[option].items())
        read = f" {FROM}" * settings[option].secret
        return text + read + "  [required]" * (settings[option].needed and len(kinds) == 1)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def collected(*args: Any, **given: Any) -> Any:
            found = {option: given.pop(_variable(option)) for option in settings}
            return command(*args, settings={each: what for each, what in found.items() if what is not None}, **given)

        made: Callable[..., Any] = collected
        for option, setting in reversed(list(settings.items())):
            made = _option(option, setting, told(option))(made)
        return made

    return decorate


def called(kind: str, name: str) -> str:
    """What the option of a setting is called: `--header-down` sets one of `headers_down`."""
    listed = KINDS[kind].settings[name].schema.get("type") in ("object", "array")
    one = re.sub("s(_|$)", r"\1", name, count=1) if listed else name
    return f"--{f'{kind}-' if name in TAKEN else ''}{one.replace('_', '-')}"


def value_of(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that these options set in a channel of this kind. A usage error if one is of other kinds alone."""
    known = {called(kind, name): name for name in KINDS[kind].settings} if kind in KINDS else {}
    for option in settings:
        if option not in known:
            raise click.UsageError(f"a channel of kind {kind} has no {option}")
    return {known[option]: what for option, what in settings.items()}


def check_complete(kind: str, value: Mapping[str, Any]) -> None:
    """A usage error if something is not in `value` that a channel of this kind needs."""
    for name, setting in KINDS[kind].settings.items():
        if setting.needed and name not in value:
            raise click.UsageError(f"a channel of kind {kind} needs {called(kind, name)}")


def shown_value(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a channel of this kind without what is secret; of a kind that is not known here all is."""
    if kind not in KINDS:
        return {name: HIDDEN for name, what in value.items() if what}
    return without_secrets(value, KINDS[kind].settings)


def _variable(option: str) -> str:
    return _PREFIX + option[2:].replace("-", "_")


def _option(option: str, setting: Setting, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    schema = setting.schema
    more: dict[str, Any] = {"help": help_text, "default": None}
    names = option
    if "enum" in schema:
        more["type"] = click.Choice(schema["enum"])
    elif schema["type"] == "boolean":
        names = f"{option}/--no-{option[2:]}"
    elif schema["type"] == "integer":
        more["type"] = int
    elif schema["type"] == "object":
        more |= {"multiple": True, "callback": _pairs, "metavar": "'NAME: VALUE'"}
    elif schema["type"] == "array":
        more |= {"multiple": True, "callback": _several, "metavar": "TEXT"}
    else:
        more["metavar"] = "URL" if "url" in option else "TEXT"
        if setting.secret:
            more["callback"] = _secret
    return click.option(names, _variable(option), **more)


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    pairs = {}
    for value in values:
        name, colon, rest = value.partition(":")
        if not colon:
            raise click.BadParameter(f"{value!r}: write NAME: VALUE")
        pairs[name.strip()] = rest.strip()
    return pairs or None


def _several(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    return list(values) or None


def _secret(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "-":
        if sys.stdin is None:
            raise click.BadParameter("standard input is closed")
        if sys.stdin.isatty():
            return str(click.prompt(param.opts[0].lstrip("-"), hide_input=True, err=True))
        return sys.stdin.readline().strip()
    if value is not None and value.startswith("@"):
        try:
            return Path(value[1:]).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"{value[1:]}: {error}") from error
    return value
