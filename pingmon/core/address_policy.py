"""Which addresses pingmon may connect to when somebody else has chosen the host: webhooks, probes, verifiers.

A stranger's URL must not reach what only pingmon's own machine or network can reach, so an address has to be a public
unicast one, or lie in a network that the operator allows. An address that carries another one inside (IPv4-mapped,
NAT64, 6to4, Teredo) is judged by what it carries, because that is where the packets go.

`ipaddress` alone is not enough. It calls some addresses global that no stranger should reach (6to4 of 127.0.0.1,
fec0::1, 192.88.99.1), and its tables differ between Python releases. Hence `NOT_PUBLIC`.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier NAT (RFC 6598); a cloud's metadata service lives here
        "168.63.129.16/32",  # a cloud's host services, on a public address (Azure)
        "192.0.0.0/24",  # protocol assignments (RFC 6890); a cloud's metadata service lives here
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "64:ff9b:1::/48",  # NAT64 of the local network (RFC 8215)
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fec0::/10",  # site-local (RFC 3879)
    )
)
"""Networks that are refused besides those that `ipaddress` knows to be not global, multicast or reserved."""

IN_THE_FILE: Final = '[outgoing] allow = ["{network}"]'
"""How networks are allowed in the daemon's configuration."""
ON_THE_COMMAND_LINE: Final = "--allow {network}"
"""How they are for a verifier."""

NAT64: Final = IPv6Network("64:ff9b::/96")
LOOPBACK: Final = IPv4Network("127.0.0.0/8")


class AddressPolicy(Struct, frozen=True):
    """May this address be connected to? `allow` are the operator's networks, besides all that is public.

    `remedy` is what operators write to allow a network, with `{network}` in its place.
    """

    allow: tuple[Network, ...] = ()
    remedy: str = IN_THE_FILE

    def refusal(self, address: str | Address) -> str | None:
        """Why `address` may not be connected to, and what to do about it; None if it may.

        ValueError if `address` is text and not an IPv4 or IPv6 address (a scope, as in `fe80::1%eth0`, is dropped).
        """
        outer = ip_address(address.partition("%")[0]) if isinstance(address, str) else address
        inner = self._refused(outer)
        if inner is None:
            return None
        return f"address {outer} is {unfit(inner)}; allow it with {self.remedy.format(network=_network_of(inner))}"

    def refusal_of_name(self, addresses: Iterable[str]) -> str | None:
        """Why a name with these addresses may not be connected to, and what to do about it; None if it may.

        The address is not named: whoever only made up a URL shall not learn what names mean in the operator's network.
        That it is this machine is no secret.
        """
        for address in addresses:
            inner = self._refused(ip_address(address.partition("%")[0]))
            if inner is not None:
                word = "loopback" if inner.is_loopback else "null" if inner.is_unspecified else unfit(inner)
                remedy = self.remedy.format(network=_network_of(inner) if inner.is_loopback else "…")
                return f"its name leads to a {word} address; allow its network with {remedy}"
        return None

    def _refused(self, outer: Address) -> Address | None:
        """The address, `outer` itself or one inside it, for which `outer` is refused; None if it is not."""
        if self._allowed(outer):
            return None
        return next((inner for inner in stands_for(outer) if not self._allowed(inner) and unfit(inner)), None)

    def _allowed(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self.allow)


def allowing(networks: Iterable[str], remedy: str = IN_THE_FILE) -> AddressPolicy:
    """The policy for an operator's list, such as `["10.0.0.0/8", "::1"]`. ValueError names what is no network."""
    return AddressPolicy(tuple(ip_network(text.strip()) for text in networks), remedy)


def stands_for(address: Address) -> tuple[Address, ...]:
    """Where packets to `address` end up: the IPv4 addresses inside it, or `address` itself if it carries none."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address in NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    return (address,)


def unfit(address: Address) -> str:
    """In a word, why an address that carries no other is not public; empty if it is public."""
    if address.is_multicast:
        return "multicast"
    if address.is_unspecified or (address.is_reserved and not address.is_loopback):
        return "reserved"
    if not address.is_global or any(
        address.version == network.version and address in network for network in NOT_PUBLIC
    ):
        return "private"
    return ""


def _network_of(address: Address) -> Network:
    """The smallest network worth allowing for `address`: the machine itself, or this one address."""
    if isinstance(address, IPv6Address):
        return IPv6Network(address)
    return LOOPBACK if address in LOOPBACK else IPv4Network(address)
