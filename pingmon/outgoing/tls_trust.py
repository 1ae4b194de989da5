"""Whom pingmon believes over TLS: one context for all connections, names verified, and refusals that can be read.

One shared context, because loading the platform's authorities takes milliseconds of the reactor's time at each
connection. Verification is set on the connection and not on the context, so hosts cannot be mistaken for each other.
"""

from __future__ import annotations

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

from pingmon.core.site.failures import (
    EXPIRED,
    NO_INTERMEDIATE,
    NOT_YET_VALID,
    SELF_SIGNED,
    UNFIT,
    UNKNOWN_ROOT,
    UNVERIFIED,
    WEAK_KEY,
    WRONG_NAME,
)
from pingmon.wire.web_url import is_literal

FAULTS: Final = {
    9: NOT_YET_VALID(),
    10: EXPIRED(),
    18: SELF_SIGNED(),
    19: UNKNOWN_ROOT(),
    20: UNKNOWN_ROOT(),
    26: UNFIT(),
    66: WEAK_KEY(),
    **{
        number: UNVERIFIED(why=why)
        for number, why in {
            2: "the certificate of the authority that signed an intermediate certificate is missing",
            4: "its signature cannot be read",
            6: "the key of the authority cannot be read",
            7: "its signature is wrong",
            13: "the time from which it is valid cannot be read",
            14: "the time until which it is valid cannot be read",
            21: "the chain is not complete",
            22: "the chain is too long",
            23: "it was revoked",
            24: "an intermediate certificate is none of an authority",
            25: "the chain is longer than an authority in it allows",
            27: "the authority is not trusted for web servers",
            28: "the authority is not trusted for web servers",
            29: "it does not fit the certificate of the authority",
            30: "its key identifier is not that of the authority",
            31: "its serial number is not that of the authority",
            32: "the authority may not sign certificates",
            34: "it has a critical extension that is not known",
            37: "it says that it is one of an authority",
            39: "its key may not be used for signatures",
            41: "one of its extensions is not valid",
            42: "its policy is not valid",
            47: "the authority may not sign for this name",
            48: "the authority may not sign for this name",
            49: "the names that the authority may sign for cannot be read",
            51: "the names that the authority may sign for cannot be read",
            52: "the names that the authority may sign for cannot be read",
            53: "one of its names cannot be read",
            67: "the key of an authority in the chain is too weak",
            68: "a signature in the chain is made in a way that is too weak",
            76: "how it was signed is not known",
            77: "it was signed in another way than the key of the authority allows",
            78: "it contradicts itself in how it was signed",
            79: "an intermediate certificate is none of an authority",
            80: "it limits a chain, but is none of an authority",
            82: "it may sign others, but is none of an authority",
            83: "it does not say who signed it",
            93: "it is of an old version that cannot say what it says",
            94: "its key is on a curve of its own",
        }.items()
    },
}
"""OpenSSL's verification results (X509_V_ERR_…) in words, as far as a server's chain can cause them."""

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
        literal = is_literal(host)
        self._name = "" if literal else host.rstrip(".")
        self._identity = IPAddress_ID(host) if literal else DNS_ID(self._name)

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
                log.failure("an error while verifying a certificate")
                fault = UNVERIFIED(why="pingmon's own fault; its log says more")
            if fault is not None:
                tlsProtocol.failVerification(Failure(Untrusted(fault)))
            return fault is None

        connection.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, verified)
        return connection

    def _fault(self, certificate: X509, error: int, depth: int, ok: bool) -> str | None:
        """What is wrong with a certificate of the chain; `depth` 0 is the peer's own."""
        if not ok:
            # The first that is missing is what signed the server's own: it may have forgotten to send that.
            if error in (20, 21) and depth == 0:
                return NO_INTERMEDIATE()
            return FAULTS.get(error) or UNVERIFIED(why=f"OpenSSL's reason {error}")
        if depth == 0:
            try:
                verify_service_identity(extract_patterns(certificate), [self._identity], [])
            except (VerificationError, CertificateError):
                return WRONG_NAME(host=self._host)
        return None
