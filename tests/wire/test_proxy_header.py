"""The PROXY protocol's header, in both versions, whole and in pieces."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.wire.proxy_header import LINE_MAX, SIGNATURE, SIZE_MAX, BadProxyHeader, Header, proxy_header

REST = b"GET / HTTP/1.0\r\n\r\n"
PORTS = st.integers(0, 0xFFFF)


def version_2(command: int, transport: int, *addresses: bytes, more: bytes = b"") -> bytes:
    body = b"".join(addresses) + more
    return SIGNATURE + bytes([command, transport]) + len(body).to_bytes(2, "big") + body


def packed(address: str, other: str, *ports: int) -> bytes:
    kind = IPv6Address if ":" in address else IPv4Address
    return kind(address).packed + kind(other).packed + b"".join(port.to_bytes(2, "big") for port in ports)


V4 = packed("192.0.2.7", "192.0.2.1", 40_000, 80)
V6 = packed("2001:db8::7", "2001:db8::1", 40_000, 80)
MAPPED = packed("::ffff:192.0.2.7", "::ffff:192.0.2.1", 40_000, 80)
FROM_V4, FROM_V6 = (("192.0.2.7", 40_000), ("192.0.2.1", 80)), (("2001:db8::7", 40_000), ("2001:db8::1", 80))

GOOD = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 80\r\n", FROM_V4),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n", FROM_V6),
    (b"PROXY TCP6 2001:0DB8:0:0::0:7 2001:db8:0:0:0:0:0:1 40000 80\r\n", FROM_V6),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c000:201 40000 80\r\n", FROM_V4),
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 0 65535\r\n", (("192.0.2.7", 0), ("192.0.2.1", 65_535))),
    (b"PROXY UNKNOWN\r\n", (None, None)),
    (b"PROXY UNKNOWN ffff::f ffff::f 65535 65535\r\n", (None, None)),
    (version_2(0x21, 0x11, V4), FROM_V4),
    (version_2(0x21, 0x21, V6), FROM_V6),
    (version_2(0x21, 0x21, MAPPED), FROM_V4),
    (version_2(0x21, 0x11, V4, more=b"\x04\x00\x01x" * 40), FROM_V4),
    (version_2(0x20, 0x00), (None, None)),
    (version_2(0x20, 0x11, V4), (None, None)),
    (version_2(0x20, 0xFF, b"whatever"), (None, None)),
    (version_2(0x21, 0x00, b"whatever"), (None, None)),
    (version_2(0x21, 0x12, V4), (None, None)),
    (version_2(0x21, 0x22, V6), (None, None)),
    (version_2(0x21, 0x31, b"\0" * 216), (None, None)),
    (version_2(0x21, 0x32, b"\0" * 216), (None, None)),
]


@pytest.mark.parametrize(("header", "addresses"), GOOD)
def test_headers(header: bytes, addresses: tuple[object, object]) -> None:
    """Addresses are read and written in their usual form; what speaks for no client has none; the rest is left."""
    assert proxy_header(header + REST) == Header(len(header), *addresses)  # type: ignore[arg-type]
    for end in range(len(header)):
        assert proxy_header(header[:end]) is None


@pytest.mark.parametrize(
    "came",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"PROXX",
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP5 192.0.2.7 192.0.2.1 40000 80\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 80 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 x\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 -1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 65536\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 99999 80\r\n",
        b"PROXY TCP4 192.0.2.7  192.0.2.1 40000 80\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 80 \r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 80\n",
        b"PROXY TCP4 192.0.2.300 192.0.2.1 40000 80\r\n",
        b"PROXY TCP4 192.0.2.07 192.0.2.1 40000 80\r\n",
        b"PROXY TCP4 localhost 192.0.2.1 40000 80\r\n",
        b"PROXY TCP4 ::1 ::1 40000 80\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 40000 80\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 40000 80\r\n",
        b"PROXY TCP6 :::1 ::1 40000 80\r\n",
        b"proxy TCP4 192.0.2.7 192.0.2.1 40000 80\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN a\rb\r\n",
        b"PROXY " + b"x" * LINE_MAX,
        b"PROXY UNKNOWN " + b"x" * LINE_MAX + b"\r\n",
        SIGNATURE[:-1] + b"\r",
        version_2(0x11, 0x11, V4),
        version_2(0x31, 0x11, V4),
        version_2(0x22, 0x11, V4),
        version_2(0x21, 0x11, V4[:-1]),
        version_2(0x21, 0x21, V4),
        version_2(0x21, 0x31, V6),
        version_2(0x21, 0x10, V4),
        version_2(0x21, 0x41, V4),
        version_2(0x21, 0x11, V4, more=b"x" * SIZE_MAX),
        version_2(0x20, 0x00, b"x" * SIZE_MAX)[:16],
    ],
)
def test_what_is_no_header(came: bytes) -> None:
    """Whatever a proxy would not send is refused."""
    with pytest.raises(BadProxyHeader):
        proxy_header(came)


@given(
    family=st.sampled_from([4, 6]),
    numbers=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    high=st.integers(1, 2**64 - 1),
    ports=st.tuples(PORTS, PORTS),
    more=st.binary(max_size=300),
)
def test_both_versions_say_the_same(
    family: int, numbers: tuple[int, int], high: int, ports: tuple[int, int], more: bytes
) -> None:
    """Any address and port comes through, in text and in bytes, whatever follows."""
    kind = IPv4Address if family == 4 else IPv6Address
    first, second = (str(kind(number + (high << 64 if family == 6 else 0))) for number in numbers)
    text = f"PROXY TCP{family} {first} {second} {ports[0]} {ports[1]}\r\n".encode()
    one = proxy_header(text + more)
    two = proxy_header(version_2(0x21, 0x11 if family == 4 else 0x21, packed(first, second, *ports), more=more) + more)
    assert one is not None
    assert two is not None
    assert (one.source, one.destination) == (two.source, two.destination) == ((first, ports[0]), (second, ports[1]))


@given(
    start=st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"!"]), came=st.binary(max_size=200)
)
def test_anything_at_all(start: bytes, came: bytes) -> None:
    """It is a header, the beginning of one, or refused; and what is a header stays one, whatever follows."""
    try:
        found = proxy_header(start + came)
    except BadProxyHeader:
        return
    assert found is None or proxy_header(start + came + REST) == found
