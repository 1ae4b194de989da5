"""Probes per CPU-second, and memory per probe in flight, beside treq and Agent: `python bench/probes.py`.

One server process on loopback answers, or never does; each client is a process of its own, so that nothing is shared.
All make the same probes, HEAD with a deadline, to an address and not a name, which spares the others the threads that
they look up names in. Rounds are interleaved and medians compared. The certificate is from an authority that is
trusted beside the platform's own, so every context loads as many as it would in real life.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import HERE, accepts, free_port, machine, median, process, resident_bytes, until
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate, platformTrust

reactor: Any = _reactor
TIMEOUT_S = 60.0
SETTLE_S = 8.0
"""Seconds until all hanging probes wait for their answers."""
IN_PARALLEL = 50
CLIENTS = ("pingmon", "Agent", "treq", "Agent, one context")
HANGING = {"http": 2000, "https": 500}
HANGING_DEFAULT_POLICY = 100
"""The default policy takes most of a MiB for each."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def main() -> None:
    """Run the rounds and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--probes", type=int, default=2000, help="per round and client; a tenth where one costs 10 ms")
    parser.add_argument("role", nargs="*", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.role[:1] == ["server"]:
        serve(int(wanted.role[1]), Path(wanted.role[2]))
    elif wanted.role[:1] == ["client"]:
        client, kind, scheme, port, count = wanted.role[1:]
        run(client, kind, scheme, int(port), int(count))
    else:
        with tempfile.TemporaryDirectory(prefix="pingmon-bench-") as name, server(Path(name)) as port:
            rates(Path(name), port, wanted.rounds, wanted.probes)
            memory(Path(name), port)


# --- the server ---------------------------------------------------------------------------------------------------


@contextmanager
def server(place: Path) -> Iterator[int]:
    """The server process; the first of its four ports: http, https, and both again where no answer ever comes."""
    certificates(place)
    port = next(port for port in iter(free_port, 0) if not any(accepts(port + more) for more in (1, 2, 3)))
    command = [sys.executable, str(HERE / "probes.py"), "server", str(port), str(place)]
    with process(command, port, place / "server.log"):
        until(lambda: accepts(port + 3), "the server's last port")
        yield port


def serve(port: int, place: Path) -> None:
    """Be the server."""
    options = PrivateCertificate.loadPEM((place / "server.pem").read_bytes()).options()

    class Site(Protocol):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: text/html\r\nServer: bench\r\n\r\n"

        def dataReceived(self, data: bytes) -> None:
            if self.answer:
                assert self.transport is not None
                self.transport.write(self.answer)
                self.transport.loseConnection()

    class Mute(Site):
        answer = b""

    for number, kind in enumerate((Site, Site, Mute, Mute)):
        factory: Any = Factory.forProtocol(kind)
        factory.noisy = False
        where = {"backlog": 4096, "interface": "127.0.0.1"}
        if number % 2:
            reactor.listenSSL(port + number, factory, options, **where)
        else:
            reactor.listenTCP(port + number, factory, **where)
    reactor.run()


def certificates(place: Path) -> None:
    """The server's certificate, and the authorities to trust."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    now, own, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM

    def signed(subject: str, public: Any, extension: Any) -> bytes:
        builder = x509.CertificateBuilder(named("bench authority"), named(subject), public, 1 + len(subject))
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        return builder.add_extension(extension, critical=False).sign(own, hashes.SHA256()).public_bytes(pem)

    authority = signed("bench authority", own.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (place / "server.pem").write_bytes(signed("server", key.public_key(), names) + secret)
    platform = AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b""
    (place / "authorities.pem").write_bytes(platform + authority)


# --- the clients --------------------------------------------------------------------------------------------------


def prober(client: str) -> Callable[[str], Deferred[Any]]:
    """How `client` makes one probe; what it fires with must be a good answer."""
    if client == "pingmon":
        return _pingmon()
    from twisted.web.client import Agent, HTTPConnectionPool
    from twisted.web.http_headers import Headers

    pool = HTTPConnectionPool(reactor, persistent=False)
    agent = Agent(reactor, _OneContext(), pool=pool) if client == "Agent, one context" else Agent(reactor, pool=pool)
    if client == "treq":
        from treq.client import HTTPClient

        asking = HTTPClient(agent)
        return lambda url: asking.head(url, timeout=TIMEOUT_S, allow_redirects=False).addCallback(_good)
    headers = Headers({"User-Agent": ["bench"], "Accept": ["*/*"]})

    def probe(url: str) -> Deferred[Any]:
        return agent.request(b"HEAD", url.encode(), headers).addTimeout(TIMEOUT_S, reactor).addCallback(_good)

    return probe


def _good(response: Any) -> None:
    assert response.code == 200, response.code


def _pingmon() -> Callable[[str], Deferred[Any]]:
    from pingmon.core.address_policy import allowing
    from pingmon.dns.resolver import Resolver
    from pingmon.outgoing.tls_trust import Trust
    from pingmon.probe.prober import Prober

    prober = Prober(
        reactor,
        Resolver(reactor, [], hosts={}),
        allowing(["127.0.0.1"]),
        Trust(),
        now=lambda: time.time_ns() // 1000,
        max_in_flight=5000,
        per_address=5000,
    )

    def good(look: Any) -> None:
        assert look.good, look

    return lambda url: prober.look(url, TIMEOUT_S).addCallback(good)


def _OneContext() -> Any:
    """The policy that Agent could have."""
    from twisted.internet._sslverify import ClientTLSOptions
    from twisted.web.iweb import IPolicyForHTTPS
    from zope.interface import implementer

    @implementer(IPolicyForHTTPS)
    class OneContext:
        options: Any = CertificateOptions(trustRoot=platformTrust())

        def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
            return ClientTLSOptions(self.options._makeTLSConnection, hostname.decode())

    return OneContext()


def run(client: str, kind: str, scheme: str, port: int, count: int) -> None:
    """Be a client, and print what it took: CPU seconds for `count` probes, or bytes for each of `count` that hang."""
    probe, url = prober(client), f"{scheme}://127.0.0.1:{port}/"
    found: list[float] = []

    async def rate() -> None:
        left = iter(range(count))

        async def walk() -> None:
            for _ in left:
                await probe(url)

        await gatherResults([Deferred.fromCoroutine(walk()) for _ in range(min(count, IN_PARALLEL))])

    async def measure() -> None:
        await probe(url)
        before = time.process_time()
        await rate()
        found.append(time.process_time() - before)

    def hang() -> None:
        before = resident_bytes(os.getpid())
        for _ in range(count):
            probe(url).addErrback(lambda _: None)

        def weigh() -> None:
            found.append((resident_bytes(os.getpid()) - before) / count)
            done(None)

        reactor.callLater(SETTLE_S, weigh)

    def done(result: Any) -> None:
        if result is not None:
            print(result, file=sys.stderr)
        print(json.dumps(found), flush=True)
        os._exit(0)  # what hangs needs no orderly end

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    reactor.callWhenRunning(hang if kind == "hang" else lambda: Deferred.fromCoroutine(measure()).addBoth(done))
    reactor.run()


# --- the tables ---------------------------------------------------------------------------------------------------


def measured(place: Path, client: str, kind: str, scheme: str, port: int, count: int) -> float:
    """What a client process found."""
    command = [sys.executable, str(HERE / "probes.py"), "client", client, kind, scheme, str(port), str(count)]
    environment = os.environ | {"SSL_CERT_FILE": str(place / "authorities.pem"), "PYTHONPATH": str(HERE.parent)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    try:
        (found,) = json.loads(ran.stdout)
    except ValueError:
        raise SystemExit(f"{client} {scheme}: {ran.stdout} {ran.stderr}") from None
    return float(found)


def rates(place: Path, port: int, rounds: int, probes: int) -> None:
    """Probes per CPU-second."""
    print(f"{machine()}\n\n| probes | client | per CPU-second | ms each | pingmon's are × as many |")
    print("|---|---|---:|---:|---:|")
    for number, scheme in enumerate(("http", "https")):
        clients = [each for each in CLIENTS if scheme == "https" or "context" not in each]
        spent: dict[str, list[float]] = {client: [] for client in clients}
        for _ in range(rounds):
            for client, found in spent.items():
                count = probes // 10 if scheme == "https" and client in ("Agent", "treq") else probes
                found.append(measured(place, client, "rate", scheme, port + number, count) / count)
        for client, found in spent.items():
            ratio = median(found) / median(spent["pingmon"])
            each = median(found)
            print(f"| {scheme.upper()} | {client} | {1 / each:,.0f} | {each * 1000:.2f} | {ratio:.1f} |")


def memory(place: Path, port: int) -> None:
    """KiB for each probe in flight."""
    print("\n| probes in flight | client | KiB each |\n|---|---|---:|")
    for number, scheme in enumerate(("http", "https")):
        for client in CLIENTS:
            if scheme == "http" and "context" in client:
                continue
            slow = scheme == "https" and client in ("Agent", "treq")
            count = HANGING_DEFAULT_POLICY if slow else HANGING[scheme]
            each = measured(place, client, "hang", scheme, port + 2 + number, count)
            print(f"| {count} {scheme.upper()} | {client} | {each / 1024:.1f} |")


if __name__ == "__main__":
    main()
