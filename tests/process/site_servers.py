"""Sites on loopback that are well or ill as the test says, and verifiers that say what the test says of them.

All listening is done by one thread; each connection has one of its own, for as long as a behaviour keeps it.
"""

from __future__ import annotations

import json
import secrets as randomness
import selectors
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pingmon.core.units import SECOND
from pingmon.wire.message.signatures import Secret, Unauthorized, secret, signature, signed
from pingmon.wire.verifier import Class, VerifierAnswer, VerifierQuestion, answer_id, decode_question, encode
from tests.authority import Authority

LOOPBACK = "127.0.0.1"
HELD_S = 60.0
"""Seconds for which a connection is held at most; all tests are over by then, or do not care any more."""


class Acceptor(threading.Thread):
    """Takes connections of any number of listening sockets and hands each to a thread of its own."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._selector = selectors.DefaultSelector()
        self._begun = False

    def add(self, listening: socket.socket, take: Callable[[socket.socket], None]) -> None:
        """From now on `take` is called with each connection, which is closed after that."""
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, take)
        if not self._begun:
            self._begun = True
            self.start()

    def remove(self, listening: socket.socket) -> None:
        """Refuse further connections."""
        self._selector.unregister(listening)
        listening.close()

    def clear(self) -> None:
        """Refuse all further connections."""
        for key in tuple(self._selector.get_map().values()):
            listening: Any = key.fileobj
            self.remove(listening)

    def run(self) -> None:
        """As `Thread`."""
        while True:
            for key, _ in self._selector.select():
                listening: Any = key.fileobj
                try:
                    connection, _ = listening.accept()
                except OSError:
                    continue
                threading.Thread(target=_serve, args=(connection, key.data), daemon=True).start()


def _serve(connection: socket.socket, take: Callable[[socket.socket], None]) -> None:
    connection.settimeout(HELD_S)
    try:
        take(connection)
    except OSError:
        return  # the prober has its answer and aborts the connection
    finally:
        connection.close()


ACCEPTOR = Acceptor()


# --- sites --------------------------------------------------------------------------------------------------------


@dataclass
class Visit:
    """One request to a site. `number` counts them from 1, `at` is seconds since the epoch."""

    connection: socket.socket
    method: str
    path: str
    number: int
    at: float

    def write(self, data: bytes) -> None:
        """Send `data` to the visitor."""
        self.connection.sendall(data)

    def hold(self) -> None:
        """Wait until the visitor has gone."""
        while self.connection.recv(65_536):
            pass


Behaviour = Callable[[Visit], None]


def status(code: int, *headers: str) -> Behaviour:
    """Answer with this status."""
    head = "\r\n".join([f"HTTP/1.1 {code} X", "Content-Length: 0", *headers, "", ""]).encode()
    return lambda visit: visit.write(head)


def to(location: str) -> Behaviour:
    """Redirect there."""
    return status(302, f"Location: {location}")


def moved(visit: Visit) -> None:
    """Well, but elsewhere: under another name and path."""
    port = visit.connection.getsockname()[1]
    (UP if visit.path == "/there" else to(f"http://localhost:{port}/there"))(visit)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour for each request; the last one for all further ones."""
    return lambda visit: behaviours[min(visit.number, len(behaviours)) - 1](visit)


def slow(seconds: float) -> Behaviour:
    """Well, but only after that time."""

    def wait(visit: Visit) -> None:
        threading.Event().wait(seconds)
        UP(visit)

    return wait


def only_get(visit: Visit) -> None:
    """Well, but only a GET shows it."""
    (UP if visit.method == "GET" else status(405))(visit)


def flood(visit: Visit) -> None:
    """Headers without end."""
    visit.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        visit.write(b"X-More: of the same\r\n" * 100)


def clinging(visit: Visit) -> None:
    """Well, and keeps the connection open."""
    UP(visit)
    visit.hold()


def garbage(visit: Visit) -> None:
    """Something else than HTTP."""
    visit.write(b"SSH-2.0-OpenSSH_9.9\r\n")


def hang_up(visit: Visit) -> None:
    """The connection is closed instead of an answer."""


def silent(visit: Visit) -> None:
    """Never answer."""
    visit.hold()


UP: Behaviour = status(200)


class Site:
    """A web server of its own at a port of its own, which does as `behaviour` says until told otherwise.

    With `tls` it speaks TLS with this context. `asked` are the methods of all requests so far.
    """

    def __init__(self, behaviour: Behaviour = UP, tls: ssl.SSLContext | None = None, host: str = LOOPBACK) -> None:
        self.behaviour = behaviour
        self.asked: list[str] = []
        self._tls = tls
        self._listening: socket.socket | None = socket.create_server((host, 0), backlog=128)
        self.address: tuple[str, int] = self._listening.getsockname()
        self._counting = threading.Lock()
        ACCEPTOR.add(self._listening, self._take)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        host, port = self.address
        return f"{'http' if self._tls is None else 'https'}://{host}:{port}"

    def heal(self) -> None:
        """Be well."""
        self.behaviour = UP
        if self._listening is None:
            self._listening = socket.create_server(self.address, backlog=128)
            ACCEPTOR.add(self._listening, self._take)

    def fail(self, code: int) -> None:
        """Answer with this status."""
        self.behaviour = status(code)

    def refuse(self) -> None:
        """Take no connections."""
        if self._listening is not None:
            ACCEPTOR.remove(self._listening)
            self._listening = None

    def _take(self, connection: socket.socket) -> None:
        if self._tls is not None:
            with self._tls.wrap_socket(connection, server_side=True) as secure:
                self._answer(secure)
        else:
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65_536)
            if not more:
                return
            head += more
            if head[0] < 32:
                connection.sendall(b"HTTP/1.1 400 This is not HTTP\r\n\r\n")
                return
        method, path, _ = head.decode("latin-1").split(" ", 2)
        with self._counting:
            self.asked.append(method)
            visit = Visit(connection, method, path, len(self.asked), time.time())
        self.behaviour(visit)


