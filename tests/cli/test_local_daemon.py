"""What a command makes of a daemon's answers, and of none."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pingmon.cli.local_daemon import LocalDaemon, locked
from pingmon.daemon.data_directory import DataDir


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def answer(status: int, body: str) -> bytes:
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_answers_come_one_after_the_other_on_one_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    """The request is JSON, and shows no key."""
    daemon = LocalDaemon(pair[0])
    pair[1].sendall(answer(200, '{"a": 1}'))
    assert daemon.ask("GET", "keys/") == {"a": 1}
    pair[1].sendall(answer(201, "[]"))
    assert daemon.ask("POST", "keys/", {"name": "ü"}) == []
    asked = pair[1].recv(10_000).decode().lower()
    assert asked.startswith("get /api/v3/keys/ http/1.1\r\nhost: localhost\r\n")
    assert asked.endswith('\r\n\r\n{"name": "\\u00fc"}')
    assert "api-key" not in asked


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (answer(400, '{"error": "json validation error: name is empty"}'), "name is empty"),
        (answer(400, '{"error": "schedule is wrong", "why": "six fields"}'), "schedule is wrong: six fields"),
        (answer(404, '{"error": "not found"}'), "not found"),
        (answer(503, '{"error": "try again"}'), "the journal takes no entries now, and nothing has changed"),
        (answer(500, "internal error"), "the daemon answered 500 without a reason; its log may say why"),
        (b"", "the daemon ended before it answered; look whether it was done"),
        (b"\x00\xff", "the daemon ended before it answered"),
    ],
)
def test_what_went_wrong_is_one_line(pair: tuple[socket.socket, socket.socket], sent: bytes, line: str) -> None:
    """In plain words."""
    pair[1].sendall(sent)
    pair[1].shutdown(socket.SHUT_WR)
    with pytest.raises(click.ClickException) as refused:
        LocalDaemon(pair[0]).ask("POST", "keys/", {})
    assert refused.value.message.startswith(line)
    assert "\n" not in refused.value.message


def test_a_daemon_that_does_not_answer_is_not_waited_for_for_ever(pair: tuple[socket.socket, socket.socket]) -> None:
    """Its disk may hang."""
    with pytest.raises(click.ClickException, match=r"no answer within 0 s; is the daemon's disk well\?"):
        LocalDaemon(pair[0], wait_s=0.01).ask("GET", "keys/")


def test_a_daemon_that_has_gone_is_not_looked_for_elsewhere(pair: tuple[socket.socket, socket.socket]) -> None:
    """Least of all at port 80 of this machine."""
    daemon = LocalDaemon(pair[0])
    pair[1].sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
    pair[1].shutdown(socket.SHUT_WR)
    assert daemon.ask("GET", "keys/") == {}
    with pytest.raises(click.ClickException, match="ended before it answered"):
        daemon.ask("GET", "keys/")


def test_a_name_that_is_no_text_is_not_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    """As a shell may pass it; the line says which argument it was."""
    with pytest.raises(click.ClickException, match="name is not UTF-8"):
        LocalDaemon(pair[0], wait_s=0.1).ask("POST", "projects/", {"name": "caf\udce9"})


def test_a_daemon_that_holds_the_directory_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """As long as was said, though each look takes its time."""
    held = DataDir(tmp_path)
    began = time.monotonic()
    with pytest.raises(click.ClickException, match="in use by another pingmon"):
        locked(tmp_path, 1.5)
    assert 1.5 <= time.monotonic() - began < 3.5
    held.release()


def test_a_daemon_that_ends_just_then_is_looked_for_once_more(pair: tuple[socket.socket, socket.socket]) -> None:
    """As long as the question changes nothing."""
    ours, theirs = socket.socketpair()
    theirs.sendall(answer(200, "[]"))
    pair[1].close()
    daemon = LocalDaemon(pair[0])
    daemon.again = lambda: LocalDaemon(ours)
    assert daemon.ask("GET", "keys/") == []
    theirs.close()
    daemon.again = lambda: pytest.fail("it may have been done")
    with pytest.raises(click.ClickException, match="look whether it was done"):
        daemon.ask("POST", "keys/", {})
    ours.close()
