"""A message that quotes the last ping quotes the one that it is about, and is sent without it if need be."""

from __future__ import annotations

from typing import Any, cast

import pytest_twisted
from msgspec.structs import replace
from twisted.logger import capturedLogs

from pingmon.core.world.events import Event
from pingmon.delivery.last_body import LastBody
from tests.delivery.letters import letter


class Pings:
    """A history of pings with these bodies."""

    def __init__(self, *found: Any) -> None:
        self.found = found
        self.asked: tuple[object, ...] = ()

    async def events(self, stream: str, *kinds: type[Event], upto: int, limit: int) -> list[Any]:
        self.asked = (stream, upto, limit)
        if self.found and isinstance(self.found[0], Exception):
            raise self.found[0]
        return list(self.found)


class Ping:
    def __init__(self, payload: bytes | None) -> None:
        self.payload = payload


@pytest_twisted.ensureDeferred
async def test_it_is_that_of_the_newest_ping_up_to_the_flip() -> None:
    pings, told = Pings(Ping(b"disk full")), letter({})
    assert await LastBody(cast(Any, pings))(told) == b"disk full"
    assert pings.asked == (told.subject.id, told.owed.flip.seq, 1)


@pytest_twisted.ensureDeferred
async def test_a_ping_without_a_body_no_ping_and_a_test_have_none() -> None:
    assert await LastBody(cast(Any, Pings(Ping(None))))(letter({})) == b""
    assert await LastBody(cast(Any, Pings()))(letter({})) == b""
    pings = Pings(Ping(b"disk full"))
    assert await LastBody(cast(Any, pings))(replace(letter({}), test=True)) == b""
    assert pings.asked == ()


@pytest_twisted.ensureDeferred
async def test_a_last_ping_that_cannot_be_read_does_not_hold_up_the_message() -> None:
    with capturedLogs() as logged:
        assert await LastBody(cast(Any, Pings(OSError("disk"))))(letter({})) == b""
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [OSError]
