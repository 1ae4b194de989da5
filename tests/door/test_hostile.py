"""What a hostile client may try. Afterwards pings are answered as before, and nothing of it is in the log."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pingmon.door.limits import DoorSettings
from pingmon.testing import PING_KEY
from tests.door.stage import CHECK, DoorStage

pytestmark = pytest.mark.usefixtures("met_by")

PING = f"GET /ping/{CHECK} HTTP/1.1\r\n\r\n".encode()
START = f"POST /ping/{CHECK}/start HTTP/1.1\r\n".encode()
SMUGGLED = f"GET /ping/{CHECK}/fail HTTP/1.1\r\n\r\n".encode()


def still_well(house: DoorStage) -> None:
    """A ping is taken as ever, and what came before has left no trace."""
    before = len(house.entries)
    assert house.ask(f"/ping/{CHECK}").status == 200
    assert len(house.entries) == before + 1
    house.advance(200)
    assert house.door.health().connections == 0


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 0\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: 5\x0b\r\n",
        b"Content-Length: \xb2\r\n",
        b"Content-Length:\r\n",
        b"Content-Length : 5\r\n",
        b" Content-Length: 5\r\n",
        b"Content-Length: 1\r\n 0\r\n",
        b"Content-Length\x00: 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: \x00chunked\r\n",
        b"Transfer-Encoding\t: chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"transfer-encoding:\tIdentity \r\nX: y\r\n",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"X: y\nContent-Length: 5\r\n",
        b"X: y\rContent-Length: 5\r\n",
    ],
)
def test_smuggling(headers: bytes) -> None:
    """A request whose length can be read in two ways is refused as a whole; nothing behind it is read."""
    with DoorStage() as house:
        line = house.line()
        line.send(START + headers + b"\r\n0\r\n\r\n" + SMUGGLED * 3)
        line.send(SMUGGLED)
        assert [reply.status for reply in line.replies()] == [400]
        assert house.entries == []
        still_well(house)


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\nx\r\n",
        b"0x1\r\nx\r\n",
        b"1 \r\nx\r\n",
        b"1\nx\r\n",
        b"1\r\nxy\r\n",
        b"1\r\nx\n",
        b"1\r\nx\n0\n\n",
        b"1\r\nx\r\n0\n",
        b"1\r\nx\r\n0\r\n\n",
        b"1\r\nx\r\n0\r\n\nX: y\r",
        b"1\r\nx\r\n0\r\nX: y\n\r\n",
        b"1\r\nx\r\n0\r\nX: y\nContent-Length: 9\r\n\r\n",
        b"\r\n",
        b"1;\x00\r\nx\r\n",
        b"f" * 2000,
        b"1;" + b"x" * 2000 + b"\r\n",
        b"0\r\n" + b"X: y\r\n" * 20_000,
    ],
)
@pytest.mark.parametrize("behind", [b"", SMUGGLED])
def test_bad_chunks(chunks: bytes, behind: bytes) -> None:
    """A chunked body that is none is refused at once and records nothing."""
    with DoorStage() as house:
        line = house.line()
        line.send(START + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        line.send(behind)
        assert [reply.status for reply in line.replies()] == [400]
        assert house.entries == []
        still_well(house)


HEAD = b"GET /ping/" + CHECK.encode()


@pytest.mark.parametrize(
    ("sent", "bodies"),
    [
        (HEAD + b" HTTP/1.0\n\n", [None]),
        (HEAD + b" HTTP/1.1\n\n", [None]),
        (HEAD + b" HTTP/1.1\nHost: x\nUser-Agent: sh\nContent-Length: 0\n\n", [None]),
        (HEAD + b" HTTP/1.0\nHost: x\nContent-Length: 5\n\nh\r\nlo", [b"h\r\nlo"]),
        (b"\n" + HEAD + b" HTTP/1.0\n\n", [None]),
        (b"\r\n" + HEAD + b" HTTP/1.0\n\n", [None]),
        (PING + HEAD + b" HTTP/1.1\n\n", [None, None]),
        (PING + b"\n" + PING, [None, None]),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_bare_line_ends_that_are_taken(sent: bytes, bodies: list[bytes | None], step: int) -> None:
    """A head whose lines all end in LF alone is answered at once, in whatever pieces it comes."""
    with DoorStage() as house:
        line = house.line()
        for start in range(0, len(sent), step):
            line.send(sent[start : start + step])
        assert [reply.status for reply in line.replies()] == [200] * len(bodies)
        assert [entry.payload for entry in house.entries] == bodies
        still_well(house)


def test_bare_line_ends_end_the_connection() -> None:
    """What follows such a request is not read: somebody in between may see another end of it."""
    with DoorStage() as house:
        line = house.line()
        line.send(HEAD + b" HTTP/1.1\n\n" + SMUGGLED * 2)
        assert line.reply().headers["Connection"] == "close"
        assert line.closed
        assert [ping.signal for ping in house.pings] == ["success"]
        other = house.line()
        other.send(b"GET /api HTTP/1.1\nHost: x\n\n" + SMUGGLED)
        assert (other.reply().status, other.reply().headers["Connection"]) == (200, "close")
        assert other.closed
        assert len(house.entries) == 1
        still_well(house)


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b" HTTP/1.1\nContent-Length: 5\n\nhello",
        HEAD + b" HTTP/1.0\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
        HEAD + b" HTTP/1.1\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
        HEAD + b" HTTP/1.0\nContent-Length: 5\nTransfer-Encoding: chunked\n\nhello",
        HEAD + b" HTTP/1.1\nHost: x\r\n",
        HEAD + b" HTTP/1.1\n\r\n",
        HEAD + b" HTTP/1.1\r\nHost: x\n",
        HEAD + b" HTTP/1.1\r\n\n",
        HEAD + b" HTTP/1.1\r\nHost: x\r\n\n",
        HEAD + b"\n",
        HEAD + b" HTTP/1.1\r\r\n\r\n",
        HEAD + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        HEAD + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\n",
        HEAD + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n",
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_bare_line_ends_that_are_refused(sent: bytes, step: int) -> None:
    """Where the end of a request could be read in two ways it is refused at once, and nobody waits for an answer."""
    with DoorStage() as house:
        line = house.line()
        for start in range(0, len(sent), step):
            line.send(sent[start : start + step])
        line.send(SMUGGLED * 2)
        assert [reply.status for reply in line.replies()] == [400]
        assert house.entries == []
        still_well(house)


def test_enormous_chunk() -> None:
    """A chunk that is announced larger than anything is a body like any other: what comes of it is kept."""
    with DoorStage() as house:
        line = house.line()
        line.send(START + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 900 + b"\r\n")
        for _ in range(60):
            line.send(b"x" * 30_000)
        assert line.reply().status == 200
        assert len(house.entries[0].payload or b"") == 10_000
        still_well(house)


def test_pipelined_garbage() -> None:
    """Pings before the garbage count and are answered; nothing behind it is read."""
    with DoorStage() as house:
        line = house.line()
        line.send(PING * 20 + b"\x00\xff\r\n" + SMUGGLED * 20)
        assert [reply.status for reply in line.replies()] == [200] * 20 + [400]
        assert {ping.signal for ping in house.pings} == {"success"}
        still_well(house)


def test_pipelining_without_end() -> None:
    """While an answer is being made, little of what follows is read ahead: the socket is paused."""
    with DoorStage(at_once=False) as house:
        line = house.line()
        for _ in range(100):
            line.send(PING * 10)
            if line.wire.producerState == "paused":
                break
        else:
            raise AssertionError("everything is taken")
        (connection,) = house.door.watch.connections
        assert connection.busy == 1
        line.hang_up()
        house.journal.flush()
        assert len(house.entries) == 1
        house.journal.at_once = True
        still_well(house)


def test_bad_utf8_everywhere() -> None:
    """Bytes that are no text, in every place that has text, lose no ping that names its check."""
    bad = b"\xff\xc3\x28\xed\xa0\x80"
    with DoorStage() as house:
        line = house.line()
        head = b"POST /ping/" + CHECK.encode() + b"?%ff=%c3%28&\xa0=\xa0&rid%ff=x HTTP/1.1\r\n"
        fields = b"".join(b"%s: %s\r\n" % (name, bad) for name in (b"Host", b"User-Agent", b"Referer", b"Cookie", b"X"))
        line.send(head + fields + b"Content-Length: 6\r\n\r\n" + bad)
        assert line.reply().status == 200
        assert house.last.left_out == 6
        assert house.ask(f"/ping/{PING_KEY}/%ff").status == 400
        assert house.ask("/%ff%fe").status == 400
        still_well(house)


def test_churn() -> None:
    """Connections that come and go, at any point of a request, leave nothing behind."""
    chance = random.Random(1)
    with DoorStage(door=DoorSettings(max_connections=20)) as house:
        for _ in range(500):
            line = house.line(f"192.0.2.{chance.randrange(5)}")
            line.send(PING[: chance.randrange(len(PING))])
            if chance.random() < 0.95:
                line.hang_up()
        house.advance(40)
        assert house.entries == []
        still_well(house)


REQUEST_LINES: SearchStrategy[bytes] = st.sampled_from(
    [
        PING[:-2],
        START,
        b"GET / HTTP/1.1\r\n",
        b"POST /api HTTP/1.0\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"CONNECT x HTTP/1.1\r\n",
    ]
)
FIELDS: SearchStrategy[bytes] = st.sampled_from(
    [
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"Host: x\r\n",
        b"Upgrade: h2c\r\nHTTP2-Settings: x\r\n",
        b"Range: bytes=0-\r\nIf-None-Match: *\r\n",
    ]
)
PIECES = st.one_of(
    REQUEST_LINES, FIELDS, st.binary(max_size=20), st.sampled_from([b"\r\n", b"0\r\n\r\n", b"3\r\nabc\r\n"])
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=12), st.integers(1, 60))
def test_anything_at_all(pieces: list[bytes], step: int) -> None:
    """Whatever is sent, in whatever pieces, it ends with an answer or the end, and the next ping is taken."""
    with DoorStage(door=DoorSettings(request_deadline_s=5, idle_timeout_s=5)) as house:
        line = house.line()
        sent = b"".join(pieces)
        for start in range(0, len(sent), step):
            line.send(sent[start : start + step])
        house.advance(20)
        assert line.closed
        assert len(house.pings) <= sent.count(b"/ping/")
        still_well(house)


@settings(max_examples=100)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=10), st.booleans())
def test_anything_at_all_over_http2(pieces: list[bytes], preface: bool) -> None:
    """The same over HTTP/2, frames or not."""
    with DoorStage(door=DoorSettings(request_deadline_s=5, idle_timeout_s=5)) as house:
        line = house.line()
        line.wire.negotiatedProtocol = b"h2"  # type: ignore[attr-defined]
        sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"] * preface + pieces
        for piece in sent:
            line.send(piece)
        house.advance(20)
        assert line.closed or not sent
        still_well(house)
