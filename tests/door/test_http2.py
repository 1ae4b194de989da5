"""HTTP/2: the same pings and the same limits, stream by stream."""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset

from pingmon.door.connections import Connection
from pingmon.door.limits import DoorSettings
from pingmon.pings.intake import PingSettings
from pingmon.testing import PING_KEY
from tests.door.stage import CHECK, Broken, DoorStage

PING = f"/ping/{CHECK}"
SHORT = DoorSettings(request_deadline_s=10, idle_timeout_s=20, body_cap=1000)


class Client:
    """An HTTP/2 client on one connection of the house."""

    def __init__(self, house: DoorStage) -> None:
        self.house = house
        self.line = house.line()
        self.line.wire.negotiatedProtocol = b"h2"  # type: ignore[attr-defined]
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events: list[Any] = []
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent and read what has come."""
        self.line.send(self.h2.data_to_send())
        for _ in range(8):
            self.house.advance(0)
        came = self.line.wire.value()
        self.line.wire.clear()
        self.events += self.h2.receive_data(came)

    def ask(self, path: str, method: str = "GET", *headers: tuple[str, str], end: bool = True) -> int:
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "h"), (":path", path)]
        self.h2.send_headers(stream, [*pseudo, *headers], end_stream=end)
        self.flush()
        return stream

    def send(self, stream: int, sent: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream, sent, end_stream=end)
        self.flush()

    def of(self, kind: type[Any], stream: int) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind) and event.stream_id == stream]

    def headers(self, stream: int) -> dict[str, str]:
        (event,) = self.of(ResponseReceived, stream)
        return dict(event.headers)

    def body(self, stream: int) -> bytes:
        assert self.of(StreamEnded, stream)
        return b"".join(event.data for event in self.of(DataReceived, stream))

    @property
    def gone(self) -> bool:
        return any(isinstance(event, ConnectionTerminated) for event in self.events) and self.line.closed


def test_pings() -> None:
    """Pings are answered on their streams, with the same headers as ever."""
    with DoorStage() as house:
        client = Client(house)
        stream = client.ask(PING, "GET", ("user-agent", "curl"))
        headers = client.headers(stream)
        assert headers[":status"] == "200"
        assert (headers["ping-body-limit"], headers["content-length"]) == ("10000", "2")
        assert (headers["access-control-allow-origin"], headers["cache-control"]) == ("*", "no-store")
        assert client.body(stream) == b"OK"
        stream = client.ask(f"/ping/{PING_KEY}/new?create=1", "HEAD")
        assert (client.headers(stream)[":status"], client.body(stream)) == ("201", b"")
        assert client.headers(client.ask(PING, "OPTIONS"))[":status"] == "204"
        assert client.headers(client.ask(PING, "TRACE"))[":status"] == "405"
        assert client.headers(client.ask("/nothing"))[":status"] == "404"
        assert client.body(client.ask("/api")) == b"GET 0"
        assert [ping.method for ping in house.pings] == ["GET", "HEAD"]
        assert house.pings[0].ua == "curl"
        assert client.headers(client.ask(PING, "PUT"))[":status"] == "200"
        assert client.headers(client.ask(f"{PING}?msg=Größe"))[":status"] == "200"


def test_bodies() -> None:
    """Bodies are kept, with and without a Content-Length, and on any method."""
    with DoorStage() as house:
        client = Client(house)
        for method in ("POST", "GET"):
            for headers in ((), (("content-length", "11"),)):
                stream = client.ask(PING, method, *headers, end=False)
                client.send(stream, b"hello ")
                client.send(stream, b"world", end=True)
                assert client.body(stream) == b"OK"
                assert house.entries[-1].payload == b"hello world"


def test_ping_with_a_slow_body_counts() -> None:
    """At the deadline a ping is recorded and answered; what still comes on its stream is not wanted, nor an error."""
    with DoorStage(door=SHORT) as house:
        client = Client(house)
        stream = client.ask(PING, "POST", end=False)
        for _ in range(11):
            client.send(stream, b".")
            house.advance(1)
        client.flush()
        assert client.body(stream) == b"OK"
        assert len(house.entries) == 1
        client.send(stream, b"." * 10_000)
        assert client.body(client.ask(PING)) == b"OK"
        house.advance(30)
        client.flush()
        assert client.gone


def test_ping_whose_end_does_not_come_counts() -> None:
    """At the deadline, or when the client hangs up; also a GET, which could have had a body."""
    for method in ("GET", "HEAD", "POST", "DELETE"):
        with DoorStage(door=SHORT) as house:
            client = Client(house)
            stream = client.ask(PING, method, end=False)
            house.advance(11)
            client.flush()
            assert client.headers(stream)[":status"] == "200"
            client = Client(house)
            client.ask(PING, method, end=False)
            client.line.hang_up()
            assert [ping.method for ping in house.pings] == [method, method]


def test_end_after_the_answer() -> None:
    """The end of a request that was answered at its deadline changes nothing."""
    with DoorStage(door=SHORT) as house:
        client = Client(house)
        for finish in ("end", "reset"):
            stream = client.ask(PING, "POST", end=False)
            house.advance(11)
            client.flush()
            assert client.body(stream) == b"OK"
            if finish == "end":
                client.h2.end_stream(stream)
            else:
                client.h2.reset_stream(stream)
            client.flush()
        assert client.body(client.ask(PING)) == b"OK"


def test_other_slow_requests_are_reset() -> None:
    """What is not a ping is reset at the deadline; the connection goes on."""
    with DoorStage(door=SHORT) as house:
        client = Client(house)
        client.ask(PING)
        stream = client.ask("/api", "POST", end=False)
        for _ in range(12):
            if not client.of(StreamReset, stream):
                client.send(stream, b".")
            house.advance(1)
        client.flush()
        assert client.of(StreamReset, stream)
        assert client.body(client.ask(PING)) == b"OK"


def test_bodies_over_the_cap() -> None:
    """Of a ping's body the first part is kept, however long it is; any other is refused; the connection goes on."""
    with DoorStage(PingSettings(body_limit=10), SHORT) as house:
        client = Client(house)
        ping = client.ask(PING, "POST", end=False)
        client.send(ping, b"x" * 2000)
        client.send(ping, b"x" * 2000, end=True)
        assert client.body(ping) == b"OK"
        assert house.entries[-1].payload == b"x" * 10
        other = client.ask("/api", "POST", ("content-length", "100000"), end=False)
        assert client.headers(other)[":status"] == "413"
        assert client.body(client.ask(PING)) == b"OK"


