"""The settings of a command: a `program` by its absolute path, and its `arguments`, which are given to it as they are.

A channel is made by whoever has a project's key, and a program runs as pingmon does. So there are none unless the
operator names each: `[commands] allow`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pingmon.core.notify.allowed import Allowed
from pingmon.wire.api.channel_settings import TEXT_MAX, Setting, settings_given, text_given, text_schema, wrong
from pingmon.wire.api.check_fields import storable

ARGUMENTS_MAX: Final = 20
SETTINGS: Final[dict[str, Setting]] = {
    "program": Setting(schema=text_schema(), help="The program, by its absolute path.", needed=True),
    "arguments": Setting(
        schema={"type": "array", "items": text_schema(), "maxItems": ARGUMENTS_MAX}, help="Its arguments."
    ),
}


def command_value(value: object) -> dict[str, object]:
    """All settings. Raises `Invalid`, naming the first that cannot be used."""
    given = settings_given(value)
    program, arguments = text_given(given, "program"), given.get("arguments", [])
    if not program.startswith("/"):
        raise wrong("program is not an absolute path")
    if not isinstance(arguments, list):
        raise wrong("arguments is not an array")
    if len(arguments) > ARGUMENTS_MAX:
        raise wrong("there are too many arguments")
    if not all(isinstance(each, str) and len(each) <= TEXT_MAX and storable(each) for each in arguments):
        raise wrong("an item in 'arguments' has unexpected value")
    return {"program": program, "arguments": arguments}


def changed_value(settings: Mapping[str, object], value: object) -> dict[str, object]:
    """`settings` with those that `value` sets; the others stay. Raises `Invalid`."""
    return command_value({**settings, **settings_given(value)})


def unreachable(settings: Mapping[str, Any], allowed: Allowed) -> str | None:
    """Why the program will never be run; None if it may be."""
    return refusal(settings["program"], allowed.commands)


def refusal(program: str, allowed: Collection[str]) -> str | None:
    """Why the operator does not allow `program`; None if he does."""
    return None if program in allowed else f'{program} may not be run; allow it with [commands] allow = ["{program}"]'


def doubts(settings: Mapping[str, Any]) -> Iterator[str]:
    """Whether a program does what was meant, it alone knows."""
    return iter(())
