"""Whom pingmon believes over TLS: one context for all connections, names verified, and refusals that can be read.

One shared context, because loading the platform's authorities takes milliseconds of the reactor's time at each
connection. Verification is set on the connection and not on the context, so hosts cannot be mistaken for each other.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

from OpenSSL.crypto import X509
from OpenSSL.SSL import VERIFY_FAIL_IF_NO_PEER_CERT, VERIFY_PEER, Connection
from service_identity.exceptions import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, platformTrust
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

FAULTS: Final = {
    9: "certificate is not valid yet",
    10: "certificate has expired",
    18: "certificate is self-signed",
    19: "certificate chain ends in an authority that is not trusted",
    20: "certificate is from an authority that is not trusted",
    21: "certificate chain is not complete",
    23: "certificate was revoked",
}
"""OpenSSL's verification results (X509_V_ERR_…) in words."""

log = Logger()


class Untrusted(Exception):
    """The peer is not who it should be. The message begins with "certificate" and may be shown to users."""


class Trust:
    """Makes the TLS sides of client connections.

    `roots`: the authorities to trust, as `CertificateOptions` takes them; by default the platform's.
    """

    def __init__(self, roots: Any = None) -> None:
        self._options = CertificateOptions(trustRoot=platformTrust() if roots is None else roots)

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Makes connections that only a certificate for `host`, a name in ASCII or an IP address, can satisfy."""
        return _Verified(self._options, host)


@implementer(IOpenSSLClientConnectionCreator)
class _Verified:
    def __init__(self, options: CertificateOptions, host: str) -> None:
        self._options = options
        self._host = host
        try:
            ip_address(host)
        except ValueError:
            self._name = host.rstrip(".")
            self._identity: DNS_ID | IPAddress_ID = DNS_ID(self._name)
        else:
            self._name = ""
            self._identity = IPAddress_ID(host)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Connection:
        """As `IOpenSSLClientConnectionCreator`. The peer's name is sent along unless it is an address (RFC 6066)."""
        connection = self._options.clientConnectionForTLS(tlsProtocol)
        if self._name:
            connection.set_tlsext_host_name(self._name.encode("ascii"))

        def verified(_: Connection, certificate: X509, error: int, depth: int, ok: int) -> bool:
            # What is raised in a callback of OpenSSL is lost, hence the broad guard.
            try:
                fault = self._fault(certificate, error, depth, bool(ok))
            except Exception:  # noqa: BLE001
                log.failure("while verifying a certificate")
                fault = "certificate cannot be verified"
            if fault is not None:
                tlsProtocol.failVerification(Failure(Untrusted(fault)))
            return fault is None

        connection.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, verified)
        return connection

    def _fault(self, certificate: X509, error: int, depth: int, ok: bool) -> str | None:
        """What is wrong with a certificate of the chain; `depth` 0 is the peer's own."""
        if not ok:
            return FAULTS.get(error, f"certificate is not trusted (OpenSSL verification error {error})")
        if depth == 0:
            try:
                verify_service_identity(extract_patterns(certificate), [self._identity], [])
            except (VerificationError, CertificateError):
                return f"certificate is not for {self._host}"
        return None
