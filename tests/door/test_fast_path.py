"""The fast path: what is plain, that it means what the general path means, and what it does without."""

from __future__ import annotations

import errno
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pingmon.core.world.events import PingKeyRotated
from pingmon.door import fast_path
from pingmon.door.access_log import AccessLog
from pingmon.door.connections import Connection
from pingmon.door.fast_path import BODY_MAX, FIELDS_MAX, HEAD_MAX, PlainHead, plain_head
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.pings.intake import PingSettings
from pingmon.testing import PING_KEY, PROJECT
from tests.door.stage import CHECK, RID, UNKNOWN, DoorStage, InMemoryFront, Line

pytestmark = pytest.mark.usefixtures("met_by")

PING = f"GET /ping/{CHECK} HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n".encode()
POST = f"POST /ping/{CHECK}/log HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


def generally(house: DoorStage) -> DoorStage:
    """The same house, without the fast path."""
    house.door._fast = None
    return house


def connection(house: DoorStage) -> Connection:
    (one,) = house.door.watch.connections
    assert isinstance(one, Connection)
    return one


# --- what is plain --------------------------------------------------------------------------------------------------


def test_what_a_plain_head_says() -> None:
    """All that the intake and the access log ask for."""
    path, query = f"/{PING_KEY}/backup".encode(), f"rid={RID}&create=1".encode()
    head = f"POST /{PING_KEY}/backup?{query.decode()} HTTP/1.1\r\nhost:x\r\nX-A: \t b c \r\nContent-Length: 12\r\n\r\n"
    fields = {b"host": b"x", b"x-a": b"b c", b"content-length": b"12"}
    assert plain_head(head.encode()) == PlainHead(
        b"POST", path + b"?" + query, path, query, fields, 12, False, len(head)
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GET", "PUT"),
        ("GET", "get"),
        ("GET ", "GET  "),
        ("/ping", "http://x/ping"),
        ("/ping", "ping"),
        ("/ping", "/p#ing"),
        ("/ping", "/p\x80ing"),
        ("/ping", "/p ing"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("HTTP/1.1", "HTTP/2.0"),
        ("1.1\r\n", "1.1\n"),
        ("Host: x\r\n", "Host: x\n"),
        ("Host: x", "Host: x\r\n y"),
        ("Host: x", "Host : x"),
        ("Host: x", "Host"),
        ("Host: x", ": x"),
        ("Host: x", "Host: x\x00"),
        ("Host: x", "Host: \x80"),
        ("Host: x", "Host: x\r\nHost: y"),
        ("Host: x", "Host: x\r\nhost: x"),
        ("Host: x", "Transfer-Encoding: chunked"),
        ("Host: x", "transfer-encoding: identity"),
        ("Host: x", "Expect: 100-continue"),
        ("Host: x", "Upgrade: h2c"),
        ("Host: x", "Trailer: x"),
        ("Host: x", "TE: trailers"),
        ("Host: x", "Connection: upgrade"),
        ("Host: x", "Connection: keep-alive, close"),
        ("Host: x", "Content-Length: +1"),
        ("Host: x", "Content-Length: 1, 1"),
        ("Host: x", "Content-Length: "),
        ("Host: x", f"Content-Length: {BODY_MAX + 1}"),
        ("Host: x", "Content-Length: 111111"),
        ("Host: x", "X: " + HEAD_MAX * "x"),
        ("Host: x", "\r\n".join(f"x{number}: " for number in range(FIELDS_MAX))),
    ],
)  # fmt: skip
def test_what_is_not_plain(old: str, new: str) -> None:
    """It goes the general path, which knows all of HTTP."""
    assert plain_head(PING) is not None
    assert plain_head(PING.decode().replace(old, new, 1).encode("latin-1")) is None


@pytest.mark.parametrize(("value", "closes"), [("close", True), ("Keep-Alive", False), ("", False)])
def test_how_a_plain_head_ends(value: str, closes: bool) -> None:
    """The client says whether the connection ends with the answer."""
    head = plain_head(PING.replace(b"Accept: */*", f"Connection: {value}".encode()))
    assert head is not None
    assert head.closes is closes


