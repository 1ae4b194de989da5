"""How a client on this machine reaches the ports of a daemon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pingmon.daemon.ports import Listener, base_url_of, only_by_socket


def bound(description: str, host: str | None, port: int = 8000) -> Listener:
    """A listener that is bound: to a Unix socket if there is no `host`."""
    address = SimpleNamespace(name="/run/x") if host is None else SimpleNamespace(host=host, port=port)
    listener = unbound(description)
    listener.port = SimpleNamespace(getHost=lambda: address)
    return listener


def unbound(description: str) -> Listener:
    endpoint: Any = None
    return Listener(description, endpoint)


@pytest.mark.parametrize(
    ("listeners", "url"),
    [
        ([bound("tcp:8000", "0.0.0.0")], "http://localhost:8000"),
        ([bound("tcp:8000", "::")], "http://localhost:8000"),
        ([bound("tcp:8001", "::1", 8001)], "http://[::1]:8001"),
        ([bound("tls:/live:443", "192.0.2.1", 443)], "https://192.0.2.1:443"),
        ([bound("unix:/run/x", None), bound("ssl:443", "0.0.0.0", 443)], "https://localhost:443"),
        ([bound("unix:/run/x", None)], "http://localhost"),
        ([unbound("tcp:8000")], "http://localhost"),
    ],
)
def test_the_first_listener_with_a_port_says_how_to_reach_the_daemon(listeners: list[Listener], url: str) -> None:
    """By the scheme that it speaks, at this machine's own name if it takes calls at every address."""
    assert base_url_of(listeners) == url


@pytest.mark.parametrize(
    ("listeners", "option"),
    [
        ([bound("unix:/run/x", None)], "--unix-socket /run/x "),
        ([bound("unix:/run/x", None), bound("tcp:8000", "::")], ""),
        ([unbound("tcp:8000")], ""),
    ],
)
def test_a_daemon_without_a_port_is_reached_by_its_socket(listeners: list[Listener], option: str) -> None:
    """So that the line to paste works there too."""
    assert only_by_socket(listeners) == option
