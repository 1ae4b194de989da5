"""Who is calling, and under which address, when proxies that the operator trusts stand in between.

Note [Trust in relays]
    Anybody can send a header that says where a request comes from. So `X-Forwarded-For`, `-Proto`, `-Host` and
    `Forwarded` (RFC 7239) count only when the address at the other end of the connection is one that the operator
    trusts (`[http] trusted_proxies`), and so does a PROXY header (`proxy_protocol`), which becomes that address.
    Each proxy appends the address of who called it. A list is therefore read from its right end, where our own proxy
    has written: the caller is the rightmost address that is not trusted. Whatever stands left of it anybody may have
    written. Garbage ends the reading; it is never an error, as somebody has called all the same.
    A trusted proxy speaks for many, so its connections are bound by the total only (`connection_places`). What it
    reports is used for what is logged and shown; it opens no door that is closed to others.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, TypeAlias

from msgspec import Struct
from twisted.internet.address import IPv4Address as TwistedIPv4
from twisted.internet.address import IPv6Address as TwistedIPv6
from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

Address: TypeAlias = IPv4Address | IPv6Address
Caller: TypeAlias = tuple[str, str]
"""An address (empty: none, as on a Unix socket) and `http` or `https`."""

UNIX: Final = "unix"
"""Names all who come over a Unix socket: they have no address, and the socket's file says who may."""
HOPS_MAX: Final = 32
"""Hops that are looked at; no chain of proxies is as long."""

_pair: Final = re.compile(r'\s*(for|proto|host)\s*=\s*(?:"([^"]*)"|([^\s",;]*))\s*', re.IGNORECASE)


class ConnectionPeer(Struct, frozen=True):
    """The other end of a connection. `trusted`: it is a proxy whose reports count."""

    address: IAddress
    caller: Caller
    trusted: bool


def host_of(peer: IAddress) -> str:
    """The text of a peer's IP address; an IPv4 address that came over an IPv6 socket is written as IPv4."""
    host = getattr(peer, "host", None)
    if not isinstance(host, str):
        return ""
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def address_of(name: tuple[Any, ...]) -> IAddress:
    """A TCP socket's `name` as Twisted has it; a link-local address bears the name of its link."""
    if len(name) == 2:
        return TwistedIPv4("TCP", *name)
    if name[3]:
        host, _ = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        name = (host, *name[1:])
    return TwistedIPv6("TCP", *name)


def group_of(host: str) -> str:
    """What counts as one caller: an IPv4 address, or an IPv6 network of 64 bits, which is what one gets."""
    if ":" not in host:
        return host
    address = _address(host)
    return host if address is None else str(IPv6Network((int(address) >> 64 << 64, 64)))


class TrustedProxies:
    """Where the operator's own proxies are: networks, and `unix` for those that come over a Unix socket.

    Raises ValueError for what is neither.
    """

    def __init__(self, places: Iterable[str] = ()) -> None:
        named = frozenset(places)
        self._unix = UNIX in named
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, named - {UNIX}))
        self.named = bool(named)
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def caller(self, peer: ConnectionPeer, headers: Headers) -> Caller:
        """Who asks: the peer itself, or, if that is a trusted proxy, whoever called it, as far as its headers say."""
        host, scheme = peer.caller
        if not peer.trusted:
            return host, scheme
        for hop in _hops(headers):
            address = _address(hop)
            if address is None:
                break
            host = str(address)
            if not self.trusts(host):
                break
        return host, asked(headers)[0] or scheme

    def _trusts(self, host: str) -> bool:
        if not host:
            return self._unix
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)


def forwarded(peer: ConnectionPeer, headers: Headers) -> tuple[str, str]:
    """The scheme and the host that a trusted proxy was asked with; "" without one, and for what it does not say."""
    return asked(headers) if peer.trusted else ("", "")


def asked(headers: Headers) -> tuple[str, str]:
    """The scheme (`http` or `https`) and the host that the nearest proxy was asked with; "" for what it does not say.

    The host is as somebody sent it. `Forwarded` counts only from a proxy that sends no `X-Forwarded-For`: one that does
    passes the former on from anybody.
    """
    proto, host = (_nearest(headers, name) for name in (b"X-Forwarded-Proto", b"X-Forwarded-Host"))
    if not headers.hasHeader(b"X-Forwarded-For"):
        element = _element(_nearest(headers, b"Forwarded"))
        proto, host = proto or element.get("proto", ""), host or element.get("host", "")
    proto = proto.lower()
    return proto if proto in ("http", "https") else "", host


def _hops(headers: Headers) -> Iterable[str]:
    """The callers that proxies report, from the nearest on: of `X-Forwarded-For` or, without it, of `Forwarded`."""
    listed = headers.getRawHeaders(b"X-Forwarded-For")
    if listed is not None:
        return _from_the_right(listed)
    elements = _from_the_right(headers.getRawHeaders(b"Forwarded") or ())
    return (_element(element).get("for", "") for element in elements)


def _nearest(headers: Headers, name: bytes) -> str:
    """The last element of a list in a header; empty if there is none."""
    return next(_from_the_right(headers.getRawHeaders(name) or ()), "")


def _from_the_right(values: Iterable[bytes]) -> Iterator[str]:
    """The comma-separated elements of all `values`, the last one first, as long as there may be reason to look."""
    elements = b",".join(values).decode("latin-1").rsplit(",", HOPS_MAX)
    for element in reversed(elements):
        if element.strip():
            yield element.strip()


def _element(text: str) -> dict[str, str]:
    """The pairs `for`, `proto` and `host` of one element of `Forwarded`."""
    pairs = (found for part in text.split(";") if (found := _pair.fullmatch(part)))
    return {pair[1].lower(): pair[2] if pair[2] is not None else pair[3] for pair in pairs}


def _address(text: str) -> Address | None:
    """An IP address, with or without port, brackets and zone; None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
