"""Tests of `pingmon.wire.api.channel_settings`."""

from __future__ import annotations

import pytest

from pingmon.wire.api.channel_settings import Setting, settings_given, text_given, text_schema, without_secrets
from pingmon.wire.api.check_fields import Invalid

SETTINGS = {
    "url": Setting(schema=text_schema(), help="Where.", secret=True, needed=True),
    "token": Setting(schema=text_schema(), help="Who.", secret=True),
    "topic": Setting(schema=text_schema(), help="What."),
}


def test_of_a_secret_only_the_scheme_of_a_url_is_shown() -> None:
    """What is no secret, not set, or not described is shown as it is."""
    value = {"url": "ntfys://user:pass@host/topic", "token": "abc", "topic": "a://b", "more": 1}
    assert without_secrets(value, SETTINGS) == {"url": "ntfys://…", "token": "…", "topic": "a://b", "more": 1}
    assert without_secrets({"url": "", "token": None}, SETTINGS) == {"url": "", "token": None}
    assert without_secrets({"token": ["a", "b"]}, SETTINGS) == {"token": "…"}


def test_settings_come_as_an_object_or_as_its_json() -> None:
    assert settings_given({"url": "x"}) == settings_given('{"url": "x"}') == {"url": "x"}
    for nonsense in (None, 1, "[", "[]"):
        with pytest.raises(Invalid, match="value is not"):
            settings_given(nonsense)


def test_text_is_judged() -> None:
    assert (text_given({"url": "x"}, "url"), text_given({}, "url")) == ("x", "")
    for text, fault in ((1, "not a string"), ("\x00", "cannot be stored"), ("abc", "too long")):
        with pytest.raises(Invalid, match=f"url .*{fault}"):
            text_given({"url": text}, "url", 2)
