"""What a probe is aimed at: a URL taken apart once, and where a redirect leads from it.

All of it is in ASCII, so that what is compared, looked up, verified and sent is one and the same. What curl takes is
taken: percent-encoded hosts, names with emoji, three slashes. User names, passwords and scopes of addresses are unsafe
and not taken. Other spellings of IPv4 addresses (`127.1`, `0x7f000001`) are names like any other; name servers know
none of them.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote, urljoin

from msgspec import Struct

from pingmon.wire.web_url import PORTS, BadUrl, in_ascii, path_of, web_url

URL_MAX: Final = 8192
"""Characters of a URL that is followed."""
SHOWN_MAX: Final = 60
"""Characters of a URL that are shown beside a failure."""

_THREE_SLASHES: Final = re.compile(r"\A([a-z]*:)?///(?=[^/\\])", re.IGNORECASE)


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
    parts = web_url(url)
    if parts.username is not None or parts.password is not None:
        raise BadUrl("has a user name or password in it")
    bracketed = "[" in parts.netloc
    name = parts.hostname or ""
    try:
        host = str(_ipv6(name)) if bracketed else in_ascii(unquote(name))
    except ValueError as error:
        raise BadUrl("has a host that is neither a name nor an address") from error
    shown = f"[{host}]" if bracketed else host
    port = parts.port or PORTS[parts.scheme]
    authority = shown if port == PORTS[parts.scheme] else f"{shown}:{port}"
    return Target(parts.scheme, host, port, authority, path_of(parts))


def page(url: str) -> Target:
    """The target of a URL that people gave to have it probed. Raises `BadUrl`.

    A message, a header and a page will show it: nothing in it may be invisible or break a line.
    """
    found = target(url)
    if not url.isprintable() or " " in url:
        raise BadUrl("contains spaces or characters that cannot be seen")
    return found


def redirected(from_: Target, location: str) -> Target:
    """Where a redirect from `from_` to `location` (absolute or relative, RFC 9110 §10.2.2) leads. Raises `BadUrl`."""
    try:
        there = urljoin(from_.url, _THREE_SLASHES.sub(lambda match: f"{match[1] or ''}//", location))
    except ValueError as error:
        raise BadUrl("has no valid host and port") from error
    return target(there)


def _ipv6(host: str) -> IPv6Address:
    """ValueError if it is none, or has a scope, which is this machine's business."""
    if "%" in host:
        raise ValueError("an address with a scope")
    return IPv6Address(host)
