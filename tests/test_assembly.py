"""Tests of `pingmon.assembly`: what has to be told twice."""

from __future__ import annotations

from typing import Any, cast

from pingmon.api.channels import KINDS
from pingmon.assembly import channel_kinds
from pingmon.core.address_policy import AddressPolicy
from pingmon.daemon.config import Config
from pingmon.outgoing.passage import Egress
from pingmon.testing import Rig


def test_whoever_can_be_made_a_channel_can_be_told() -> None:
    """The kinds of channels that the API makes are those that messages can be delivered to."""
    rig, anything = Rig(), cast(Any, None)
    egress = Egress(anything, anything, anything, AddressPolicy())
    assert channel_kinds(Config(), rig.monitor, anything, egress, str).keys() == KINDS.keys()
