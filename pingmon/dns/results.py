"""What comes of looking up a name."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

RecordKind: TypeAlias = Literal["TXT", "PTR", "NS", "CNAME"]


class Found(Struct, frozen=True):
    """What there is of one kind under a name; the rest as in `Resolved`."""

    values: tuple[str, ...]
    chain: tuple[str, ...] = ()
    ttl_s: float = 0.0
    from_cache: bool = False


class Resolved(Struct, frozen=True):
    """A name's addresses, IPv6 and IPv4 by turns, each once.

    `chain` are the names that its CNAMEs lead to, the canonical one last; empty if it is canonical itself. Names are
    in lower case without a dot at the end. `ttl_s`: seconds for which this holds from now on.
    """

    addresses: tuple[str, ...]
    chain: tuple[str, ...] = ()
    ttl_s: float = 0.0
    from_cache: bool = False


class LookupFailed(Exception):
    """A lookup came to nothing. The message says why in words that may be shown to users."""


class NoSuchName(LookupFailed):
    """There is no such name, or nothing of this kind under it. `ttl_s`: for how long the answer may be believed."""

    def __init__(self, message: str, ttl_s: float = 0.0) -> None:
        super().__init__(message)
        self.ttl_s = ttl_s


class NoAnswer(LookupFailed):
    """The name servers that were asked have no answer: whoever serves the name is silent or in trouble."""


class CannotAsk(NoAnswer):
    """There is nobody to ask: no name server configured, none that answers anything, or no socket to ask with.

    This is the asking machine's trouble and says nothing about the name.
    """
