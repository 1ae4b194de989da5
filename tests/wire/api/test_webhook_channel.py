"""The settings of a webhook are refused when made, not when needed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from pingmon.core.address_policy import AddressPolicy, allowing
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.webhook_channel import DIRECTIONS, changed_value, doubts, unreachable, webhook_value

URL = "https://hooks.example/x"


def test_defaults() -> None:
    """One URL is enough; the rest has defaults, and what is unknown is left out."""
    assert webhook_value({"url_down": URL, "colour": "red"}) == {
        "url_down": URL,
        "method_down": "GET",
        "headers_down": {},
        "body_down": "",
        "url_up": "",
        "method_up": "GET",
        "headers_up": {},
        "body_up": "",
    }


def test_a_json_string_is_as_good() -> None:
    """The settings may come as the JSON of an object, as other servers keep them."""
    settings = {"url_up": URL, "method_up": "POST", "headers_up": {"X-A": "$NAME\tü"}, "body_up": "{}"}
    assert webhook_value(json.dumps(settings)) == webhook_value(settings)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "value is not an object"),
        ("[1]", "value is not an object"),
        ("{", "value is not JSON"),
        ("[" * 100_000, "value is not JSON"),
        ("\ud800", "value is not JSON"),
        ({}, "value needs a url_down or a url_up"),
        ({"url_down": 1}, "url_down is not a string"),
        ({"url_down": "ftp://x.y/"}, "url_down is not an http or https URL"),
        ({"url_down": "https:///path"}, "url_down is not an http or https URL"),
        ({"url_down": "x.example/hook"}, "url_down is not an http or https URL"),
        ({"url_down": "http://[::1/"}, "url_down is not an http or https URL"),
        ({"url_down": "http://x:99999/"}, "url_down is not an http or https URL"),
        ({"url_down": "http://x/ y"}, "url_down is not an http or https URL"),
        ({"url_down": "http://x/\r\nHost: y"}, "url_down is not an http or https URL"),
        ({"url_down": f"http://x/{'y' * 1000}"}, "url_down is too long"),
        ({"url_up": URL, "method_up": "DELETE"}, "method_up has unexpected value"),
        ({"url_up": URL, "method_up": None}, "method_up has unexpected value"),
        ({"url_up": URL, "body_up": "y" * 1001}, "body_up is too long"),
        ({"url_up": URL, "body_up": "\0"}, "body_up contains characters that cannot be stored"),
        ({"url_up": URL, "headers_down": []}, "headers_down is not an object"),
        ({"url_up": URL, "headers_up": {"": "x"}}, "a header in 'headers_up' has an invalid name"),
        ({"url_up": URL, "headers_up": {"A B": "x"}}, "a header in 'headers_up' has an invalid name"),
        ({"url_up": URL, "headers_up": {"A\n": "x"}}, "a header in 'headers_up' has an invalid name"),
        (
            {"url_up": URL, "headers_up": {"A": "x\x85y"}},
            "a header in 'headers_up' contains characters that cannot be sent",
        ),
        ({"url_up": URL, "headers_up": {"A": 1}}, "a header in 'headers_up' is not a string"),
        ({"url_up": URL, "headers_up": {"A": "y" * 1001}}, "a header in 'headers_up' is too long"),
        (
            {"url_up": URL, "headers_up": {"A": "x\r\ny"}},
            "a header in 'headers_up' contains characters that cannot be sent",
        ),
        (
            {"url_up": URL, "headers_up": {"A": "\udcff"}},
            "a header in 'headers_up' contains characters that cannot be sent",
        ),
        (
            {"url_up": URL, "headers_up": {"Content-Length": "1"}},
            "a header in 'headers_up' cannot be set: Content-Length",
        ),
        ({"url_up": URL, "headers_up": {f"a{n}": "" for n in range(51)}}, "headers_up has too many headers"),
    ],
)
def test_errors(value: Any, text: str) -> None:
    """Each unusable setting is told by its name."""
    with pytest.raises(Invalid) as caught:
        webhook_value(value)
    assert str(caught.value) == f"json validation error: {text}"


Loose = st.text(st.characters(exclude_categories=()), max_size=8)


@given(st.dictionaries(Loose, Loose | st.integers() | st.none(), max_size=3))
def test_headers_that_pass_can_be_sent(headers: dict[str, Any]) -> None:
    """Whatever headers come, those that are taken are ones Twisted will send."""
    try:
        value = webhook_value({"url_down": URL, "headers_down": headers})
    except Invalid:
        return
    assert value["headers_down"] == headers
    sent = Headers()
    for name, text in headers.items():
        sent.setRawHeaders(name, [text])


@given(
    st.one_of(
        Loose, st.dictionaries(st.sampled_from([f"{n}_{d}" for n in ("url", "method") for d in DIRECTIONS]), Loose)
    )
)
def test_no_value_breaks_the_judgement(value: Any) -> None:
    """Any value is either refused as the client's error, or made complete."""
    with suppress(Invalid):
        assert len(webhook_value(value)) == 8