# --- two ways, one meaning ------------------------------------------------------------------------------------------

METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"])
PATHS = st.sampled_from(
    [
        f"/ping/{CHECK}", f"/{CHECK}/fail", f"/ping/{CHECK.upper()}/7", f"/ping/{CHECK}/start?rid={RID}",
        f"/ping/{CHECK}?rid=no", f"/ping/{PING_KEY}/backup", f"/{PING_KEY}/new?create=1", f"/ping/{UNKNOWN}", "/ping/",
        "/pinge", "/api", f"/ping/{CHECK}?", f"/ping/{CHECK}?a?b", f"/%70ing/{CHECK}", f"/ping/{CHECK}/%73tart",
        f"/ping//{CHECK}",
        f"/ping/{CHECK}/", f"/ping/{CHECK}/../x", f"/ping/{CHECK};x", "/",
    ]
)  # fmt: skip
FIELDS = st.lists(
    st.sampled_from(
        [
            "User-Agent: curl/7.88.1", "user-agent:wget", "User-Agent: \t é", "User-Agent:", "Accept: */*", "Host: y",
            "Connection: close", "Connection: keep-alive", "Connection: close, x", "Expect: 100-continue",
            "X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: 198.51.100.8", "X-Forwarded-Proto: https",
            "Forwarded: for=198.51.100.9;proto=https", "Content-Length: 3", "Content-Length: 003",
            "Content-Length: 3,3", "Transfer-Encoding: chunked", "X_y: z", "X y: z", " folded", "Te: trailers",
            *("\r\n".join(f"x{number}:" for number in range(many)) for many in (20, 23, 98, 99, 100)),
        ]
    ),
    max_size=4,
)  # fmt: skip
BODIES = st.sampled_from(["", "abc", "a\n\x00c", "x" * 40, "3\r\nabc\r\n0\r\n\r\n", "é" * 9, "x" * 3000])
REQUESTS = st.tuples(METHODS, PATHS, st.sampled_from(["1.1", "1.1", "1.1", "1.0"]), FIELDS, BODIES, st.booleans())


def as_bytes(request: tuple[str, str, str, list[str], str, bool]) -> bytes:
    method, path, version, fields, body, declared = request
    lines = [f"{method} {path} HTTP/{version}", "Host: pingmon.example", *fields]
    if declared:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


def told(house: DoorStage, pieces: list[bytes], end: str) -> tuple[object, ...]:
    """All that can be seen of what these bytes do, and of whatever is left of them when a ping follows."""
    with house:
        line = house.line()
        for piece in pieces:
            line.send(piece)
            house.clock.advance(0)
        if end == "ping":
            line.send(PING)
        elif end == "hang up":
            line.hang_up()
        elif end == "half":
            line.end()
        elif end == "wait":
            house.advance(100)
        house.clock.advance(0)
        seen = line.wire.value(), line.closed, [(entry.event, entry.payload) for entry in house.entries]
        line.hang_up()
        house.troubles()
    return seen


@settings(max_examples=400, deadline=None)
@given(
    st.lists(REQUESTS, min_size=1, max_size=3).map(lambda requests: b"".join(map(as_bytes, requests))),
    st.lists(st.integers(0, 400) | st.integers(0, 4000), max_size=3),
    st.sampled_from(["", "ping", "hang up", "half", "wait"]),
    st.sampled_from([30, 4000]),
    st.booleans(),
    st.booleans(),
)
def test_both_ways_mean_the_same(sent: bytes, cuts: list[int], end: str, cap: int, trusted: bool, front: bool) -> None:
    """Whatever is sent, in whatever pieces: the same answers, the same events, and the same is left of it."""
    edges = [0, *sorted(cuts), len(sent)]
    pieces = [piece for start, stop in pairwise(edges) if (piece := sent[start:stop])]
    door = DoorSettings(body_cap=cap, trusted_proxies=("192.0.2.0/24",) if trusted else ())
    pings = PingSettings(body_limit=min(cap - 10, 2500))
    generally_told = told(generally(DoorStage(pings, door)), pieces, end)
    Line.FRONT = front
    try:
        assert told(DoorStage(pings, door), pieces, end) == generally_told
    finally:
        Line.FRONT = False


