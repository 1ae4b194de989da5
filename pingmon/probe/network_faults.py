"""Errors of the network in the words of `core.site.failures`.

What they tell of is up to `core.site.failed_probe` and `failed_lookup`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

from OpenSSL.SSL import Error as OpenSslError
from OpenSSL.SSL import SysCallError
from twisted.internet.error import ConnectError

from pingmon.core.site.failed_lookup import LookupCause
from pingmon.core.site.failed_probe import counting_attempt
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
from pingmon.dns.results import CannotAsk, LookupFailed, NoAnswer
from pingmon.outgoing.tls_trust import Untrusted

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


def number_of(error: BaseException) -> int | None:
    """The `errno` that an attempt to connect failed with; None if it had none."""
    number: int | None = getattr(error, "osError", None)
    return number


def lookup_cause(error: LookupFailed) -> LookupCause:
    """Why a lookup failed."""
    if isinstance(error, CannotAsk):
        return "nobody answers"
    return "silent" if isinstance(error, NoAnswer) else "nothing there"


def connect_failed(errors: Sequence[tuple[str, BaseException]]) -> ProbeFailed:
    """What the failed attempts (address, error), at least one, at all addresses of a host come to."""
    counts, tells_of = counting_attempt((address, number_of(error)) for address, error in errors)
    words = _words(errors[counts][1])
    if tells_of == "site":
        return ProbeFailed("connect", words)
    return failed(CANNOT_CONNECT if tells_of == "machine" else NO_WAY, why=words)


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
    number = number_of(error) if isinstance(error, ConnectError) else None
    if number is not None:
        return WORDS.get(number) or os.strerror(number).lower()
    return "connection failed"


def _reason(error: OpenSslError) -> str:
    """OpenSSL's own text for the newest entry of its queue; nothing in it comes from the peer."""
    try:
        return str(error.args[0][-1][2]).lower()
    except (IndexError, TypeError):
        return ""