class Certificates:
    """An authority and servers' sides of TLS with its certificates; all of it in files below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = Authority()
        self.roots = folder / "roots.pem"
        """Who is given this file in `SSL_CERT_FILE` trusts the authority."""
        self._count = 0
        self.roots.write_bytes(self._authority.certificate.public_bytes(Encoding.PEM))

    def context(self, *names: str, days: int = 10, self_signed: bool = False) -> ssl.SSLContext:
        """A server's side of TLS, for these names and addresses."""
        issued = self._authority.issue(*names, days=days, self_signed=self_signed)
        self._count += 1
        file = self._folder / f"server-{self._count}.pem"
        key = issued.privateKey.original.to_cryptography_key()
        pem = issued.original.to_cryptography().public_bytes(Encoding.PEM)
        file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


# --- verifiers that say what they are told ------------------------------------------------------------------------


@dataclass
class Reply:
    """What a verifier sends back."""

    status: int
    body: bytes
    headers: Mapping[str, bytes]


Saying = Callable[["FakeVerifier", VerifierQuestion], Reply | None]
"""What a verifier does when it is asked; None: it hangs up."""


def sees(code: int, kind: Class) -> Saying:
    """An honest answer: this status and this class."""
    return lambda verifier, question: verifier.signed(question.id, code, kind)


def says_nothing(verifier: FakeVerifier, question: VerifierQuestion) -> Reply | None:
    """It hangs up."""
    return None


def says_late(seconds: float, then: Saying) -> Saying:
    """As `then`, but only after that time."""

    def wait(verifier: FakeVerifier, question: VerifierQuestion) -> Reply | None:
        threading.Event().wait(seconds)
        return then(verifier, question)

    return wait


def by_another_secret(code: int, kind: Class) -> Saying:
    """An answer that is signed with a secret of the verifier's own."""
    stranger = Secret(randomness.token_bytes(32))
    return lambda verifier, question: verifier.signed(question.id, code, kind, by=stranger)


def replayed(code: int, kind: Class) -> Saying:
    """The answer to another question, as it was: the signature is right."""
    return lambda verifier, question: verifier.signed(randomness.token_hex(16), code, kind)


def minutes_off(minutes: int, code: int, kind: Class) -> Saying:
    """An answer by a clock that is wrong."""
    return lambda verifier, question: verifier.signed(question.id, code, kind, late_s=minutes * 60)


def refuses(code: int, text: str) -> Saying:
    """No answer but this status, with this text."""
    return lambda verifier, question: Reply(code, text.encode(), {"Content-Type": b"text/plain"})


SEES_UP = sees(200, "ok")
SEES_DOWN = sees(503, "status")


class FakeVerifier:
    """Speaks the verifiers' protocol, and says of each site, by its URL, what `says` has for it: else that it is up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.secret = new_secret()
        self.says: dict[str, Saying] = {}
        self.asked: list[str] = []
        self._by = secret(self.secret)
        self._listening = socket.create_server((LOOPBACK, 0), backlog=128)
        self.url = f"http://{LOOPBACK}:{self._listening.getsockname()[1]}"
        ACCEPTOR.add(self._listening, self._take)

    @property
    def config(self) -> str:
        """Its place in the daemon's configuration."""
        return verifier_config(self.name, self.url, self.secret)

    def signed(self, id: str, code: int, kind: Class, by: Secret | None = None, late_s: int = 0) -> Reply:
        """The signed answer to the question `id`."""
        body = encode(VerifierAnswer(id, code, kind, 3, LOOPBACK, self.name, "" if kind == "ok" else f"saw {code}"))
        headers = signature(by or self._by, answer_id(id), _now() - late_s * SECOND, body)
        return Reply(200, body, {"Content-Type": b"application/json", **headers})

    def _take(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            line = stream.readline()
            headers: dict[str, bytes] = {}
            while (header := stream.readline().strip()) != b"":
                name, _, value = header.partition(b":")
                headers[name.decode().lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", b"0")))
        reply = self._reply(line, headers, body)
        if reply is not None:
            lines = [b"HTTP/1.1 %d X" % reply.status, b"Content-Length: %d" % len(reply.body)]
            lines += [name.encode() + b": " + value for name, value in reply.headers.items()]
            connection.sendall(b"\r\n".join([*lines, b"Connection: close", b"", reply.body]))

    def _reply(self, line: bytes, headers: Mapping[str, bytes], body: bytes) -> Reply | None:
        assert line.startswith(b"POST /verify ")
        try:
            proof = signed([self._by], headers, body, _now())
        except Unauthorized as error:
            return Reply(401, str(error).encode(), {})
        question = decode_question(body)
        assert proof.id == question.id
        self.asked.append(question.url)
        return self.says.get(question.url, SEES_UP)(self, question)


def verifier_config(name: str, url: str, written: str) -> str:
    """A verifier's place in the daemon's configuration."""
    return f"[[verifier]]\nname = {json.dumps(name)}\nurl = {json.dumps(url)}\nsecret = {json.dumps(written)}\n"


def new_secret() -> str:
    """A secret in its written form."""
    return "whsec_" + b64encode(randomness.token_bytes(32)).decode()


def _now() -> int:
    return round(time.time() * SECOND)
