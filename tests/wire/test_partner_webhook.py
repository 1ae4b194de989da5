"""Tests of `pingmon.wire.partner_webhook`: what a partner is asked, to the byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from pingmon import __version__
from pingmon.core.partner.inquiry import PartnerQuestion
from pingmon.core.partner.partner import Partner, PartnerSpec
from pingmon.core.units import SECOND
from pingmon.testing import SECRET
from pingmon.wire.api.partners import partner_json
from pingmon.wire.outgoing_request import Unsendable
from pingmon.wire.partner_webhook import payload, request

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
