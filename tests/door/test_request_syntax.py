"""Whom a request may name, and how a client would have named an address of ours."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from pingmon.door.request_syntax import authority, is_host


@pytest.mark.parametrize("text", [b"h", b"h.example:80", b"[2001:db8::1]:80", b"1.2.3.4"])
def test_hosts(text: bytes) -> None:
    """Names and addresses, with and without a port."""
    assert is_host(text)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (IPv4Address("TCP", "192.0.2.1", 80), b"192.0.2.1:80"),
        (IPv6Address("TCP", "2001:db8::1", 8000), b"[2001:db8::1]:8000"),
        (UNIXAddress("/run/pingmon.sock"), b"localhost"),
    ],
)
def test_who_names_no_host_is_shown_where_he_came_in(address: IAddress, named: bytes) -> None:
    """Over a UNIX socket there is still a name."""
    assert authority(address) == named
    assert is_host(named)
