"""Who is calling, with and without proxies in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.web.http_headers import Headers

from pingmon.door.caller_address import ConnectionPeer, TrustedProxies, asked, group_of, host_of
from pingmon.door.limits import DoorSettings
from tests.door.stage import CHECK, DoorStage

OURS = TrustedProxies(("192.0.2.0/24", "2001:db8::/32"))
PROXY = "192.0.2.1"
CLIENT = "198.51.100.9"


def proxy(host: str = PROXY) -> ConnectionPeer:
    """A trusted proxy that has called."""
    return ConnectionPeer(UNIXAddress(None), (host, "http"), trusted=True)


def caller(*fields: tuple[str, str], host: str = PROXY) -> tuple[str, str]:
    headers = Headers()
    for name, value in fields:
        headers.addRawHeader(name, value)
    return OURS.caller(proxy(host), headers)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (CLIENT, CLIENT),
        (f"1.2.3.4, {CLIENT}", CLIENT),
        (f"1.2.3.4, {CLIENT}, 192.0.2.77", CLIENT),
        ("192.0.2.5, 192.0.2.6", "192.0.2.5"),
        (f"{CLIENT}:4711", CLIENT),
        ("[2001:470::1]:4711", "2001:470::1"),
        ("2001:470::1", "2001:470::1"),
        ("2001:470::1, 2001:db8::5", "2001:470::1"),
        ("::ffff:198.51.100.9", CLIENT),
        (f" ,,{CLIENT} , ", CLIENT),
        ("fe80::1%eth0", "fe80::1"),
        ("", PROXY),
        ("unknown", PROXY),
        (f"{CLIENT}, garbage", PROXY),
        (f"{CLIENT}, garbage, 192.0.2.4", "192.0.2.4"),
        ("\x00\xff", PROXY),
        ("1.2.3.4.5", PROXY),
        ("a,b," * 3000, PROXY),
        ("192.0.2.9," * 1000 + "192.0.2.9", "192.0.2.9"),
    ],
)
def test_forwarded_for(value: str, expected: str) -> None:
    """The rightmost address that is not trusted is the caller; garbage ends the reading at the last good one."""
    assert caller(("X-Forwarded-For", value)) == (expected, "http")


def test_several_headers_are_one_list() -> None:
    """A header that comes twice is one list."""
    assert caller(("X-Forwarded-For", CLIENT), ("X-Forwarded-For", "192.0.2.9")) == (CLIENT, "http")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"for={CLIENT}", (CLIENT, "http")),
        (f'for="{CLIENT}:80";proto=https;by=x', (CLIENT, "https")),
        ('For="[2001:470::1]:4711" ; Proto=HTTPS', ("2001:470::1", "https")),
        (f"for=1.2.3.4, for={CLIENT}, for=192.0.2.7;proto=https", (CLIENT, "https")),
        ("for=_hidden;proto=https", (PROXY, "https")),
        ("for", (PROXY, "http")),
        ("proto=gopher", (PROXY, "http")),
        (";;,=,", (PROXY, "http")),
    ],
)
def test_forwarded(value: str, expected: tuple[str, str]) -> None:
    """The standard header is understood too."""
    assert caller(("Forwarded", value)) == expected


def test_forwarded_proto() -> None:
    """The scheme is the one that our own proxy has written, if it is one."""
    assert caller(("X-Forwarded-Proto", "https")) == (PROXY, "https")
    assert caller(("X-Forwarded-Proto", "http, HTTPS"), ("X-Forwarded-For", CLIENT)) == (CLIENT, "https")
    assert caller(("X-Forwarded-Proto", "x" * 10_000)) == (PROXY, "http")
    assert caller(("X-Forwarded-For", CLIENT), ("Forwarded", "for=1.2.3.4;proto=https")) == (CLIENT, "http")
    assert caller() == (PROXY, "http")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), ("", "")),
        ((("X-Forwarded-Proto", "HTTPS"), ("X-Forwarded-Host", "ping.example")), ("https", "ping.example")),
        ((("X-Forwarded-Host", "forged.example, ping.example:8443"),), ("", "ping.example:8443")),
        ((("Forwarded", 'for=1.2.3.4;host="ping.example:8443";proto=https'),), ("https", "ping.example:8443")),
        ((("Forwarded", "host=forged.example, host=ping.example"),), ("", "ping.example")),
        ((("X-Forwarded-For", CLIENT), ("Forwarded", "host=forged.example;proto=https")), ("", "")),
        ((("X-Forwarded-Host", "a.example"), ("Forwarded", "host=b.example;proto=https")), ("https", "a.example")),
    ],
)
def test_the_url_that_a_proxy_was_asked_with(fields: tuple[tuple[str, str], ...], expected: tuple[str, str]) -> None:
    """The last scheme and host in the list are our own proxy's."""
    headers = Headers()
    for name, value in fields:
        headers.addRawHeader(name, value)
    assert asked(headers) == expected


@given(name=st.sampled_from(["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"]), value=st.binary(max_size=200))
def test_garbage_is_never_an_error(name: str, value: bytes) -> None:
    """Whatever a header says, somebody has called."""
    headers = Headers()
    headers.addRawHeader(name.encode(), value)
    addr, scheme = OURS.caller(proxy(), headers)
    assert addr
    assert scheme in ("http", "https")


def test_only_trusted_proxies_are_believed() -> None:
    """A ping records what a trusted proxy reports, and the peer's own address if it is not trusted."""
    headers = (f"X-Forwarded-For: {CLIENT}", "X-Forwarded-Proto: https")
    for trusted, expected in ((("192.0.2.0/24",), (CLIENT, "https")), ((), ("192.0.2.7", "http"))):
        with DoorStage(door=DoorSettings(trusted_proxies=trusted)) as house:
            assert house.ask(f"/ping/{CHECK}", "GET", b"", *headers).status == 200
            assert (house.last.addr, house.last.scheme) == expected


def test_proxies_that_come_over_a_unix_socket() -> None:
    """They have no address, and are believed if the word for them is in the list."""
    headers = Headers()
    headers.addRawHeader("X-Forwarded-For", CLIENT)
    headers.addRawHeader("X-Forwarded-Proto", "https")
    assert TrustedProxies(("unix", "192.0.2.0/24")).caller(proxy(""), headers) == (CLIENT, "https")
    assert TrustedProxies(("unix",)).trusts("")
    assert not TrustedProxies(("unix",)).trusts(PROXY)
    assert not OURS.trusts("")


def test_peers() -> None:
    """An IPv4 caller is written as such however it came; a Unix socket has no address."""
    assert host_of(IPv4Address("TCP", "192.0.2.1", 1)) == "192.0.2.1"
    assert host_of(IPv6Address("TCP", "::ffff:192.0.2.1", 1)) == "192.0.2.1"
    assert host_of(IPv6Address("TCP", "2001:db8::1", 1)) == "2001:db8::1"
    assert host_of(UNIXAddress("/run/x")) == ""
    assert group_of("192.0.2.1") == "192.0.2.1"
    assert group_of("2001:db8::1:2:3:4") == group_of("2001:db8::") == "2001:db8::/64"
    assert group_of("fe80::1%eth0") == "fe80::/64"
    assert group_of("a:b") == "a:b"


def test_unusable_networks() -> None:
    """What is no network is refused at the start."""
    with pytest.raises(ValueError, match="does not appear"):
        TrustedProxies(("localhost",))
