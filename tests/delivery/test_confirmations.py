"""Tests of `pingmon.delivery.confirmations`: when receivers are asked, how often, and what a restart makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from pingmon.core.notify.channel import Channel
from pingmon.core.world.events import (
    ChannelChanged,
    ChannelConfirmed,
    ChannelCreated,
    ChannelDeleted,
    ConsentAsked,
)
from pingmon.delivery.attempt import ATTEMPT_S, ChannelKind, Delivered, NotDelivered, Result
from pingmon.delivery.confirmations import PARALLEL, Confirmations
from pingmon.journal import Memory
from pingmon.testing import PROJECT, FakeTime, Rig, result, uuid

H1 = uuid(1, "d")
BUSY = NotDelivered("greylisted")


class Asking(Rig):
    """A rig that asks. A question is answered with `says`, or stays on its way if that is None."""

    def __init__(self, time: FakeTime | None = None, memory: Memory | None = None) -> None:
        super().__init__(time, memory)
        self.asked: list[Channel] = []
        self.says: Result | None = Delivered(250)
        self.open: list[Deferred[Result]] = []
        kind = ChannelKind(self._deliver, ask=self._ask)
        kinds = {"email": kind, "webhook": ChannelKind(self._deliver)}
        self.confirmations = Confirmations(self.monitor, kinds, self.clock, lambda: 0.0)
        self.confirmations.start()

    async def _deliver(self, message: object) -> Result:
        raise AssertionError("nobody is told anything here")

    async def _ask(self, channel: Channel, now: int) -> Result:
        self.asked.append(channel)
        if self.says is not None:
            return self.says
        self.open.append(Deferred())
        return await self.open[-1]

    def ask_for(self, id: str = H1, **more: Any) -> None:
        made = {"consent": "due"} | more
        result(self.monitor.submit(id, ChannelCreated(PROJECT, "email", "ops", {"email": "a@b"}, "s", **made)))

    def close(self) -> None:
        ended = self.confirmations.stop()
        self.clock.advance(1)
        result(ended)
        self.alarms.stop()

    @property
    def results(self) -> list[Any]:
        return self.events(ConsentAsked)


@pytest.fixture
def house() -> Any:
    house = Asking()
    yield house
    house.close()
    assert house.clock.getDelayedCalls() == []


def test_a_new_receiver_is_asked_once(house: Asking) -> None:
    house.ask_for()
    house.advance(100_000, step=60)
    assert house.results == [ConsentAsked(0, 250)]
    assert house.world.channels[H1].consent == "asked"


def test_who_need_not_confirm_is_not_asked(house: Asking) -> None:
    house.ask_for(consent="")
    house.advance(10)
    assert house.asked == []


def test_a_question_that_could_not_be_sent_is_repeated_after_growing_waits_for_a_day(house: Asking) -> None:
    house.says = BUSY
    house.ask_for()
    house.advance(40)
    assert len(house.asked) == 3
    house.advance(90_000, step=10)
    assert 25 < len(house.asked) < 35
    assert house.world.channels[H1].consent == "asked"
    assert house.world.channels[H1].last_error == "greylisted"


def test_a_receiver_that_is_refused_for_good_is_not_asked_again(house: Asking) -> None:
    house.says = NotDelivered("no such user", permanent=True)
    house.ask_for()
    house.advance(10_000, step=10)
    assert house.results == [ConsentAsked(0, error="no such user")]


def test_a_restart_neither_forgets_a_question_nor_asks_before_it_is_due() -> None:
    house = Asking()
    house.says = BUSY
    house.ask_for()
    house.advance(9)
    assert len(house.asked) == 2
    house.close()
    house = house.restarted()
    house.advance(20)
    assert house.asked == []
    house.advance(15)
    assert len(house.asked) == 1
    house.close()
    house = house.restarted()
    house.advance(1000)
    assert house.asked == []
    house.close()


def test_a_question_under_way_is_joined_and_its_deadline_is_that_of_an_attempt(house: Asking) -> None:
    house.says = None
    house.ask_for()
    house.advance(1)
    one, two = house.confirmations.ask(H1), house.confirmations.ask(H1)
    one.addErrback(lambda failure: failure.trap(CancelledError) and None)
    one.cancel()
    house.advance(ATTEMPT_S + 1)
    assert len(house.asked) == 1
    assert result(two).error == f"timed out after {ATTEMPT_S:g} s"
    assert len(house.results) == 1


def test_a_new_address_is_asked_although_the_old_one_was(house: Asking) -> None:
    house.ask_for()
    house.advance(2)
    result(house.monitor.submit(H1, ChannelChanged(value={"email": "c@d"}, consent="due")))
    house.advance(2)
    assert [channel.value for channel in house.asked] == [{"email": "a@b"}, {"email": "c@d"}]


def test_who_has_confirmed_or_is_gone_is_not_asked_again(house: Asking) -> None:
    house.says = BUSY
    house.ask_for()
    house.ask_for(uuid(2, "d"))
    house.advance(1)
    result(house.monitor.submit(H1, ChannelConfirmed()))
    result(house.monitor.submit(uuid(2, "d"), ChannelDeleted()))
    house.advance(1000, step=5)
    assert len(house.asked) == 2


def test_only_some_questions_are_on_their_way_at_once(house: Asking) -> None:
    house.says = None
    for number in range(PARALLEL + 3):
        house.ask_for(uuid(number, "d"))
    house.advance(2)
    assert len(house.open) == PARALLEL
    for each in house.open[:PARALLEL]:
        each.callback(Delivered(250))
    house.advance(2)
    assert len(house.asked) == PARALLEL + 3


def test_a_kind_that_cannot_ask_says_so(house: Asking) -> None:
    result(house.monitor.submit(H1, ChannelCreated(PROJECT, "webhook", "x", {}, "s", consent="asked")))
    asked = house.confirmations.ask(H1)
    assert result(asked).error == "this pingmon cannot ask receivers of kind 'webhook'"
