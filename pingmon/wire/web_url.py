"""The URL of something on the web, taken apart: what sites, webhooks, partners and verifiers have in common.

Names are made ASCII here by IDNA, so that what is compared, looked up, verified and sent is one and the same.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

import idna

from pingmon.core.domain_names import NAME_MAX, is_name

PORTS: Final = {"http": 80, "https": 443}
"""The schemes there are, and the port that each has if the URL names none."""

_KEPT: Final = "!$%&'()*+,;=:@/?[]~"


class BadUrl(ValueError):
    """Nothing can be asked there. The message says what the URL is or has, in words for people: `has no host`."""


def web_url(url: str) -> SplitResult:
    """The parts of an http or https URL with a host and, if it names one, a port. Raises `BadUrl`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrl("has no valid host and port") from error
    if parts.scheme not in PORTS:
        raise BadUrl("is neither http nor https")
    if port == 0 or not parts.hostname:
        raise BadUrl("has no valid host and port")
    return parts


def path_of(parts: SplitResult) -> str:
    """Path and query as a request line has them: in ASCII, and never empty."""
    path = quote(parts.path, safe=_KEPT, errors="replace") or "/"
    query = quote(parts.query, safe=_KEPT, errors="replace")
    return f"{path}?{query}" if query else path


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
