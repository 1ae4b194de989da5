"""The door's limits: nobody keeps a connection longer, or sends more, than is good for the others."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pingmon.daemon.resource_tree import Root
from pingmon.door.connection_watch import GONE_S
from pingmon.door.connections import Connection
from pingmon.door.http1 import Http1
from pingmon.door.limits import DoorSettings
from pingmon.pings.intake import PingSettings
from tests.door.stage import CHECK, Broken, DoorStage

pytestmark = pytest.mark.usefixtures("met_by")

GET_API = b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n"
PING = f"GET /ping/{CHECK} HTTP/1.1\r\n\r\n".encode()
POST = f"POST /ping/{CHECK} HTTP/1.1\r\n"
API = "POST /api HTTP/1.1\r\nHost: x\r\n"
SHORT = DoorSettings(request_deadline_s=10, idle_timeout_s=20)


# --- time ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"\r\n",
        b"GET /ping/x HTTP/1.1",
        b"GET /ping/x HTTP/1.1\r\n",
        b"GET /ping/x HTTP/1.1\r\nHost: x",
        PING[:-1],
        f"{API}Content-Length: 5\r\n\r\n1".encode(),
        f"{API}Transfer-Encoding: chunked\r\n\r\n1\r\n".encode(),
    ],
)
def test_slow_request_is_cut_off(sent: bytes) -> None:
    """A request that is not whole within the deadline is cut off without an answer, wherever it has stopped."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        line.send(sent)
        house.advance(9)
        assert not line.closed
        house.advance(3)
        assert line.closed
        assert line.wire.value() == b""
        assert house.entries == []


@pytest.mark.parametrize("request_", [PING * 2, f"{API}Content-Length: 30\r\n\r\n".encode() + b"x" * 40])
def test_dripping_does_not_help(request_: bytes) -> None:
    """One byte a second does not keep a request alive beyond its deadline."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        for byte in request_[:30]:
            line.send(bytes([byte]))
            house.advance(1)
        assert line.closed
        assert house.entries == []


@pytest.mark.parametrize("length", ["Content-Length: 500", "Transfer-Encoding: chunked"])
def test_ping_with_a_slow_body_counts(length: str) -> None:
    """At the deadline a ping counts with what came of its body; it is answered, and the connection closed."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        line.send(f"{POST}{length}\r\n\r\n2\r\nhi\r\n".encode())
        for _ in range(12):
            house.advance(1)
            line.send(b"1\r\n.\r\n")
        assert line.reply().status == 200
        assert line.reply().headers["Connection"] == "close"
        (entry,) = house.entries
        assert entry.payload is not None
        assert b"hi" in entry.payload
        house.advance(4)
        assert line.closed


def test_each_request_has_its_own_deadline() -> None:
    """The deadline counts from a request's own first byte: a long-lived connection is as good as a new one."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        for _ in range(5):
            line.send(PING[:20])
            house.advance(8)
            line.send(PING[20:])
            house.advance(8)
        assert [reply.status for reply in line.replies()] == [200] * 5
        assert not line.closed


def test_idle_connection_is_closed() -> None:
    """A connection on which nothing is asked for the idle time is closed."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        line.send(PING)
        house.advance(19)
        line.send(PING)
        house.advance(19)
        assert not line.closed
        house.advance(4)
        assert line.closed


def test_slow_disk_is_not_the_clients_fault() -> None:
    """While pingmon itself is working on an answer the client is not cut off."""
    with DoorStage(door=SHORT, at_once=False) as house:
        line = house.line()
        line.send(PING)
        house.advance(100)
        house.journal.flush()
        assert line.reply().status == 200


def test_pipelined_start_has_a_deadline() -> None:
    """The start of a next request that came along with the one before is held to the deadline as well."""
    with DoorStage(door=SHORT, at_once=False) as house:
        line = house.line()
        line.send(PING + PING[:30])
        house.journal.flush()
        house.advance(12)
        assert line.closed
        assert len(line.replies()) == 1


