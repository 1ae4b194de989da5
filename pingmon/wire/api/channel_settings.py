"""The settings of a channel, whatever its kind: how each is described, and how they are read.

A kind's table of settings is what the OpenAPI document and the options of `pingmon channel add` are made of, so a
setting is named, limited and explained once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from pingmon.wire.api.check_fields import Invalid, storable

TEXT_MAX: Final = 1000
"""Characters of a URL or a body."""
HIDDEN: Final = "…"


class Setting(Struct, frozen=True, kw_only=True):
    """One setting. `schema` is its JSON schema, `help` one sentence about it.

    `secret`: who knows it can use it elsewhere, so it is shown to nobody who does not ask for it. `needed`: a channel
    cannot do without.
    """

    schema: Mapping[str, Any]
    help: str
    secret: bool = False
    needed: bool = False


def text_schema(max_length: int = TEXT_MAX) -> dict[str, Any]:
    """Of a setting that is text."""
    return {"type": "string", "maxLength": max_length}


def wrong(text: str) -> Invalid:
    """The error of the API for settings that cannot be used."""
    return Invalid(f"json validation error: {text}")


def settings_given(value: object) -> dict[Any, Any]:
    """`value` as an object; it may come as that object's JSON in a string. Raises `Invalid`."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value.encode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError):
            raise wrong("value is not JSON") from None
    if not isinstance(value, dict):
        raise wrong("value is not an object")
    return value


def text_given(given: Mapping[Any, Any], name: str, max_length: int = TEXT_MAX) -> str:
    """The text called `name`, "" if there is none. Raises `Invalid`."""
    text = given.get(name, "")
    if not isinstance(text, str):
        raise wrong(f"{name} is not a string")
    if not storable(text):
        raise wrong(f"{name} contains characters that cannot be stored")
    if len(text) > max_length:
        raise wrong(f"{name} is too long")
    return text


def without_secrets(value: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """`value` for all to see: of a secret URL only the scheme is left, of another secret nothing."""

    def shown(name: str, what: Any) -> Any:
        setting = settings.get(name)
        if what in ("", {}, [], None) or setting is None or not setting.secret:
            return what
        scheme, slashes, _ = what.partition("://") if isinstance(what, str) else ("", "", "")
        return f"{scheme if slashes else ''}{slashes}{HIDDEN}"

    return {name: shown(name, what) for name, what in value.items()}
