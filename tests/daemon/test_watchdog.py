"""The watchdog that a daemon pings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from pingmon.daemon.health_problems import grave_problems
from pingmon.daemon.watchdog import ANSWER_S, Watchdog
from pingmon.outgoing.exchange import NoReply, Reply
from pingmon.testing import FakeTime, Rig
from pingmon.wire.api.status import Problem
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, Unsendable
from tests.daemon.parts import parts

URL = "https://dog.example/ping/x"
WRONG = Problem("the journal takes no events", "the disk is full")


class Dog:
    """A watchdog whose pings are kept in `came`, and answered with `answer`: a status, an error, or nothing (0)."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.wrong: list[Problem] = []
        self.came: list[tuple[float, str, str]] = []
        self.answer: int | NoReply = 200
        self.watchdog = Watchdog(self.send, lambda: self.wrong, self.time.clock, self.time.steady)
        self.watchdog.take(URL, 60)

    async def send(self, asked: OutgoingRequest, body_max: int) -> Reply:
        assert (asked.method, asked.headers) == ("POST", (("User-Agent", USER_AGENT),))
        self.came.append((self.time.steady(), asked.url.removeprefix(URL), asked.body.decode()))
        if isinstance(self.answer, NoReply):
            raise self.answer
        if not self.answer:
            await Deferred()
        return Reply(self.answer, {}, b"OK")

    def heard(self, seconds: float) -> list[tuple[float, str, str]]:
        """What comes in so many seconds."""
        self.came.clear()
        self.time.advance(seconds)
        return self.came


@pytest.fixture
def dog() -> Iterator[Dog]:
    """It is running, and leaves nothing behind."""
    dog = Dog()
    dog.watchdog.start()
    yield dog
    dog.watchdog.stop()
    assert dog.time.clock.getDelayedCalls() == []


@contextmanager
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    with capturedLogs() as events:
        yield lines
    lines += [event["log_format"].format(**event) for event in events]


def test_it_is_pinged_as_long_as_nothing_is_wrong(dog: Dog) -> None:
    """From the start on, and then each minute."""
    assert dog.heard(125) == [(1, "", ""), (61, "", ""), (121, "", "")]


def test_it_hears_nothing_once_and_then_what_is_wrong(dog: Dog) -> None:
    """Until all is well; trouble that is over when the next ping is due is told to nobody."""
    dog.heard(1)
    dog.wrong = [WRONG]
    assert dog.heard(60) == []
    dog.wrong = []
    assert dog.heard(60) == [(121, "", "")]
    dog.wrong = [WRONG, Problem("b", "c")]
    said = "the journal takes no events (the disk is full)\nb (c)"
    assert dog.heard(180) == [(241, "/fail", said), (301, "/fail", said)]
    dog.wrong = []
    assert dog.heard(60) == [(361, "", "")]


@pytest.mark.parametrize(
    ("answer", "why"),
    [(404, "status 404"), (301, "status 301"), (NoReply("connection refused"), "connection refused")],
)
def test_that_it_cannot_be_reached_is_logged_once(dog: Dog, answer: int | NoReply, why: str) -> None:
    """And that it can be again."""
    dog.answer = answer
    with logged() as lines:
        assert len(dog.heard(180)) == 3
        dog.answer = 200
        dog.heard(120)
    assert lines == [
        f"the watchdog cannot be pinged: {why}; pingmon goes on trying",
        "the watchdog can be pinged again",
    ]


def test_one_that_does_not_answer_holds_nothing_up(dog: Dog) -> None:
    """It is pinged again when that is due."""
    dog.answer = 0
    with logged() as lines:
        assert len(dog.heard(61 + ANSWER_S)) == 2
    assert lines == ["the watchdog cannot be pinged: no answer within 15 s; pingmon goes on trying"]


def test_a_stop_gives_up_what_is_under_way() -> None:
    """At once, and without a word."""
    dog = Dog()
    dog.answer = 0
    with logged() as lines:
        dog.watchdog.start()
        assert len(dog.heard(2)) == 1
        dog.watchdog.stop()
    assert dog.time.clock.getDelayedCalls() == []
    assert lines == []


def test_another_one_may_be_named_at_any_time(dog: Dog) -> None:
    """It is pinged at once; none is pinged if none is named."""
    dog.heard(2)
    dog.watchdog.take(f"{URL}/other/", 30)
    assert dog.heard(32) == [(3, "/other", ""), (33, "/other", "")]
    dog.watchdog.take(f"{URL}/other", 10)
    assert dog.heard(10) == [(43, "/other", "")]
    dog.watchdog.take("", 10)
    assert dog.heard(100) == []
    with pytest.raises(Unsendable):
        dog.watchdog.take("http://[1]/", 10)


@pytest.mark.parametrize(
    ("change", "value", "grave"),
    [
        ("outbox__last_tick", -11.0, True),
        ("outbox__overdue", lambda now: 121_000_000, True),
        ("health__trouble", "most fail", False),
        ("health__blind", 6, False),
        ("health__late_s", 12.0, False),
    ],
)
def test_what_is_wrong_with_sites_is_no_reason_for_silence(change: str, value: Any, grave: bool) -> None:
    """What keeps alerts from being sent is."""
    assert bool(grave_problems(parts(Rig(), **{change: value}))) == grave
