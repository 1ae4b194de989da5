"""The kinds of channels, which are listed for the API and for deliveries."""

from __future__ import annotations

from typing import Any, cast

from pingmon.api.channel_kinds import KINDS
from pingmon.core.address_policy import AddressPolicy
from pingmon.core.notify.allowed import Allowed
from pingmon.delivery.channel_kinds import channel_kinds
from pingmon.outgoing.passage import Egress
from pingmon.testing import Rig


def test_whoever_can_be_made_a_channel_can_be_told() -> None:
    """The kinds of channels that the API makes are those that messages can be delivered to."""
    anything = cast(Any, None)
    egress = Egress(anything, anything, anything, AddressPolicy())
    kinds = channel_kinds(Rig().world, anything, egress, str, "/ping/", reactor=anything, allowed=Allowed())
    assert kinds.keys() == KINDS.keys()
