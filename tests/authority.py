"""A certificate authority of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates


class Authority:
    """Signs what it is asked to. One that is signed `by` another is an intermediate, or none at all (`genuine`)."""

    def __init__(self, by: Authority | None = None, *, genuine: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        number = x509.random_serial_number()
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"test authority {number % 1_000_000}")])
        signer = self if by is None else by
        self.certificate = signer._signed(self.name, self.key.public_key(), days=10, authority=genuine)

    @property
    def roots(self) -> Any:
        """What makes it trusted."""
        return trustRootFromCertificates([self.loaded])

    @property
    def loaded(self) -> Certificate:
        """Its own certificate, as Twisted has it."""
        loaded: Certificate = Certificate.loadPEM(self.certificate.public_bytes(Encoding.PEM))
        return loaded

    def issue(
        self,
        *names: str,
        days: int = 10,
        self_signed: bool = False,
        weak: bool = False,
        early: int = 20,
        purpose: str = "",
    ) -> PrivateCertificate:
        """A certificate, with its key, for these names and addresses; valid since `early` days, and for `days` more.

        `weak`: its key is too short. `purpose`: what it may be used for; by default anything.
        """
        key: Any = rsa.generate_private_key(65537, 1024) if weak else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        more = [x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, purpose)])] if purpose else []
        by = key if self_signed else None
        certificate = self._signed(subject, key.public_key(), *names, days=days, by=by, early=early, more=more)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        issued: PrivateCertificate = PrivateCertificate.loadPEM(certificate.public_bytes(Encoding.PEM) + secret)
        return issued

    def _signed(
        self,
        subject: x509.Name,
        key: Any,
        *names: str,
        days: int,
        authority: bool = False,
        by: Any = None,
        early: int = 20,
        more: Any = (),
    ) -> x509.Certificate:
        now = datetime.now(UTC)  # noqa: TID251 -- OpenSSL compares with the real clock
        builder = (
            x509.CertificateBuilder(self.name if by is None else subject, subject, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(days=early))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(_names(names))), critical=False)
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
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
