"""Tests of `pingmon.wire.mail_address` and of the settings of email channels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.address_policy import AddressPolicy
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.email_channel import changed_email, doubts, email_value, receiver, unreachable
from pingmon.wire.mail_address import mail_address, mailbox


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (" Ops+pingmon@Example.ORG ", "Ops+pingmon@example.org"),
        ("root@localhost", "root@localhost"),
        ("a.b'c@bücher.example", "a.b'c@xn--bcher-kva.example"),
    ],
)
def test_an_address_has_one_written_form(text: str, written: str) -> None:
    assert mail_address(text) == written
    assert email_value({"email": text}) == {"email": written}
    assert email_value(f'{{"email": "{text}"}}') == {"email": written}


@pytest.mark.parametrize(
    "text",
    [
        *("", "ops", "@example.org", "ops@", "ops@example..org", ".ops@example.org", "ops@[192.0.2.1]", "a b@c.d"),
        *('"ops"@example.org', "öps@example.org", "ops@example.org\r\nRCPT TO:<x@y>", "a@b, c@d", "x" * 65 + "@a.b"),
        *("a@" + "b." * 127 + "c", "a@\N{SNOWMAN}\u200b..org", "<a@b>"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mail_address(text)
    with pytest.raises(Invalid, match="email is not a mail address"):
        email_value({"email": text})


@given(st.text())
def test_whatever_is_typed_is_an_address_in_one_line_or_none(text: str) -> None:
    try:
        written = mail_address(text)
    except ValueError:
        return
    assert written.isascii()
    assert written.isprintable()
    assert not set(written) & set(' <>,;:"\\')
    assert mail_address(written) == written


def test_settings_change_as_a_whole_and_are_never_doubted() -> None:
    settings = email_value({"email": "a@example.org"})
    assert changed_email(settings, {"email": "b@example.org"}) == {"email": "b@example.org"}
    assert changed_email(settings, {}) == settings
    assert receiver(settings) == "a@example.org"
    assert unreachable(settings, AddressPolicy()) is None
    assert [*doubts(settings)] == []
    with pytest.raises(Invalid, match="email is not a mail address"):
        email_value({"email": "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 60})
    with pytest.raises(Invalid, match="email is not a string"):
        email_value({"email": 5})


def test_a_mailbox_may_have_a_name() -> None:
    assert mailbox("pingmon <Alerts@Example.org>") == "pingmon <Alerts@example.org>"
    assert mailbox("alerts@example.org") == "alerts@example.org"
    assert mailbox('"Ops, night" <a@b>') == '"Ops, night" <a@b>'
    for text in ("ops", "", "a\n<a@b>", "pingmon"):
        with pytest.raises(ValueError, match=r"."):
            mailbox(text)
