"""Links in messages open what they were made for, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.notify.channel import Channel, renewed
from pingmon.testing import PROJECT, SECRET, uuid
from pingmon.testing import START as NOW
from pingmon.wire.message.links import Link, followed, url

OPS = Channel(uuid(1, "d"), PROJECT, "email", "ops", {}, SECRET, 1, NOW)
LINKS = [Link("confirm", OPS.id), Link("unsubscribe", OPS.id), Link("ack", OPS.id, uuid(7), 42)]


def known(id: str) -> Channel | None:
    return OPS if id == OPS.id else None


def path(link: Link, channel: Channel = OPS) -> str:
    return url("", link, channel.secret)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.what)
def test_a_link_is_what_it_was_made_for(link: Link) -> None:
    assert url("https://ping.example", link, SECRET).startswith(f"https://ping.example/links/{link.what}/{OPS.id}/")
    assert followed(path(link), known, NOW) == link


@given(link=st.sampled_from(LINKS), place=st.integers(0, 200), other=st.sampled_from("/abcdef0123456789-_AZé"))
def test_a_link_that_differs_in_one_place_is_none(link: Link, place: int, other: str) -> None:
    """Whatever its place says: another channel, outage, purpose or token."""
    good = path(link)
    at = place % len(good)
    assume(good[at] != other)
    assert followed(good[:at] + other + good[at + 1 :], known, NOW) is None


def test_one_made_for_something_else_does_not_serve() -> None:
    token = path(LINKS[0]).rpartition("/")[2]
    assert followed(f"{LINKS[1].path}/{token}", known, NOW) is None
    assert followed(path(replace(LINKS[0], channel=uuid(9, "d"))), known, NOW) is None


def test_it_holds_as_long_as_the_secret() -> None:
    """A secret that is replaced holds on for as long as it signs."""
    later = renewed(OPS, "whsec_" + "B" * 44, NOW + 5)
    assert followed(path(LINKS[0]), lambda id: later, NOW) == LINKS[0]
    assert followed(path(LINKS[0]), lambda id: later, NOW + 5) is None
    assert followed(path(LINKS[0], later), lambda id: later, NOW + 5) == LINKS[0]


@given(text=st.text())
def test_any_other_path_is_none(text: str) -> None:
    assert followed(text, known, NOW) is None
    assert followed(f"/links/{text}", known, NOW) is None
