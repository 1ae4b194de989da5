"""What a command makes of a connection that was kept, and has ended meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import RemoteDisconnected
from threading import Thread

import click
import pytest

from pingmon.cli.api_client import remote_daemon

ANSWER = b'HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 12\r\n\r\n{"keys": []}'


@pytest.fixture
def forgetful() -> Iterator[str]:
    """The URL of a server that ends each connection after one answer, and does not say so."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            connection.recv(10_000)
            connection.sendall(ANSWER)
            connection.close()

    server = Thread(target=serve, daemon=True)
    server.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()


def test_a_question_is_asked_again_on_a_new_connection(forgetful: str) -> None:
    """As after a prompt that somebody has thought about."""
    client = remote_daemon(forgetful, "k")
    for _ in range(2):
        assert client.ask("GET", "keys/") == {"keys": []}
    assert client.now == 1_767_225_600


def test_a_change_is_not_made_twice(forgetful: str) -> None:
    """Nobody knows whether it was heard."""
    client = remote_daemon(forgetful, "k")
    client.ask("GET", "keys/")
    with pytest.raises(click.ClickException, match=r"does pingmon run there\?") as lost:
        client.ask("POST", "keys/", {})
    assert isinstance(lost.value.__cause__, RemoteDisconnected | ConnectionError)
    assert client.ask("GET", "keys/") == {"keys": []}
