"""Messages that prove who sent them: the headers of Standard Webhooks 1.0, made and checked.

    webhook-id          names the message; whoever takes messages takes each only once
    webhook-timestamp   when it was sent, seconds since the epoch
    webhook-signature   `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several, with a space between

Several secrets may be valid at a time, so that one can be replaced by another while messages go on. The library
`standardwebhooks` makes the same signatures, and a test compares them. It is not used, because to check one it would
read the system's clock, and it raises whatever it likes at headers that it cannot read.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac
from typing import Final

from msgspec import Struct

from pingmon.core.units import SECOND

WINDOW_S: Final = 300
"""Seconds by which a timestamp may differ from the clock of whoever reads it."""
SECRET_MIN: Final = 24
SECRET_MAX: Final = 64
"""Bytes of a secret in Standard Webhooks. A longer one signs as well, but partners are not given any."""
SIGNATURES_MAX: Final = 8
"""Signatures of one message that are looked at."""
HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")

UNSIGNED: Final = "the request is not signed"
MISMATCH: Final = "the signature does not match"
STALE: Final = "the timestamp is outside the window"

_ID: Final = re.compile(rb"[0-9A-Za-z_-]{1,64}")
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")


class Unauthorized(Exception):
    """A message that none of our secrets has signed, or not now: `UNSIGNED`, `MISMATCH` or `STALE`."""


class BadSecret(ValueError):
    """A text that should be a secret is none. The message says why, and never quotes it."""


class Secret(Struct, frozen=True, gc=False):
    """A key that both sides know. It shows itself nowhere."""

    key: bytes

    def __repr__(self) -> str:
        return "Secret(…)"


class Signed(Struct, frozen=True, gc=False):
    """What a signature vouches for: the webhook-id, the timestamp (seconds since the epoch), and by which secret."""

    id: str
    at: int
    by: Secret


def secret(text: str) -> Secret:
    """The secret in its written form, `whsec_` and base64 with or without padding. Raises `BadSecret`."""
    encoded = text.removeprefix("whsec_")
    if encoded == text:
        raise BadSecret("does not begin with whsec_")
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret("is not base64 after whsec_") from None
    if len(key) < SECRET_MIN:
        raise BadSecret(f"has {len(key)} bytes, at least {SECRET_MIN} are needed")
    return Secret(key)


def secrets_of(text: str) -> tuple[Secret, ...]:
    """The secrets of a file: one a line, all of them valid; empty lines and those after `#` say nothing.

    Raises `BadSecret` with the number of the line, also if there is none at all.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            try:
                found.append(secret(line))
            except BadSecret as error:
                raise BadSecret(f"line {number} {error}") from None
    if not found:
        raise BadSecret("there is no secret in it")
    return tuple(found)


def signature(by: Secret, id: str, now: int, body: bytes) -> dict[str, bytes]:
    """The headers that sign `body`; `now`: microseconds since the epoch."""
    stamp = b"%d" % (now // SECOND)
    return dict(zip(HEADERS, (id.encode(), stamp, _signature(by, id.encode(), stamp, body)), strict=True))


def signed(secrets: Iterable[Secret], headers: Mapping[str, bytes], body: bytes, now: int) -> Signed:
    """Who signed `body`, and when. Raises `Unauthorized`. `now`: microseconds since the epoch.

    `headers` have their names in lower case. Signatures are compared as text: nothing that differs in a bit passes.
    """
    id, stamp, given = (headers.get(name, b"") for name in HEADERS)
    if not (_ID.fullmatch(id) and _TIMESTAMP.fullmatch(stamp) and given):
        raise Unauthorized(UNSIGNED)
    if abs(now // SECOND - int(stamp)) > WINDOW_S:
        raise Unauthorized(STALE)
    claimed = given.split(b" ", SIGNATURES_MAX)[:SIGNATURES_MAX]
    for by in secrets:
        expected = _signature(by, id, stamp, body)
        if any(compare_digest(expected, one) for one in claimed):
            return Signed(id.decode(), int(stamp), by)
    raise Unauthorized(MISMATCH)


def _signature(by: Secret, id: bytes, stamp: bytes, body: bytes) -> bytes:
    return b"v1," + b64encode(hmac(by.key, b"%s.%s.%s" % (id, stamp, body), sha256).digest())