def test_client_that_does_not_read() -> None:
    """A client that takes no answers is cut off, whether the answer is being written or the connection closed."""
    with DoorStage(door=SHORT) as house:
        stalled, closing = house.line(), house.line()
        stalled.send(PING + GET_API)
        stalled.producer.pauseProducing()
        closing.wire.reads = False
        closing.send(PING.replace(b"1.1", b"1.0"))
        house.advance(30)
        assert stalled.wire.aborted
        assert closing.wire.aborted


def test_client_that_reads_slowly() -> None:
    """A client that takes its answer bit by bit is left in peace."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        line.send(PING + GET_API)
        for _ in range(4):
            line.producer.pauseProducing()
            house.advance(10)
            line.producer.resumeProducing()
            line.send(PING)
        assert not line.closed


def test_clock_that_is_set() -> None:
    """A wall clock that jumps, or a machine that slept, cuts nobody off: only looks count."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        line.send(PING[:20])
        house.clock.advance(3600)
        line.send(PING[20:])
        assert line.reply().status == 200


@pytest.mark.parametrize("options", ["close", "TE, close", "close, TE", "Close,TE", "keep-alive\r\nConnection: close"])
@pytest.mark.parametrize("target", [f"/ping/{CHECK}", "/api"])
def test_clients_that_want_the_end(options: str, target: str) -> None:
    """Who asks for the end of the connection gets it, however he asks."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: {options}\r\n\r\n".encode())
        assert line.reply().headers["Connection"] == "close"
        assert line.closed


def test_half_closed_connection() -> None:
    """A client that says it will send no more still gets its answers, and then the end."""
    with DoorStage(at_once=False) as house:
        line = house.line()
        line.send(PING + PING)
        line.end()
        for _ in range(2):
            assert not line.closed
            house.journal.flush()
            house.advance(0)
        assert [reply.status for reply in line.replies()] == [200, 200]
        assert line.closed
        quiet = house.line()
        quiet.end()
        assert quiet.closed


def test_half_closed_within_a_body() -> None:
    """The end of what a client sends is the end of a ping's body."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"{POST}Content-Length: 50\r\n\r\nhi".encode())
        line.end()
        assert line.reply().status == 200
        assert house.entries[-1].payload == b"hi"
        assert line.closed


@pytest.mark.parametrize("body", ["Content-Length: 50\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"])
def test_half_closed_within_another_body(body: str) -> None:
    """Anything but a ping is not done by halves: nobody may take the beginning of a body for the whole."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"POST /api HTTP/1.1\r\nHost: h\r\n{body}".encode())
        line.end()
        assert line.replies() == []
        assert line.closed


def test_half_closed_while_another_answer_is_made() -> None:
    """A request that came whole before the end is answered, whatever it is."""
    with DoorStage() as house:
        house.root.putChild(b"late", late := Late())
        line = house.line()
        line.send(b"POST /late HTTP/1.1\r\nHost: h\r\n\r\n")
        line.end()
        assert not line.closed
        late.request.finish()
        assert line.reply().status == 200
        assert line.closed


def test_refused_clients_that_have_gone_give_back_their_place() -> None:
    """What a refused client still sends is read for a while, but a client that has closed is not waited for."""
    with DoorStage() as house:
        before, after = house.line(), house.line()
        before.send(b"garbage\r\n\r\n")
        before.end()
        assert before.closed
        after.end()
        assert after.closed
        staying = house.line()
        staying.send(b"garbage\r\n\r\n")
        assert not staying.closed
        assert house.door.places.taken == 1


# --- size ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 20_000, 414),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 8_000 + b"\r\n") * 3 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 102 + b"\r\n", 431),
        (b"GET / HTTP/3.0\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n", 400),
    ],
)
def test_unreadable_heads(sent: bytes, status: int) -> None:
    """A head that is too large or malformed is answered shortly, and the connection closed."""
    with DoorStage() as house:
        line = house.line()
        line.send(sent)
        line.send(PING)
        reply = line.reply()
        assert (reply.status, reply.headers["Connection"]) == (status, "close")
        house.advance(3)
        assert line.closed
        assert house.entries == []


def test_ping_body_over_the_cap() -> None:
    """A ping with an endless body counts with what is kept of it, is answered, and the connection closed."""
    with DoorStage(PingSettings(body_limit=10), DoorSettings(body_cap=1000)) as house:
        for length in ("Content-Length: 1000000", "Transfer-Encoding: chunked"):
            line = house.line()
            line.send(f"{POST}{length}\r\n\r\n".encode())
            for _ in range(20):
                line.send(b"5a\r\n" + b"x" * 90 + b"\r\n")
            assert (line.reply().status, line.reply().headers["Connection"]) == (200, "close")
            house.advance(3)
            assert line.closed
        assert [len(entry.payload or b"") for entry in house.entries] == [10, 10]


def test_cap_within_the_last_piece() -> None:
    """A body that goes over the cap with its very last bytes is one ping, not two, and not an error."""
    with DoorStage(door=DoorSettings(body_cap=1000)) as house:
        line = house.line()
        line.send(f"{POST}Content-Length: 1500\r\n\r\n".encode() + b"x" * 1500 + PING)
        assert line.replies()[0].status == 200
        assert len(house.entries[0].payload or b"") == 1500


@pytest.mark.parametrize("length", ["Content-Length: 200000", "Transfer-Encoding: chunked"])
def test_other_bodies_over_the_limit(length: str) -> None:
    """Any other body over 64 KiB is refused as soon as that is known, and the connection closed."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"{API}{length}\r\n\r\n".encode())
        for _ in range(8):
            line.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        reply = line.reply()
        assert (reply.status, reply.headers["Content-Type"]) == (413, "application/json")
        assert reply.body == b'{"error": "the request body is longer than 65536 bytes"}'
        house.advance(3)
        assert line.closed