# --- receivers that cannot be told, and settings that may not be meant so -----------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://localhost:9/", "127.0.0.1"),
        ("http://hooks.LOCALHOST./", "127.0.0.1"),
        ("http://[::1]/", "::1"),
        ("http://[fe80::1%25eth0]/", "fe80::1"),
        ("https://169.254.169.254/latest", "169.254.169.254"),
    ],
)
def test_a_literal_private_address_is_known_to_be_out_of_reach(url: str, address: str) -> None:
    """Also this machine by its name; the operator may allow it."""
    told = unreachable(webhook_value({"url_down": URL, "url_up": url}), AddressPolicy())
    assert told is not None
    assert told.startswith(f"url_up cannot be reached: address {address} is private; allow it with [outgoing] allow = ")
    networks = ["127.0.0.0/8", "::1", "fe80::/10", "169.254.0.0/16"]
    assert unreachable(webhook_value({"url_up": url}), allowing(networks)) is None


@pytest.mark.parametrize("url", [URL, "http://192.0.43.8/", "http://$SLUG.example/", "http://localhost.example/"])
def test_of_other_names_nothing_can_be_said(url: str) -> None:
    """They are looked up for each message."""
    assert unreachable(webhook_value({"url_down": url}), AddressPolicy()) is None


def test_settings_change_one_by_one() -> None:
    """As an object or as its JSON."""
    settings = webhook_value({"url_down": URL, "body_down": "x", "method_down": "PUT"})
    assert changed_value(settings, {"body_down": "y"}) == settings | {"body_down": "y"}
    assert changed_value(settings, '{"url_up": "http://y.example/"}') == settings | {"url_up": "http://y.example/"}
    with pytest.raises(Invalid, match="value needs a url_down or a url_up"):
        changed_value(settings, {"url_down": ""})


def test_what_may_not_be_meant_so_is_said() -> None:
    """Settings that do what they say are no reason to speak."""
    well = {
        "url_down": f"{URL}?n=$NAME&t=$TAG12",
        "method_down": "POST",
        "headers_down": {"Title": "$STATUS"},
        "body_down": "$BODY_JSON $NAMES cost $5, $text",
        "url_up": URL,
    }
    assert list(doubts(webhook_value(well))) == []
    odd = {
        "url_up": f"{URL}/$BODY",
        "headers_up": {"X": "$FOO $BODY_JSON", "Y": "$FOO"},
        "method_up": "PUT",
        "body_up": "$WHAT",
    }
    assert list(doubts(webhook_value(odd))) == [
        "there is no url_down: nothing is sent when something goes down",
        "$BODY in url_up is sent as it is: it works in a body only",
        "$FOO in headers_up is no placeholder: it is sent as it is",
        "$BODY_JSON in headers_up is sent as it is: it works in a body only",
        "$WHAT in body_up is no placeholder: it is sent as it is",
    ]
    unsent = webhook_value({"url_down": URL, "url_up": URL, "body_up": "$NAME"})
    assert list(doubts(unsent)) == ["body_up is not sent with GET: set method_up to POST"]
