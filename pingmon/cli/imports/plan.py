"""What another monitor watches, in the words of pingmon's API, and what of it has no words here. Values only.

A source is read into a `Plan`; `carry_over` makes it true; `report` tells what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pingmon.cli.api_client import ApiClient

Json: TypeAlias = dict[str, Any]
Kind: TypeAlias = Literal["channel", "check", "site"]
KINDS: Final[dict[Kind, str]] = {"channel": "channels", "check": "checks", "site": "sites"}
"""In the order in which they are made, each with its path in the API."""

NAME_MAX: Final = 100
"""Characters of a name."""


class Wanted(NamedTuple):
    """A channel, check or site as it is at the source. `key` names it there, `name` shows it to people.

    `fields`: those of the API, without channels; None for a channel of which the source tells no more than its name.
    `channels`: keys of channels; None if nothing is known of them. `lost`: sentences on what is not carried over.
    `old_url`: where it was pinged, if that cannot stay.
    """

    kind: Kind
    key: str
    name: str
    fields: Json | None
    channels: tuple[str, ...] | None = None
    paused: bool = False
    lost: tuple[str, ...] = ()
    old_url: str = ""


class Plan(NamedTuple):
    """All of a source. `left`: names of what cannot be here, each with the reason.

    `notes` are sentences on the whole; they may need to ask the pingmon that it goes to.
    """

    source: str
    wanted: list[Wanted]
    left: list[tuple[str, str]]
    notes: Callable[[ApiClient], list[str]]


def cut(name: str) -> tuple[str, tuple[str, ...]]:
    """A name that is short enough, and what is lost by that."""
    if len(name) <= NAME_MAX:
        return name, ()
    return name[:NAME_MAX], (f"the end of the name: it may have {NAME_MAX} characters",)
