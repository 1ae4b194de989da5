"""Partners for tests, and whom rules name if each is held against a site one by one: slow, and plainly right.

Nothing here asks the code which kinds of rules there are or what shows a CDN, so a wrong row of its tables is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from pingmon.core.partner.partner import (
    AUTO,
    Attribution,
    HostRule,
    Kind,
    Partner,
    PartnerSpec,
    Signals,
    rule,
)

EXPECTED: tuple[tuple[Kind, bool, Callable[[Signals], tuple[str, ...]]], ...] = (
    ("cname", True, lambda signals: signals.cnames),
    ("prefix", False, lambda signals: signals.addresses),
    ("asn", False, lambda signals: tuple(str(number) for number in signals.asns)),
    ("ptr", False, lambda signals: signals.ptrs),
    ("ns", True, lambda signals: signals.nameservers),
)
"""The kinds of rules from the strongest, whether each counts behind a CDN, and with what it is compared.

Source: the order of signals for "which host does this site belong to"; behind a CDN the address is the CDN's.
"""


def partner(slug: str, *rules: tuple[str, object], created: int = 1) -> Partner:
    """A partner with these rules."""
    spec = PartnerSpec(slug=slug, rules=tuple(rule(kind, value) for kind, value in rules))
    return Partner(slug + "-id", spec, created, created)


def tried(host: str, signals: Signals, partners: Iterable[Partner], *, hidden: bool) -> Attribution | None:
    """What `Rules.attribute` is to say. `hidden`: the site is behind a CDN."""
    partners = sorted(partners, key=lambda partner: (partner.born, partner.id))
    if host != AUTO:
        named = (Attribution(host, "explicit", host, "set for the site") for p in partners if p.spec.slug == host)
        return next(named, None)
    for kind, told_behind_cdn, things in EXPECTED:
        if hidden and not told_behind_cdn:
            continue
        matches = [match for thing in things(signals) if (match := _best(kind, thing, partners))]
        if matches:
            agreed = len({found.slug for _, found in matches}) == 1
            return max(matches, key=lambda match: match[0])[1] if agreed else None
    return None


def _best(kind: Kind, thing: str, partners: Iterable[Partner]) -> tuple[int, Attribution] | None:
    matches = [
        (rank, Attribution(partner.spec.slug, kind, rule.value, f"AS{thing}" if kind == "asn" else thing))
        for partner in partners
        for rule in partner.spec.rules
        if rule.kind == kind and (rank := _rank(rule, thing)) is not None
    ]
    return max(matches, key=lambda match: match[0], default=None)


def _rank(rule: HostRule, thing: str) -> int | None:
    if rule.kind == "asn":
        return 0 if rule.value == thing else None
    if rule.kind == "prefix":
        network, address = ip_network(rule.value), ip_address(thing)
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return network.prefixlen if address.version == network.version and address in network else None
    return rule.value.count(".") if f".{thing.lower().rstrip('.')}".endswith(f".{rule.value}") else None
