"""The settings of an email channel: `email`, the address that is told. Mails to several people are several channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pingmon.core.address_policy import AddressPolicy
from pingmon.wire.api.channel_settings import Setting, settings_given, text_given, text_schema, wrong
from pingmon.wire.mail_address import mail_address

ADDRESS_MAX: Final = 254
"""Characters of an address (RFC 5321, which counts the angle brackets as well)."""
SETTINGS: Final[dict[str, Setting]] = {
    "email": Setting(schema=text_schema(ADDRESS_MAX), help="The address that is told.", needed=True)
}


def email_value(value: object) -> dict[str, object]:
    """The settings, with the address in its written form. Raises `Invalid`."""
    text = text_given(settings_given(value), "email")
    try:
        address = mail_address(text)
    except ValueError:
        address = ""
    if not address or len(address) > ADDRESS_MAX:
        raise wrong("email is not a mail address")
    return {"email": address}


def changed_email(settings: Mapping[str, object], value: object) -> dict[str, object]:
    """`settings` with what `value` sets. Raises `Invalid`."""
    return email_value({**settings, **settings_given(value)})


def unreachable(settings: Mapping[str, Any], policy: AddressPolicy) -> str | None:
    """Nothing is known of where a mail goes in the end: the operator's mail server takes it."""
    return None


def doubts(settings: Mapping[str, Any]) -> Iterable[str]:
    """None."""
    return ()


def receiver(settings: Mapping[str, Any]) -> str:
    """Who has to want the mails."""
    return str(settings["email"])
