"""Keys: making them, and recognising the API key that a client shows.

    hcw_… read and write   hcr_… read only   hco_… the operator's, for the whole daemon

A key is 32 characters, four of which tell its role. It is shown once and never stored: the log keeps the SHA-256 of a
random salt and the key, and its first eight characters to find it by. The other 24 are 142 bits of chance, so a plain
hash is enough; a slow one would only make every request slow. Nothing here may log a key.
"""

from __future__ import annotations

import string
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Final, TypeAlias
from uuid import UUID

from pingmon.core.units import Id
from pingmon.core.world.events import KeyCreated, Role
from pingmon.core.world.project import Key
from pingmon.core.world.world import World

RandomBytes: TypeAlias = Callable[[int], bytes]
"""Gives that many unpredictable bytes; `os.urandom` in the daemon."""

KEY_LENGTH: Final = 32
PREFIX_LENGTH: Final = 8
SALT_BYTES: Final = 16
SECRET_BYTES: Final = 24
ROLE_MARKS: Final[dict[Role, str]] = {"rw": "hcw_", "ro": "hcr_", "operator": "hco_"}

PING_KEY_LENGTH: Final = 22

_ALPHABET: Final = string.ascii_letters + string.digits
_PING_KEY_ALPHABET: Final = string.ascii_lowercase + string.digits


def new_id(random_bytes: RandomBytes) -> Id:
    """A fresh version 4 UUID."""
    return str(UUID(bytes=random_bytes(16), version=4))


def new_secret(random_bytes: RandomBytes) -> str:
    """A fresh secret to sign messages with (Standard Webhooks)."""
    return "whsec_" + b64encode(random_bytes(SECRET_BYTES)).decode("ascii")


def new_key(role: Role, random_bytes: RandomBytes) -> str:
    """A fresh key for `role`, in clear. Whoever asks must show it to its owner now: it cannot be had again."""
    return _drawn(ROLE_MARKS[role], KEY_LENGTH, _ALPHABET, random_bytes)


def new_ping_key(random_bytes: RandomBytes) -> str:
    """A fresh ping key: 22 lower-case letters and digits, about 113 bits of chance."""
    return _drawn("", PING_KEY_LENGTH, _PING_KEY_ALPHABET, random_bytes)


def _drawn(text: str, length: int, alphabet: str, random_bytes: RandomBytes) -> str:
    """`text`, made `length` characters long with random ones."""
    fair = 256 - 256 % len(alphabet)  # bytes from there on would make some characters likelier than others
    while len(text) < length:
        text += "".join(alphabet[byte % len(alphabet)] for byte in random_bytes(length) if byte < fair)
    return text[:length]


def key_created(text: str, role: Role, random_bytes: RandomBytes, name: str = "") -> KeyCreated:
    """The event that makes `text` a key of the stream it is submitted to: a project, or the daemon."""
    salt = random_bytes(SALT_BYTES).hex()
    return KeyCreated(new_id(random_bytes), role, text[:PREFIX_LENGTH], salt, key_digest(salt, text), name)


def key_digest(salt: str, text: str) -> str:
    """Hex SHA-256 of salt and key, as the log keeps it."""
    return sha256(f"{salt}{text}".encode()).hexdigest()


def find_key(world: World, text: str) -> Key | None:
    """The key that `text` is, compared in constant time; None if it is none."""
    found = None
    for id in world.keys_by_prefix.get(text[:PREFIX_LENGTH], ()):
        key = world.keys[id]
        if compare_digest(key_digest(key.salt, text), key.digest):
            found = key
    return found
