"""Tests of `pingmon.wire.probe.target`: what a probe is aimed at, and where redirects lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.probe.head_request import request
from pingmon.wire.probe.target import Target, page, redirected, target
from pingmon.wire.web_url import BadUrl


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://Example.COM", Target("http", "example.com", 80, "example.com", "/")),
        ("https://h.example:443/a?b=c#d", Target("https", "h.example", 443, "h.example", "/a?b=c")),
        ("http://h.example:8080/", Target("http", "h.example", 8080, "h.example:8080", "/")),
        ("http://[0:0::1]:81/x", Target("http", "::1", 81, "[::1]:81", "/x")),
        ("https://192.0.2.1/", Target("https", "192.0.2.1", 443, "192.0.2.1", "/")),
        ("http://bücher.example/ä b?ü", Target("http", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%A4%20b?%C3%BC")),  # noqa: E501
        ("http://☕.example/🎉", Target("http", "xn--53h.example", 80, "xn--53h.example", "/%F0%9F%8E%89")),
        ("http://%48.ex%61mple:81/", Target("http", "h.example", 81, "h.example:81", "/")),
        ("http://127%2e0.0.1/", Target("http", "127.0.0.1", 80, "127.0.0.1", "/")),
        ("http://h.example./%2f?%20", Target("http", "h.example.", 80, "h.example.", "/%2f?%20")),
        ("http://h\n.example/a\r\nX: y", Target("http", "h.example", 80, "h.example", "/aX:%20y")),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart_in_one_spelling(url: str, found: Target) -> None:
    assert target(url) == found
    assert target(found.url) == found


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://h.example/", "neither http nor https"),
        ("javascript:alert(1)", "neither http nor https"),
        ("h.example", "neither http nor https"),
        ("http:///x", "no valid host"),
        ("http://h.example:0/", "no valid host"),
        ("http://h.example:99999/", "no valid host"),
        ("http://h.example:x/", "no valid host"),
        ("http://[fe80::1%25eth0]/", "neither a name nor an address"),
        ("http://[::1/", "no valid host"),
        ("http://a..b/", "neither a name nor an address"),
        ("http://" + "a." * 130 + "example/", "neither a name nor an address"),
        ("http://" + "é." * 5000 + "example/", "longer than 8192"),
        ("http://é..example/", "neither a name nor an address"),
        ("http://\u2f86.\u0378/", "neither a name nor an address"),
        ("http://" + "☕" * 60 + ".example/", "neither a name nor an address"),
        ("http://a%00.example/", "neither a name nor an address"),
        ("http://a%2fb.example/", "neither a name nor an address"),
        ("http://a%40b.example/", "neither a name nor an address"),
        ("http://%ff.example/", "neither a name nor an address"),
        ("http://[::%31]/", "neither a name nor an address"),
        ("http://user:pw@h.example/", "user name or password"),
        ("http://h.example/" + "x" * 9000, "longer than 8192"),
    ],
)
def test_what_cannot_be_probed_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(BadUrl, match=reason):
        target(url)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "http://h.example/b"),
        ("c", "http://h.example/a/c"),
        ("?q", "http://h.example/a/?q"),
        ("//other.example", "http://other.example/"),
        ("https://h.example/#top", "https://h.example/"),
        ("../../x", "http://h.example/x"),
        ("HTTP://Other.example", "http://other.example/"),
        ("http:///other.example/b", "http://other.example/b"),
        ("///other.example/b", "http://other.example/b"),
        ("/b c", "http://h.example/b%20c"),
        ("/ä", "http://h.example/%C3%A4"),
        ("\\b", "http://h.example/a/%5Cb"),
        ("http://other.ex%61mple", "http://other.example/"),
        ("#f", "http://h.example/a/"),
        ("", "http://h.example/a/"),
    ],
)
def test_redirects_may_be_absolute_or_relative(location: str, url: str) -> None:
    assert redirected(target("http://h.example/a/"), location).url == url


@pytest.mark.parametrize(
    "location",
    ["ftp://h.example/", "http://[", "//[x]/", "mailto:a@b", "h.example:80/x", "//u:p@h.example/"],
)
def test_a_redirect_may_lead_nowhere(location: str) -> None:
    with pytest.raises(BadUrl):
        redirected(target("http://h.example/"), location)


@given(st.text(), st.text())
def test_no_text_fails_in_any_other_way_or_breaks_out_of_the_request(url: str, location: str) -> None:
    for text in (url, f"http://h.example/{url}"):
        try:
            found = redirected(target(text), location)
        except BadUrl:
            continue
        wire = request("HEAD", found)
        assert wire.count(b"\r\n") == 6
        assert wire.splitlines()[0].count(b" ") == 2


def test_what_is_shown_of_a_url_has_no_query_and_an_end() -> None:
    assert target("https://h.example:81/a?token=secret").shown == "https://h.example:81/a"
    assert target("https://h.example/" + "a" * 200).shown == "https://h.example/" + "a" * 41 + "…"


def test_a_page_that_people_name_can_be_seen_in_full() -> None:
    assert page("http://bücher.example/ü") == target("http://bücher.example/ü")
    for url in ("http://h.example/a b", "http://h.example/\u200b", "http://h\n.example/"):
        with pytest.raises(BadUrl, match="characters that cannot be seen"):
            page(url)
