"""The endpoint for proxies that speak the PROXY protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ILoggingContext
from twisted.logger import LogLevel

from pingmon.door.limits import DoorSettings
from pingmon.door.proxy_protocol import HEADER_S, ProxiedDoor
from tests.door.stage import CHECK, DoorStage, Wire

PROXY = "192.0.2.7"
CLIENT = "198.51.100.9"
HEADER = f"PROXY TCP4 {CLIENT} 192.0.2.1 40000 80\r\n".encode()
PING = f"GET /ping/{CHECK} HTTP/1.1\r\n\r\n".encode()


class Through:
    """A connection that a proxy makes."""

    def __init__(self, house: DoorStage, factory: Any = None, address: str = PROXY) -> None:
        peer = IPv4Address("TCP", address, 50_000)
        self.house = house
        self.wire = Wire(house.clock, peer)
        self.wire.protocol = (factory or house.door.behind_proxy()).buildProtocol(peer)
        self.wire.protocol.makeConnection(self.wire)

    def send(self, sent: bytes) -> int:
        """Send bytes; how many answers have come so far."""
        self.wire.protocol.dataReceived(sent)
        came: bytes = self.wire.value()
        return came.count(b"HTTP/1.1 200")

    @property
    def closed(self) -> bool:
        self.house.advance(0)
        return self.wire.closed


@pytest.fixture
def house() -> Iterator[DoorStage]:
    with DoorStage() as house:
        yield house


def warnings(house: DoorStage) -> list[str]:
    return [event["log_format"] for event in house.observer if event["log_level"] >= LogLevel.warn]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_client_is_the_one_that_the_header_names(house: DoorStage, step: int) -> None:
    """However small the pieces are in which it comes; the connection then is like any other."""
    through, sent = Through(house), HEADER + PING * 2
    for start in range(0, len(sent), step):
        through.send(sent[start : start + step])
    assert [ping.addr for ping in house.pings] == [CLIENT, CLIENT]
    assert through.send(PING) == 3
    assert house.door.health().connections == 1
    through.wire.lost()
    assert house.door.places.taken == 0


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
def test_a_proxy_that_speaks_for_itself(house: DoorStage, header: bytes) -> None:
    """Then the caller is the proxy."""
    assert Through(house).send(header + PING) == 1
    assert house.last.addr == PROXY


@pytest.mark.parametrize("trusted", [(), (PROXY,), ("203.0.113.0/24",)])
def test_only_trusted_proxies_are_believed(trusted: tuple[str, ...]) -> None:
    """If any is named. Of others the header is read, and not believed; the log says so once."""
    with DoorStage(door=DoorSettings(trusted_proxies=trusted)) as house:
        factory = house.door.behind_proxy()
        for _ in range(3):
            assert Through(house, factory).send(HEADER + PING) == 1
        believed = trusted in ((), (PROXY,))
        assert {ping.addr for ping in house.pings} == {CLIENT if believed else PROXY}
        assert len(warnings(house)) == (0 if believed else 1)


def test_over_a_unix_socket_whoever_may_connect_is_believed() -> None:
    """Its file says who may."""
    with DoorStage(door=DoorSettings(trusted_proxies=("203.0.113.1",))) as house:
        assert ProxiedDoor(house.door).believes("")


def test_what_the_client_may_hold_is_counted_for_the_client() -> None:
    """A proxy has no more than its own connections; many clients behind it share nothing but the total."""
    with DoorStage(door=DoorSettings(max_connections=10)) as house:
        factory = house.door.behind_proxy()
        for number in range(9):
            assert Through(house, factory).send(HEADER.replace(b"100.9", b"100.%d" % number) + PING) == 1
        assert house.door.places.taken == 9
    with DoorStage(door=DoorSettings(max_connections=10)) as house:
        factory = house.door.behind_proxy()
        assert [Through(house, factory).send(HEADER + PING) for _ in range(7)] == [1] * 5 + [0, 0]
        assert house.door.places.taken == 5


def test_twisted_names_the_door_in_words_that_operators_know(house: DoorStage) -> None:
    """As in its line "HTTP server starting on 8000"."""
    doors: tuple[Any, ...] = (house.door, house.door.behind_proxy())
    assert all(map(ILoggingContext.providedBy, doors))
    assert [door.logPrefix() for door in doors] == ["HTTP server", "HTTP server behind a proxy"]


def test_strangers_are_turned_away_and_one_line_is_logged(house: DoorStage) -> None:
    """Whatever they send; nothing else is in the log."""
    factory = house.door.behind_proxy()
    for sent in (
        PING,
        b"\x16\x03\x01\x00",
        b"PROXY TCP4 a b c d\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 x 1\r\n",
        b"\xff" * 500,
    ):
        through = Through(house, factory)
        through.send(sent)
        assert through.closed
        assert through.wire.value() == b""
    assert len(warnings(house)) == 1
    assert house.entries == []


def test_silence_is_ended_without_a_line(house: DoorStage) -> None:
    """A header has a few seconds to come; whoever only looks whether the port is open causes no line."""
    slow, brief = Through(house), Through(house)
    slow.send(HEADER[:-1])
    brief.wire.lost()
    house.advance(HEADER_S)
    assert not slow.closed
    house.advance(2)
    assert slow.closed
    assert warnings(house) == []
    assert house.door.places.taken == 0


def test_no_place(house: DoorStage) -> None:
    """Whoever comes when the house is full is turned away, before its header and after."""
    house.door.places.limit = 1
    first = Through(house)
    assert Through(house).closed
    house.door.places.limit = 0
    assert first.send(HEADER + PING) == 0
    assert first.closed


def test_drain(house: DoorStage) -> None:
    """A connection whose header has not come does not hold up the end."""
    through = Through(house)
    house.door.drain(60)
    assert through.closed