def test_a_long_body_is_refused_before_it_is_sent() -> None:
    """A client that asks first, as curl does, need not send it."""
    with DoorStage() as house:
        line = house.line()
        asks = "Expect: 100-continue\r\nContent-Length: 200000\r\n\r\n"
        line.send(f"POST /api HTTP/1.1\r\nHost: h\r\n{asks}".encode())
        assert line.reply().status == 413


def test_other_bodies_within_the_limit() -> None:
    """A body of exactly the limit is taken."""
    with DoorStage() as house:
        assert house.ask("/api", "POST", b"x" * 65_536).body == b"POST 65536"


def test_bodies_stay_in_memory() -> None:
    """What is not kept is dropped as it comes, never collected."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"{POST}Content-Length: 1000000\r\n\r\n".encode())
        for _ in range(90):
            line.send(b"x" * 10_000)
        (connection,) = house.door.watch.connections
        assert isinstance(connection, Connection)
        assert isinstance(connection.channel, Http1)
        assert len(connection.channel.requests[-1].content.getvalue()) == 10_000
        line.hang_up()


# --- places -------------------------------------------------------------------------------------------------------


def test_fairness() -> None:
    """One caller gets at most half of the places, a second one at most a third, and a newcomer still finds one."""
    with DoorStage(door=DoorSettings(max_connections=12)) as house:
        first = [house.line("192.0.2.1") for _ in range(12)]
        assert sum(not line.closed for line in first) == 6
        second = [house.line("192.0.2.2") for _ in range(12)]
        assert sum(not line.closed for line in second) == 3
        newcomer = house.line("192.0.2.3")
        newcomer.send(PING)
        assert newcomer.reply().status == 200
        assert house.door.health().connections == 10
        assert house.door.health().refused == 15


def test_places_are_given_back() -> None:
    """A closed connection makes room, however often."""
    with DoorStage(door=DoorSettings(max_connections=4)) as house:
        for _ in range(100):
            line = house.line()
            assert line.send(PING)
            line.hang_up()


def test_ipv6_networks_count_as_one_caller() -> None:
    """All addresses of one IPv6 network of 64 bits are one caller."""
    with DoorStage(door=DoorSettings(max_connections=8)) as house:
        lines = [house.line(f"2001:db8::{n:x}") for n in range(8)]
        assert sum(not line.closed for line in lines) == 4
        assert not house.line("2001:db8:0:1::1").closed


def test_trusted_proxies_may_hold_all_places() -> None:
    """A trusted proxy speaks for many; only the total binds it."""
    with DoorStage(door=DoorSettings(max_connections=8, trusted_proxies=("192.0.2.0/24",))) as house:
        lines = [house.line("192.0.2.1") for _ in range(9)]
        assert sum(not line.closed for line in lines) == 8


# --- hosts and targets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["a b", "x" * 64 + ".example", "é", "a..b", "\x01", "[::1", "a:b", "", "a,b", "<x>"])
def test_host_matters_not_to_pings(host: str) -> None:
    """A ping counts whatever its Host header says; anything else is refused with a bad one."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"GET /ping/{CHECK} HTTP/1.1\r\nHost: {host}\r\nHost: b\r\n\r\n".encode())
        line.send(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert [reply.status for reply in line.replies()] == [200, 400]
        assert line.replies()[1].body == b'{"error": "invalid host"}'


@pytest.mark.parametrize("host", ["x", "a.b-c.example.", "my_host:8000", "192.0.2.1", "[2001:db8::1]:443", "x:"])
def test_sane_hosts(host: str) -> None:
    """Names and addresses, with or without port, are fine."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert line.reply().status == 200


def test_two_hosts() -> None:
    """A request cannot be for two hosts."""
    with DoorStage() as house:
        assert house.ask("/api", "GET", b"", "Host: y").body == b'{"error": "invalid host"}'
        assert house.ask("http://x/other", "GET", b"", "Host: y").body == b"invalid host"


@pytest.mark.parametrize("host", ["\u00ff", "<x>", "other", "a..b"])
def test_the_host_in_the_target_counts(host: str) -> None:
    """With a target that names a host, what Host says is neither shown nor stumbled over."""
    with DoorStage() as house:
        line = house.line()
        line.send(f"GET http://h:81/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
        assert line.reply().status == 200
        assert b" http://h:81/ping/" in line.reply().body
        assert host.encode("latin-1") not in line.reply().body


def test_requests_without_host() -> None:
    """HTTP/1.1 without Host is refused (except for pings), HTTP/1.0 is not."""
    with DoorStage() as house:
        for version, status in ((b"1.1", 400), (b"1.0", 200)):
            line = house.line()
            line.send(b"GET /api HTTP/%s\r\n\r\n" % version)
            assert line.reply().status == status
        line = house.line()
        line.send(f"GET /ping/{CHECK} HTTP/1.0\r\n\r\n".encode())
        assert line.reply().status == 200
        assert line.wire.value().startswith(b"HTTP/1.0 200 OK\r\n")
        assert line.closed


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"http://h/ping/{CHECK}", 200),
        (f"HTTPS://h:443/ping/{CHECK}?rid=x", 400),
        (f"http:///ping/{CHECK}", 200),
        ("http://h/api", 200),
        ("http://h", 200),
        ("http://h?x=/api", 200),
        ("http://a%20b/api", 400),
        ("ftp://h/api", 400),
        ("api", 400),
        ("h:443", 400),
        ("*", 400),
        ("/api/%ff", 400),
        ("/nothing", 404),
        ("//api", 404),
        ("/", 200),
    ],
)
def test_targets(target: str, status: int) -> None:
    """Targets with scheme and host are understood; what names nothing is refused, never an error."""
    with DoorStage() as house:
        reply = house.ask(target)
        assert reply.status == status
        if status == 404:
            assert (reply.body, reply.headers["Content-Type"]) == (b"not found", "text/plain; charset=utf-8")


class Late(Resource):
    """Keeps a request, to be answered later."""

    isLeaf = True

    def render(self, request: Any) -> int:
        self.request = request
        request.setHeader(b"Content-Length", b"0")
        return NOT_DONE_YET


class Codes(Resource):
    """Answers with the code that is asked for."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        request.setResponseCode(int(request.postpath[0]))
        return b""


@pytest.mark.parametrize("status", [status for status in HTTPStatus if status >= 200])
def test_every_code_has_its_reason_phrase(status: HTTPStatus) -> None:
    """Also those that Twisted does not know, as 429 Too Many Requests."""
    with DoorStage() as house:
        house.root.putChild(b"codes", Codes())
        line = house.line()
        came = line.send(f"GET /codes/{status.value} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert came.partition(b"\r\n")[0] == f"HTTP/1.1 {status.value} {status.phrase}".encode()
        line.hang_up()


def test_options_of_everything() -> None:
    """`OPTIONS *` asks about the server as a whole."""
    with DoorStage() as house:
        assert house.ask("*", "OPTIONS").status == 204


def test_answers_of_other_resources() -> None:
    """Everything else has our own Server header and a date, too."""
    with DoorStage() as house:
        reply = house.ask("/api?a=%ff&b;c=%zz")
        assert reply.headers["Server"] == "pingmon"
        assert reply.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


# --- the end ------------------------------------------------------------------------------------------------------


def test_drain() -> None:
    """Idle connections are closed at once, requests in flight are answered first, what is left is aborted in time."""
    with DoorStage(at_once=False) as house:
        idle, busy, arriving, stuck = (house.line() for _ in range(4))
        idle.send(PING)
        house.journal.flush()
        busy.send(PING + PING)
        arriving.send(PING[:20])
        stuck.send(PING[:20])
        house.door.doStop()
        done: list[None] = []
        house.door.drain(5).addCallback(done.append)
        assert idle.closed
        assert not busy.closed
        house.journal.flush()
        assert [reply.headers.get("Connection") for reply in busy.replies()] == ["close"]
        assert busy.closed
        arriving.send(PING[20:])
        house.journal.flush()
        assert arriving.reply().headers["Connection"] == "close"
        assert arriving.closed
        assert done == []
        house.advance(6)
        assert stuck.wire.aborted
        assert done == [None]
        assert house.clock.getDelayedCalls() == []
        house.door.doStart()


def test_drain_of_an_empty_house() -> None:
    """With nobody there it is over at once."""
    with DoorStage() as house:
        house.door.doStop()
        done: list[None] = []
        house.door.drain(5).addCallback(done.append)
        assert done == [None]
        assert house.clock.getDelayedCalls() == []
        house.door.doStart()


def test_drain_of_a_connection_whose_end_nobody_tells() -> None:
    """It is given up soon after it was aborted: nothing a client does keeps the daemon from ending."""
    with DoorStage() as house:
        line = house.line()
        line.send(PING[:20])
        line.wire.silent = True
        house.door.doStop()
        done: list[None] = []
        house.door.drain(5).addCallback(done.append)
        house.advance(5)
        assert line.wire.aborted
        assert done == []
        house.advance(GONE_S)
        assert done == [None]
        assert house.clock.getDelayedCalls() == []
        line.hang_up()
        house.door.doStart()


def test_stop_without_drain() -> None:
    """Connections that are open when listening ends are looked after until they close, and then nothing is left."""
    with DoorStage(door=SHORT) as house:
        line = house.line()
        line.send(PING[:20])
        house.door.doStop()
        house.advance(15)
        assert line.closed
        assert house.clock.getDelayedCalls() == []
        house.door.doStart()
        house.door.watch.start()


def test_our_own_fault_in_the_middle() -> None:
    """A resource that fails after it has begun to answer ends the connection; before, it is answered 500."""
    with DoorStage() as house:
        house.root.putChild(b"broken", Broken())
        line = house.line()
        line.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.closed
        assert len(house.troubles()) == 1
        gone = house.line()
        house.root.putChild(b"gone", Broken(gone.hang_up))
        gone.send(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(house.troubles()) == 1


def test_house_without_api() -> None:
    """A root to which nothing was added has nothing."""
    assert Root().listNames() == []


def test_watch_survives_a_fault() -> None:
    """An error while looking after one connection is logged and keeps nobody else from being looked after."""
    with DoorStage(door=SHORT) as house:
        odd, even = house.line(), house.line()
        broken: Any = odd.wire.protocol
        life, broken.life = broken.life, None
        house.advance(15)
        assert even.closed
        broken.life = life
        assert {event["log_format"] for event in house.troubles()} == {
            "an error while the door looked after a connection"
        }
