"""A request that pingmon sends to somebody else's server, and where a URL says that it goes.

Webhook channels and partners make such requests (`message.webhook`, `partner_webhook`); `outgoing.exchange` sends them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import SplitResult, unquote_to_bytes

from msgspec import Struct

from pingmon import __version__
from pingmon.wire.message.signatures import HEADERS, BadSecret, secret, signature
from pingmon.wire.web_url import BadUrl, in_ascii, path_of, web_url

USER_AGENT: Final = f"pingmon/{__version__}".encode("ascii")


class Unsendable(ValueError):
    """The settings do not make a request. The message says why in words that may be shown to whoever chose them."""


class OutgoingRequest(Struct, frozen=True, gc=False):
    """A request as it goes on the wire. `url` is ASCII without user name and fragment; an empty `body` is none."""

    method: str
    url: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


def signature_headers(secrets: Sequence[str], id: str, now: int, body: bytes) -> dict[str, bytes]:
    """The headers that sign `body` (Standard Webhooks 1.0); none if there are no `secrets`. Raises `Unsendable`.

    `now`: microseconds since the epoch, of this attempt. Each of the secrets signs: receivers take any that they know.
    """
    try:
        signed = [signature(secret(text), id, now, body) for text in secrets]
    except BadSecret as error:
        raise Unsendable("the channel's secret cannot sign") from error
    last = HEADERS[-1]
    return signed[0] | {last: b" ".join(headers[last] for headers in signed)} if signed else {}


def target(url: str) -> tuple[str, bytes | None]:
    """The URL in ASCII, without user name, password and fragment; and the `Authorization` that these two make, if any.

    Raises `Unsendable`.
    """
    try:
        parts = web_url(url)
    except BadUrl as error:
        raise Unsendable(f"the URL {error}") from error
    try:
        host = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    except ValueError as error:
        raise Unsendable("the URL has no valid host and port") from error
    authority = host if parts.port is None else f"{host}:{parts.port}"
    return f"{parts.scheme}://{authority}{path_of(parts)}", _credentials(parts)


def _host(host: str, *, bracketed: bool) -> str:
    """The host in ASCII, an IPv6 address in brackets. ValueError if it is neither a name nor an address.

    A scope (`fe80::1%eth0`) is this machine's business and not part of a receiver's address.
    """
    if bracketed and "%" not in host:
        return f"[{IPv6Address(host)}]"
    return in_ascii(host)


def _credentials(parts: SplitResult) -> bytes | None:
    if parts.username is None and parts.password is None:
        return None
    pair = unquote_to_bytes(parts.username or "") + b":" + unquote_to_bytes(parts.password or "")
    return b"Basic " + b64encode(pair)
