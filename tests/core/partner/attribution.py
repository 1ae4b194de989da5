"""Partners for tests, and whom rules name if each is held against a site one by one: slow, and plainly right."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from pingmon.core.domain_names import folded, within
from pingmon.core.partner.cdn import Fronts
from pingmon.core.partner.partner import (
    AUTO,
    BEHIND_FRONTS,
    KINDS,
    Attribution,
    HostRule,
    Kind,
    Partner,
    PartnerSpec,
    Signals,
    rule,
)
from pingmon.core.partner.rules import front

NO_FRONTS = Fronts()


def partner(slug: str, *rules: tuple[str, object], created: int = 1) -> Partner:
    """A partner with these rules."""
    spec = PartnerSpec(slug=slug, rules=tuple(rule(kind, value) for kind, value in rules))
    return Partner(slug + "-id", spec, created, created)


def tried(host: str, signals: Signals, partners: Iterable[Partner], fronts: Fronts) -> Attribution | None:
    """What `Rules.attribute` is to say."""
    partners = sorted(partners, key=lambda partner: (partner.born, partner.id))
    if host != AUTO:
        named = (Attribution(host, "explicit", host, "set for the site") for p in partners if p.spec.slug == host)
        return next(named, None)
    hidden = front(signals, fronts) != ""
    for kind in KINDS:
        if hidden and kind in BEHIND_FRONTS:
            continue
        things = {
            "cname": signals.cnames,
            "prefix": signals.addresses,
            "asn": tuple(map(str, signals.asns)),
            "ptr": signals.ptrs,
            "ns": signals.nameservers,
        }[kind]
        matches = [match for thing in things if (match := _best(kind, thing, partners))]
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
    return rule.value.count(".") if within(folded(thing), rule.value) else None
