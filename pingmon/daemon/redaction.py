"""Secrets taken out of what the access log tells.

A ping URL is a secret, as is a ping key or an API key: whoever reads the log must not be able to ping. So UUIDs, ping
keys and the values of fields that hold keys are replaced, percent-encoded or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from pingmon.api.credentials import PING_KEY_LENGTH

HIDDEN: Final = "***"
SECRETS: Final = ("key", "token", "secret", "password")
"""Fields whose names hold one of these have secret values."""
FIELD_MAX: Final = 2048
"""Characters of a target, a referer or a user agent that are logged."""
DECODINGS: Final = 3
"""How many layers of percent-encoding are looked through."""

_uuid: Final = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_after_ping: Final = re.compile(r"(/ping(?!s(?:[/?#&\s]|$))/*)[^/?#&\s]+")
"""What follows `/ping`, glued to it or not; the API's own `/pings` is none."""
_api_key: Final = re.compile(r"hc[wro]_[A-Za-z0-9]+")
_separator: Final = re.compile(r"([?&;#])")
_word: Final = re.compile(r"[-A-Za-z0-9_]+")


def redacted(text: str, is_key: Callable[[str], bool]) -> str:
    """`text` without secrets, cut to `FIELD_MAX`; `is_key` knows the ping keys. Takes time linear in its length."""
    text = text[:FIELD_MAX]
    for _ in range(DECODINGS):
        if "%" not in text:
            break
        text = unquote(text)
    text = "".join(map(_without_value, _separator.split(text)))
    for pattern, hidden in ((_after_ping, rf"\1{HIDDEN}"), (_uuid, HIDDEN), (_api_key, HIDDEN)):
        text = pattern.sub(hidden, text)
    return _word.sub(lambda word: HIDDEN if _has_key(word[0], is_key) else word[0], text)


def _has_key(word: str, is_key: Callable[[str], bool]) -> bool:
    """Whether a word is a ping key, or has one glued to something: a slash or a blank is soon forgotten."""
    pieces = range(len(word) - PING_KEY_LENGTH + 1)
    return is_key(word) or any(is_key(word[start : start + PING_KEY_LENGTH]) for start in pieces)


def _without_value(piece: str) -> str:
    """A part of a query, with its value hidden if its name says that it is a secret."""
    name, equals, value = piece.partition("=")
    secret = value and any(word in name.lower() for word in SECRETS)
    return f"{name}{equals}{HIDDEN}" if secret else piece
