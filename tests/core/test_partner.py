"""Tests of `pingmon.core.partner`, with `names` and `fronts`: which partner hosts a site."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core import partner as module
from pingmon.core.fronts import FRONTS, Fronts
from pingmon.core.names import ancestors, domain, within
from pingmon.core.partner import (
    AGAIN_S,
    AUTO,
    BEHIND_FRONTS,
    KINDS,
    Attribution,
    BadRule,
    Hosting,
    Kind,
    Partner,
    PartnerSpec,
    Rule,
    Signals,
    attribute,
    front,
    host_of,
    next_look,
    rule,
    seen,
)
from pingmon.core.times import SECOND

NO_FRONTS = Fronts()
LABEL = st.text("abc-1", min_size=1, max_size=4)
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)


def partner(slug: str, *rules: tuple[str, object], created: int = 1) -> Partner:
    spec = PartnerSpec(slug=slug, rules=tuple(rule(kind, value) for kind, value in rules))
    return Partner(slug + "-id", spec, created, created)


def host(signals: Signals, *partners: Partner, fronts: Fronts = NO_FRONTS) -> str:
    found = attribute(AUTO, signals, partners, fronts)
    return "" if found is None else found.slug


# --- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("cname", "WPengine.COM.", "wpengine.com"),
        ("cname", "*.wpengine.com", "wpengine.com"),
        ("ptr", ".bluehost.com", "bluehost.com"),
        ("ns", " ns.one.com ", "ns.one.com"),
        ("cname", "_x.under_score.net", "_x.under_score.net"),
        ("cname", "Bücher.example", "xn--bcher-kva.example"),
        ("cname", "例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("ns", "faß.de", "xn--fa-hia.de"),
        ("cname", "a。b.example", "a.b.example"),
        ("prefix", "192.0.2.0/24", "192.0.2.0/24"),
        ("prefix", "192.0.2.7", "192.0.2.7/32"),
        ("prefix", " 2001:DB8::/32", "2001:db8::/32"),
        ("asn", "AS64500", "64500"),
        ("asn", "as64500 ", "64500"),
        ("asn", 64500, "64500"),
        ("asn", 4294967295, "4294967295"),
    ],
)
def test_rules_are_kept_in_one_written_form(kind: str, value: object, written: str) -> None:
    made = rule(kind, value)
    assert (made.kind, made.value) == (kind, written)
    assert rule(kind, made.value) == made


@pytest.mark.parametrize("kind", ["cname", "ptr", "ns"])
@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            ".",
            "com",
            "com.",
            "*.com",
            "a..b",
            "a b.com",
            "192.0.2.1",
            "x.1",
            "https://x.com",
            "x.com/",
            "x.com:80",
        ),
        *("x\0.com", "ex*mple.com", "*", "**.x.com", "-" * 64 + ".com", "a." * 127 + "com", "é" * 200 + ".com"),
        *("\ud800.com", "\u0378.com", "ü.", "[::1]"),
    ],
)
def test_what_is_no_domain_name_is_refused(kind: str, value: str) -> None:
    with pytest.raises(BadRule, match="not a domain name such as"):
        rule(kind, value)


@pytest.mark.parametrize("value", ["", "x.com", "192.0.2.1/24", "192.0.2.0/33", "1.2.3", "::/129", "fe80::1%eth0/64"])
def test_what_is_no_network_is_refused(value: str) -> None:
    with pytest.raises(BadRule, match="not a network such as"):
        rule("prefix", value)


@pytest.mark.parametrize(("value", "widest"), [("0.0.0.0/0", 8), ("10.0.0.0/7", 8), ("::/0", 16), ("2000::/3", 16)])
def test_a_rule_for_half_the_internet_is_refused(value: str, widest: int) -> None:
    with pytest.raises(BadRule, match=f"wider than /{widest}"):
        rule("prefix", value)


@pytest.mark.parametrize("value", ["", "0", 0, -1, 2**32, "4294967296", "AS", "1.10", "64500x", True, None, 1.0, "٣"])
def test_what_is_no_as_number_is_refused(value: object) -> None:
    with pytest.raises(BadRule, match="not an AS number such as"):
        rule("asn", value)


def test_a_rule_of_no_known_kind_or_without_text_is_refused() -> None:
    with pytest.raises(BadRule, match="kind is none of cname, prefix, asn, ptr, ns"):
        rule("mx", "example.com")
    with pytest.raises(BadRule, match="value is not a string"):
        rule("cname", 5)


# --- names --------------------------------------------------------------------------------------------------------


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


@given(NAME, NAME)
def test_a_name_is_within_a_domain_only_label_by_label(name: str, over: str) -> None:
    labels, above = name.split("."), over.split(".")
    assert within(name, over) == (labels[-len(above) :] == above)


@given(NAME, LABEL)
def test_nothing_that_is_glued_to_a_domain_is_within_it(name: str, more: str) -> None:
    assert not within(more + name, name)
    assert not within(f"{name}.{more}.net", name)
    assert within(f"{more}.{name}", name)


@given(NAME)
def test_a_names_ancestors_are_all_that_it_is_within(name: str) -> None:
    found = ancestors(name)
    assert found[0] == name
    assert all(within(name, above) and above.count(".") >= 1 for above in found)
    assert len(found) == name.count(".")


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_a_domain_is_in_its_written_form_or_an_error(text: str) -> None:
    try:
        name = domain(text)
    except ValueError:
        return
    assert domain(name) == name
    assert name.isascii()
    assert name == name.lower()
    assert len(name) <= 253


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
EVIDENCE = {
    "cname": "shop.hosts.example",
    "prefix": "192.0.2.10",
    "asn": "AS64500",
    "ptr": "web7.ptr.example",
    "ns": "ns1.dns.example",
}


def test_the_kinds_stand_in_the_order_of_the_table_at_the_top_of_the_module() -> None:
    text = module.__doc__ or ""
    places = [text.index(f"    {kind}  ") for kind in ("explicit", *KINDS)]
    assert places == sorted(places)


@pytest.mark.parametrize("strongest", range(len(KINDS)))
def test_the_strongest_kind_that_matches_decides_and_says_why(strongest: int) -> None:
    partners = [partner(kind, RULES[kind], created=9 - place) for place, kind in enumerate(KINDS)]
    kind = KINDS[strongest]
    assert attribute(AUTO, EVERYTHING, partners[strongest:], NO_FRONTS) == Attribution(
        kind, kind, RULES[kind][1], EVIDENCE[kind]
    )


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
def test_a_front_is_known_by_its_addresses_its_as_and_its_names(signals: Signals, sign: str) -> None:
    assert front(signals) == sign


@pytest.mark.parametrize("kind", sorted(BEHIND_FRONTS))
def test_behind_a_cdn_what_the_address_tells_is_no_answer_and_the_search_goes_on(kind: Kind) -> None:
    signals = Signals(
        addresses=("104.16.1.1",), asns=(13335,), ptrs=("x.ptr.example",), nameservers=("ns1.dns.example",)
    )
    values = {"prefix": "104.16.0.0/13", "asn": "13335", "ptr": "ptr.example"}
    cdn, dns = partner("cdn", (kind, values[kind])), partner("dns", ("ns", "dns.example"))
    assert host(signals, cdn, fronts=FRONTS) == ""
    assert host(signals, cdn, dns, fronts=FRONTS) == "dns"
    assert host(signals, cdn, dns) == "cdn"


def test_behind_a_cdn_the_chain_of_names_still_tells_the_platform() -> None:
    signals = Signals(("x.example", "x.hosts.example", "x.hosts.example.cdn.cloudflare.net"), ("104.16.1.1",))
    assert host(signals, partner("p", ("cname", "hosts.example")), fronts=FRONTS) == "p"


def test_one_address_at_a_cdn_is_enough() -> None:
    assert host(Signals(addresses=("192.0.2.1", "104.16.1.1")), partner("p", RULES["prefix"]), fronts=FRONTS) == ""


def test_the_built_in_fronts_are_in_their_written_form() -> None:
    assert [domain(name) for name in FRONTS.names] == list(FRONTS.names)
    assert len(set(FRONTS.networks)) == len(FRONTS.networks)
    assert not {63949, 16509, 14618, 15169, 396982, 8075} & FRONTS.asns


# --- over time ----------------------------------------------------------------------------------------------------

A = Attribution("a", "cname", "hosts.example", "x.hosts.example")
B = Attribution("b", "prefix", "192.0.2.0/24", "192.0.2.1")
STEP = AGAIN_S * SECOND


def looks(*answers: Attribution | None, step: int = STEP) -> Hosting:
    hosting = Hosting()
    for number, found in enumerate(answers, 1):
        hosting = seen(hosting, found, number * step)
    return hosting


def test_the_first_answer_counts_at_once() -> None:
    assert looks(A) == Hosting(A, STEP, STEP)
    assert looks(None) == Hosting(None, STEP, STEP)


def test_a_new_host_counts_when_it_was_seen_twice() -> None:
    assert looks(A, B) == Hosting(A, STEP, 2 * STEP, B, 2 * STEP)
    assert looks(A, B, B) == Hosting(B, 3 * STEP, 3 * STEP)


def test_leaving_a_partner_for_nobody_wants_two_looks_as_well() -> None:
    assert looks(A, None).found == A
    assert looks(A, None, None).found is None
    assert looks(None, A).found is None
    assert looks(None, A, A).found == A


def test_what_was_seen_once_is_forgotten_when_the_old_host_is_seen_again() -> None:
    assert looks(A, B, A) == Hosting(A, STEP, 3 * STEP)
    assert looks(A, B, A, B).found == A


def test_two_different_new_hosts_do_not_add_up() -> None:
    assert looks(A, B, None) == Hosting(A, STEP, 3 * STEP, None, 3 * STEP)
    assert looks(A, B, None, B).found == A


def test_two_looks_in_quick_succession_are_one() -> None:
    hosting = seen(seen(looks(A), B, STEP + 1), B, STEP + AGAIN_S * SECOND)
    assert hosting.found == A
    assert seen(hosting, B, STEP + 1 + AGAIN_S * SECOND).found == B


def test_new_evidence_for_the_same_host_is_kept_and_since_stays() -> None:
    other = Attribution("a", "ns", "dns.example", "ns1.dns.example")
    assert looks(A, other) == Hosting(other, STEP, 2 * STEP)


def test_an_explicit_assignment_counts_at_once() -> None:
    named = Attribution("b", "explicit", "b", "set for the site")
    assert looks(A, named) == Hosting(named, 2 * STEP, 2 * STEP)
    assert seen(looks(A), named, 5, KINDS).found == named


@pytest.mark.parametrize("found", [B, None])
def test_the_last_good_answer_is_kept_when_a_stronger_lookup_failed(found: Attribution | None) -> None:
    hosting = looks(A)
    for _ in range(3):
        assert seen(hosting, found, 9 * STEP, ["cname"]) is hosting


def test_a_failed_lookup_of_a_weaker_kind_does_not_matter() -> None:
    assert seen(looks(A, B), B, 9 * STEP, ["ptr", "ns"]).found == B
    assert seen(looks(A, B), B, 9 * STEP, ["prefix", "asn"]).found == B


@given(st.lists(st.tuples(st.sampled_from([A, B, None]), st.integers(0, 3 * STEP)), max_size=12))
def test_the_host_never_changes_at_a_single_look(answers: list[tuple[Attribution | None, int]]) -> None:
    hosting, now, before = Hosting(), 1, None
    for number, (found, wait) in enumerate(answers):
        now += wait
        after = seen(hosting, found, now)
        if number and after.found != hosting.found:
            assert before == found == after.found
        hosting, before = after, found


def test_a_host_is_looked_at_daily_and_sooner_when_it_seems_to_have_changed() -> None:
    assert next_look(Hosting()) == 0
    assert next_look(looks(A)) == STEP + 86_400 * SECOND
    assert next_look(looks(A, B)) == 2 * STEP + AGAIN_S * SECOND
    assert seen(looks(A, B), B, next_look(looks(A, B))).found == B


# --- whom to tell -------------------------------------------------------------------------------------------------


def test_whom_to_tell_is_the_one_that_the_site_names_or_that_was_found() -> None:
    a, b = partner("a", ("cname", "hosts.example")), partner("b", ("prefix", "192.0.2.0/24"))
    assert host_of("b", Hosting(A), [a, b]) == b
    assert host_of(AUTO, Hosting(A), [b, a]) == a
    assert host_of(AUTO, Hosting(), [a, b]) is None
    assert host_of("", Hosting(A), [a, b]) is None
    assert host_of("gone", Hosting(A), [a, b]) is None
    assert host_of(AUTO, Hosting(A), [b]) is None


def test_a_rule_that_was_taken_back_names_nobody_from_then_on() -> None:
    other = Partner("a-id", PartnerSpec(slug="a", rules=(Rule("ns", "hosts.example"),)), 1, 1)
    assert host_of(AUTO, Hosting(A), [other]) is None
