"""The settings of services are refused when made, not when needed."""

from __future__ import annotations

import json

import pytest

from pingmon.core.address_policy import AddressPolicy, allowing
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.service_channels import SERVICE_SETTINGS, no_doubts, unreachable

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("kind", "given", "complete"),
    [
        ("ntfy", {"topic": "ops"}, {"topic": "ops", "url": "https://ntfy.sh", "token": "", "priority": 4}),
        (
            "telegram",
            {"token": "1:x", "chat_id": "@ops"},
            {"token": "1:x", "chat_id": "@ops", "thread_id": 0, "url": "https://api.telegram.org"},
        ),
        ("slack", {"url": "https://x.y/z", "colour": "red"}, {"url": "https://x.y/z"}),
        ("discord", {"url": "https://x.y/z"}, {"url": "https://x.y/z"}),
        (
            "pagerduty",
            {"routing_key": KEY},
            {"routing_key": KEY, "severity": "critical", "url": "https://events.pagerduty.com"},
        ),
    ],
)
def test_defaults(kind: str, given: dict[str, object], complete: dict[str, object]) -> None:
    """What is not said has a default, what is unknown is left out, and a change keeps the rest."""
    settings = SERVICE_SETTINGS[kind]
    assert settings.judged(given) == settings.judged(json.dumps(given)) == complete
    assert settings.changed(complete, {"url": "http://a.b/"}) == complete | {"url": "http://a.b/"}
    assert list(no_doubts(complete)) == []


@pytest.mark.parametrize(
    ("kind", "given", "text"),
    [
        ("ntfy", {}, "value needs a topic"),
        ("ntfy", None, "value is not an object"),
        ("ntfy", {"topic": "a/b"}, "topic does not match pattern"),
        ("ntfy", {"topic": "a", "priority": 6}, "priority is too large"),
        ("ntfy", {"topic": "a", "token": "a\nb"}, "token does not match pattern"),
        ("telegram", {"token": "1:x"}, "value needs a chat_id"),
        ("telegram", {"token": "1:x/../y", "chat_id": "1"}, "token does not match pattern"),
        ("telegram", {"token": "1:x", "chat_id": 5}, "chat_id is not a string"),
        ("slack", {"url": "javascript:1"}, "url is not an http or https URL"),
        ("discord", {}, "value needs a url"),
        ("pagerduty", {"routing_key": "short"}, "routing_key does not match pattern"),
        ("pagerduty", {"routing_key": KEY, "severity": "mild"}, "severity has unexpected value"),
    ],
)
def test_errors(kind: str, given: object, text: str) -> None:
    """The first that cannot be used is named."""
    with pytest.raises(Invalid) as error:
        SERVICE_SETTINGS[kind].judged(given)
    assert str(error.value) == f"json validation error: {text}"


def test_a_service_that_may_not_be_reached() -> None:
    """One that is named by a private address; a name says nothing yet."""
    told = 'url cannot be reached: address 10.0.0.1 is private; allow it with [outgoing] allow = ["10.0.0.1/32"]'
    assert unreachable({"url": "http://10.0.0.1/"}, AddressPolicy()) == told
    assert unreachable({"url": "http://10.0.0.1/"}, allowing(["10.0.0.0/8"])) is None
    assert unreachable({"url": "http://chat.example/"}, AddressPolicy()) is None


def test_what_is_a_secret_and_what_is_needed() -> None:
    """What lets anybody write to the service is a secret; so is the URL of a webhook, and that of a server is none."""
    settings = {(kind, name): each for kind, all in SERVICE_SETTINGS.items() for name, each in all.settings.items()}
    assert {at for at, each in settings.items() if each.secret} == {
        ("ntfy", "token"),
        ("telegram", "token"),
        ("slack", "url"),
        ("discord", "url"),
        ("pagerduty", "routing_key"),
    }
    assert {at for at, each in settings.items() if each.needed} == {
        ("ntfy", "topic"),
        ("telegram", "token"),
        ("telegram", "chat_id"),
        ("slack", "url"),
        ("discord", "url"),
        ("pagerduty", "routing_key"),
    }
