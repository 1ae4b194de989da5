"""Floods: who sends more than is good for the others gets no more than a share, and who only costs is closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from floods import FLOODS, PREFACE, Flood, asking, frame, open_ended, opened
from h2.errors import ErrorCodes
from h2.events import StreamReset

from pingmon.door.connection_watch import LINGER_S
from pingmon.door.http2 import ALLOWED
from pingmon.door.limits import DoorSettings
from tests.door.stage import CHECK, DoorStage
from tests.door.test_http2 import PING, Client

pytestmark = pytest.mark.usefixtures("met_by")

SHORT = DoorSettings(request_deadline_s=5, idle_timeout_s=5)
BYTES = 1_000_000
OVER_HTTP2 = [flood for flood in FLOODS if PREFACE in flood.beginning]


def only(house: DoorStage) -> Any:
    """Our side of the one connection that there is."""
    (connection,) = house.door.watch.connections
    return connection


class Hostile:
    """An HTTP/2 client that sends raw frames, and understands only the last word."""

    def __init__(self, house: DoorStage) -> None:
        self.house = house
        self.line = house.line()
        self.line.wire.negotiatedProtocol = b"h2"  # type: ignore[attr-defined]
        self.came = b""
        self.throw(PREFACE + frame(4, 0, 0))

    def throw(self, sent: bytes) -> None:
        """Send, and take what comes back."""
        self.line.send(sent)
        self.house.advance(0)
        self.came += self.line.wire.value()
        self.line.wire.clear()

    @property
    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """FrameKind, stream and contents of all that came."""
        rest = self.came
        while rest:
            end = 9 + int.from_bytes(rest[:3], "big")
            yield rest[3], int.from_bytes(rest[5:9], "big"), rest[9:end]
            rest = rest[end:]

    @property
    def goodbye(self) -> int | None:
        """The reason that pingmon gave in the end."""
        for kind, _, contents in self.frames:
            if kind == 7:
                return int.from_bytes(contents[4:8], "big")
        return None

    def body(self, stream: int) -> bytes:
        """What was answered."""
        return b"".join(contents for kind, on, contents in self.frames if (kind, on) == (0, stream))


@pytest.mark.parametrize(
    "piece",
    [
        frame(6, 0, 0, bytes(8)),
        frame(4, 0, 0),
        frame(2, 0, 3, b"\0\0\0\0\x0f"),
        frame(8, 0, 0, b"\0\0\0\x01"),
        frame(0xF0, 0, 0),
        frame(0, 0, 1),
        frame(0, 8, 1, b"\xff" + bytes(255)),
    ],
    ids=["ping", "settings", "priority", "window", "unknown", "empty data", "padding only"],
)
def test_frames_that_bring_nothing_are_counted(piece: bytes) -> None:
    """So many are taken, as honest clients send some; then the client is told to calm down, and no more is read."""
    with DoorStage() as house:
        client = Hostile(house)
        client.throw(open_ended(1) + piece * (ALLOWED // 2))
        assert client.goodbye is None
        client.throw(piece * ALLOWED)
        assert client.goodbye == ErrorCodes.ENHANCE_YOUR_CALM
        assert client.line.closed


def test_honest_clients_may_send_such_frames_for_ever() -> None:
    """Now and then, and more of them the more they ask."""
    with DoorStage() as house:
        client = Client(house)
        for _ in range(ALLOWED):
            for _ in range(2):
                client.h2.ping(b"12345678")
            stream = client.ask(PING)
            client.flush()
            assert client.body(stream) == b"OK"


def test_rapid_resets_are_counted() -> None:
    """Requests that are reset at once are not worth their work; asked too often, the client is told so."""
    with DoorStage() as house:
        client = Hostile(house)
        resets = [opened(stream) + frame(3, 0, stream, b"\0\0\0\x08") for stream in range(1, 2 * ALLOWED, 2)]
        client.throw(b"".join(resets[:100]))
        assert client.goodbye is None
        client.throw(b"".join(resets[100:]))
        assert client.goodbye == ErrorCodes.ENHANCE_YOUR_CALM


def test_priorities_are_nobodys_business() -> None:
    """However many streams are made dependent on each other, nothing is kept of it, and pings are answered."""
    with DoorStage() as house:
        client = Hostile(house)
        client.throw(b"".join(frame(2, 0, stream, b"\0\0\0\x01\x0f") for stream in range(3, ALLOWED, 2)))
        client.throw(opened(ALLOWED + 1))
        assert client.body(ALLOWED + 1) == b"not found"
        connection = only(house)
        assert len(connection.channel.priority._streams) < 3


def test_after_an_error_nothing_is_taken() -> None:
    """What comes behind it is dropped; the place is free soon, also if the client goes on and never reads."""
    with DoorStage() as house:
        client = Hostile(house)
        client.line.wire.reads = False
        client.throw(frame(0, 0, 0, b"x"))
        connection = only(house)
        for _ in range(100):
            client.line.send(bytes(60_000))
        assert connection.held == b""
        assert len(connection.channel.conn.incoming_buffer._data) < 100
        house.advance(LINGER_S + 2)
        assert client.line.wire.aborted
        assert house.door.places.taken == 0


def test_a_frame_too_large_is_refused_by_its_header() -> None:
    """It is not waited for."""
    with DoorStage() as house:
        client = Hostile(house)
        client.throw((1 << 20).to_bytes(3, "big") + b"\0\0\0\0\0\x01" + b"x")
        assert client.goodbye == ErrorCodes.FRAME_SIZE_ERROR
        assert client.line.closed


@pytest.mark.parametrize(
    ("path", "fields", "status", "body"),
    [
        (PING, [("x", "y")] * 101, "431", b"request header fields too large"),
        (PING, [("x", "y" * 6000)] * 3, "431", b"request header fields too large"),
        ("/" + "x" * 16_385, [], "414", b"url too long"),
        (PING, [("x", "y")] * 100, "200", b"OK"),
    ],
)
def test_large_heads_are_refused_as_over_http1(
    path: str, fields: list[tuple[str, str]], status: str, body: bytes
) -> None:
    """With the same limits and the same answers; the connection goes on."""
    with DoorStage() as house:
        client = Client(house)
        stream = client.ask(path, "GET", *fields)
        assert client.headers(stream)[":status"] == status
        assert client.body(stream) == {"431": b"request header fields too large", "414": b"url too long"}.get(
            status, b"OK"
        )
        assert client.body(client.ask(PING)) == b"OK"
        assert len(house.entries) == 1 + (status == "200")


def test_a_large_head_of_a_client_whose_window_is_shut_is_reset() -> None:
    """Its refusal would have to wait."""
    with DoorStage() as house:
        client = Client(house)
        client.h2.update_settings({4: 0})
        assert client.of(StreamReset, client.ask(PING, "GET", *[("x", "y")] * 101))


def test_a_client_whose_window_is_shut_costs_nothing_and_is_let_go() -> None:
    """Its answers wait, without the loop being kept busy, until it opens the window or the idle time is over."""
    with DoorStage(door=SHORT) as house:
        for opens in (True, False):
            client = Client(house)
            client.h2.update_settings({4: 0})
            stream = client.ask(PING)
            assert house.clock.getDelayedCalls() == [house.door.watch._ticker._loop.call]
            house.advance(3)
            if opens:
                client.h2.update_settings({4: 1000})
                client.flush()
                assert client.body(stream) == b"OK"
            house.advance(7)
            assert client.line.closed


def test_long_answers_come_in_as_many_frames_as_the_window_has_room_for() -> None:
    """And all of them come."""
    with DoorStage() as house:
        client = Client(house)
        client.h2.update_settings({4: 4})
        streams = [client.ask("/nothing") for _ in range(3)]
        for _ in range(2):
            for stream in streams:
                client.h2.increment_flow_control_window(4, stream)
            client.flush()
        assert [client.body(stream) for stream in streams] == [b"not found"] * 3


def test_what_escapes_closes_the_connection_and_frees_its_place() -> None:
    """Whatever goes wrong in the library; it is told once, not for each connection, and without a traceback."""
    with DoorStage() as house:
        for _ in range(3):
            client = Client(house)
            connection = only(house)
            connection.channel.streams = None
            client.line.send(opened(1))
            assert client.line.closed
        told = [event for event in house.observer if "closed a connection" in event["log_format"]]
        assert len(told) == 1
        assert "log_failure" not in told[0]
        assert house.door.watch.failures >= 3


def test_what_escapes_while_answers_are_sent_closes_the_connection() -> None:
    """The same on the way out."""
    with DoorStage() as house:
        client = Client(house)
        connection = only(house)
        client.line.send(client.h2.data_to_send() + opened(1))
        connection.channel._outboundStreamQueues = None
        house.advance(0)
        assert client.line.closed


@pytest.mark.parametrize("flood", OVER_HTTP2, ids=lambda flood: flood.name)
def test_every_flood_over_http2_ends(flood: Flood) -> None:
    """It is closed, or made to wait; little is kept of it, and honest clients are answered meanwhile."""
    with DoorStage(door=SHORT) as house:
        client = Hostile(house)
        connection = only(house)
        line, sent = client.line, 0
        for piece in pieces(flood):
            line.wire.clear()
            sent += len(piece)
            if line.wire.producerState == "producing":
                line.send(piece)
            house.clock.advance(0)
            if line.wire.closed or sent > BYTES:
                break
            assert len(connection.held) < 200_000
        assert house.ask(f"/ping/{CHECK}").status == 200
        house.advance(20)
        assert line.closed


def pieces(flood: Flood) -> Iterator[bytes]:
    """All of a flood behind the start that a `Client` makes."""
    yield flood.beginning.removeprefix(PREFACE)
    yield from flood.rest()


def test_pipelined_requests_take_turns_with_others() -> None:
    """However many come at once, and although each is answered at once, others are served in between."""
    with DoorStage(slow=True) as house:
        greedy = house.line()
        greedy.send(asking("/x") * 300)
        answered = [len(greedy.replies())]
        while answered[-1] < 300:
            modest = house.line()
            modest.send(asking(f"/ping/{CHECK}"))
            assert modest.reply().status == 200
            modest.hang_up()
            house.clock.turn()
            answered.append(len(greedy.replies()))
        assert len(answered) > 10


def test_those_who_wait_are_not_read_from() -> None:
    """So what a client has sent too much waits with the client."""
    with DoorStage(slow=True) as house:
        greedy = house.line()
        greedy.send(asking("/x") * 300)
        assert greedy.wire.producerState == "paused"
        while len(greedy.replies()) < 300:
            house.clock.turn()
        house.clock.turn()
        assert greedy.wire.producerState == "producing"


def test_a_whole_request_counts_although_its_client_has_gone() -> None:
    """Also if it had to wait for its turn; more than one is not worth keeping the others waiting."""
    with DoorStage(slow=True) as house:
        others = [house.line() for _ in range(20)]
        for other in others:
            other.send(asking("/x") * 3)
        gone = house.line()
        gone.send(asking(f"/ping/{CHECK}") * 3)
        assert len(house.entries) == 0
        gone.hang_up()
        assert len(house.entries) == 1


@pytest.mark.parametrize(
    ("rest", "payload"),
    [
        (b"X: " + b"y" * 3000 + b"\r\n\r\n", None),
        (b"Transfer-Encoding: chunked\r\n\r\nbb8\r\n" + b"z" * 3000 + b"\r\n0\r\n\r\n", b"z" * 3000),
    ],
)
def test_a_long_request_counts_whole_although_its_client_has_gone(rest: bytes, payload: bytes | None) -> None:
    """Although it is handled a bite at a time, and had to wait for its turn."""
    with DoorStage() as house:
        house.door.watch.turns.spend(1.0)
        gone = house.line()
        gone.send(f"POST /ping/{CHECK} HTTP/1.1\r\n".encode() + rest)
        assert len(house.entries) == 0
        gone.hang_up()
        assert [entry.payload for entry in house.entries] == [payload]


def test_no_more_than_one_request_is_answered_before_a_client_reads() -> None:
    """Answers that nobody reads do not pile up, however requests come."""
    with DoorStage() as house:
        line = house.line()
        line.send(asking("/x"))
        line.producer.pauseProducing()
        line.send(asking("/x") * 100)
        assert len(line.replies()) == 1
        line.producer.resumeProducing()
        house.advance(0)
        assert len(line.replies()) == 101


def test_pipelined_requests_behind_one_that_is_answered_later_keep_their_order() -> None:
    """Whatever their bodies, and in whatever pieces they come."""
    post = f"POST /ping/{CHECK} HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".encode()
    chunked = f"POST /ping/{CHECK} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n0\r\n\r\n".encode()
    sent = (post + asking("/x") + chunked + asking("/api")) * 5
    for size in (1, 7, 100, 10_000):
        with DoorStage(at_once=False) as house:
            line = house.line()
            for start in range(0, len(sent), size):
                line.send(sent[start : start + size])
            for _ in range(30):
                house.journal.flush()
                house.advance(0)
            assert [reply.status for reply in line.replies()] == [200, 404, 200, 200] * 5
            assert [entry.payload for entry in house.entries] == [b"hello", b"world"] * 5


def test_a_drain_is_not_held_up_by_requests_that_wait_for_their_turn() -> None:
    """The next answer says that it is the last."""
    with DoorStage(slow=True) as house:
        greedy = house.line()
        greedy.send(asking("/x") * 300)
        house.door.doStop()
        done: list[None] = []
        house.door.drain(5).addCallback(done.append)
        for _ in range(5):
            house.clock.turn()
        assert done == [None]
        assert greedy.replies()[-1].headers["Connection"] == "close"
        house.door.doStart()
