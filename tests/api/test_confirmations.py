"""Channels whose receivers are asked, over the API: shown, asked again, changed; and who sees their secrets."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from pingmon.api.api import ASKED_AT_ONCE, ASKED_EVERY_S, ASKED_OF_PROJECT
from pingmon.api.call import ApiSettings
from pingmon.core.notify.notification import Attempted
from pingmon.core.world.events import ChannelConfirmed, ChannelUnsubscribed, ConsentAsked
from pingmon.testing import START
from tests.api.stage import CHANNELS, ApiStage

MAIL = {"kind": "email", "name": "ops", "value": {"email": "Ops@Example.org"}}


class Asks:
    """Those who ask receivers; they say that the mail server took it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, channel: str) -> Deferred[Attempted]:
        self.asked.append(channel)
        return succeed(Attempted(START, 12, 250))

    def test(self, channel: str, *, up: bool) -> Deferred[Attempted]:
        raise AssertionError("nobody is sent a test")


@pytest.fixture
def asks() -> Asks:
    return Asks()


@pytest.fixture
def house(asks: Asks) -> ApiStage:
    return ApiStage(confirmations=asks, tests=asks)


def made(house: ApiStage, value: Any = MAIL["value"]) -> str:
    reply = house.post(CHANNELS, MAIL | {"value": value})
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def test_a_receiver_is_asked_before_anything_is_sent(house: ApiStage, asks: Asks) -> None:
    id = made(house)
    shown = house.get(f"{CHANNELS}{id}").json
    assert (shown["value"], shown["confirmed"]) == ({"email": "Ops@example.org"}, False)
    assert shown["warnings"][0].startswith("the receiver is about to be asked")
    assert house.world.channels[id].consent == "due"
    refused = house.post(f"{CHANNELS}{id}/test")
    assert (refused.status, refused.json["error"]) == (409, shown["warnings"][0])
    house.submit(id, ChannelConfirmed())
    shown = house.get(f"{CHANNELS}{id}").json
    assert (shown["confirmed"], shown["warnings"]) == (True, [])


def test_an_operator_may_leave_the_question_out_and_other_kinds_are_not_asked(asks: Asks) -> None:
    house = ApiStage(ApiSettings(verify_receivers=False), confirmations=asks)
    id = made(house)
    assert house.get(f"{CHANNELS}{id}").json["confirmed"] is True
    house.post(f"{CHANNELS}{id}", {"value": {"email": "b@example.org"}})
    assert house.get(f"{CHANNELS}{id}").json["confirmed"] is True
    assert house.post(f"{CHANNELS}{id}/confirm").status == 409
    house = ApiStage()
    assert house.get(f"{CHANNELS}{house.new_channel()}").json["confirmed"] is True


def test_a_receiver_is_asked_again_when_a_user_wants_it_but_not_often(house: ApiStage, asks: Asks) -> None:
    id = made(house)
    house.submit(id, ChannelUnsubscribed())
    assert house.get(f"{CHANNELS}{id}").json["warnings"][0].startswith("the receiver wants no messages")
    reply = house.post(f"{CHANNELS}{id}/confirm")
    assert reply.json == {"delivered": True, "at": "2023-11-14T22:13:20+00:00", "ms": 12, "status": 250}
    for _ in range(ASKED_AT_ONCE - 2):
        assert house.post(f"{CHANNELS}{id}/confirm").status == 200
    late = house.post(f"{CHANNELS}{id}/confirm")
    assert (late.status, late.headers["Retry-After"]) == (429, str(ASKED_EVERY_S))
    assert house.post(f"{CHANNELS}{id}", {"value": {"email": "c@example.org"}}).status == 429
    house.advance(ASKED_EVERY_S)
    assert house.post(f"{CHANNELS}{id}/confirm").status == 200
    assert len(asks.asked) == ASKED_AT_ONCE
    assert ApiStage().post(f"{CHANNELS}{id}/confirm").status == 404


def test_without_anybody_who_asks_the_client_is_to_try_again() -> None:
    house = ApiStage()
    assert house.post(f"{CHANNELS}{made(house)}/confirm").status == 503


def test_a_project_cannot_ask_strangers_without_end(house: ApiStage) -> None:
    for number in range(ASKED_OF_PROJECT):
        made(house, {"email": f"stranger-{number}@example.org"})
    assert house.post(CHANNELS, MAIL).status == 429
    assert house.post(CHANNELS, {"kind": "webhook", "value": {"url_down": "http://x.y/"}}).status == 201


def test_a_new_address_is_asked_and_links_of_the_former_receiver_end(house: ApiStage) -> None:
    id = made(house)
    house.submit(id, ConsentAsked(1, 250))
    house.submit(id, ChannelConfirmed())
    before = house.world.channels[id].secret
    assert house.post(f"{CHANNELS}{id}", {"name": "night", "value": {"email": "ops@EXAMPLE.org"}}).status == 200
    assert house.world.channels[id].consent == "due", "the case of what stands before the @ may count"
    after = house.world.channels[id].secret
    assert after != before
    house.submit(id, ChannelConfirmed())
    assert house.post(f"{CHANNELS}{id}", {"name": "day", "value": {"email": "ops@EXAMPLE.org"}}).json["confirmed"]
    assert house.world.channels[id].secret == after


def test_nobody_but_the_receiver_learns_the_secret_of_his_links(house: ApiStage) -> None:
    """Whoever made the channel could else confirm it himself."""
    reply = house.post(CHANNELS, MAIL)
    id = reply.json["id"]
    renewed = house.post(f"{CHANNELS}{id}/secret")
    for answer in (reply, renewed, house.get(f"{CHANNELS}{id}")):
        assert answer.json["secret"].endswith("…")
    assert house.world.channels[id].secret not in renewed.body.decode()
