"""The door on real sockets: HTTP/1.0, keep-alive, pipelining, IPv4, IPv6, TLS, and HTTP/2 with a real client."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ClientEndpoint, clientFromString, connectProtocol, serverFromString
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure

from pingmon.daemon.resource_tree import Root
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.pings.intake import PingIntake, PingSettings
from pingmon.testing import Rig
from tests.door.stage import CHECK, Echo, Line

pytestmark = pytest.mark.usefixtures("met_by")

reactor: Any = global_reactor
WAIT_S = 10.0
PING = f"GET /ping/{CHECK} HTTP/1.1\r\n\r\n".encode()
CURL = shutil.which("curl") or ""


class Collector(Protocol):
    """Collects what comes; `ended` fires with it when the connection ends, `at_least` when it is long enough."""

    def __init__(self) -> None:
        self.came = b""
        self.ended: Deferred[bytes] = Deferred()
        self._wanted: list[tuple[int, Deferred[bytes]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.came += data
        for wanted in [wanted for wanted in self._wanted if wanted[0] <= self.came.count(b"HTTP/1.")]:
            self._wanted.remove(wanted)
            wanted[1].callback(self.came)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.ended.callback(self.came)

    def answers(self, number: int) -> Deferred[bytes]:
        """Fires when so many answers have begun to come."""
        done: Deferred[bytes] = Deferred()
        self._wanted.append((number, done))
        self.dataReceived(b"")
        return done.addTimeout(WAIT_S, reactor)


class Served(Rig):
    """A rig with a door that listens on a real port. `entries` are those that came through it."""

    def __init__(self, settings: DoorSettings) -> None:
        super().__init__()
        self.check(slug="backup")
        self.entries.clear()
        intake = PingIntake(self.monitor, PingSettings(), new_id=lambda: "")
        self.door = Door(Root(Echo()), settings, reactor, Dates(self.time.wall), intake=intake)
        self.number = 0
        self.host = ""

    async def connect(self) -> Collector:
        endpoint = clientFromString(reactor, rf"tcp:{self.host}:{self.number}")
        collector: Collector = await connectProtocol(endpoint, Collector())
        return collector

    async def empty(self) -> None:
        """Wait until the door has noticed that everybody has gone."""
        for _ in range(round(WAIT_S * 100)):
            if not self.door.watch.connections:
                return
            await deferLater(reactor, 0.01)
        raise AssertionError("somebody stays")

    async def exchange(self, sent: bytes) -> bytes:
        """Send all at once and read until the connection ends."""
        collector = await self.connect()
        assert collector.transport is not None
        collector.transport.write(sent)
        return await collector.ended.addTimeout(WAIT_S, reactor)

    async def curl(self, path: str, *options: str) -> str:
        """What curl prints for a URL over TLS."""
        url = f"https://localhost:{self.number}{path}"
        ran = getProcessOutputAndValue(CURL, ["-sk", "--max-time", str(WAIT_S), *options, url], {"LC_ALL": "C"})
        out, _, code = await ran
        assert code == 0
        text: str = out.decode()
        return text


@asynccontextmanager
async def serving(endpoint: str, settings: DoorSettings | None = None) -> AsyncIterator[Served]:
    served = Served(settings or DoorSettings())
    port = await serverFromString(reactor, endpoint).listen(served.door)
    if Line.FRONT and endpoint.startswith("tcp"):
        served.door.meet(port)
    address: Any = port.getHost()
    served.number, served.host = address.port, address.host.replace(":", r"\:")
    try:
        yield served
    finally:
        await port.stopListening()
        await served.door.drain(1).addTimeout(WAIT_S, reactor)
    assert served.door.places.taken == 0


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An `ssl:` endpoint with a certificate of its own making."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime(2020, 1, 1, tzinfo=UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=36_500))
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return f"ssl:0:interface=127.0.0.1:certKey={folder}/cert.pem:privateKey={folder}/key.pem"


@pytest.mark.parametrize("endpoint", ["tcp:0:interface=127.0.0.1", r"tcp6:0:interface=\:\:1"])
@pytest_twisted.ensureDeferred
async def test_http_1_0(endpoint: str) -> None:
    """The oldest client: HTTP/1.0, no headers at all, over IPv4 and IPv6."""
    async with serving(endpoint) as served:
        answer = await served.exchange(f"GET /{CHECK} HTTP/1.0\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
        assert answer.endswith(b"\r\nConnection: close\r\nDate: " + answer[-35:-6] + b"\r\n\r\nOK")
        assert len(served.entries) == 1


@pytest_twisted.ensureDeferred
async def test_keep_alive_and_pipelining() -> None:
    """Many pings on one connection, one by one and all at once, are answered in order; `close` closes."""
    async with serving("tcp:0:interface=127.0.0.1") as served:
        client = await served.connect()
        assert client.transport is not None
        client.transport.write(PING)
        await client.answers(1)
        client.transport.write((PING + PING.replace(b" HTTP", b"/256 HTTP")) * 50)
        await client.answers(101)
        client.transport.write(PING.replace(b"1.1\r\n", b"1.1\r\nConnection: close\r\n") + PING)
        came = await client.ended.addTimeout(WAIT_S, reactor)
        statuses = [part[:3] for part in came.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200"] + [b"200", b"400"] * 50 + [b"200"]
        assert len(served.entries) == 52


@pytest_twisted.ensureDeferred
async def test_answer_reaches_a_client_that_still_sends() -> None:
    """A client in the middle of a huge body gets its answer; the connection is not torn down over it."""
    async with serving("tcp:0:interface=127.0.0.1", DoorSettings(body_cap=50_000)) as served:
        head = f"POST /ping/{CHECK} HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n".encode()
        answer = await served.exchange(head + b"x" * 5_000_000)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(served.entries[0].payload or b"") == 10_000


@pytest_twisted.ensureDeferred
async def test_slow_clients_are_cut_off() -> None:
    """Clients that drip are cut off on real time, too."""
    async with serving("tcp:0:interface=127.0.0.1", DoorSettings(request_deadline_s=0.4)) as served:
        assert await served.exchange(b"GET /ping/") == b""
        assert (await served.exchange(PING.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n"))).startswith(
            b"HTTP/1.1 200"
        )


@pytest_twisted.ensureDeferred
async def test_refused_connections_are_closed() -> None:
    """Without a place a connection is closed at once; when one is free again, the next is served."""
    async with serving("tcp:0:interface=127.0.0.1", DoorSettings(max_connections=2)) as served:
        first = await served.connect()
        assert await served.exchange(PING) == b""
        assert first.transport is not None
        first.transport.loseConnection()
        await first.ended.addTimeout(WAIT_S, reactor)
        await served.empty()
        assert b"200 OK" in await served.exchange(PING.replace(b"1.1", b"1.0"))


@pytest.mark.skipif(not CURL, reason="needs curl")
@pytest_twisted.ensureDeferred
async def test_curl(tls: str) -> None:
    """curl speaks HTTP/2 if it may and HTTP/1.1 if it must, over TLS."""
    async with serving(tls) as served:
        path = f"/ping/{CHECK}"
        assert await served.curl(path, "--http2", "-w", " %{http_version}") == "OK 2"
        assert await served.curl(path, "--http1.1", "-w", " %{http_version}") == "OK 1.1"
        assert await served.curl(path, "--http1.0", "-w", " %{http_version}") == "OK 1"
        assert await served.curl(path, "--http2", "-d", "hello") == "OK"
        assert served.entries[-1].payload == b"hello"
        assert {getattr(entry.event, "scheme", "") for entry in served.entries} == {"https"}
        many = await served.curl(f"{path}?[1-50]", "--http2", "--parallel")
        assert many == "OK" * 50
        assert await served.curl("/api", "--http2") == "GET 0"


@pytest.mark.skipif(not CURL, reason="needs curl")
@pytest_twisted.ensureDeferred
async def test_curl_sends_too_much(tls: str, tmp_path: Path) -> None:
    """A huge upload over TLS is a ping, and is answered, in HTTP/1.1 and in HTTP/2."""
    (tmp_path / "huge").write_bytes(b"x" * 3_000_000)
    async with serving(tls) as served:
        for version in ("--http1.1", "--http2"):
            upload = ("-X", "POST", "-T", str(tmp_path / "huge"), "-o", "/dev/null", "-w", "%{http_code}")
            assert await served.curl(f"/ping/{CHECK}", version, *upload) == "200"
        assert [len(entry.payload or b"") for entry in served.entries] == [10_000] * 2


@pytest_twisted.ensureDeferred
async def test_connections_end_in_time_over_tls(tls: str) -> None:
    """Also those that could go on, when they are idle or have asked for something that is cut off."""
    brief = DoorSettings(request_deadline_s=0.4, idle_timeout_s=0.4)
    async with serving(tls, brief) as served:
        endpoint = SSL4ClientEndpoint(reactor, served.host, served.number, CertificateOptions())
        for sent, answer in ((PING, b"HTTP/1.1 200"), (PING[:20], b"")):
            collector: Any = await connectProtocol(endpoint, Collector())
            collector.transport.write(sent)
            came = await collector.ended.addTimeout(WAIT_S / 2, reactor)
            assert came.startswith(answer)


@pytest_twisted.ensureDeferred
async def test_clients_that_do_not_agree_to_the_end_of_tls(tls: str) -> None:
    """A pool of idle connections, say, reads no farewell; it must not hold up a daemon that stops."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def ask(number: int) -> ssl.SSLSocket:
        client = context.wrap_socket(socket.create_connection(("127.0.0.1", number), timeout=WAIT_S))
        client.sendall(PING)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        return client

    async with serving(tls) as served:
        client = await deferToThread(ask, served.number)
        await served.door.drain(2 * WAIT_S).addTimeout(WAIT_S / 2, reactor)
        assert await deferToThread(client.recv, 1000) == b""
        client.close()


