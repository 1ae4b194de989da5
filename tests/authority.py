"""A certificate authority of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates


class Authority:
    """Signs what it is asked to."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._signed(self.name, self.key.public_key(), days=10, authority=True)

    @property
    def roots(self) -> Any:
        """What makes it trusted."""
        return trustRootFromCertificates([Certificate.loadPEM(self.certificate.public_bytes(Encoding.PEM))])

    def issue(self, *names: str, days: int = 10, self_signed: bool = False) -> PrivateCertificate:
        """A certificate, with its key, for these names and addresses; it expires in `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        certificate = self._signed(subject, key.public_key(), *names, days=days, by=key if self_signed else None)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        issued: PrivateCertificate = PrivateCertificate.loadPEM(certificate.public_bytes(Encoding.PEM) + secret)
        return issued

    def _signed(
        self, subject: x509.Name, key: Any, *names: str, days: int, authority: bool = False, by: Any = None
    ) -> x509.Certificate:
        now = datetime.now(UTC)  # noqa: TID251 -- OpenSSL compares with the real clock
        builder = (
            x509.CertificateBuilder(self.name if by is None else subject, subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(days=20))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(_names(names))), critical=False)
        return builder.sign(by or self.key, hashes.SHA256())


def _names(names: tuple[str, ...]) -> Iterator[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ip_address(name))
        except ValueError:
            yield x509.DNSName(name)


class Certified:
    """A certificate with its key, of `name` and for the host names `hosts`, signed `by` another one or by itself."""

    def __init__(
        self,
        name: str,
        *hosts: str,
        by: Certified | None = None,
        authority: bool = False,
        days: int = 10,
        key: Any = None,
    ) -> None:
        now = datetime.now(UTC)  # noqa: TID251 -- OpenSSL compares with the real clock
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = self if by is None else by
        self.certificate = (
            x509.CertificateBuilder(issuer.subject, self.subject, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=20))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName(list(_names(hosts)) or [x509.DNSName("none.test")]), critical=False
            )
            .sign(issuer.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        return bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
