"""The settings of a group: `channels`, the ids or exact names of its members, with commas between them.

Members are channels of the group's project, and no groups. They are kept by their ids; one that is deleted leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pingmon.core.address_policy import AddressPolicy
from pingmon.core.notify.channel import GROUP, Channel
from pingmon.wire.api.channel_settings import Setting, settings_given, text_given, text_schema, wrong
from pingmon.wire.api.check_fields import channel_ids

MEMBERS_MAX: Final = 4000
"""Characters of the list: a hundred ids."""
SETTINGS: Final = {
    "channels": Setting(
        schema=text_schema(MEMBERS_MAX), help="Its members by id or name, with commas between them.", needed=True
    )
}


def group_value(value: object) -> dict[str, object]:
    """What was said of the members. Raises `Invalid`."""
    return {"channels": text_given(settings_given(value), "channels", MEMBERS_MAX)}


def changed_value(settings: Mapping[str, object], value: object) -> dict[str, object]:
    """`settings` with what `value` sets. Raises `Invalid`."""
    return group_value({**settings, **settings_given(value)})


def with_ids(value: Mapping[str, object], channels: Iterable[Channel]) -> dict[str, object]:
    """The settings with the ids of members among the project's `channels`. Raises `Invalid`."""
    ids = channel_ids(str(value["channels"]), [each for each in channels if each.kind != GROUP])
    if not ids:
        raise wrong("value needs channels that are no groups")
    return {"channels": ",".join(ids)}


def unreachable(settings: Mapping[str, Any], policy: AddressPolicy) -> str | None:
    """A group goes nowhere itself."""
    return None


def doubts(settings: Mapping[str, Any]) -> Iterator[str]:
    """That its members were all deleted."""
    if not settings["channels"]:
        yield "this group has no channels any more: nobody is told"