@pytest.mark.parametrize("secure", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_ping_counts_whose_client_hangs_up_in_its_body(tls: str, secure: bool) -> None:
    """With all that has come of it, though there is no socket any more when its end is told."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # tickets of 1.3, unread, would make its end a reset

    def ping(number: int) -> None:
        with socket.create_connection(("127.0.0.1", number), timeout=WAIT_S) as plain:
            client = context.wrap_socket(plain) if secure else plain
            client.sendall(f"POST /ping/{CHECK} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n".encode())
            client.sendall(b"x" * 3000)
            client.close()

    async with serving(tls if secure else "tcp:0:interface=127.0.0.1") as served:
        await deferToThread(ping, served.number)
        for _ in range(round(WAIT_S * 100)):
            if served.entries:
                break
            await deferLater(reactor, 0.01)
        await served.empty()
        assert [len(entry.payload or b"") for entry in served.entries] == [3000]


@pytest_twisted.ensureDeferred
async def test_no_places_over_tls(tls: str) -> None:
    """A connection without a place is closed before any handshake."""
    async with serving(tls, DoorSettings(max_connections=1)) as served:
        first = await served.connect()
        assert await served.exchange(b"\x16\x03\x01") == b""
        assert first.transport is not None
        first.transport.loseConnection()
        await first.ended.addTimeout(WAIT_S, reactor)