def test_both_ways_write_the_same_access_log(tmp_path: Path) -> None:
    """Line by line."""
    sent = PING + PING.replace(b"GET", b"HEAD") + (POST % 3).encode() + b"abc" + PING.replace(b"ping", b"pong")
    logs = []
    for way in ("fast", "general"):
        path = tmp_path / f"{way}.log"
        log = AccessLog(path, str, Dates(lambda: 0))
        house = DoorStage(access_log=lambda _, log=log: log)  # type: ignore[misc]
        with house if way == "fast" else generally(house):
            house.line().send(sent)
        logs.append(path.read_text())
    assert logs[0] == logs[1]
    assert logs[0].count("\n") == 4


# --- what it does without -------------------------------------------------------------------------------------------


def test_a_plain_ping_makes_no_channel() -> None:
    """Nor does the one after it; the first request that is not plain gets one, for it and all that follow."""
    with DoorStage() as house:
        line = house.line()
        line.send(PING)
        line.send((POST % 5).encode() + b"12345")
        assert connection(house).channel is None
        line.send(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        line.send(PING)
        assert connection(house).channel is not None
        assert [reply.status for reply in line.replies()] == [200] * 4
        assert [entry.payload for entry in house.entries] == [None, b"12345", None]


@pytest.mark.parametrize("end", ["hang up", "half", "wait"])
def test_a_plain_ping_counts_whose_body_does_not_come_whole(end: str) -> None:
    """As on the general path, from its head on, however the client fails it."""
    with DoorStage(door=DoorSettings(request_deadline_s=2)) as house:
        line = house.line()
        line.send((POST % 5).encode() + b"12")
        assert house.entries == []
        {"hang up": line.hang_up, "half": line.end, "wait": lambda: house.advance(5)}[end]()
        assert [entry.payload for entry in house.entries] == [b"12"]
        assert end == "hang up" or line.reply().status == 200


@pytest.mark.parametrize("end", ["hang up", "half", "wait"])
def test_all_of_a_body_counts_that_has_come(end: str) -> None:
    """And not only as much as the general path takes in one bite."""
    with DoorStage(door=DoorSettings(request_deadline_s=2)) as house:
        line = house.line()
        line.send((POST % 9000).encode() + b"1" * 3000)
        line.send(b"2" * 3000)
        {"hang up": line.hang_up, "half": line.end, "wait": lambda: house.advance(5)}[end]()
        assert [entry.payload for entry in house.entries] == [b"1" * 3000 + b"2" * 3000]


def test_only_heads_that_name_a_check_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers push nobody's out, however many they send; and there are never more than a number of them."""
    monkeypatch.setattr(fast_path, "REMEMBERED", 3)
    with DoorStage() as house:
        way: Any = house.door._fast
        for number in range(5):
            for _ in range(2):
                house.ask(f"/ping/{UNKNOWN}", "GET", b"", f"X-N: {number}")
                house.ask("/api", "GET", b"", f"X-N: {number}")
        assert way._remembered == {}
        for number in range(5):
            for _ in range(2):
                assert house.ask(f"/ping/{CHECK}", "GET", b"", f"X-N: {number}").status == 200
        assert [head.fields[b"x-n"] for head in way._remembered.values()] == [b"2", b"3", b"4"]
        for _ in range(2):
            assert house.ask(f"/ping/{CHECK}", "GET", b"", f"X-N: {'y' * 600}").status == 200
        assert len(way._remembered) == 3


def test_a_head_that_never_comes_again_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that names its runs leaves nothing behind: what is kept of heads that came once is bounded as well."""
    monkeypatch.setattr(fast_path, "REMEMBERED", 3)
    with DoorStage() as house:
        way: Any = house.door._fast
        for number in range(5):
            assert house.ask(f"/ping/{CHECK}", "GET", b"", f"X-N: {number}").status == 200
            assert len(way._seen_once) <= 3
        assert way._remembered == {}


def test_a_remembered_head_names_what_is_there_now() -> None:
    """A check that was removed meanwhile is not found."""
    with DoorStage() as house:
        for _ in range(3):
            assert house.ask(f"/ping/{CHECK}").status == 200
        house.world.checks.pop(CHECK)
        assert house.ask(f"/ping/{CHECK}").status == 404


def test_a_remembered_head_that_is_nothing_for_the_intake_any_more() -> None:
    """Its ping key was replaced: it is now judged as all else is, its Host included."""
    with DoorStage() as house:
        for host in ("x", "a..b"):
            sent = f"GET /{PING_KEY}/backup HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            line = house.line()
            for _ in range(3):
                line.send(sent)
        assert [reply.status for reply in line.replies()] == [200] * 3
        house.submit(PROJECT, PingKeyRotated("k" * 22))
        house.clock.advance(0)
        line.send(sent)
        assert [reply.status for reply in line.replies()] == [200] * 3 + [400]


def test_answers_are_sent_at_once_as_far_as_the_socket_takes_them() -> None:
    """The rest of them is Twisted's, which tells when the client does not read; then no more is read from it either."""
    with DoorStage() as house:
        line = house.line()
        line.wire.room = 300
        line.send(PING)
        assert line.wire.producer is None
        line.send(PING)
        assert [reply.status for reply in line.replies()] == [200, 200]
        assert line.wire.producer is connection(house)
        line.producer.pauseProducing()
        assert line.wire.producerState == "paused"
        line.send(PING)
        assert len(line.replies()) == 2
        line.producer.resumeProducing()
        house.clock.advance(0)
        assert len(line.replies()) == 3
        line.producer.stopProducing()
        line.send(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.replies()[3].status == 200


def test_what_comes_while_a_ping_waits_for_the_log_waits_too() -> None:
    """One request at a time, in their order; whoever sends more is not read from until it can be handled."""
    with DoorStage(at_once=False) as house:
        line = house.line()
        line.send(PING)
        line.send(PING + PING)
        assert line.wire.producerState == "paused"
        for answered in (1, 2, 3):
            house.journal.flush()
            house.clock.advance(0)
            assert len(line.replies()) == answered
        assert line.wire.producerState == "producing"


def test_a_body_that_drips_is_looked_at_once_more_when_it_is_whole() -> None:
    """And not at each byte, which would take time in proportion to the square of their number."""
    with DoorStage() as house:
        way: Any = house.door._fast
        looked: list[int] = []
        head = way.head
        way.head = lambda data: (looked.append(len(data)), head(data))[1]  # type: ignore[func-returns-value]
        line = house.line()
        line.send((POST % 50).encode())
        for _ in range(50):
            line.send(b"x")
        assert line.reply().status == 200
        assert len(looked) == 2


@pytest.mark.parametrize("where", ["head", "log"])
def test_a_fault_of_the_fast_path_ends_its_connection_only(where: str) -> None:
    """Nobody is answered twice, and all others go on."""
    with DoorStage() as house:
        line, other = house.line(), house.line()
        broken: Any = house.door._fast if where == "head" else house.door
        setattr(broken, where, lambda _: 1 / 0)
        line.send(PING)
        delattr(broken, where)
        assert line.closed
        assert len(line.replies()) == (where == "log")
        other.send(PING)
        assert other.reply().status == 200
        assert len(house.troubles()) == (where == "log")


def test_who_asks_for_more_and_has_gone_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twisted cannot take over a socket whose other end has gone; what it asked is done, and nobody is answered."""
    with DoorStage() as house:
        line = house.line()

        def gone(*_: object) -> None:
            raise OSError(errno.ENOTCONN, "gone")

        monkeypatch.setattr(InMemoryFront, "adoptStreamConnection", gone)
        line.send(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.closed == Line.FRONT
        assert house.troubles() == []


def test_our_own_fault_is_answered_without_its_details() -> None:
    """With 500, and the connection goes on."""
    with DoorStage() as house:
        house.intake._take = None  # type: ignore[assignment]
        line = house.line()
        line.send(PING)
        assert line.reply().status == 500
        assert len(house.troubles()) == 1
        del house.intake._take
        line.send(PING)
        assert line.replies()[1].status == 200
