"""Tests of `core/partner`, with `domain_names`: rules as they are written, and what is known of a host over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.domain_names import ancestors, domain, within
from pingmon.core.partner.partner import (
    AGAIN_S,
    AUTO,
    KINDS,
    Attribution,
    BadRule,
    Hosting,
    HostRule,
    Partner,
    PartnerSpec,
    host_of,
    next_look,
    rule,
    seen,
)
from pingmon.core.units import SECOND
from tests.core.partner.attribution import partner

LABEL = st.text("abc-1", min_size=1, max_size=4)
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)


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


# --- names ------------------------------------------------------------------------------------------------------------


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
    other = Partner("a-id", PartnerSpec(slug="a", rules=(HostRule("ns", "hosts.example"),)), 1, 1)
    assert host_of(AUTO, Hosting(A), [other]) is None
