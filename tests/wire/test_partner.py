"""Tests of `pingmon.wire.partner`: the webhook to the byte, and partners as the API shows and takes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from pingmon import __version__
from pingmon.core.partner.inquiry import COUNTED, PartnerQuestion
from pingmon.core.partner.partner import HostRule, Partner, PartnerSpec
from pingmon.core.units import SECOND
from pingmon.core.world.events import applied
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.message.webhook import Unsendable
from pingmon.wire.partner import RULES_MAX, changes, created, partner_json, payload, request, settings

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
HOOK = "https://user:pass@hooks.example:8443/down?a=b#c"
ASKED = PartnerQuestion("site.7", "http://example.com", 403, "example", 1_385_139_152_999_999)
PARTNER = Partner("id", PartnerSpec(slug="example", webhook=HOOK, secret=SECRET), 1, 1)


def php(text: str) -> str:
    """`json_encode` of a string, as ext/json of PHP has it: a table of bytes, then UTF-16 for all beyond ASCII."""
    named = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 47: "/", 92: "\\"}
    out = ""
    for char in text:
        code = ord(char)
        if code in named:
            out += "\\" + named[code]
        elif 32 <= code < 128:
            out += char
        else:
            units = char.encode("utf-16-be")
            out += "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return f'"{out}"'


# --- the payload --------------------------------------------------------------------------------------------------


def test_the_payload_is_the_seeds_to_the_byte() -> None:
    assert payload(ASKED) == (
        rb'{"ts":1385139152,"url":"http:\/\/example.com","code":403,"host":"example","type":"http"}'
    )


def test_reading_5_the_time_is_cut_to_whole_seconds() -> None:
    assert payload(ASKED).startswith(b'{"ts":1385139152,')


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("abc-09_"),
    st.integers(0, 999),
    st.integers(0, 2**32),
)
@example("a\x7f\\u007f\"\x7f/\\/\x00\x1f\u2028<>&'", "x", 200, 0)
@example("http://bücher.example/😀", "x", 0, 1)
def test_reading_6_the_payload_is_what_php_makes_of_any_url(url: str, slug: str, code: int, ts: int) -> None:
    made = payload(PartnerQuestion("id", url, code, slug, ts * SECOND))
    text = f'{{"ts":{ts},"url":{php(url)},"code":{code},"host":{php(slug)},"type":"http"}}'
    assert made == text.encode("ascii")
    assert json.loads(made) == {"ts": ts, "url": url, "code": code, "host": slug, "type": "http"}


# --- the request --------------------------------------------------------------------------------------------------


def test_the_request_is_a_post_of_json_to_the_partners_url() -> None:
    asked = request(PARTNER, ASKED, 5 * SECOND)
    headers = dict(asked.headers)
    assert (asked.method, asked.url, asked.body) == ("POST", "https://hooks.example:8443/down?a=b", payload(ASKED))
    assert headers["Content-Type"] == b"application/json"
    assert headers["User-Agent"] == f"pingmon/{__version__}".encode()
    assert headers["Authorization"] == b"Basic dXNlcjpwYXNz"


def test_reading_28_a_question_that_is_asked_again_has_the_same_id_and_body() -> None:
    first, again = request(PARTNER, ASKED, 5 * SECOND), request(PARTNER, ASKED, 99 * SECOND)
    assert first.body == again.body
    assert dict(first.headers)["webhook-id"] == dict(again.headers)["webhook-id"] == b"site.7"


def test_reading_30_the_signature_can_be_checked_by_anybodys_library() -> None:
    now = int(datetime.now(UTC).timestamp() * SECOND)  # noqa: TID251 -- `verify` compares with the real clock
    asked = request(PARTNER, ASKED, now)
    headers = {name: value.decode() for name, value in asked.headers}
    assert Webhook(SECRET).verify(asked.body, headers)["code"] == 403


def test_reading_30_without_a_secret_there_is_no_signature() -> None:
    asked = request(Partner("id", PartnerSpec(slug="x", webhook="http://hooks.example"), 1, 1), ASKED, 5)
    assert [name for name, _ in asked.headers] == ["Content-Type", "User-Agent", "webhook-id"]
    assert asked.url == "http://hooks.example/"


def test_a_partner_without_a_usable_url_cannot_be_asked() -> None:
    with pytest.raises(Unsendable):
        request(Partner("id", PartnerSpec(slug="x"), 1, 1), ASKED, 5)


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


def test_the_example_in_the_documentation_is_what_is_sent() -> None:
    text = (Path(__file__).parents[2] / "docs" / "partners.md").read_text("utf-8")
    asked = request(
        Partner("id", PartnerSpec(slug="example", webhook="https://hooks.example.net/downtime", secret=SECRET), 1, 1),
        PartnerQuestion(
            "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278_4711", "http://example.com", 403, "example", 1_385_139_152 * SECOND
        ),
        1_385_139_153 * SECOND,
    )
    for name, value in (*asked.headers, ("Content-Length", b"%d" % len(asked.body))):
        assert name == "User-Agent" or f"\n{name}: {value.decode()}\n" in text
    assert f"\n\n{asked.body.decode()}\n```" in text
    assert SECRET in text
    assert all(f"`{name}`" in text for name in partner_json(PARTNER)["answers"])
