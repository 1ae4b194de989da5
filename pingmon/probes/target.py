"""What a probe is aimed at: a URL taken apart once, and where a redirect leads from it.

Everything that goes on the wire is made ASCII here, names by IDNA, so that what is compared, looked up, verified and
sent is one and the same. Other spellings of IPv4 addresses (`127.1`, `0x7f000001`) are names like any other and go to
the name servers, who know none of them.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import idna
from msgspec import Struct

URL_MAX: Final = 8192
"""Characters of a URL that is followed."""
HOST_MAX: Final = 253
"""Characters of a host name (RFC 1035)."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_KEPT: Final = "!$%&'()*+,;=:@/?[]~"


class BadUrl(ValueError):
    """No probe can be aimed there. The message says why, in words for people."""


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
    def secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme == "https"


def target(url: str) -> Target:
    """Take `url` apart. Raises `BadUrl`."""
    if len(url) > URL_MAX:
        raise BadUrl(f"the URL is longer than {URL_MAX} characters")
    try:
        parts = urlsplit(url)
        bracketed = "[" in parts.netloc
        host, port = _host(parts.hostname or "", bracketed=bracketed), parts.port
    except ValueError as error:
        raise BadUrl("the URL has no valid host and port") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise BadUrl("the URL is neither http nor https")
    if parts.username is not None or parts.password is not None:
        raise BadUrl("the URL has a user name or password in it")
    if port == 0:
        raise BadUrl("the URL has no valid host and port")
    shown = f"[{host}]" if bracketed else host
    default = _DEFAULT_PORTS[parts.scheme]
    authority = shown if port is None or port == default else f"{shown}:{port}"
    path = quote(parts.path, safe=_KEPT, errors="replace") or "/"
    query = quote(parts.query, safe=_KEPT, errors="replace")
    return Target(parts.scheme, host, port or default, authority, f"{path}?{query}" if query else path)


def redirected(from_: Target, location: str) -> Target:
    """Where a redirect from `from_` to `location` (absolute or relative, RFC 9110 §10.2.2) leads. Raises `BadUrl`."""
    if not location:
        raise BadUrl("the redirect does not say where to")
    try:
        return target(urljoin(from_.url, location))
    except BadUrl:
        raise
    except ValueError as error:
        raise BadUrl("the URL has no valid host and port") from error


def _host(host: str, *, bracketed: bool) -> str:
    """The host in ASCII. ValueError if it is neither a name nor an address; a scope is this machine's business."""
    if bracketed:
        if "%" in host:
            raise ValueError("an address with a scope")
        return str(IPv6Address(host))
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    if len(host) > HOST_MAX or not _HOST.fullmatch(host):
        raise ValueError("not a host name")
    return host


def is_literal(host: str) -> bool:
    """Whether `host` is an address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
