"""A process that stands still for a few seconds: what was sent to it meanwhile is heard before silence is judged."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import time
from uuid import uuid4

import pytest
import pytest_twisted
from twisted.internet import reactor

from pingmon.core.check.settings import CheckSpec
from pingmon.core.world.events import CheckCreated, Draft
from pingmon.journal import Journal, journal_at
from tests.process.daemons import Running, Starter, until

pytestmark = pytest.mark.process

DUE_S = 8
"""How long after a ping a check of the test goes down: too short for the API, which keeps tests waiting for minutes."""


async def impatient(daemon: Running, count: int) -> list[str]:
    """Checks that go down `DUE_S` after a ping, put into the log of a daemon that is stopped; their ids."""
    journal: Journal[None] = journal_at(daemon.data / "journal.sqlite3", reactor=reactor)  # type: ignore[arg-type]
    journal.open(0)
    journal.start(lambda entry: None)
    ids = [str(uuid4()) for _ in range(count)]
    spec = CheckSpec(timeout=DUE_S - 1, grace=1)
    for id in ids:
        await journal.append(Draft(journal.alive_at or 0, id, CheckCreated(daemon.keys["project"], spec)))
    await journal.stop()
    return ids


def called(daemon: Running, ids: list[str]) -> list[socket.socket]:
    """Connections, each with one ping sent and no answer read."""
    connections = []
    for id in ids:
        connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
        connection.sendall(f"GET /ping/{id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        connections.append(connection)
    return connections


def answered(connections: list[socket.socket]) -> set[bytes]:
    """The status lines of all answers."""
    lines = set()
    for connection in connections:
        with contextlib.closing(connection):
            lines.add(connection.makefile("rb").readline())
    return lines


def went_down(daemon: Running) -> set[str]:
    """The checks that were ever down."""
    with sqlite3.connect(f"file:{daemon.data}/journal.sqlite3?mode=ro", uri=True) as log:
        rows = log.execute('SELECT lower(hex(stream)) FROM flip WHERE body LIKE \'%"new":"down"%\'').fetchall()
    return {row[0] for row in rows}


@pytest_twisted.ensureDeferred
async def test_pings_that_came_while_the_process_stood_still_are_heard_before_deadlines_are_judged(
    start: Starter,
) -> None:
    """300 connections wait in the kernel's queue over their deadlines: none of their checks went down, a silent did."""
    first = start()
    first.stop()
    *ids, silent = await impatient(first, 301)
    daemon = start(first.data)
    began = time.monotonic()
    assert answered(called(daemon, [*ids, silent])) == {b"HTTP/1.1 200 OK\r\n"}
    until(lambda: time.monotonic() > began + DUE_S - 2, "the deadlines to be near")
    daemon.process.send_signal(signal.SIGSTOP)
    waiting = called(daemon, ids)
    until(lambda: time.monotonic() > began + DUE_S + 4, "the deadlines to be over")
    daemon.process.send_signal(signal.SIGCONT)
    assert answered(waiting) == {b"HTTP/1.1 200 OK\r\n"}
    until(lambda: went_down(daemon), "the silent check to go down")
    assert went_down(daemon) == {silent.replace("-", "")}
