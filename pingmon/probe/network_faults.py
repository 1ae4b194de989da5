"""What an error of the network says about a site, and what it says about pingmon's own machine.

No descriptors, buffers or local ports left, a local firewall, no network at all: then the prober cannot look, and the
site is not to blame (`void`). A machine without IPv6 is common and fails IPv6 at once; that counts only when nothing
else was left to try.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import Final

from OpenSSL.SSL import Error as OpenSslError
from OpenSSL.SSL import SysCallError
from twisted.internet.error import ConnectError

from pingmon.core.site.failures import (
    CANNOT_CONNECT,
    CLIENT_CERTIFICATE,
    HANDSHAKE_CLOSED,
    HANDSHAKE_FAILED,
    HANDSHAKE_REFUSED,
    NO_COMMON_TLS,
    NO_ROUTE,
    NO_WAY,
    NOT_TLS,
    OLD_TLS,
    REFUSED,
    UNANSWERED,
    UNKNOWN_NAME,
    FailureKind,
)
from pingmon.core.site.probe_result import Fault
from pingmon.outgoing.tls_trust import Untrusted

EXHAUSTED: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EPERM, errno.EACCES}
)
"""What this machine refuses to itself, whatever the address."""
NO_NETWORK: Final = frozenset({errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETDOWN})
"""This machine has no way to addresses of this kind."""
WORDS: Final = {
    errno.ECONNREFUSED: REFUSED(),
    errno.ETIMEDOUT: UNANSWERED(),
    errno.EHOSTUNREACH: NO_ROUTE(),
}
TLS_WORDS: Final = (
    ("unsupported protocol", OLD_TLS),
    ("alert protocol version", NO_COMMON_TLS),
    ("wrong version number", NOT_TLS),
    ("http request", NOT_TLS),
    ("packet length too long", NOT_TLS),
    ("unrecognized name", UNKNOWN_NAME),
    ("certificate required", CLIENT_CERTIFICATE),
    ("handshake failure", HANDSHAKE_REFUSED),
)
"""Parts of OpenSSL's reasons, and what they mean."""


class ProbeFailed(Exception):
    """A probe ends here. `fault` as in `core.site.probe_result`; `detail` a few words for people."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(fault, detail)
        self.fault: Fault = fault
        self.detail = detail


def failed(kind: FailureKind, **values: object) -> ProbeFailed:
    """A failure of that kind, with these values in its sentence."""
    return ProbeFailed(kind.fault, kind(**values))


def own_trouble(address: str, error: BaseException) -> bool:
    """Whether a failed attempt to connect to `address` says something of this machine, whatever other attempts say.

    No local port left looks like a missing IPv6 address; for IPv4 it can only be the former.
    """
    number = getattr(error, "osError", None)
    if number == errno.EADDRNOTAVAIL:
        return isinstance(ip_address(address), IPv4Address)
    return number in EXHAUSTED


def no_way(error: BaseException) -> bool:
    """Whether an attempt failed because this machine reaches no address of this kind."""
    return getattr(error, "osError", None) in NO_NETWORK


def connect_failed(errors: Sequence[tuple[str, BaseException]]) -> ProbeFailed:
    """What the failed attempts (address, error), at least one, at all addresses of a host come to."""
    for address, error in errors:
        if own_trouble(address, error):
            return failed(CANNOT_CONNECT, why=_words(error))
    for _, error in errors:
        if not no_way(error):
            return ProbeFailed("connect", _words(error))
    return failed(NO_WAY, why=_words(errors[0][1]))


def tls_failed(error: BaseException) -> ProbeFailed:
    """What the end of a connection during the handshake, or because of TLS, means."""
    if isinstance(error, Untrusted):
        return ProbeFailed("tls", str(error))
    if isinstance(error, OpenSslError) and not isinstance(error, SysCallError):
        reason = _reason(error)
        for part, kind in TLS_WORDS:
            if part in reason:
                return failed(kind)
        return failed(HANDSHAKE_FAILED, why=reason or "no reason given")
    return failed(HANDSHAKE_CLOSED)


def _words(error: BaseException) -> str:
    number = getattr(error, "osError", None) if isinstance(error, ConnectError) else None
    if isinstance(number, int):
        return WORDS.get(number) or os.strerror(number).lower()
    return "connection failed"


def _reason(error: OpenSslError) -> str:
    """OpenSSL's own text for the newest entry of its queue; nothing in it comes from the peer."""
    try:
        return str(error.args[0][-1][2]).lower()
    except (IndexError, TypeError):
        return ""
