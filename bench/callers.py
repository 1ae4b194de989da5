"""Callers of a server that is measured: wrk keeps its connections, a client like curl makes a new one per request.

A request is text. Where it says `{n}`, there stands another number of twelve digits each time it is sent, so that no
server sees the same head twice.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import select
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 30.0
BLOCK = 100_000_000
_blocks = itertools.count(1)


@dataclass(frozen=True)
class Load:
    """What the callers saw: answers, how many were not 2xx or never came, percentiles of how long they took.

    wrk counts from the request, the client like curl from before it connects.
    """

    per_s: float
    requests: int
    failed: int
    p50_ms: float
    p99_ms: float


def request(path: str, method: str = "GET", headers: str = "", body: str = "") -> str:
    """A request as curl makes it; `headers` are whole lines."""
    if body:
        headers += f"Content-Length: {len(body)}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n{headers}\r\n{body}"
    )


def wrk(port: int, requests: list[str], seconds: float, connections: int, script: Path) -> Load:
    """Load on `port` with `connections` that are kept and ask for one of `requests` at random, without pause.

    wrk knows whole seconds only.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs wrk: apt-get install wrk")
    parts = [[json.dumps(part) for part in text.split("{n}", 1)] for text in requests]
    script.write_text(
        "local all = {\n" + ",\n".join(f"  {{{', '.join(part)}}}" for part in parts) + "\n}\n"
        f"local n = {next(_blocks) * BLOCK}\nfunction init() math.randomseed(os.time()) end\n"
        "function request()\n  local parts = all[math.random(#all)]\n  if not parts[2] then return parts[1] end\n"
        '  n = n + 1\n  return parts[1] .. string.format("%012d", n) .. parts[2]\nend\n'
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", str(script)]
    ran = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    text = ran.stdout
    requests_made = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert requests_made is not None, text
    assert rate is not None, text
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = (int(bad[1]) if bad else 0) + (sum(map(int, errors.groups())) if errors else 0)
    return Load(float(rate[1]), int(requests_made[1]), failed, _milliseconds(text, "50%"), _milliseconds(text, "99%"))


def _milliseconds(text: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", text)
    assert found is not None, text
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def curl(port: int, requests: list[str], seconds: float, at_once: int, *, tls: bool = False) -> Load:
    """Load on `port` as from `at_once` curls: each connects, asks, reads the answer and hangs up; then comes the next.

    It runs in this process, which costs some 70 µs a request and many times that over TLS, so `per_s` and the
    percentiles say little of a server that is faster.
    """
    numbers, security = itertools.count(next(_blocks) * BLOCK), _unverified() if tls else None
    poll, visits, took, failed = select.epoll(), dict[int, Visit](), list[float](), 0

    def begin() -> None:
        text = random.choice(requests).replace("{n}", f"{next(numbers):012d}")
        visit = Visit(port, text.encode(), security)
        visits[visit.connection.fileno()] = visit
        poll.register(visit.connection, select.EPOLLIN)

    began = time.monotonic()
    for _ in range(at_once):
        begin()
    while visits:
        ready = poll.poll(PATIENCE_S)
        if not ready:
            raise TimeoutError(f"{len(visits)} requests without an answer for {PATIENCE_S:.0f} s")
        for descriptor, _ in ready:
            visit = visits[descriptor]
            if not visit.over():
                continue
            took.append((time.monotonic() - visit.began) * 1000)
            failed += not visit.good
            del visits[descriptor]
            visit.leave()
            if time.monotonic() - began < seconds:
                begin()
    per_s = len(took) / (time.monotonic() - began)
    took.sort()
    return Load(per_s, len(took), failed, took[len(took) // 2], took[len(took) * 99 // 100])


class Visit:
    """One connection with one request."""

    def __init__(self, port: int, text: bytes, security: ssl.SSLContext | None) -> None:
        self.began, self.answer, self.good = time.monotonic(), b"", False
        self.connection, self.unsent = socket.create_connection(("127.0.0.1", port), PATIENCE_S), text
        self.connection.setblocking(False)
        if security is not None:
            self.connection = security.wrap_socket(self.connection, do_handshake_on_connect=False)
        self._ask()

    def _ask(self) -> bool:
        """Shake hands and send the request, as far as that can be done now; whether it is sent."""
        with suppress(ssl.SSLWantReadError):
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
            assert self.connection.send(self.unsent) == len(self.unsent), "the socket's buffer is too small"
            self.unsent = b""
        return not self.unsent

    def over(self) -> bool:
        """Go on after something came; whether the answer is whole, or will never be."""
        try:
            if self.unsent and not self._ask():
                return False
            while came := self.connection.recv(65536):
                self.answer += came
                head, found, body = self.answer.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                if found and len(body) >= (int(length[1]) if length else 0):
                    self.good = head.startswith(b"HTTP/1.1 2")
                    return True
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            pass
        return True

    def leave(self) -> None:
        """Hang up as curl does, which over TLS says that it goes."""
        if isinstance(self.connection, ssl.SSLSocket):
            with suppress(OSError):
                self.connection.unwrap()
        self.connection.close()


def _unverified() -> ssl.SSLContext:
    """A client that takes any certificate and keeps no session."""
    security = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    security.check_hostname, security.verify_mode = False, ssl.CERT_NONE
    return security
