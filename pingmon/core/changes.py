"""How changes are applied to settings: what they leave out stays as it is."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

_Settings = TypeVar("_Settings", bound=Struct)


def applied(changes: Struct, settings: _Settings) -> _Settings:
    """`settings` with the fields that `changes` sets; the same object if it sets none."""
    given: dict[str, Any] = {
        name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET
    }
    return replace(settings, **given) if given else settings
