"""Tests of `pingmon.wire.api.group_channel`."""

from __future__ import annotations

import pytest

from pingmon.core.address_policy import AddressPolicy
from pingmon.core.notify.channel import Channel
from pingmon.testing import PROJECT, START, uuid
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.group_channel import changed_value, doubts, group_value, unreachable, with_ids

OPS, DEV, ALL = (
    Channel(uuid(number, "d"), PROJECT, kind, name, {"channels": ""}, "", number, START)
    for number, (kind, name) in enumerate([("webhook", "ops"), ("webhook", "dev"), ("group", "all")], 1)
)


def test_members_are_named_by_ids_and_names() -> None:
    """And kept by their ids."""
    value = group_value({"channels": f"dev,{OPS.id}", "colour": "red"})
    assert with_ids(value, [OPS, DEV, ALL]) == {"channels": f"{OPS.id},{DEV.id}"}
    assert with_ids(group_value({"channels": "*"}), [OPS, ALL]) == {"channels": OPS.id}
    assert changed_value({"channels": OPS.id}, {}) == {"channels": OPS.id}
    assert unreachable(value, AddressPolicy()) is None


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ("", "json validation error: value needs channels that are no groups"),
        ("all", "invalid channel identifier: all"),
        ("ops,", "empty channel identifier"),
    ],
)
def test_errors(named: str, text: str) -> None:
    """A group has members, and none of them is a group."""
    with pytest.raises(Invalid) as error:
        with_ids({"channels": named}, [OPS, DEV, ALL])
    assert str(error.value) == text


def test_a_group_that_has_lost_its_members_is_doubted() -> None:
    """Nobody is told."""
    assert list(doubts({"channels": ""})) == ["this group has no channels any more: nobody is told"]
    assert list(doubts({"channels": OPS.id})) == []
