"""Domain names: their one written form, and whether one lies below another. Labels are compared whole, never parts."""

from __future__ import annotations

import re
from typing import Final

import idna

NAME_MAX: Final = 253
"""Characters of a domain name (RFC 1035)."""
is_name: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*").fullmatch
"""Whether a text is a name in its written form, but for its length. Underscores are no host's, but they are found."""

_NUMBER: Final = re.compile(r"[0-9]+")


def domain(text: str) -> str:
    """The written form of a name that people typed: ASCII (IDNA), lower-case, without a dot at the end.

    Leading `*.` and `.` are taken off, because that is how many write "and all below". ValueError if it is no name, is
    an address, or has a single label: a rule for all of `com` would be a mistake.
    """
    name = text.strip()
    name = name.removeprefix("*").removeprefix(".").removesuffix(".")
    if len(name) > NAME_MAX:
        raise ValueError("too long for a domain name")
    name = name.lower() if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    labels = name.split(".")
    if len(name) > NAME_MAX or not is_name(name) or len(labels) < 2 or _NUMBER.fullmatch(labels[-1]):
        raise ValueError("not a domain name of two labels or more")
    return name


def folded(name: str) -> str:
    """A name as DNS gave it, ready to be compared: lower-case, without the dot at its end."""
    return name.lower().removesuffix(".")


def within(name: str, domain: str) -> bool:
    """Whether `name` is `domain` or lies below it, both in their written form."""
    return name == domain or name.endswith("." + domain)


def ancestors(name: str) -> list[str]:
    """`name` and the domains above it that have two labels or more, nearest first."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(max(1, len(labels) - 1))]
