"""HTTPS and HTTP/2, as `ssl:` and `tls:` endpoints give them."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import signal
import socket
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.authority import Certified
from tests.process.daemons import Running, Starter, free_port, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def certificate(folder: Path, name: str) -> None:
    """A self-signed certificate and its key, both into `folder`/`name`.pem, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def secure(start: Starter) -> tuple[Running, int, int, Path]:
    """A daemon with a plain, an `ssl:` and a `tls:` endpoint; their ports, and the certificate to trust."""
    folder = start.tmp_path / "live"
    folder.mkdir()
    certificate(folder, "localhost")
    pem = folder / "localhost.pem"
    plain, ssl, tls = free_port(), free_port(), free_port()
    daemon = start(
        port=plain,
        listen=(
            f"tcp:{plain}:interface=127.0.0.1",
            f"ssl:{ssl}:privateKey={pem}:certKey={pem}:interface=127.0.0.1",
            f"tls:{folder}:{tls}:interface=127.0.0.1",
        ),
    )
    return daemon, ssl, tls, pem


def curl(pem: Path, *arguments: str) -> list[str]:
    """Version, status and body of a request."""
    command = ["curl", "-sS", "--cacert", str(pem), "-w", "\n%{http_version} %{http_code}", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return [*ran.stdout.splitlines()[-1].split(), "\n".join(ran.stdout.splitlines()[:-1])]


VERSIONS = [("--http1.1", "1.1"), ("--http2", "2"), ("--http1.0", "1"), ("--no-alpn", "1.1")]


@pytest.mark.parametrize(("option", "version"), VERSIONS)
def test_pings_over_https_in_every_version(secure: tuple[Running, int, int, Path], option: str, version: str) -> None:
    """GET, HEAD and POST, by `ssl:` and by `tls:` endpoints; the ping knows its scheme."""
    daemon, ssl, tls, pem = secure
    for port in (ssl, tls):
        url = f"https://localhost:{port}/ping/{daemon.keys['ping_key']}/job"
        assert curl(pem, option, f"{url}?create=1")[0] == version
        assert curl(pem, option, url)[1:] == ["200", "OK"]
        assert curl(pem, option, "-I", url)[1] == "200"
        assert curl(pem, option, "--data-binary", "all is well", f"{url}/0")[1:] == ["200", "OK"]
    (check,) = daemon.api("GET", "checks/").json["checks"]
    pings = daemon.api("GET", f"checks/{check['uuid']}/pings/").json["pings"]
    assert {ping["scheme"] for ping in pings} == {"https"}
    body = daemon.api("GET", f"checks/{check['uuid']}/pings/{pings[0]['n']}/body")
    assert body.body == b"all is well"


def test_plain_text_to_a_tls_port_leaves_no_traceback(secure: tuple[Running, int, int, Path]) -> None:
    """A common mistake of clients."""
    daemon, ssl, _, _ = secure
    subprocess.run(["curl", "-s", f"http://localhost:{ssl}/"], capture_output=True, timeout=30, check=False)
    until(lambda: daemon.ping("job", "?create=1").status in (200, 201), "an answer")
    assert "Traceback" not in daemon.log.read_text()


def shown(port: int, name: str = "") -> str:
    """The subject of the certificate that a client is shown who asks for `name`, and how many came with it."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts"]
    command += ["-servername", name] if name else ["-noservername"]
    ran = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    (subject,) = [line for line in ran.stdout.splitlines() if line.startswith("subject=")]
    return f"{subject.partition('CN = ')[2]} {ran.stdout.count('BEGIN CERTIFICATE')}"


@needs_openssl
def test_a_folder_with_a_root_in_its_chain_is_served_without_the_root(start: Starter) -> None:
    """As every guide to a CA of one's own makes it; and names choose among certificates."""
    root = Certified("root", authority=True)
    middle = Certified("middle", by=root, authority=True)
    folder, port = start.tmp_path / "live", free_port()
    for name, by, chain in (("one", root, root.pem), ("two", middle, middle.pem + root.pem)):
        leaf = Certified(name, f"{name}.test", by=by)
        (folder / name).mkdir(parents=True)
        (folder / name / "privkey.pem").write_bytes(leaf.key_pem)
        (folder / name / "fullchain.pem").write_bytes(leaf.pem + chain)
        (folder / name / "chain.pem").write_bytes(chain)
    start(listen=(f"tls:{folder}:{port}:interface=127.0.0.1",), wait=False)
    until(lambda: accepting(port), "the daemon to listen")
    assert [shown(port, name) for name in ("one.test", "two.test", "")] == ["one 1", "two 2", "one 1"]


@needs_openssl
@pytest.mark.slow
@pytest.mark.parametrize("by", ["hangup", "itself"])
def test_a_renewed_certificate_is_shown_without_a_restart(start: Starter, by: str) -> None:
    """At SIGHUP at once, by itself within half a minute; one that is no good leaves the old one in place."""
    folder, tls, ssl = start.tmp_path / "live", free_port(), free_port()
    folder.mkdir()
    pem = folder / "own.pem"

    def renew(name: str) -> None:
        new = Certified(name, "own.test")
        pem.write_bytes(new.key_pem + new.pem)

    def both_show(name: str) -> bool:
        return {shown(tls), shown(ssl)} == {f"{name} 1"}

    renew("old")
    endpoints = (f"tls:{folder}:{tls}:interface=127.0.0.1", f"ssl:{ssl}:privateKey={pem}:interface=127.0.0.1")
    daemon = start(listen=endpoints, wait=False)
    until(lambda: accepting(tls) and accepting(ssl), "the daemon to listen")
    assert both_show("old")
    pem.write_bytes(b"")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.log.read_text().count("the certificates stay as they were") == 2, "lines that say why")
    assert both_show("old")
    renew("new")
    if by == "hangup":
        daemon.process.send_signal(signal.SIGHUP)
    until(lambda: both_show("new"), "the new certificate", 60)


@needs_openssl
def test_strangers_who_shake_hands_badly_leave_no_line(secure: tuple[Running, int, int, Path]) -> None:
    """Names that are not there, garbage, plain HTTP, a cipher that nobody has, half a greeting."""
    daemon, ssl, tls, _ = secure
    before = daemon.log.read_text()
    for port in (ssl, tls):
        for number in range(10):
            shown(port, f"bad{number}.example")
        for junk in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 500, b"\x16", b""):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(junk)
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(OSError):
                    connection.recv(100)
        for options in (["-tls1_1"], ["-cipher", "NULL", "-tls1_2"], ["-alpn", "nothing"]):
            command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
            subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    assert daemon.ask("GET", "/api/v3/status/").status == 200
    assert daemon.log.read_text() == before


def test_a_folder_that_cannot_be_used_ends_the_start(start: Starter) -> None:
    """With the reason; a daemon whose every handshake fails would be worse than none."""
    folder = start.tmp_path / "live"
    daemon = start(listen=(f"tls:{folder}:{free_port()}",), wait=False)
    assert daemon.process.wait(30) == 1
    assert f"{folder}: No such file or directory" in daemon.log.read_text()


def accepting(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
