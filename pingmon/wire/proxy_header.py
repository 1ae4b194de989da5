r"""The PROXY protocol's header, versions 1 and 2, as proxies send it before all else. Pure.

Source: "The PROXY protocol", https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt

    version 1   PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n   PROXY TCP6 …   PROXY UNKNOWN …
    version 2   12 bytes of signature, version and command, family and transport, length (2), addresses, extensions

It is strict, as the source asks: whoever sends something else is no proxy. Addresses are those of a client only if the
proxy says that it speaks for one over TCP; UNKNOWN, LOCAL and other transports have none. Extensions are passed over.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, TypeAlias

from msgspec import Struct

Endpoint: TypeAlias = tuple[str, int]
"""An IP address in its usual form, and a port."""

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
LINE_MAX: Final = 107
"""Bytes of a header of version 1, its line end included."""
SIZE_MAX: Final = 4096
"""Bytes of a header of version 2. Its length may say 65,551, but addresses and all extensions known take 1 KiB."""

_FIXED: Final = 16
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_TCP: Final = {0x11: 4, 0x21: 16}
"""Bytes of an address by family and transport, for those that are TCP over IP."""
_OTHERS: Final = {0x00: 0, 0x12: 12, 0x22: 36, 0x31: 216, 0x32: 216}
"""Bytes that must be there for those that are not: unspecified, UDP, UNIX sockets."""

_line: Final = re.compile(
    rb"PROXY (?:(UNKNOWN)(?: [^\r]*)?|TCP(4|6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n"
).fullmatch


class BadProxyHeader(ValueError):
    """These bytes do not begin with a PROXY header."""


class Header(Struct, frozen=True):
    """`size` bytes make the header. `source` is the client; None if the proxy speaks for itself, or for nobody."""

    size: int
    source: Endpoint | None = None
    destination: Endpoint | None = None


def proxy_header(came: bytes) -> Header | None:
    """The header that `came` begins with; None if it is not whole yet. Raises `BadProxyHeader`."""
    if came.startswith(b"PROXY "):
        return _version_1(came)
    if came.startswith(SIGNATURE):
        return _version_2(came)
    if SIGNATURE.startswith(came) or b"PROXY ".startswith(came):
        return None
    raise BadProxyHeader


def _version_1(came: bytes) -> Header | None:
    end = came.find(b"\n", 0, LINE_MAX) + 1
    if not end:
        if len(came) >= LINE_MAX:
            raise BadProxyHeader
        return None
    found = _line(came[:end])
    if found is None:
        raise BadProxyHeader
    unknown, family, source, destination, source_port, destination_port = found.groups()
    if unknown:
        return Header(end)
    kind = IPv4Address if family == b"4" else IPv6Address
    return Header(end, _endpoint(kind, source, source_port), _endpoint(kind, destination, destination_port))


def _endpoint(kind: type[IPv4Address | IPv6Address], address: bytes, port: bytes) -> Endpoint:
    try:
        return _named(kind(address.decode("ascii")), int(port))
    except AddressValueError:
        raise BadProxyHeader from None


def _version_2(came: bytes) -> Header | None:
    if len(came) < _FIXED:
        return None
    command, transport, length = came[12], came[13], int.from_bytes(came[14:16], "big")
    width, size = _TCP.get(transport, 0), _FIXED + length
    least = 2 * width + 4 if width else _OTHERS.get(transport)
    if command not in (_LOCAL, _PROXY) or size > SIZE_MAX:
        raise BadProxyHeader
    if command == _PROXY and (least is None or length < least):
        raise BadProxyHeader
    if len(came) < size:
        return None
    if command == _LOCAL or not width:
        return Header(size)
    kind = IPv4Address if width == 4 else IPv6Address
    source, destination = (kind(came[at : at + width]) for at in (_FIXED, _FIXED + width))
    ports = _FIXED + 2 * width
    return Header(
        size,
        _named(source, int.from_bytes(came[ports : ports + 2], "big")),
        _named(destination, int.from_bytes(came[ports + 2 : ports + 4], "big")),
    )


def _named(address: IPv4Address | IPv6Address, port: int) -> Endpoint:
    """Addresses have one spelling each; an IPv4 address that came as IPv6 is written as IPv4."""
    if port > 0xFFFF:
        raise BadProxyHeader
    mapped = getattr(address, "ipv4_mapped", None)
    return str(address if mapped is None else mapped), port
