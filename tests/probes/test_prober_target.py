"""Tests of `pingmon.probes.target`: what a probe is aimed at, and where redirects lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.probes.head import request
from pingmon.probes.target import BadUrl, Target, is_literal, redirected, target


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://Example.COM", Target("http", "example.com", 80, "example.com", "/")),
        ("https://h.example:443/a?b=c#d", Target("https", "h.example", 443, "h.example", "/a?b=c")),
        ("http://h.example:8080/", Target("http", "h.example", 8080, "h.example:8080", "/")),
        ("http://[0:0::1]:81/x", Target("http", "::1", 81, "[::1]:81", "/x")),
        ("https://192.0.2.1/", Target("https", "192.0.2.1", 443, "192.0.2.1", "/")),
        ("http://bücher.example/ä b?ü", Target("http", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/%C3%A4%20b?%C3%BC")),  # noqa: E501
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
        ("javascript:alert(1)", "no valid host"),
        ("h.example", "no valid host"),
        ("http:///x", "no valid host"),
        ("http://h.example:0/", "no valid host"),
        ("http://h.example:99999/", "no valid host"),
        ("http://h.example:x/", "no valid host"),
        ("http://[fe80::1%25eth0]/", "no valid host"),
        ("http://[::1/", "no valid host"),
        ("http://a..b/", "no valid host"),
        ("http://" + "a." * 130 + "example/", "no valid host"),
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
    ],
)
def test_redirects_may_be_absolute_or_relative(location: str, url: str) -> None:
    assert redirected(target("http://h.example/a/"), location).url == url


@pytest.mark.parametrize("location", ["", "ftp://h.example/", "http://[", "//[x]/", "mailto:a@b"])
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


def test_addresses_are_told_from_names() -> None:
    assert is_literal("192.0.2.1")
    assert is_literal("::1")
    assert not is_literal("127.1")
