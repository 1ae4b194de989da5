"""Real verifiers, started as an operator starts them, and asked by the daemon's own client over loopback."""

from __future__ import annotations

import json
import os
import secrets as randomness
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.ssl import Certificate, trustRootFromCertificates

from pingmon.assembly import addresses_by
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import SECOND
from pingmon.dns.resolver import Resolver
from pingmon.outgoing.tls_trust import Trust
from pingmon.verify.configured_verifier import Peer
from pingmon.verify.verifiers import SLACK_S, Verifiers, sender
from pingmon.wire.message.signatures import MISMATCH, STALE, UNSIGNED, Secret, secret, signature
from pingmon.wire.verifier import BODY_MAX, REPLAYED
from tests.process.daemons import PATIENCE_S, Answer, Starter, Verifying, free_port, new_secret, until
from tests.process.forked import ran
from tests.process.test_https import certificate

pytestmark = pytest.mark.process


def now() -> int:
    return round(time.time() * SECOND)


def question(url: str, timeout: float = 5.0) -> bytes:
    fields = {"id": randomness.token_hex(16), "url": url, "timeout": timeout, "deadline": timeout + 5}
    return json.dumps(fields).encode()


def verify(verifier: Verifying, body: bytes, by: Secret, ago: int = 0) -> Answer:
    """Ask with a signature of this secret."""
    return verifier.ask("POST", "/verify", body, signature(by, json.loads(body)["id"], now() - ago * SECOND, body))


@pytest.fixture(scope="module")
def trust() -> Trust:
    return Trust()


class Site:
    """A web server that is looked at: `got` are the requests, as method and path; `/bad` is answered with 500."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        outer = self

        class Pages(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                outer.got.append((self.command, self.path))
                self.send_response(500 if self.path == "/bad" else 204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


class Impostor:
    """Answers every request with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(self.answer)


def verifiers(trust: Trust, *peers: tuple[str, str, str]) -> Verifiers:
    """The daemon's side, for verifiers of these names, URLs and secrets."""
    found = [Peer(name, url, (secret(written),)) for name, url, written in peers]
    send = sender(reactor, trust, addresses_by(Resolver(reactor)))
    return Verifiers(send, reactor, found, now=now, new_id=lambda: randomness.token_hex(16))


@pytest_twisted.ensureDeferred
async def test_a_verifier_says_what_it_sees_of_a_site(start: Starter, site: Site, trust: Trust) -> None:
    """Up, failing, refused, and one that it may not look at."""
    written = new_secret()
    verifier = start.verifier(written)
    asking = verifiers(trust, ("fra", verifier.url, written))

    async def look(url: str) -> ProbeResult:
        (found,) = await asking.ask(url, 5.0, methods=("HEAD",))
        return found

    good = await look(f"{site.url}/good?a=b")
    assert (good.node, good.good, good.code, good.address) == ("fra", True, 204, "127.0.0.1")
    bad = await look(f"{site.url}/bad")
    assert (bad.fault, bad.code) == ("status", 500)
    assert site.got == [("HEAD", "/good?a=b"), ("HEAD", "/bad")]
    assert (await look(f"http://127.0.0.1:{free_port()}/")).fault == "connect"
    private = await look("http://[::1]:1/")
    assert not private.good
    assert "is private" in private.detail
    assert asking.health()[0].asked == 4


@pytest_twisted.ensureDeferred
async def test_a_round_shows_who_answered_and_who_did_not(start: Starter, site: Site, trust: Trust) -> None:
    """Dead, slow, of another secret, lying and garbage: each is named, and none keeps the good one from counting."""
    written = new_secret()
    good, slow, wrong = start.verifier(written), start.verifier(written), start.verifier(new_secret())
    os.kill(slow.process.pid, signal.SIGSTOP)
    body = question(site.url)
    recorded = verify(good, body, secret(written))
    head = "".join(f"{name}: {value}\r\n" for name, value in recorded.headers.items())
    liar = Impostor(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + recorded.body)
    garbage = Impostor(b"\x16\x03\x01\x02\x00 what?\r\n\r\n")
    named = [("good", good.url), ("slow", slow.url), ("wrong", wrong.url), ("liar", liar.url)]
    named += [("garbage", garbage.url), ("dead", f"http://127.0.0.1:{free_port()}")]
    asking = verifiers(trust, *((name, url, written) for name, url in named))
    looks = {look.node: look for look in await asking.ask(site.url, 1.0, methods=("HEAD",))}
    for impostor in (liar, garbage):
        impostor.listening.close()
    assert recorded.status == 200
    assert looks.pop("good").code == 204
    assert all(look.fault == "void" and look.address == "" for look in looks.values())
    assert {name: look.detail for name, look in looks.items()} == {
        "slow": f"no answer within {1 + SLACK_S:g} s",
        "wrong": f"refused us: {MISMATCH}",
        "liar": "answered another question",
        "garbage": "the answer is not HTTP",
        "dead": "connection refused",
    }
    assert [health.name for health in asking.health() if health.answered] == ["good"]


