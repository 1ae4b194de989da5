"""What strangers send, against a whole daemon: afterwards it answers as before and has logged no traceback."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from attacks import GARBAGE, churn, garbage, throw

from tests.process.daemons import Running, Starter, until
from tests.process.test_alerts import LOOPBACK, with_channel

pytestmark = pytest.mark.process

CHURN = 40_000
BURST = 300


def sound(daemon: Running) -> None:
    """It answers, nothing is left open, and its log is short and without a traceback."""
    assert daemon.ping("job").body == b"OK"
    assert daemon.api("GET", "checks/").status == 200
    until(lambda: descriptors(daemon) < 60, "connections to be closed")
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert "Unhandled" not in log
    assert len(log.splitlines()) < 100, "strangers must not fill the log"


def descriptors(daemon: Running) -> int:
    """Files and sockets that the daemon has open."""
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def resident(daemon: Running) -> int:
    """Bytes of its memory."""
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * 4096


def test_garbage_of_every_kind_is_shrugged_off(start: Starter) -> None:
    """Each piece alone, then at random and many at once."""
    daemon = start()
    daemon.ping("job", "?create=1")
    for piece in GARBAGE:
        throw(daemon.port, piece)
        assert daemon.ping("job").status == 200
    garbage(daemon.port)
    sound(daemon)


def test_churn_of_connections_leaves_nothing_behind(start: Starter) -> None:
    """Forty thousand come, half send something, all go; memory stays where it was."""
    daemon = start()
    daemon.ping("job", "?create=1")
    churn(daemon.port, CHURN // 4)
    before = resident(daemon)
    churn(daemon.port, CHURN - CHURN // 4)
    sound(daemon)
    assert resident(daemon) - before < 20_000_000


def test_a_burst_of_callers_waits_for_a_busy_daemon(start: Starter) -> None:
    """The kernel keeps hundreds of connections until they are taken; none has to try again a second later."""
    daemon = start()
    daemon.process.send_signal(signal.SIGSTOP)
    callers = [socket.create_connection(("127.0.0.1", daemon.port), timeout=0.9) for _ in range(BURST)]
    daemon.process.send_signal(signal.SIGCONT)
    for caller in callers:
        caller.sendall(b"OPTIONS /ping/a HTTP/1.0\r\n\r\n")
        assert caller.recv(4096).startswith(b"HTTP/1.0 204")
        caller.close()


def test_slow_senders_are_cut_off_and_others_are_served_meanwhile(start: Starter) -> None:
    """One byte now and then, in the request line, in a header and in a body: all are gone after the deadline."""
    daemon = start(config="[http]\nrequest_deadline = 1\nidle_timeout = 2\n")
    daemon.ping("job", "?create=1")
    beginnings = [
        b"G",
        b"GET / HTTP/1.1\r\nX",
        b"POST /api/v3/checks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n",
    ]
    slow = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in range(30)]
    for index, connection in enumerate(slow):
        connection.sendall(beginnings[index % 3])

    def drip() -> bool:
        """Whether all are gone; sends a byte to each that is not."""
        assert daemon.ping("job").status == 200
        for connection in list(slow):
            try:
                connection.setblocking(True)
                connection.sendall(b"x")
                connection.setblocking(False)
                if connection.recv(4096) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                continue
            except OSError:
                connection.close()
                slow.remove(connection)
        return not slow

    until(drip, "the slow senders to be cut off", 15)
    sound(daemon)


def test_a_body_without_end_is_a_ping_and_then_the_connection_is_closed(start: Starter) -> None:
    """Past the hard cap: recorded, answered, closed; what is kept is the beginning."""
    daemon = start(config="[pings]\nbody_cap = 100000\n")
    daemon.ping("job", "?create=1")
    path = f"/ping/{daemon.keys['ping_key']}/job/fail"
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        got = b""
        try:
            for _ in range(50):
                connection.sendall(b"2710\r\n" + b"y" * 10_000 + b"\r\n")
            while chunk := connection.recv(4096):
                got += chunk
        except OSError:
            pass
    assert got.startswith(b"HTTP/1.1 200 OK") or got == b""
    until(lambda: daemon.api("GET", "checks/").json["checks"][0]["status"] == "down", "the ping to count")
    sound(daemon)


def test_a_client_that_never_reads_its_answers_cannot_fill_the_memory(start: Starter) -> None:
    """It asks without end; the daemon stops reading from it, serves others, and closes in the end."""
    daemon = start(config="[http]\nidle_timeout = 3\n")
    daemon.ping("job", "?create=1")
    before = resident(daemon)
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", daemon.port))
        greedy.settimeout(0.5)
        sent = 0
        with suppress(OSError):
            while sent < 30_000_000:
                sent += greedy.send(b"OPTIONS /ping/a HTTP/1.1\r\n\r\n" * 1000)
        assert sent < 10_000_000, "the daemon must stop reading"
        assert daemon.ping("job").status == 200
        assert resident(daemon) - before < 15_000_000
    sound(daemon)


def test_nothing_outlives_sigterm(start: Starter) -> None:
    """By more than `drain` and two seconds: not clients that stall, nor receivers that never answer; asked twice."""
    receiver, held = start.receiver(), threading.Event()
    receiver.answer = lambda request: 200 if held.wait(60) else 500
    daemon = start(config="[http]\ndrain = 1\n" + LOOPBACK)
    with_channel(daemon, receiver)
    assert daemon.api("POST", "checks/", {"name": "job", "slug": "job", "channels": "*"}).status == 201
    daemon.ping("job/fail")
    until(lambda: receiver.arrived, "the message to be on its way")
    path = f"/ping/{daemon.keys['ping_key']}/job"
    beginnings = [
        b"",
        b"GET /",
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n".encode(),
        f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 5000,
        b"\x00\r\n\r\n",
    ]
    clients = [socket.create_connection(("127.0.0.1", daemon.port), timeout=5) for _ in beginnings]
    for client, beginning in zip(clients, beginnings, strict=True):
        client.setblocking(False)
        with suppress(OSError):
            client.sendall(beginning)
    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    until(lambda: "is stopping" in daemon.log.read_text(), "the daemon to have understood")
    daemon.stop()
    assert time.monotonic() - began < 3
    held.set()
    for client in clients:
        client.close()
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert log.count("is stopping") == 1


def test_one_caller_cannot_take_all_connections(start: Starter) -> None:
    """Whoever holds half of the places gets no more of them, and others are still let in."""
    daemon = start(config="[http]\nmax_connections = 40\n")
    daemon.ping("job", "?create=1")
    before = descriptors(daemon)
    held = []
    for _ in range(60):
        with suppress(ConnectionError):  # those that get no place are closed at once
            connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=5)
            held.append(connection)
            connection.sendall(b"GET ")
    other = socket.create_connection(("::1", daemon.port), timeout=5)
    path = f"/ping/{daemon.keys['ping_key']}/job"
    other.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert other.recv(4096).startswith(b"HTTP/1.1 200 OK")
    other.close()
    for connection in held:
        connection.close()
    until(lambda: descriptors(daemon) <= before, "connections to be closed")
    sound(daemon)
