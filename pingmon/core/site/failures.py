"""All that can be wrong with a site, or with a look at it, each with its class and the sentence that people read.

A test makes each of them for real. `pingmon` in a sentence stands for whoever has looked, a verifier too. Nothing in
them is the site's own text, but for the host and path that a redirect led to.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from pingmon.core.site.probe_result import Fault, ProbeResult


class FailureKind(Struct, frozen=True):
    """A kind of failure: its class, and what is said of it, with places for values in braces."""

    fault: Fault
    text: str

    def __call__(self, **values: object) -> str:
        """The sentence with its `values`."""
        return self.text.format(**values)

    def seen_in(self, look: ProbeResult) -> bool:
        """Whether this is what `look` tells of."""
        return look.fault == self.fault and look.detail.startswith(self.text.partition("{")[0])


# --- dns ----------------------------------------------------------------------------------------------------------

NO_SUCH_NAME: Final = FailureKind("dns", "there is no such name")
DANGLING: Final = FailureKind("dns", "its CNAME leads to a name that does not exist")
NO_ADDRESS: Final = FailureKind("dns", "this name has no address")
CNAME_CIRCLE: Final = FailureKind("dns", "its CNAMEs go round in a circle")
CNAME_CHAIN: Final = FailureKind("dns", "more than {most} CNAMEs lead on from it")
FORBIDDEN_NAME: Final = FailureKind("dns", "pingmon does not look there: {why}")
DNS_SERVFAIL: Final = FailureKind("dns", "its name servers do not answer (SERVFAIL)")
DNS_REFUSED: Final = FailureKind("dns", "the name server refuses to look up this name (REFUSED)")
DNS_ERROR: Final = FailureKind("dns", "the name server cannot look up this name (code {code})")
DNS_SILENT: Final = FailureKind("dns", "its name servers do not answer (timed out)")

# --- connect ------------------------------------------------------------------------------------------------------

REFUSED: Final = FailureKind("connect", "connection refused")
UNANSWERED: Final = FailureKind("connect", "connection timed out")
NO_ROUTE: Final = FailureKind("connect", "no route to host")
CLOSED: Final = FailureKind("connect", "connection closed without an answer")

# --- tls ----------------------------------------------------------------------------------------------------------

WRONG_NAME: Final = FailureKind("tls", "certificate is not for {host}")
NOT_YET_VALID: Final = FailureKind("tls", "certificate is not valid yet")
EXPIRED: Final = FailureKind("tls", "certificate has expired")
SELF_SIGNED: Final = FailureKind("tls", "certificate is self-signed")
NO_INTERMEDIATE: Final = FailureKind(
    "tls",
    "certificate is from an authority that is not trusted, or the server does not send its intermediate certificate",
)
UNKNOWN_ROOT: Final = FailureKind("tls", "certificate chain ends in an authority that is not trusted")
WEAK_KEY: Final = FailureKind("tls", "certificate has a key that is too weak")
UNFIT: Final = FailureKind("tls", "certificate is not made for web servers")
UNVERIFIED: Final = FailureKind("tls", "certificate cannot be verified: {why}")
"""For the rest of OpenSSL's reasons; see `outgoing.tls_trust`."""
NO_CERTIFICATE: Final = FailureKind("tls", "no certificate can be for this name")
NO_COMMON_TLS: Final = FailureKind("tls", "the server and pingmon have no version of TLS in common")
OLD_TLS: Final = FailureKind("tls", "the server speaks no TLS newer than 1.1")
NOT_TLS: Final = FailureKind("tls", "the server does not speak TLS")
UNKNOWN_NAME: Final = FailureKind("tls", "the server does not know this name")
CLIENT_CERTIFICATE: Final = FailureKind("tls", "the server wants a client certificate")
HANDSHAKE_REFUSED: Final = FailureKind("tls", "the server refused the handshake")
HANDSHAKE_FAILED: Final = FailureKind("tls", "handshake failed ({why})")
HANDSHAKE_CLOSED: Final = FailureKind("tls", "connection closed during the handshake")

# --- timeout ------------------------------------------------------------------------------------------------------

TIMED_OUT: Final = FailureKind("timeout", "timed out after {limit:g} s while {doing}")
DARK: Final = FailureKind("timeout", "no answer from {address} for {tried:.0f} s, like other sites there")

# --- status, redirect, protocol -----------------------------------------------------------------------------------

BAD_STATUS: Final = FailureKind("status", "{status} to {asked}")
TOO_MANY_REDIRECTS: Final = FailureKind("redirect", "more than {most} redirects")
LEADS_NOWHERE: Final = FailureKind("redirect", "redirected to nowhere: {why}")
LEADS_ASTRAY: Final = FailureKind("redirect", "redirected to where pingmon may not look: {why}")
NOT_HTTP: Final = FailureKind("protocol", "the answer is not HTTP")
NO_STATUS: Final = FailureKind("protocol", "the answer has no valid status line")
LONG_HEADER: Final = FailureKind("protocol", "the header is longer than {most} KiB")
SWITCHED: Final = FailureKind("protocol", "the server changed the protocol, unasked")
CUT_OFF: Final = FailureKind("protocol", "connection closed in the middle of the answer's header")

# --- void: nothing is said of the site ----------------------------------------------------------------------------

NOT_ALLOWED: Final = FailureKind("void", "pingmon may not look there: {why}")
NOT_PROBED: Final = FailureKind("void", "pingmon cannot probe this: the URL {why}")
NO_WAY: Final = FailureKind("void", "pingmon has no network for this address: {why}")
CANNOT_CONNECT: Final = FailureKind("void", "pingmon cannot connect: {why}")
CANNOT_CONNECT_TO_ALL: Final = FailureKind("void", "pingmon cannot connect to all addresses")
CANNOT_ASK: Final = FailureKind("void", "pingmon cannot look up names: {why}")
HELD_UP: Final = FailureKind("void", "pingmon was held up while {doing}")
NO_PLACE: Final = FailureKind("void", "pingmon had no place free for {waited:g} s")
TOO_MANY: Final = FailureKind("void", "pingmon has too many probes waiting already")
OWN_FAULT: Final = FailureKind("void", "pingmon could not look by its own fault; its log says more")

ABOUT_THE_SITE: Final = tuple(kind.text.partition("{")[0] for kind in (NOT_ALLOWED, NOT_PROBED, NO_WAY))
"""How details begin that say why nothing was seen of this site, while others may be seen well."""

TABLE: Final = {name: value for name, value in dict(globals()).items() if isinstance(value, FailureKind)}