@pytest_twisted.ensureDeferred
async def test_a_verifier_is_asked_over_https(start: Starter, site: Site, tmp_path: Path) -> None:
    """And believed only by who trusts its certificate."""
    certificate(tmp_path, "localhost")
    pem, port, written = tmp_path / "localhost.pem", free_port(), new_secret()
    endpoint = f"ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"
    start.verifier(written, options=("--allow", "127.0.0.0/8", "--listen", endpoint))
    authority = trustRootFromCertificates([Certificate.loadPEM(pem.read_bytes())])
    peer = ("fra", f"https://127.0.0.1:{port}", written)
    (look,) = await verifiers(Trust(authority), peer).ask(site.url, 5.0)
    assert (look.node, look.code, look.good) == ("fra", 204, True)
    (look,) = await verifiers(Trust(), peer).ask(site.url, 5.0)
    assert (look.fault, look.detail) == ("void", "TLS: certificate is self-signed")


def test_where_it_is_not_allowed_to_look_says_nothing_of_the_site(start: Starter, site: Site) -> None:
    """And it says with which of its own options it would be."""
    written = new_secret()
    answer = verify(start.verifier(written, options=()), question(site.url), secret(written)).json
    assert (answer["class"], answer["code"]) == ("void", 0)
    assert answer["detail"].endswith("address 127.0.0.1 is private; allow it with --allow 127.0.0.0/8")
    assert site.got == []


def test_what_is_not_signed_now_and_for_the_first_time_is_refused(start: Starter, site: Site) -> None:
    written = new_secret()
    verifier, ours = start.verifier(written), secret(written)
    body = question(site.url)
    headers = signature(ours, json.loads(body)["id"], now(), body)
    assert verifier.ask("POST", "/verify", body, headers).status == 200
    seen = len(site.got)
    again = verifier.ask("POST", "/verify", body, headers)
    assert (again.status, again.body) == (401, REPLAYED.encode())
    other = question(site.url)
    assert verify(verifier, other, ours, ago=400).body == STALE.encode()
    assert verify(verifier, other, ours, ago=-400).body == STALE.encode()
    assert verify(verifier, other, secret(new_secret())).body == MISMATCH.encode()
    assert verifier.ask("POST", "/verify", other).body == UNSIGNED.encode()
    assert verifier.ask("POST", "/verify", other + b" " * BODY_MAX).status == 413
    assert verify(verifier, question("ftp://127.0.0.1/"), ours).status == 400
    assert verifier.ask("GET", "/").status == 404
    assert len(site.got) == seen


