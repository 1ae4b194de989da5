"""What a probe is aimed at: a URL taken apart once, and where a redirect leads from it.

Everything that goes on the wire is made ASCII here, names by IDNA, so that what is compared, looked up, verified and
sent is one and the same. What curl takes is taken: percent-encoded hosts, names with emoji, three slashes. Not taken,
because it is unsafe: user names and passwords, scopes of addresses, and other spellings of IPv4 addresses (`127.1`,
`0x7f000001`), which are names like any other and go to the name servers, who know none of them.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

import idna
from msgspec import Struct

from pingmon.core.domain_names import NAME_MAX, is_name

URL_MAX: Final = 8192
"""Characters of a URL that is followed."""
SHOWN_MAX: Final = 60
"""Characters of a URL that are shown beside a failure."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_KEPT: Final = "!$%&'()*+,;=:@/?[]~"
_THREE_SLASHES: Final = re.compile(r"\A([a-z]*:)?///(?=[^/\\])", re.IGNORECASE)


class BadUrl(ValueError):
    """No probe can be aimed there. The message says what the URL is or has, in words for people: `has no host`."""


class Target(Struct, frozen=True):
    """`host` is a name in ASCII or an address without brackets; `authority` what the Host header says."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @property
    def url(self) -> str:
        """The URL in its one spelling, without fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """Where that is, for people: without the query, which may hold a secret, and no longer than it need be."""
        text = f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"
        return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme == "https"


def target(url: str) -> Target:
    """Take `url` apart. Raises `BadUrl`."""
    if len(url) > URL_MAX:
        raise BadUrl(f"is longer than {URL_MAX} characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrl("has no valid host and port") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise BadUrl("is neither http nor https")
    if port == 0 or not parts.hostname:
        raise BadUrl("has no valid host and port")
    if parts.username is not None or parts.password is not None:
        raise BadUrl("has a user name or password in it")
    bracketed = "[" in parts.netloc
    name = unquote(parts.hostname) if "%" in parts.hostname else parts.hostname
    try:
        host = str(_ipv6(parts.hostname)) if bracketed else in_ascii(name)
    except ValueError as error:
        raise BadUrl("has a host that is neither a name nor an address") from error
    shown = f"[{host}]" if bracketed else host
    default = _DEFAULT_PORTS[parts.scheme]
    authority = shown if port is None or port == default else f"{shown}:{port}"
    path = quote(parts.path, safe=_KEPT, errors="replace") or "/"
    query = quote(parts.query, safe=_KEPT, errors="replace")
    return Target(parts.scheme, host, port or default, authority, f"{path}?{query}" if query else path)


def redirected(from_: Target, location: str) -> Target:
    """Where a redirect from `from_` to `location` (absolute or relative, RFC 9110 §10.2.2) leads. Raises `BadUrl`."""
    try:
        there = urljoin(from_.url, _THREE_SLASHES.sub(lambda match: f"{match[1] or ''}//", location))
    except ValueError as error:
        raise BadUrl("has no valid host and port") from error
    return target(there)


def in_ascii(host: str) -> str:
    """A host name as it is looked up, in lower case. ValueError if it is none.

    By IDNA 2008, or, where that has no place for a character, as browsers and curl do (UTS 46): there are names with
    emoji, and they are found so.
    """
    if len(host) > NAME_MAX:
        raise ValueError("longer than a host name")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.InvalidCodepoint:
            labels = idna.uts46_remap(host, std3_rules=False, transitional=False).split(".")
            host = ".".join(
                label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
            )
    host = host.lower()
    if len(host) > NAME_MAX or not is_name(host.removesuffix(".")):
        raise ValueError("not a host name")
    return host


def is_literal(host: str) -> bool:
    """Whether `host` is an address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _ipv6(host: str) -> IPv6Address:
    """ValueError if it is none, or has a scope, which is this machine's business."""
    if "%" in host:
        raise ValueError("an address with a scope")
    return IPv6Address(host)
