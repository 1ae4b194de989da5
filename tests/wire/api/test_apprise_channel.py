"""Tests of `pingmon.wire.api.apprise_channel`."""

from __future__ import annotations

import pytest

from pingmon.core.notify.allowed import Allowed
from pingmon.wire.api.apprise_channel import (
    LOCAL,
    NOT_INSTALLED,
    SETTINGS,
    apprise_value,
    changed_value,
    doubts,
    refusal,
    scheme_of,
    unreachable,
)
from pingmon.wire.api.channel_settings import without_secrets
from pingmon.wire.api.check_fields import Invalid

URL = {"url": "ntfys://user:pass@ntfy.example/topic"}


def test_a_url_is_all_it_needs() -> None:
    assert apprise_value(URL) == apprise_value(' {"url": " ntfys://user:pass@ntfy.example/topic "}') == URL
    assert changed_value({"url": "json://x"}, URL) == changed_value(URL, {}) == URL
    assert list(doubts(URL)) == []


@pytest.mark.parametrize("url", ["", "topic", "ntfys:topic", "ntfys://a b", "nt fys://a", "ntfys://a\nb", "é://x"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match=r"url is not a URL of apprise, such as ntfys://topic"):
        apprise_value({"url": url})


def test_a_scheme_must_be_allowed_by_name_or_as_one_of_all() -> None:
    """`*` does not mean those that act on this machine; they can be named."""
    assert refusal("ntfys://x", ()) == 'ntfys:// is not allowed; allow it with [apprise] schemes = ["ntfys"]'
    assert refusal("NTFYS://x", ("ntfys",)) is None
    assert refusal("ntfys://x", ("*",)) is None
    assert refusal("json://x", ("ntfys",)) is not None
    for scheme in LOCAL:
        assert refusal(f"{scheme}://", ("*",)) is not None
        assert refusal(f"{scheme}://", ("*", scheme)) is None
    assert scheme_of("nonsense") == ""
    assert refusal("nonsense", ("*", "")) is not None


def test_a_channel_that_can_never_be_told_says_why() -> None:
    assert unreachable(URL, Allowed(apprise=None)) == NOT_INSTALLED
    assert unreachable(URL, Allowed()) == refusal(URL["url"], ())
    assert unreachable(URL, Allowed(apprise=("*",))) is None


def test_only_the_scheme_is_shown() -> None:
    assert without_secrets(URL, SETTINGS) == {"url": "ntfys://…"}