def test_client_resets() -> None:
    """A ping whose client resets the stream counts; one reset before it is answered is answered to nobody."""
    with DoorStage(at_once=False) as house:
        client = Client(house)
        arriving = client.ask(PING, "POST", end=False)
        waiting = client.ask(f"{PING}/start")
        for stream in (arriving, waiting):
            client.h2.reset_stream(stream)
        client.flush()
        house.journal.flush()
        client.flush()
        assert sorted(ping.signal for ping in house.pings) == ["start", "success"]
        assert not client.of(ResponseReceived, waiting)


def test_idle_connections_are_closed() -> None:
    """A connection without requests is closed, however many control frames come; a used one lives on."""
    with DoorStage(door=SHORT) as house:
        client = Client(house)
        for _ in range(4):
            assert client.body(client.ask(PING)) == b"OK"
            house.advance(15)
        assert not client.line.closed
        for _ in range(8):
            if not client.line.closed:
                client.h2.ping(b"12345678")
                client.flush()
            house.advance(1)
        client.flush()
        assert client.gone


def test_never_a_request() -> None:
    """A connection on which no request comes is closed at the deadline, also within the head of one."""
    with DoorStage(door=SHORT) as house:
        client = Client(house)
        client.h2.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", PING)])
        head = client.h2.data_to_send()
        for byte in head[:-1]:
            client.line.send(bytes([byte]))
            house.advance(1)
        assert client.line.closed


def test_client_that_does_not_read() -> None:
    """A client that takes no answers is cut off."""
    with DoorStage(door=SHORT) as house:
        client = Client(house)
        client.ask(PING)
        client.line.producer.pauseProducing()
        house.advance(15)
        client.line.producer.resumeProducing()
        client.ask(PING)
        client.line.producer.pauseProducing()
        house.advance(25)
        assert client.line.wire.aborted


def test_drain() -> None:
    """Streams in flight are answered before the connection is closed."""
    with DoorStage(at_once=False) as house:
        client, idle = Client(house), Client(house)
        first, second = client.ask(PING), client.ask(PING)
        house.door.doStop()
        done: list[None] = []
        house.door.drain(5).addCallback(done.append)
        idle.flush()
        assert idle.gone
        house.journal.flush()
        client.flush()
        assert (client.body(first), client.body(second)) == (b"OK", b"OK")
        house.advance(3)
        client.flush()
        assert client.gone
        assert done == [None]
        house.door.doStart()


def test_odd_requests() -> None:
    """Targets and names that HTTP/2 lets pass and HTTP/1 would not are refused, not errors."""
    with DoorStage() as house:
        client = Client(house)
        for path in ("*", "api", "/api/%ff", "/ping/\u00e9"):
            assert client.headers(client.ask(path))[":status"] == "400"
        assert client.headers(client.ask("/api", "G T"))[":status"] == "400"
        assert client.of(StreamReset, client.ask(PING, "GET", ("a(b", "c")))
        client.h2.config.validate_outbound_headers = False
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "CONNECT"), (":authority", "h")], end_stream=True)
        client.flush()
        assert client.headers(stream)[":status"] == "400"
        assert house.entries == []


def test_the_host_told_twice() -> None:
    """Some clients send Host beside `:authority`; that is one host if they agree."""
    with DoorStage() as house:
        client = Client(house)
        assert client.headers(client.ask("/api", "GET", ("host", "h")))[":status"] == "200"
        client.h2.config.validate_outbound_headers = False
        client.ask("/api", "GET", ("host", "other"))
        assert client.gone


def test_body_after_the_deadline_while_the_disk_is_slow() -> None:
    """What comes after the deadline is not kept, also if the ping is still waiting for the disk."""
    with DoorStage(door=SHORT, at_once=False) as house:
        client = Client(house)
        stream = client.ask(PING, "POST", end=False)
        client.send(stream, b"early")
        house.advance(11)
        client.send(stream, b"late")
        house.journal.flush()
        client.flush()
        assert client.body(stream) == b"OK"
        assert house.entries[-1].payload == b"early"


def test_client_resets_what_is_no_ping() -> None:
    """A request that is no ping and is reset before its end is forgotten."""
    with DoorStage() as house:
        client = Client(house)
        stream = client.ask("/api", "POST", end=False)
        client.h2.reset_stream(stream)
        client.flush()
        (connection,) = house.door.watch.connections
        assert isinstance(connection, Connection)
        assert connection.life.state() == "quiet"


def test_our_own_fault_in_the_middle() -> None:
    """A resource that fails after it has begun to answer ends its stream, and only that."""
    with DoorStage() as house:
        house.root.putChild(b"broken", Broken())
        client = Client(house)
        stream = client.ask("/broken")
        assert client.of(StreamReset, stream)
        assert len(house.troubles()) == 1
        assert client.body(client.ask(PING)) == b"OK"
