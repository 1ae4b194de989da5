"""Certificates for `tls:` and `ssl:` endpoints: read, checked and put in order by us, and read again when they change.

Twisted's own `tls:` never returns from a folder that holds a root certificate, starts with one that does not exist, and
writes lines for whoever shakes hands with a name that it does not know (docs/upstream.md). What is wrong here is
refused at the start; later it is logged once, and the certificates stay as they were.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from zope.interface import implementer

from pingmon.core.units import SECOND

FILES_MAX: Final = 2_000
BYTES_MAX: Final = 1 << 20
"""Of one file."""

_block: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)

Stamp = tuple[tuple[str, int, int, int], ...]


class BadCertificates(Exception):
    """The certificates cannot be used; the message names the file and says why."""


class Identity(Struct, frozen=True):
    """A certificate with its private key and the intermediates above it, without the root; `names` are lower case."""

    names: tuple[str, ...]
    certificate: x509.Certificate
    key: Any
    chain: tuple[x509.Certificate, ...]


# --- reading ------------------------------------------------------------------------------------------------------


def in_folder(folder: Path) -> list[Path]:
    """All `.pem` files in and below `folder`, in order. Raises BadCertificates."""
    found: list[Path] = []
    try:
        for place, folders, files in os.walk(folder, onerror=_raise):
            folders.sort()
            found += (Path(place, name) for name in sorted(files) if name.endswith(".pem"))
            if len(found) > FILES_MAX:
                raise BadCertificates(f"{folder}: holds more than {FILES_MAX} .pem files; name a smaller folder")
    except OSError as error:
        raise BadCertificates(f"{error.filename}: {error.strerror}") from error
    return found


def _raise(error: OSError) -> None:
    raise error


def identities(files: Sequence[Path], where: str) -> list[Identity]:
    """Whom these files let us be, in the order of their keys, at least one. Raises BadCertificates."""
    certificates: list[x509.Certificate] = []
    keys: list[Any] = []
    for file in files:
        for thing in _things(file):
            (certificates if isinstance(thing, x509.Certificate) else keys).append(thing)
    by_key: dict[bytes, x509.Certificate] = {}
    for certificate in sorted(certificates, key=lambda each: each.not_valid_after_utc):
        by_key[_public(certificate.public_key())] = certificate  # of several for one key, the one that lasts longest
    owned = [(key, by_key[public]) for key in keys if (public := _public(key.public_key())) in by_key]
    if not owned:
        some = "no certificate" if not certificates else "no private key" if not keys else "no key of its certificates"
        raise BadCertificates(f"{where}: holds {some}; .pem files with a certificate and its private key are needed")
    # An authority of one's own may lie there with its key: who has issued another one here is no server.
    servers = [(key, mine) for key, mine in owned if not any(mine != each and _issued(mine, each) for _, each in owned)]
    return [Identity(_names(mine), mine, key, _chain(mine, certificates)) for key, mine in servers or owned]


def _things(file: Path) -> Iterator[Any]:
    """Certificates and private keys in a file."""
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX)
    except OSError as error:
        raise BadCertificates(f"{file}: {error.strerror}") from error
    blocks = list(_block.finditer(content))
    if len(blocks) < content.count(b"-----BEGIN "):
        raise BadCertificates(f"{file}: a certificate or key in it is cut off")
    for block in blocks:
        kind = block[1]
        try:
            if kind == b"CERTIFICATE":
                yield _readable(x509.load_pem_x509_certificate(block[0]))
            elif kind.endswith(b"PRIVATE KEY"):
                yield load_pem_private_key(block[0], None)
        except TypeError as error:
            raise BadCertificates(f"{file}: the private key has a passphrase; store it without one") from error
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise BadCertificates(f"{file}: holds a {kind.decode().lower()} that cannot be read: {error}") from error


def _readable(certificate: x509.Certificate) -> x509.Certificate:
    """`certificate`, once all of it that is needed could be read: its parts are parsed only when they are asked for."""
    _public(certificate.public_key())
    _ = certificate.issuer, certificate.subject, certificate.not_valid_after_utc
    return certificate


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()


def _chain(leaf: x509.Certificate, known: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The way up from `leaf`, without the root, which clients have; no certificate comes twice, so it ends."""
    chain = [leaf]
    while above := next((each for each in known if each not in chain and _issued(each, chain[-1])), None):
        if above.issuer == above.subject:
            break
        chain.append(above)
    return tuple(chain[1:])


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


