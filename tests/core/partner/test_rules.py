"""Tests of `pingmon.core.partner.rules`, with `cdn_signs`: which partner hosts a site by the rules of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.domain_names import domain
from pingmon.core.partner import partner as module
from pingmon.core.partner.cdn import CDN_SIGNS, CdnSigns
from pingmon.core.partner.partner import AUTO, Attribution, HostRule, Kind, Partner, Signals
from pingmon.core.partner.rules import Rules, cdn_sign
from tests.core.partner.attribution import partner, tried

NO_CDN = CdnSigns()


def attribute(
    host: str, signals: Signals, partners: Iterable[Partner], cdn_signs: CdnSigns = NO_CDN
) -> Attribution | None:
    return Rules(partners).attribute(host, signals, cdn_signs)


def host(signals: Signals, *partners: Partner, cdn_signs: CdnSigns = NO_CDN) -> str:
    found = attribute(AUTO, signals, partners, cdn_signs)
    return "" if found is None else found.slug


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("one.com", True),
        ("ns.one.com", True),
        ("a.b.one.com", True),
        ("NS.One.COM.", True),
        ("ns.one.com.evil.net", False),
        ("xone.com", False),
        ("ns-one.com", False),
        ("com", False),
        ("one.com.br", False),
        ("", False),
    ],
)
def test_names_match_on_label_boundaries(name: str, matches: bool) -> None:
    for kind, signals in (
        ("cname", Signals((name,))),
        ("ptr", Signals(ptrs=(name,))),
        ("ns", Signals(nameservers=(name,))),
    ):
        assert (host(signals, partner("one", (kind, "one.com"))) == "one") is matches


# --- who hosts it -------------------------------------------------------------------------------------------------

EVERYTHING = Signals(
    cnames=("www.shop.example", "shop.hosts.example"),
    addresses=("192.0.2.10", "2001:db8::10"),
    asns=(64500,),
    ptrs=("web7.ptr.example",),
    nameservers=("ns1.dns.example", "ns2.dns.example"),
)
RULES: dict[Kind, tuple[str, str]] = {
    "cname": ("cname", "hosts.example"),
    "prefix": ("prefix", "192.0.2.0/24"),
    "asn": ("asn", "64500"),
    "ptr": ("ptr", "ptr.example"),
    "ns": ("ns", "dns.example"),
}
"""Strongest first."""
EVIDENCE = {
    "cname": "shop.hosts.example",
    "prefix": "192.0.2.10",
    "asn": "AS64500",
    "ptr": "web7.ptr.example",
    "ns": "ns1.dns.example",
}


def test_the_kinds_stand_in_the_order_of_the_table_at_the_top_of_the_module() -> None:
    text = module.__doc__ or ""
    places = [text.index(f"    {kind}  ") for kind in ("explicit", *RULES)]
    assert places == sorted(places)


@pytest.mark.parametrize("strongest", range(len(RULES)))
def test_the_strongest_kind_that_matches_decides_and_says_why(strongest: int) -> None:
    partners = [partner(kind, rule, created=9 - place) for place, (kind, rule) in enumerate(RULES.items())]
    kind = list(RULES)[strongest]
    assert attribute(AUTO, EVERYTHING, partners[strongest:]) == Attribution(kind, kind, RULES[kind][1], EVIDENCE[kind])


def test_an_explicit_assignment_wins_over_everything() -> None:
    other = partner("other")
    assert attribute("other", EVERYTHING, [partner("p", *RULES.values()), other]) == Attribution(
        "other", "explicit", "other", "set for the site"
    )


@pytest.mark.parametrize("setting", ["", "gone"])
def test_a_site_that_is_assigned_to_nobody_is_not_guessed_at(setting: str) -> None:
    assert attribute(setting, EVERYTHING, [partner("p", *RULES.values())]) is None


def test_reading_26_no_rule_that_matches_is_nobody() -> None:
    assert attribute(AUTO, EVERYTHING, []) is None
    assert attribute(AUTO, EVERYTHING, [partner("p", ("cname", "example.net"), ("asn", 1))]) is None
    assert attribute(AUTO, Signals(), [partner("p", *RULES.values())]) is None


def test_reading_27_the_longest_prefix_and_the_longest_name_win() -> None:
    wide, narrow = partner("wide", ("prefix", "192.0.2.0/24")), partner("narrow", ("prefix", "192.0.2.8/29"), created=2)
    assert host(Signals(addresses=("192.0.2.10",)), wide, narrow) == "narrow"
    assert host(Signals(addresses=("192.0.2.20",)), wide, narrow) == "wide"
    wide, narrow = (
        partner("wide", ("cname", "hosts.example")),
        partner("narrow", ("cname", "eu.hosts.example"), created=2),
    )
    assert host(Signals(("a.eu.hosts.example",)), wide, narrow) == "narrow"
    assert host(Signals(("a.us.hosts.example",)), wide, narrow) == "wide"


def test_reading_27_of_equal_rules_the_oldest_partner_wins_in_whatever_order_they_come() -> None:
    old, young = partner("zebra", ("asn", 64500)), partner("ant", ("asn", 64500), created=2)
    same = partner("bee", ("asn", 64500))
    signals = Signals(asns=(64500,))
    assert host(signals, old, young) == host(signals, young, old) == "zebra"
    assert host(signals, old, same) == host(signals, same, old) == "bee"


def test_if_the_addresses_lead_to_different_partners_nobody_is_named() -> None:
    one, two = partner("one", ("prefix", "192.0.2.0/24")), partner("two", ("prefix", "198.51.100.0/24"))
    dns = partner("dns", ("ns", "dns.example"))
    both = Signals(addresses=("192.0.2.1", "198.51.100.1"), nameservers=("ns1.dns.example",))
    assert host(both, one, two, dns) == ""
    assert host(both, one, dns) == "one"
    assert host(Signals(asns=(1, 2)), partner("a", ("asn", 1)), partner("b", ("asn", 2))) == ""
    assert (
        host(Signals(nameservers=("a.x.net", "a.y.net")), partner("a", ("ns", "x.net")), partner("b", ("ns", "y.net")))
        == ""
    )


def test_several_matches_of_one_partner_show_the_most_specific() -> None:
    one = partner("one", ("prefix", "192.0.2.0/24"), ("prefix", "2001:db8::/32"))
    found = attribute(AUTO, Signals(addresses=("192.0.2.1", "2001:db8::1")), [one])
    assert found == Attribution("one", "prefix", "2001:db8::/32", "2001:db8::1")


def test_an_ipv4_address_in_ipv6_clothing_is_the_ipv4_address() -> None:
    one = partner("one", ("prefix", "192.0.2.0/24"))
    assert host(Signals(addresses=("::ffff:192.0.2.1",)), one) == "one"


@given(st.ip_addresses(), st.integers(8, 32), st.integers(16, 128))
def test_a_prefix_rule_matches_the_addresses_in_it_and_no_others(
    address: IPv4Address | IPv6Address, v4: int, v6: int
) -> None:
    length, bits = (v4, 32) if address.version == 4 else (v6, 128)
    first = type(address)(int(address) >> (bits - length) << (bits - length))
    one = partner("one", ("prefix", f"{first}/{length}"))
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    assert (host(Signals(addresses=(str(address),)), one) == "one") is not mapped
    flipped = type(address)(int(address) ^ 1 << (bits - length))
    assert host(Signals(addresses=(str(flipped),)), one) == ""


# --- behind a CDN -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signals", "sign"),
    [
        (Signals(addresses=("104.16.1.1",)), "104.16.1.1"),
        (Signals(addresses=("192.0.2.1", "2606:4700::1")), "2606:4700::1"),
        (Signals(addresses=("::ffff:104.16.1.1",)), "::ffff:104.16.1.1"),
        (Signals(addresses=("151.101.1.1",)), "151.101.1.1"),
        (Signals(asns=(64500, 13335)), "AS13335"),
        (Signals(asns=(54113,)), "AS54113"),
        (Signals(asns=(20940,)), "AS20940"),
        (Signals(asns=(16625,)), "AS16625"),
        (Signals(("x.example", "x.map.Fastly.net.")), "x.map.fastly.net"),
        (Signals(ptrs=("server-1.fra.r.cloudfront.net",)), "server-1.fra.r.cloudfront.net"),
        (EVERYTHING, ""),
        (Signals(("cloudflare.net.example", "xfastly.net")), ""),
        (Signals(asns=(63949, 16509, 15169, 8075)), ""),
    ],
)
def test_a_cdn_is_known_by_its_addresses_its_as_and_its_names(signals: Signals, sign: str) -> None:
    assert cdn_sign(signals) == sign


@pytest.mark.parametrize("kind", ["prefix", "asn", "ptr"])
def test_behind_a_cdn_what_the_address_tells_is_no_answer_and_the_search_goes_on(kind: Kind) -> None:
    signals = Signals(
        addresses=("104.16.1.1",), asns=(13335,), ptrs=("x.ptr.example",), nameservers=("ns1.dns.example",)
    )
    values = {"prefix": "104.16.0.0/13", "asn": "13335", "ptr": "ptr.example"}
    cdn, dns = partner("cdn", (kind, values[kind])), partner("dns", ("ns", "dns.example"))
    assert host(signals, cdn, cdn_signs=CDN_SIGNS) == ""
    assert host(signals, cdn, dns, cdn_signs=CDN_SIGNS) == "dns"
    assert host(signals, cdn, dns) == "cdn"


def test_behind_a_cdn_the_chain_of_names_still_tells_the_platform() -> None:
    signals = Signals(("x.example", "x.hosts.example", "x.hosts.example.cdn.cloudflare.net"), ("104.16.1.1",))
    assert host(signals, partner("p", ("cname", "hosts.example")), cdn_signs=CDN_SIGNS) == "p"


def test_one_address_at_a_cdn_is_enough() -> None:
    assert (
        host(Signals(addresses=("192.0.2.1", "104.16.1.1")), partner("p", RULES["prefix"]), cdn_signs=CDN_SIGNS) == ""
    )


def test_the_built_in_signs_are_in_their_written_form() -> None:
    assert [domain(name) for name in CDN_SIGNS.names] == list(CDN_SIGNS.names)
    assert len(set(CDN_SIGNS.networks)) == len(CDN_SIGNS.networks)
    assert not {63949, 16509, 14618, 15169, 396982, 8075} & CDN_SIGNS.asns


# --- the table ----------------------------------------------------------------------------------------------------

# Few labels, addresses and numbers, so that rules meet signals, and each other.
LABELS = st.sampled_from(["a", "b", "com"])
NAMES = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
SEEN_NAMES = st.lists(LABELS, max_size=4).map(".".join) | st.sampled_from(
    ["A.Com.", ".", "", "a..com", "b.cloudflare.net"]
)
ADDRESSES = st.sampled_from(
    ["192.0.2.1", "192.0.2.9", "192.0.3.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8:1::1", "104.16.1.1"]
)
NETWORKS = st.sampled_from(
    ["192.0.2.0/24", "192.0.2.0/29", "192.0.2.1/32", "192.0.0.0/16", "2001:db8::/32", "2001:db8::/48", "104.16.0.0/13"]
)
SOME_RULES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["cname", "ptr", "ns"]), NAMES),
        st.tuples(st.just("prefix"), NETWORKS),
        st.tuples(st.just("asn"), st.integers(1, 3)),
    ),
    max_size=6,
)
PARTNERS = st.lists(st.tuples(SOME_RULES, st.integers(1, 3)), max_size=4).map(
    lambda made: [partner(f"p{number}", *rules, created=born) for number, (rules, born) in enumerate(made)]
)
SIGNALS = st.builds(
    lambda cnames, addresses, asns, ptrs, nameservers: Signals(cnames, addresses, asns, ptrs, nameservers),
    *(
        st.lists(things, max_size=3).map(tuple)
        for things in (SEEN_NAMES, ADDRESSES, st.integers(1, 4), SEEN_NAMES, SEEN_NAMES)
    ),
)


@given(
    partners=PARTNERS,
    changed=PARTNERS,
    signals=SIGNALS,
    setting=st.sampled_from([AUTO, AUTO, AUTO, "p1", ""]),
    cdn_signs=st.sampled_from([NO_CDN, CDN_SIGNS]),
)
def test_the_table_of_rules_names_whom_trying_all_rules_names(
    partners: list[Partner], changed: list[Partner], signals: Signals, setting: str, cdn_signs: CdnSigns
) -> None:
    """Also one that was made from the table before it."""
    rules = Rules(partners)
    signs = {"104.16.1.1", "b.cloudflare.net"} & {*signals.addresses, *signals.cnames, *signals.ptrs}
    hidden = cdn_signs is CDN_SIGNS and bool(signs)
    assert rules.attribute(setting, signals, cdn_signs) == tried(setting, signals, partners, hidden=hidden)
    again = Rules(changed, rules)
    assert again.attribute(setting, signals, cdn_signs) == tried(setting, signals, changed, hidden=hidden)


def test_a_table_says_who_has_which_rules_and_of_which_kinds() -> None:
    one, two = partner("one", ("asn", 1), created=2), partner("two", ("prefix", "192.0.2.0/24"))
    rules = Rules([one, two])
    assert rules.said == Rules([two, one]).said == (("two", two.spec.rules), ("one", one.spec.rules))
    assert rules.kinds == {"asn", "prefix"}
    assert Rules().kinds == frozenset()


def test_what_is_known_of_rules_that_stay_is_taken_over() -> None:
    """Reading a network is what takes time."""
    before = partner("one", ("prefix", "192.0.2.0/24"), ("asn", 1))
    after = replace(before, spec=replace(before.spec, rules=(HostRule("prefix", "192.0.2.0/24"), HostRule("asn", "2"))))
    first = Rules([before])
    assert Rules([before], first)._keyed[before.id] is first._keyed[before.id]
    ((key, _), _), ((again, _), _) = first._keyed[before.id], Rules([after], first)._keyed[before.id]
    assert again is key


def test_a_thousand_rules_cost_a_site_no_more_than_a_few_lookups() -> None:
    """One for each length of the networks, whatever their number."""
    many = [
        partner(f"p{n}", *[("prefix", f"{11 + n}.{i // 250}.{i % 250}.0/24") for i in range(500)]) for n in range(2)
    ]
    rules = Rules(many)
    assert len(list(rules._keys("prefix", "12.1.2.3"))) == 1
    assert rules.attribute(AUTO, Signals(addresses=("12.1.2.3",))) == Attribution(
        "p1", "prefix", "12.1.2.0/24", "12.1.2.3"
    )
