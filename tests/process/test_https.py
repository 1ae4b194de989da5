"""HTTPS and HTTP/2, as `ssl:` and `tls:` endpoints give them."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.process.daemons import Running, Starter, free_port, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


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
