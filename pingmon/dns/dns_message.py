"""DNS messages as far as lookups need them: one question out, one answer in. Source: RFC 1035, RFC 2308."""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, Final

from msgspec import Struct
from twisted.names import dns

MAX_CHAIN: Final = 16
"""CNAMEs that are followed for one name; name servers follow about as many."""
UNREADABLE: Final = (EOFError, ValueError, struct.error, IndexError, KeyError, TypeError)
"""What `dns.Message.fromStr` raises for strangers' bytes."""


class DnsAnswer(Struct, frozen=True):
    """What a reply says about a name. `values` are addresses, names or texts; `ttl_s` holds for all of it.

    `chain` are the names that CNAMEs led to. `settled`: the servers say that there is no more to find at its end.
    `circle`: they led to a name that they had come by before.
    """

    values: tuple[str, ...]
    chain: tuple[str, ...]
    ttl_s: int
    settled: bool
    circle: bool = False


def question(id: int, name: str, kind: int) -> bytes:
    """The question for `name` (ASCII; "" is the root), with the wish for a complete answer (recursion)."""
    message = dns.Message(id, recDes=1)
    message.queries = [dns.Query(name.encode("ascii"), kind, dns.IN)]
    asked: bytes = message.toStr()
    return asked


def reply(received: bytes, id: int, name: str, kind: int) -> Any:
    """The `dns.Message` in `received`, if it is the reply to that question; None otherwise. Never raises."""
    message = dns.Message()
    try:
        message.fromStr(received)
    except UNREADABLE:
        return None
    if message.id != id or not message.answer:
        return None
    if message.queries:
        query = message.queries[0]
        if query.type != kind or text_of(query.name) != name.lower().rstrip("."):
            return None
    elif message.rCode in (dns.OK, dns.ENAME):
        return None  # only an error may leave out what was asked
    return message


def read(message: Any, name: str, kind: int) -> DnsAnswer:
    """What a reply to the question for `name` and `kind` says."""
    own = first = name.lower().rstrip(".")
    aliases: dict[str, tuple[str, int]] = {}
    if kind != dns.CNAME:
        for record in message.answers:
            if record.type == dns.CNAME and record.payload is not None:
                aliases.setdefault(text_of(record.name), (text_of(record.payload.name), record.ttl))
    chain: list[str] = []
    ttls: list[int] = []
    circle = False
    while own in aliases and len(chain) < MAX_CHAIN and not circle:
        own, ttl = aliases[own]
        circle = own in (first, *chain)
        chain.append(own)
        ttls.append(ttl)
    values: dict[str, None] = {}
    for record in message.answers:
        if record.type == kind and text_of(record.name) == own and record.payload is not None:
            values[_value(record.payload, kind)] = None
            ttls.append(record.ttl)
    authority = [each for each in message.authority if each.type == dns.SOA and each.payload is not None]
    if not values:
        ttls += [min(each.ttl, each.payload.minimum) for each in authority]
    followed = own not in aliases or circle
    settled = followed and (bool(values or authority) or not chain or message.rCode == dns.ENAME)
    return DnsAnswer(tuple(values), tuple(chain), min(ttls, default=0), settled, circle)


def text_of(name: Any) -> str:
    """A `dns.Name` as text in lower case, without a dot at the end."""
    text: str = name.name.decode("ascii", "replace").lower().rstrip(".")
    return text


def _value(payload: Any, kind: int) -> str:
    if kind == dns.A:
        return inet_ntop(AF_INET, payload.address)
    if kind == dns.AAAA:
        return inet_ntop(AF_INET6, payload.address)
    if kind == dns.TXT:
        return b"".join(payload.data).decode("utf-8", "replace")
    return text_of(payload.name)
