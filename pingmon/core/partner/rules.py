"""Which partner a site's signals lead to, by the rules of all partners. What decides is told in `partner`.

Rules are put into one table once, when they change: a site is then attributed by a few lookups, and no rule is held
against it one by one. 20 partners may have 20,000 rules. To try them all takes a fifth of a second, in which the daemon
does nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from pingmon.core.address_policy import Address
from pingmon.core.domain_names import folded, within
from pingmon.core.partner.cdn import CDN_SIGNS, CdnSigns
from pingmon.core.partner.partner import AUTO, KINDS, VOID_BEHIND_CDN, Attribution, HostRule, Kind, Partner, Signals
from pingmon.core.units import Id

_Key: TypeAlias = tuple[Kind, str] | tuple[int, int, int]
"""What a rule is found by: its kind and value, or a network's IP version, length, and that many bits."""
_Keyed: TypeAlias = tuple[tuple[_Key, HostRule], ...]
"""Rules of one partner, each with what it is found by."""

_BITS: Final = {4: 32, 6: 128}


class Rules:
    """The rules of `partners`, ready to be looked up. Never changes.

    What `before` knows of rules that a partner still has is taken over: reading 1,000 networks takes 3 to 6 ms.
    """

    __slots__ = ("_by_key", "_keyed", "_lengths", "kinds", "said")

    def __init__(self, partners: Iterable[Partner] = (), before: Rules | None = None) -> None:
        ordered = sorted(partners, key=lambda partner: (partner.born, partner.id))
        self.said = tuple((partner.spec.slug, partner.spec.rules) for partner in ordered)
        """Who has which rules: what an attribution depends on."""
        self.kinds: frozenset[Kind] = frozenset(rule.kind for _, rules in self.said for rule in rules)
        self._by_key: dict[_Key, tuple[str, HostRule]] = {}
        self._keyed: dict[Id, _Keyed] = {}
        lengths: dict[int, set[int]] = {4: set(), 6: set()}
        for partner in ordered:
            keyed = _keyed(partner, () if before is None else before._keyed.get(partner.id, ()))
            self._keyed[partner.id] = keyed
            for key, rule in keyed:
                self._by_key.setdefault(key, (partner.spec.slug, rule))
                if len(key) == 3:
                    lengths[key[0]].add(key[1])
        self._lengths = {version: sorted(found, reverse=True) for version, found in lengths.items()}

    def attribute(self, host: str, signals: Signals, cdn_signs: CdnSigns = CDN_SIGNS) -> Attribution | None:
        """The one partner that hosts a site with this `host` setting and these signals; None if that is not known."""
        if host != AUTO:
            known = any(slug == host for slug, _ in self.said)
            return Attribution(host, "explicit", host, "set for the site") if known else None
        hidden = cdn_sign(signals, cdn_signs) != ""
        for kind in KINDS:
            if kind not in self.kinds or (hidden and kind in VOID_BEHIND_CDN):
                continue
            matches = [match for thing in _things(signals, kind) if (match := self._best(kind, thing))]
            if matches:
                agreed = len({found.slug for _, found in matches}) == 1
                return max(matches, key=lambda match: match[0])[1] if agreed else None
        return None

    def _best(self, kind: Kind, thing: str) -> tuple[int, Attribution] | None:
        """The most specific rule that matches `thing`, and how specific it is."""
        for rank, key in self._keys(kind, thing):
            found = self._by_key.get(key)
            if found is not None:
                slug, rule = found
                return rank, Attribution(slug, kind, rule.value, f"AS{thing}" if kind == "asn" else thing)
        return None

    def _keys(self, kind: Kind, thing: str) -> Iterator[tuple[int, _Key]]:
        """How specific a rule may be that matches `thing`, and by what it is found; the most specific one first."""
        if kind == "asn":
            yield 0, (kind, thing)
        elif kind == "prefix":
            address = _address(thing)
            for length in self._lengths[address.version]:
                yield length, (address.version, length, int(address) >> _BITS[address.version] - length)
        else:
            name = folded(thing)
            for dots in range(name.count("."), -1, -1):
                yield dots, (kind, name)
                name = name.partition(".")[2]


def cdn_sign(signals: Signals, cdn_signs: CdnSigns = CDN_SIGNS) -> str:
    """The sign by which a site shows that it is behind a CDN: a name, an address or an AS; empty if there is none."""
    for name in map(folded, (*signals.cnames, *signals.ptrs)):
        if any(within(name, known) for known in cdn_signs.names):
            return name
    for text in signals.addresses:
        address = _address(text)
        if any(address.version == network.version and address in network for network in cdn_signs.networks):
            return text
    return next((f"AS{number}" for number in signals.asns if number in cdn_signs.asns), "")


def _things(signals: Signals, kind: Kind) -> tuple[str, ...]:
    """The names, addresses or AS numbers that rules of this kind are held against."""
    return {
        "cname": signals.cnames,
        "prefix": signals.addresses,
        "asn": tuple(map(str, signals.asns)),
        "ptr": signals.ptrs,
        "ns": signals.nameservers,
    }[kind]


def _keyed(partner: Partner, before: _Keyed) -> _Keyed:
    if tuple(rule for _, rule in before) == partner.spec.rules:
        return before
    known = {rule: key for key, rule in before}
    return tuple((known.get(rule) or _key(rule), rule) for rule in partner.spec.rules)


def _key(rule: HostRule) -> _Key:
    if rule.kind != "prefix":
        return rule.kind, rule.value
    network = ip_network(rule.value)
    version, length = network.version, network.prefixlen
    return version, length, int(network.network_address) >> _BITS[version] - length


def _address(text: str) -> Address:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
