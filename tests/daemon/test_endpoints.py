"""What an operator writes after `--listen`, and what is said when it makes no sense."""

from __future__ import annotations

import socket
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from pingmon.daemon.endpoint_errors import cannot_listen
from pingmon.daemon.endpoints import listener
from pingmon.daemon.ports import Binding
from pingmon.daemon.startup_errors import StartupRefused
from tests.authority import Certified


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("8025", "write tcp:8025"),
        ("127.0.0.1:8025", "write tcp:8025:interface=127.0.0.1"),
        ("[::1]:8025", r"write tcp:8025:interface=\:\:1"),
        ("localhost:8025", "write tcp:8025:interface=localhost"),
        ("tcp:abc", "'abc' is no port; write tcp:8000"),
        ("tcp:99999", "'99999' is no port; write tcp:8000"),
        ("tcp", "write tcp:8000"),
        ("tcp:8000:colour=red", "tcp takes no colour"),
        ("carrierpigeon:8000", "unknown endpoint type: 'carrierpigeon'; write tcp:8000, or see docs/operations.md"),
        ("systemd:domain=INET6:name=pingmon", "no such socket was handed over; is the daemon started by systemd"),
        ("haproxy:tls:/x:443", "a PROXY header comes before all else"),
        ("tls:", "no folder is named; write tls:/etc/letsencrypt/live:443"),
        ("tls:/nowhere:8443", "/nowhere: No such file or directory"),
        ("ssl:8443:privateKey=/nowhere", "/nowhere: No such file or directory"),
        ("ssl:8443", "no key is named; write ssl:443:privateKey=key.pem:certKey=cert.pem"),
        ("tcp:8000:interface=::", r"a colon within a value is written \:, as in tcp:8000:interface=\:\:"),
        ("tls:/x:8443:interface=::1", "/x: No such file or directory"),
        ("unix:/nowhere/http.sock", "no such file or directory; the directory of the socket must be there"),
        ("unix:/dev/null/http.sock", "not a directory; the directory of the socket must be there"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write_instead(endpoint: str, words: str) -> None:
    """And it is quoted."""
    with pytest.raises(StartupRefused) as caught:
        bound(endpoint)
    assert str(caught.value).startswith(f"cannot listen on {endpoint}: {words}")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("abc", "'abc' is no port"),
        ("8443:colour=red", "takes no colour"),
        ("8443:9", "takes no 9"),
        ("8443:interface=::1", r"a colon within a value is written \:"),
        ("8443:backlog=x", "invalid literal"),
    ],
)
@pytest.mark.parametrize("kind", ["tls", "ssl"])
def test_options_of_tls_that_make_no_sense_are_refused(tmp_path: Path, kind: str, more: str, words: str) -> None:
    """Whatever the certificates."""
    pem = _identity(tmp_path)
    port, _, rest = more.partition(":")
    text = f"tls:{tmp_path}:{more}" if kind == "tls" else f"ssl:{port}:privateKey={pem}:{rest}".removesuffix(":")
    with pytest.raises(StartupRefused) as caught:
        bound(text)
    assert words in str(caught.value)


def test_a_backslash_lets_a_colon_be_itself(tmp_path: Path) -> None:
    """In folders and in interfaces."""
    place = tmp_path / "a:b=c"
    place.mkdir()
    _identity(place)
    escaped = str(place).replace(":", r"\:").replace("=", r"\=")
    made = bound(rf"tls:{escaped}:0:interface=\:\:1")
    assert made.port.getHost().host == "::1"
    made.port.stopListening()


@pytest.mark.parametrize(("backlog", "kept"), [("", 4096), (":backlog=7", 7)])
def test_a_backlog_that_was_asked_for_is_kept(backlog: str, kept: int) -> None:
    """Else it is long."""
    made = bound(f"tcp:0:interface=127.0.0.1{backlog}")
    assert made.port._backlog == kept
    made.port.stopListening()


def test_a_port_that_is_bound_takes_nobody_before_it_is_opened() -> None:
    """Yet it is somebody's: its number is known, and nobody else can listen there."""
    made = bound("tcp:0:interface=127.0.0.1")
    where = ("127.0.0.1", made.port.getHost().port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, timeout=5)
    made.port._socket.listen(1)
    with pytest.raises(StartupRefused, match="address already in use; end what listens there, or choose another port"):
        bound(f"tcp:{where[1]}:interface=127.0.0.1")
    made.port.stopListening()


def test_a_socket_that_another_process_has_is_in_use(tmp_path: Path) -> None:
    """Twisted keeps a lock beside it, and would say only that it cannot have that."""
    made = bound(f"unix:{tmp_path}/http.sock")
    with pytest.raises(StartupRefused, match="address already in use; end what listens there, or choose another path"):
        bound(f"unix:{tmp_path}/http.sock")
    made.port.stopListening()


def test_what_the_system_says_of_a_socket_has_its_own_cure() -> None:
    """No port is spoken of."""
    refused = CannotListenError("", "/run/x.sock", PermissionError(EACCES, "Permission denied"))
    words = "permission denied; pingmon's user must be allowed to write in the directory of the socket"
    for endpoint in ("unix:/run/x.sock", "haproxy:unix:/run/x.sock"):
        assert cannot_listen(endpoint, refused) == f"cannot listen on {endpoint}: {words}"
    assert "ports below 1024 need root" in cannot_listen("tcp:80", refused)


def bound(endpoint: str) -> Any:
    made = listener(Binding(reactor, endpoint), endpoint)
    made.bind(Factory())
    return made


def _identity(place: Path) -> Path:
    own = Certified("own", "localhost")
    (place / "own.pem").write_bytes(own.pem + own.key_pem)
    return place / "own.pem"
