"""Tests of `pingmon.core.address_policy`."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.address_policy import NOT_PUBLIC, ON_THE_COMMAND_LINE, AddressPolicy, allowing, stands_for, unfit

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e", "192.0.1.1", "168.63.129.17"]

REFUSED = {
    "127.0.0.1": "private",
    "127.255.255.254": "private",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "169.254.169.254": "private",
    "100.64.0.1": "private",
    "100.100.100.200": "private",
    "168.63.129.16": "private",
    "192.0.0.192": "private",
    "192.88.99.1": "private",
    "198.18.0.1": "private",
    "203.0.113.7": "private",
    "0.0.0.0": "reserved",
    "0.0.0.1": "private",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "::": "reserved",
    "::1": "private",
    "::127.0.0.1": "reserved",
    "fe80::1": "private",
    "fe80::1%eth0": "private",
    "fec0::1": "private",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "ff02::1": "multicast",
    "2001:db8::1": "private",
    "3fff::1": "private",
    "5f00::1": "reserved",
    "64:ff9b:1::1": "reserved",
    "100::1": "reserved",
    "::ffff:127.0.0.1": "private",
    "::ffff:169.254.169.254": "private",
    "::ffff:224.0.0.1": "multicast",
    "64:ff9b::7f00:1": "private",
    "64:ff9b::10.0.0.1": "private",
    "2002:7f00:1::": "private",
    "2002:a9fe:a9fe::1": "private",
    "2001:0:7f00:1::fefe:fefe": "private",
    "2001:0:101:101::80ff:fffe": "private",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert AddressPolicy().refusal(address) is None


@pytest.mark.parametrize(("address", "word"), REFUSED.items())
def test_an_address_that_is_not_public_is_refused_and_the_refusal_says_why(address: str, word: str) -> None:
    refusal = AddressPolicy().refusal(address)
    assert refusal is not None
    assert f" is {word};" in refusal


def test_the_refusal_of_loopback_says_what_to_write_into_the_configuration() -> None:
    assert AddressPolicy().refusal("127.0.0.1") == (
        'address 127.0.0.1 is private; allow it with [outgoing] allow = ["127.0.0.0/8"]'
    )


@pytest.mark.parametrize(
    ("addresses", "word", "network"),
    [
        (("192.168.1.5",), "private", "…"),
        (("93.184.216.34", "127.0.0.1"), "loopback", "127.0.0.0/8"),
        (("::1",), "loopback", "::1/128"),
        (("0.0.0.0",), "null", "…"),
        (("::",), "null", "…"),
        (("224.0.0.1",), "multicast", "…"),
        (("64:ff9b::7f00:1",), "loopback", "127.0.0.0/8"),
        (("fe80::1%eth0",), "private", "…"),
    ],
)
def test_where_a_name_leads_is_not_told(addresses: tuple[str, ...], word: str, network: str) -> None:
    assert AddressPolicy().refusal_of_name(addresses) == (
        f'its name leads to a {word} address; allow its network with [outgoing] allow = ["{network}"]'
    )
    assert AddressPolicy().refusal_of_name(["93.184.216.34"]) is None
    assert allowing(["0.0.0.0/0", "::/0"]).refusal_of_name(addresses) is None


def test_the_refusal_of_a_verifier_says_what_to_write_on_its_command_line() -> None:
    assert allowing(["10.0.0.0/8"], ON_THE_COMMAND_LINE).refusal("192.168.1.5") == (
        "address 192.168.1.5 is private; allow it with --allow 192.168.1.5/32"
    )


@pytest.mark.parametrize(
    ("address", "remedy"),
    [("192.168.1.5", "192.168.1.5/32"), ("fd00::5", "fd00::5/128"), ("2002:0a00:0001::", "10.0.0.1/32")],
)
def test_the_refusal_offers_to_allow_no_more_than_that_address(address: str, remedy: str) -> None:
    assert f'allow = ["{remedy}"]' in (AddressPolicy().refusal(address) or "")


@pytest.mark.parametrize("address", REFUSED)
def test_following_the_remedy_of_a_refusal_makes_the_address_allowed(address: str) -> None:
    policy = AddressPolicy()
    while (refusal := policy.refusal(address)) is not None:
        network = refusal.split('"')[1]
        assert network not in map(str, policy.allow)
        policy = allowing([*map(str, policy.allow), network])


@pytest.mark.parametrize(
    ("allow", "address", "allowed"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("10.0.0.0/8", "fd00::1", False),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "::1", False),
        ("::1", "::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("::/0", "::ffff:10.0.0.1", True),
        ("224.0.0.0/4", "224.0.0.1", True),
        (" 10.0.0.1 ", "10.0.0.1", True),
    ],
)
def test_the_operator_can_allow_networks(allow: str, address: str, allowed: bool) -> None:
    assert (allowing([allow]).refusal(address) is None) is allowed


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10/8", "300.0.0.0/8"])
def test_what_is_no_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        allowing([text])


@pytest.mark.parametrize("text", ["localhost", "", "127.1", "0x7f000001", "2130706433", "[::1]", "1.2.3.4:80"])
def test_what_is_no_address_is_an_error_and_never_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        AddressPolicy().refusal(text)


def test_a_carrier_address_of_a_public_one_may_be_connected_to() -> None:
    policy = AddressPolicy()
    for address in ("::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"):
        assert policy.refusal(address) is None


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_whatever_it_is_wrapped(inner: IPv4Address) -> None:
    policy, bits = AddressPolicy(), int(inner)
    mapped = IPv6Address(0xFFFF << 32 | bits)
    nat64 = IPv6Address(0x64FF9B << 96 | bits)
    sixtofour = IPv6Address(0x2002 << 112 | bits << 80 | 1)
    public = policy.refusal(inner) is None
    assert [policy.refusal(outer) is None for outer in (mapped, nat64, sixtofour)] == [public] * 3
    server, client = int(IPv4Address("1.1.1.1")), bits ^ 0xFFFF_FFFF
    teredo = IPv6Address(0x2001_0000 << 96 | server << 64 | client)
    assert (policy.refusal(teredo) is None) is public


@given(st.ip_addresses())
def test_nothing_but_global_unicast_is_ever_allowed_without_the_operator(address: IPv4Address | IPv6Address) -> None:
    if AddressPolicy().refusal(address) is None:
        for inner in stands_for(address):
            assert inner.is_global
            assert not any((inner.is_multicast, inner.is_reserved, inner.is_loopback, inner.is_link_local))
            assert not any(inner in network for network in NOT_PUBLIC if network.version == inner.version)


@given(st.ip_addresses())
def test_text_and_value_of_an_address_are_judged_alike(address: IPv4Address | IPv6Address) -> None:
    assert AddressPolicy().refusal(str(address)) == AddressPolicy().refusal(address)


@given(st.ip_addresses())
def test_allowing_all_of_both_families_allows_everything(address: IPv4Address | IPv6Address) -> None:
    assert allowing(["0.0.0.0/0", "::/0"]).refusal(address) is None


def test_every_network_of_the_own_list_is_refused_at_both_ends() -> None:
    for network in NOT_PUBLIC:
        assert unfit(ip_address(network[0]))
        assert unfit(ip_address(network[-1]))
