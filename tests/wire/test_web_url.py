"""Tests of `pingmon.wire.web_url`: what sites, webhooks, partners and verifiers ask of a URL."""

from __future__ import annotations

import pytest

from pingmon.wire.web_url import PORTS, BadUrl, in_ascii, is_literal, path_of, web_url


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://H.example", "h.example", None, "/"),
        ("https://user:pw@[::1]:8443/a b?ü#top", "::1", 8443, "/a%20b?%C3%BC"),
        ("HTTP://bücher.example?x", "bücher.example", None, "/?x"),
    ],
)
def test_a_url_has_a_host_a_port_and_a_path_in_ascii(url: str, host: str, port: int | None, path: str) -> None:
    parts = web_url(url)
    assert (parts.hostname, parts.port, path_of(parts)) == (host, port, path)
    assert parts.scheme in PORTS


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("h.example", "is neither http nor https"),
        ("ftp://h.example/", "is neither http nor https"),
        ("http:///x", "has no valid host and port"),
        ("http://h.example:0/", "has no valid host and port"),
        ("http://h.example:99999/", "has no valid host and port"),
        ("http://[::1/", "has no valid host and port"),
    ],
)
def test_what_is_no_url_of_the_web_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(BadUrl, match=reason):
        web_url(url)


def test_a_name_is_looked_up_in_ascii() -> None:
    assert in_ascii("Bücher.Example.") == "xn--bcher-kva.example."
    with pytest.raises(ValueError, match="not a host name"):
        in_ascii("a..b")


def test_addresses_are_told_from_names() -> None:
    assert is_literal("192.0.2.1")
    assert is_literal("::1")
    assert not is_literal("127.1")