# --- serving ------------------------------------------------------------------------------------------------------


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """What an endpoint shows to whom. `files` names the files; `where` is what the operator wrote.

    `ends`: when the first certificate that is shown ends, in microseconds since the epoch.

    Raises BadCertificates if they cannot be used.
    """

    log = Logger()

    def __init__(self, where: str, files: Callable[[], list[Path]]) -> None:
        self._where = where
        self._files = files
        self._seen = self._used = self._stamp()
        self._contexts: dict[str, SSL.Context] = {}
        self._default = self._read()

    @property
    def where(self) -> str:
        """What the operator wrote."""
        return self._where

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """A connection that shows the first certificate, or the one for the name that the client asks for."""
        return SSL.Connection(self._default)

    def look(self) -> None:
        """Read the files again if they have changed, and have been the same since the last look."""
        seen, before = self._stamp(), self._seen
        self._seen = seen
        if seen == before and seen != self._used:
            self.reload()

    def reload(self) -> None:
        """Read the files again. If they cannot be used, all stays as it was, and the log says why."""
        self._used = self._seen = self._stamp()
        try:
            self._default = self._read()
        except BadCertificates as error:
            self.log.error("the certificates stay as they were: {why}", why=str(error))
        else:
            names = ", ".join(self._contexts) or "no host name"
            self.log.info(
                "the certificates in {where} were read again; they are for {names}", where=self._where, names=names
            )

    def _read(self) -> SSL.Context:
        contexts: dict[str, SSL.Context] = {}
        ends: dict[str, float] = {}
        default = None
        # For a name that several certificates have, the one that lasts longest comes last and counts.
        found = identities(self._files(), self._where)
        for each in sorted(found, key=lambda each: each.certificate.not_valid_after_utc):
            context = self._context(each)
            contexts |= dict.fromkeys(each.names, context)
            ends |= dict.fromkeys(each.names or [""], each.certificate.not_valid_after_utc.timestamp())
            if each is found[0]:
                default = context
        assert default is not None
        self._contexts = contexts
        self.ends = round(min(ends.values())) * SECOND
        return default

    def _context(self, identity: Identity) -> SSL.Context:
        certificate: Any = identity.certificate  # Twisted's annotations ask for pyOpenSSL's own, which it deprecates
        chain: Any = identity.chain
        try:
            options = CertificateOptions(
                privateKey=identity.key,
                certificate=certificate,
                extraCertChain=chain,
                contextForServerName=self._for_name,
            )
            return options.getContext()
        except (
            SSL.Error,
            crypto.Error,
            TypeError,
            ValueError,
        ) as error:  # a key that OpenSSL finds too weak, or of a kind unknown to it
            openssls = isinstance(error, SSL.Error | crypto.Error) and error.args[0]
            why = openssls[0][2] if openssls else error
            raise BadCertificates(f"{self._where}: OpenSSL does not take its certificate or key: {why}") from error

    def _for_name(self, name: bytes | None) -> SSL.Context | None:
        """The context for the name that a client asks for; None: the first. Nothing is said, whatever is asked for."""
        asked = (name or b"").decode("ascii", "replace").lower()
        return self._contexts.get(asked) or self._contexts.get("*." + asked.partition(".")[2])

    def _stamp(self) -> Stamp:
        stamps = []
        try:
            for file in self._files():
                found = file.stat()
                stamps.append((str(file), found.st_mtime_ns, found.st_size, found.st_ino))
        except (BadCertificates, OSError):
            return ()
        return tuple(stamps)
