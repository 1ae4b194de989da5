"""Tests of `pingmon.wire.api.partners`: partners as the API shows and takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.changes import applied
from pingmon.core.partner.inquiry import COUNTED, PartnerQuestion
from pingmon.core.partner.partner import HostRule, Partner, PartnerSpec
from pingmon.core.units import SECOND
from pingmon.testing import SECRET
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.partners import RULES_MAX, changes, created, partner_json, settings
from pingmon.wire.partner_webhook import request

HOOK = "https://user:pass@hooks.example:8443/down?a=b#c"
ASKED = PartnerQuestion("site.7", "http://example.com", 403, "example", 1_385_139_152_999_999)
PARTNER = Partner("id", PartnerSpec(slug="example", webhook=HOOK, secret=SECRET), 1, 1)


# --- what the API shows -------------------------------------------------------------------------------------------


def test_a_partner_as_the_api_shows_it() -> None:
    shown = partner_json(
        Partner(
            "id",
            PartnerSpec(slug="x", rules=(HostRule("asn", "64500"),), secret=SECRET),
            1,
            1,
            answers={"no answer": 3, "quoted": 1},
            silent_until=1_385_139_152 * SECOND,
        )
    )
    assert shown == {
        "slug": "x",
        "name": "",
        "webhook": "",
        "rules": [{"kind": "asn", "value": "64500"}],
        "scope": "site",
        "suppress_users": True,
        "max_suppression": 86400,
        "answers": {
            "ok": 0,
            "until": 0,
            "expired": 0,
            "malformed": 0,
            "refused": 0,
            "no_answer": 3,
            "quoted": 1,
            "offset": 0,
            "clamped": 0,
        },
        "silent_until": "2013-11-22T16:52:32+00:00",
        "uuid": "id",
    }
    assert len(shown["answers"]) == len(COUNTED)


def test_the_secret_is_only_shown_when_asked_for() -> None:
    assert partner_json(PARTNER, with_secret=True)["secret"] == SECRET
    assert SECRET not in json.dumps(partner_json(PARTNER))


# --- what the API takes -------------------------------------------------------------------------------------------


def made(*others: Partner, **body: Any) -> PartnerSpec:
    return created(settings({"slug": "x", **body}), others, secret=SECRET)


def kept(spec: PartnerSpec) -> Partner:
    return Partner("new", spec, 7, 7)


def changed(spec: PartnerSpec, body: dict[str, Any], *others: Partner) -> PartnerSpec:
    return applied(changes(kept(spec), settings(body), [kept(spec), *others]), spec)


def error(*others: Partner, **body: Any) -> str:
    with pytest.raises(Invalid) as caught:
        made(*others, **body)
    prefix = "json validation error: "
    assert str(caught.value).startswith(prefix)
    return str(caught.value).removeprefix(prefix)


def test_a_slug_is_enough_for_a_partner() -> None:
    assert made() == PartnerSpec(slug="x", secret=SECRET)


def test_all_that_can_be_said_of_a_partner() -> None:
    whole = made(
        name="Example",
        webhook=HOOK,
        rules=[{"kind": "cname", "value": "*.Hosts.Example"}, {"kind": "asn", "value": 64500}],
        scope="partner",
        suppress_users=False,
        max_suppression=604800,
        secret="whsec_" + "A" * 32,
        answers="is ignored",
    )
    rules = (HostRule("cname", "hosts.example"), HostRule("asn", "64500"))
    assert whole == PartnerSpec(
        slug="x",
        name="Example",
        webhook=HOOK,
        rules=rules,
        scope="partner",
        suppress_users=False,
        max_suppression=604800,
        secret="whsec_" + "A" * 32,
    )


def test_what_is_shown_can_be_sent_back() -> None:
    whole = made(webhook=HOOK, rules=[{"kind": "prefix", "value": "192.0.2.0/24"}])
    assert changed(whole, partner_json(kept(whole), with_secret=True)) == whole


def test_a_rule_that_is_given_twice_is_one() -> None:
    twice = [{"kind": "ns", "value": "a.example"}, {"kind": "ns", "value": "A.example."}]
    assert made(rules=twice).rules == (HostRule("ns", "a.example"),)


def test_an_empty_webhook_and_an_empty_secret_are_none() -> None:
    assert (made(webhook="", secret="").webhook, made(webhook="", secret="").secret) == ("", "")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("slug", "", "slug does not match pattern"),
        ("slug", "A", "slug does not match pattern"),
        ("slug", "auto", "slug is reserved"),
        ("slug", "x" * 101, "slug is too long"),
        ("slug", 5, "slug is not a string"),
        ("name", "x" * 101, "name is too long"),
        ("name", "\0", "name contains characters that cannot be stored"),
        ("webhook", "ftp://x.example", "webhook is not an http or https URL"),
        ("webhook", "http://", "webhook is not an http or https URL"),
        ("webhook", "http://x.example/a b", "webhook is not an http or https URL"),
        ("webhook", "http://x.example:0/", "webhook is not an http or https URL"),
        ("webhook", "http://[::1", "webhook is not an http or https URL"),
        ("webhook", "http://x.example/" + "x" * 1000, "webhook is too long"),
        ("scope", "host", "scope has unexpected value"),
        ("suppress_users", 1, "suppress_users is not a boolean"),
        ("max_suppression", 59, "max_suppression is too small"),
        ("max_suppression", 604801, "max_suppression is too large"),
        ("max_suppression", True, "max_suppression is not a number"),
        ("secret", "hunter2", "secret is not whsec_ and then 24 to 64 bytes in base64"),
        ("secret", "whsec_" + "A" * 30, "secret is not whsec_ and then 24 to 64 bytes in base64"),
        ("secret", "whsec_" + "A" * 33, "secret is not whsec_ and then 24 to 64 bytes in base64"),
        ("secret", "whsec_" + "A" * 88, "secret is not whsec_ and then 24 to 64 bytes in base64"),
        ("rules", {}, "rules is not an array"),
        ("rules", [{"kind": "ns", "value": "x.example"}] * (RULES_MAX + 1), "rules has too many items"),
        ("rules", ["x"], "item 1 of rules is not an object"),
        ("rules", [{}], "item 1 of rules: kind is none of cname, prefix, asn, ptr, ns"),
        ("rules", [{"kind": ["ns"]}], "item 1 of rules: kind is none of cname, prefix, asn, ptr, ns"),
        ("rules", [{"kind": "ns"}], "item 1 of rules: value is not a string"),
        (
            "rules",
            [{"kind": "asn", "value": 1}, {"kind": "cname", "value": "com"}],
            "item 2 of rules: value is not a domain name such as hosts.example.com",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_error_says_why(field: str, value: object, words: str) -> None:
    assert error(**{field: value}) == words


def test_a_partner_needs_a_slug() -> None:
    with pytest.raises(Invalid, match="slug is missing"):
        created(settings({}), [], secret="")


def test_two_partners_have_different_slugs() -> None:
    assert error(Partner("old", PartnerSpec(slug="x"), 1, 1)) == "slug is taken"


def test_reading_27_a_rule_belongs_to_one_partner() -> None:
    other = Partner(
        "old", PartnerSpec(slug="other", rules=(HostRule("cname", "hosts.example"), HostRule("asn", "64500"))), 1, 1
    )
    assert error(other, rules=[{"kind": "asn", "value": "AS64500"}]) == "rules: asn 64500 belongs to other"
    assert made(other, rules=[{"kind": "cname", "value": "eu.hosts.example"}]).rules


def test_a_change_sets_what_is_sent_and_nothing_else() -> None:
    whole = made(name="a", webhook=HOOK)
    assert changed(whole, {"name": "b"}).name == "b"
    assert changed(whole, {"name": "b"}).webhook == HOOK
    assert changed(whole, {"slug": "x"}) == whole


def test_a_slug_never_changes_because_sites_name_it() -> None:
    with pytest.raises(Invalid, match="slug cannot be changed"):
        changed(made(), {"slug": "y"})


@given(
    st.dictionaries(
        st.sampled_from(["slug", "webhook", "rules", "secret", "scope"]),
        st.recursive(
            st.none()
            | st.integers()
            | st.text(st.characters(exclude_categories=()), max_size=9)
            | st.sampled_from(["asn", "http://a.b/"]),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "value"]), inner),
            max_leaves=6,
        ),
    )
)
def test_whatever_is_sent_is_a_partner_that_can_be_asked_or_an_error(body: dict[str, Any]) -> None:
    try:
        spec = created(settings(body), [], secret=SECRET)
    except Invalid:
        return
    if spec.webhook:
        assert request(kept(spec), ASKED, 5).url.isascii()
    assert partner_json(kept(spec))["slug"] == body["slug"]