def test_strangers_in_masses_get_no_probe_and_no_line_in_the_log(start: Starter, site: Site) -> None:
    written = new_secret()
    verifier = start.verifier(written)
    before = verifier.log.read_text()
    body, stranger = question(site.url), secret(new_secret())
    for _ in range(200):
        assert verify(verifier, body, stranger).status == 401
    with socket.create_connection(("127.0.0.1", verifier.port), timeout=PATIENCE_S) as raw:
        raw.sendall(b"POST /verify HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000)
        assert raw.recv(100)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413")
    assert verifier.log.read_text() == before
    assert site.got == []
    assert verify(verifier, body, secret(written)).status == 200


def test_more_probes_than_it_has_places_for_are_turned_away(start: Starter) -> None:
    """Two sites that never answer fill it; the third question is told to come back."""
    written = new_secret()
    verifier = start.verifier(written, options=("--allow", "127.0.0.0/8", "--probes", "2"))
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(2) as pool:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        busy = [pool.submit(verify, verifier, question(url, 2.0), secret(written)) for _ in range(2)]
        accepted = [silent.accept()[0] for _ in range(2)]
        refusal = verify(verifier, question(url), secret(written))
        assert (refusal.status, refusal.headers["Retry-After"]) == (503, "5")
        assert [one.result().json["class"] for one in busy] == ["timeout", "timeout"]
        for connection in accepted:
            connection.close()
    assert verify(verifier, question(f"http://127.0.0.1:{free_port()}/"), secret(written)).json["class"] == "connect"


def test_secrets_are_replaced_without_a_moment_in_which_none_fits(start: Starter, site: Site) -> None:
    """Old, then old and new, then new; a file that is no good changes nothing."""
    old, new = new_secret(), new_secret()
    verifier = start.verifier(old)

    def statuses() -> list[int]:
        return [verify(verifier, question(site.url), secret(written)).status for written in (old, new)]

    def reread(text: str, said: str) -> None:
        verifier.file.write_text(text)
        count = verifier.log.read_text().count(said)
        os.kill(verifier.process.pid, signal.SIGHUP)
        until(lambda: verifier.log.read_text().count(said) > count, said)

    assert statuses() == [200, 401]
    reread(f"{old}\n{new}\n", "and there are 2")
    assert statuses() == [200, 200]
    reread("", "the secrets stay as they were: ")
    assert statuses() == [200, 200]
    reread(f"{new}\n", "and there are 1")
    assert statuses() == [401, 200]
    assert old not in verifier.log.read_text()
    assert new not in verifier.log.read_text()


def test_sigterm_lets_probes_under_way_be_answered(start: Starter) -> None:
    written = new_secret()
    verifier = start.verifier(written)
    with socket.create_server(("127.0.0.1", 0)) as site, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{site.getsockname()[1]}/"
        asked = pool.submit(verify, verifier, question(url), secret(written))
        connection, _ = site.accept()
        verifier.process.send_signal(signal.SIGTERM)
        until(lambda: "is stopping" in verifier.log.read_text(), "the verifier to notice")
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert asked.result().json["class"] == "ok"
        connection.close()
    assert verifier.process.wait(PATIENCE_S) == -signal.SIGTERM
    assert "Traceback" not in verifier.log.read_text()


REFUSALS: list[tuple[tuple[str, ...], int, tuple[str, ...], str]] = [
    (("# none yet",), 0o600, (), "there is no secret in it"),
    (("whsec_c2hvcnQ=",), 0o600, (), "line 1 has 5 bytes, at least 24 are needed"),
    ((new_secret(), "secret"), 0o600, (), "line 2 does not begin with whsec_"),
    ((new_secret(),), 0o644, (), "others may read or change it; chmod 0600 (0640 at most)"),
    ((new_secret(),), 0o620, (), "others may read or change it; chmod 0600 (0640 at most)"),
    ((new_secret(),), 0o600, ("--secret-file", "/nonexistent"), "/nonexistent: No such file or directory"),
    ((new_secret(),), 0o600, ("--allow", "10.0.0.1/8"), "--allow: 10.0.0.1/8 has host bits set"),
    ((new_secret(),), 0o600, ("--probes", "none"), "--probes: a number from 1 to 10000 is needed"),
    ((new_secret(),), 0o600, ("--listen", "tcp:port"), "cannot listen on tcp:port: "),
]


@pytest.mark.parametrize(("lines", "mode", "options", "why"), REFUSALS)
def test_what_it_cannot_work_with_ends_it_with_one_line(
    tmp_path: Path, lines: tuple[str, ...], mode: int, options: tuple[str, ...], why: str
) -> None:
    file = tmp_path / "secrets"
    file.write_text("\n".join(lines))
    file.chmod(mode)
    command: list[Any] = ["-n", "--pidfile=", "pingmon-verifier", "--secret-file", file]
    command += ["--listen", f"tcp:{free_port()}:interface=127.0.0.1", *options]
    said = ran("twistd", *command, cwd=tmp_path)
    assert said.returncode == 1
    assert why in (said.stdout + said.stderr).splitlines()[-1]
    assert "Traceback" not in said.stdout + said.stderr
    assert not any(
        line.removeprefix("whsec_") in said.stdout + said.stderr for line in lines if line.startswith("whsec")
    )


@pytest.mark.parametrize(("given", "missing"), [("--listen=tcp:1", "--secret-file"), ("--secret-file=/x", "--listen")])
def test_without_a_secret_or_an_endpoint_it_does_not_start(tmp_path: Path, given: str, missing: str) -> None:
    command: list[Any] = ["-n", "--pidfile=", "pingmon-verifier", given]
    said = ran("twistd", *command, cwd=tmp_path)
    assert said.returncode == 1
    assert (said.stdout + said.stderr).splitlines()[-1] == f"pingmon-verifier: {missing} is needed"


def test_a_port_that_is_taken_ends_it_with_one_line(start: Starter, tmp_path: Path) -> None:
    first = start.verifier(new_secret())
    command: list[Any] = ["-n", "--pidfile=", "pingmon-verifier", "--secret-file", first.file]
    command += ["--listen", f"tcp:{first.port}:interface=127.0.0.1"]
    said = ran("twistd", *command, cwd=tmp_path)
    assert said.returncode == 1
    assert "address already in use" in (said.stdout + said.stderr).splitlines()[-1].lower()
