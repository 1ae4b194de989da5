"""What strangers do to a daemon: bounded attacks on a loopback port, for the tests and for `aftermath.py`."""

from __future__ import annotations

import random
import socket
import threading

GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"\x00" * 5000,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /ping/\xff\xfe/\xc3\x28 HTTP/1.1\r\nHost: \xff\xff\r\n\r\n",
    b"GET /api/v3/checks/ HTTP/1.1\r\nHost: " + b"a" * 300 + b"\r\nX-Api-Key: \xff\xfe\r\n\r\n",
    b"GET /api/v3/%ff%fe?tag=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/api/v3/checks/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /ping/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / ",
    b"POST /ping/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"POST /ping/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /ping/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /ping/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
    b'POST /api/v3/checks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"a": \xff}}',
    b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(2000)) + b"\r\n",
    b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100),
    b"GET /ping/a/b HTTP/1.1\r\nHost: x\r\n\r\n" * 200 + b"\xff" * 500,
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\n" * 3000,
]


SOURCES = 8


def throw(port: int, what: bytes) -> None:
    """Send, read what comes for a moment, and hang up."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
            connection.sendall(what)
            while connection.recv(65536):
                pass
    except OSError:
        return


def garbage(port: int, rounds: int = 20, threads: int = 8) -> None:
    """Beginnings of every kind of garbage at random, `rounds` times in each of several threads at once."""
    chance = random.Random(1)

    def at_random() -> None:
        for _ in range(rounds):
            throw(port, chance.choice(GARBAGE)[: chance.randrange(1, 9000)])

    running = [threading.Thread(target=at_random) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)


def churn(port: int, connections: int) -> None:
    """Connect and go, one after another, from several addresses (each has only so many ports); half send something."""
    for number in range(connections):
        source = (f"127.0.0.{1 + number % SOURCES}", 0)
        with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=source) as connection:
            if number // SOURCES % 2:
                connection.sendall(b"GET /ping/")


def endless(port: int, path: str) -> None:
    """A chunked body that is cut off by the other side, in the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(2000):
                connection.sendall(b"2710\r\n" + b"y" * 10_000 + b"\r\n")
        except OSError:
            return
