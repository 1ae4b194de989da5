"""The settings of a webhook channel: two requests, one for when a check goes down and one for when it comes back.

    url_down     url_up       http:// or https://; "" sends nothing. At least one is needed
    method_down  method_up    GET, POST or PUT
    headers_down headers_up   an object of strings
    body_down    body_up      sent with POST and PUT

They come as an object or as that object's JSON in a string, and may hold placeholders (`$NAME`, `$STATUS` …). What
could not be sent as an HTTP request is refused here, while somebody looks, and not when the first alert is due.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from pingmon.core.address_policy import AddressPolicy
from pingmon.wire.api.channel_settings import TEXT_MAX, Setting, settings_given, text_given, text_schema, wrong
from pingmon.wire.api.check_fields import storable
from pingmon.wire.message.webhook import BODY_METHODS, in_body_only, is_placeholder
from pingmon.wire.web_url import BadUrl, web_url

DIRECTIONS: Final = ("down", "up")
METHODS: Final = ("GET", "POST", "PUT")
MAX_HEADERS: Final = 50

_HEADERS: Final = {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": MAX_HEADERS}
SETTINGS: Final[dict[str, Setting]] = {
    f"{name}_{direction}": setting
    for direction, happens in zip(DIRECTIONS, ("goes down", "comes back"), strict=True)
    for name, setting in {
        "url": Setting(schema=text_schema(), help=f"What is called when something {happens}."),
        "method": Setting(schema={"enum": list(METHODS)}, help="How; GET if nothing is said."),
        "headers": Setting(schema=_HEADERS, help="With these headers."),
        "body": Setting(schema=text_schema(), help="With this body, which may hold $PLACEHOLDERS."),
    }.items()
}

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")
_PLACEHOLDER_LIKE: Final = re.compile(r"\$[A-Z][A-Z0-9_]*")
_FRAMING: Final = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say how a message is sent; two of a kind would make it another message for some receivers."""


def webhook_value(value: object) -> dict[str, object]:
    """All eight settings. Raises `Invalid`, naming the first that cannot be used."""
    given = settings_given(value)
    settings: dict[str, object] = {}
    for direction in DIRECTIONS:
        settings[f"url_{direction}"] = _url(given, f"url_{direction}")
        settings[f"method_{direction}"] = _method(given, f"method_{direction}")
        settings[f"headers_{direction}"] = _headers(given, f"headers_{direction}")
        settings[f"body_{direction}"] = text_given(given, f"body_{direction}")
    if not any(settings[f"url_{direction}"] for direction in DIRECTIONS):
        raise wrong("value needs a url_down or a url_up")
    return settings


def changed_value(settings: Mapping[str, object], value: object) -> dict[str, object]:
    """`settings` with those that `value` sets; the others stay. Raises `Invalid`."""
    return webhook_value({**settings, **settings_given(value)})


def unreachable(settings: Mapping[str, Any], policy: AddressPolicy) -> str | None:
    """Why a receiver that is named by its address, or as this machine, will never be told; None if it may be.

    Other names are looked up for each message, so nothing can be said of them here.
    """
    for direction in DIRECTIONS:
        found = refusal(settings[f"url_{direction}"], policy)
        if found is not None:
            return f"url_{direction} cannot be reached: {found}"
    return None


def refusal(url: str, policy: AddressPolicy) -> str | None:
    """Why what `url` names by its address, or as this machine, may not be reached; None if it may be."""
    address = _address(url) if url else None
    return None if address is None else policy.refusal(address)


def _address(url: str) -> str | None:
    """The address that a URL names literally."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def doubts(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is perhaps not as it was meant, in settings that can be used: a sentence for each."""
    for direction, when in (("down", "goes down"), ("up", "comes back")):
        url, body = settings[f"url_{direction}"], settings[f"body_{direction}"]
        if not url:
            yield f"there is no url_{direction}: nothing is sent when something {when}"
            continue
        method = settings[f"method_{direction}"]
        if body and method not in BODY_METHODS:
            yield f"body_{direction} is not sent with {method}: set method_{direction} to POST"
        headers = settings[f"headers_{direction}"].values()
        for field, texts, in_body in (("url", [url], False), ("headers", headers, False), ("body", [body], True)):
            for found in dict.fromkeys(_PLACEHOLDER_LIKE.findall(" ".join(texts))):
                if not is_placeholder(found):
                    yield f"{found} in {field}_{direction} is no placeholder: it is sent as it is"
                elif in_body_only(found) and not in_body:
                    yield f"{found} in {field}_{direction} is sent as it is: it works in a body only"


def _url(given: dict[Any, Any], name: str) -> str:
    url = text_given(given, name)
    if url and not is_web_address(url):
        raise wrong(f"{name} is not an http or https URL")
    return url


def is_web_address(url: str) -> bool:
    """Whether it is an http or https URL that can be asked for as it is."""
    if _NOT_IN_URL.search(url):
        return False
    try:
        web_url(url)
    except BadUrl:
        return False
    return True


def _method(given: dict[Any, Any], name: str) -> str:
    method = given.get(name, "GET")
    if not isinstance(method, str) or method not in METHODS:
        raise wrong(f"{name} has unexpected value")
    return method


def _headers(given: dict[Any, Any], name: str) -> dict[str, str]:
    headers = given.get(name, {})
    if not isinstance(headers, dict):
        raise wrong(f"{name} is not an object")
    if len(headers) > MAX_HEADERS:
        raise wrong(f"{name} has too many headers")
    for key, value in headers.items():
        trouble = _header_fault(key, value)
        if trouble is not None:
            raise wrong(f"a header in '{name}' {trouble}")
    return headers


def _header_fault(key: object, value: object) -> str | None:
    if not isinstance(key, str) or not _TOKEN.fullmatch(key):
        return "has an invalid name"
    if key.lower() in _FRAMING:
        return f"cannot be set: {key}"
    if not isinstance(value, str):
        return "is not a string"
    if len(value) > TEXT_MAX:
        return "is too long"
    if _CONTROL.search(value.replace("\t", "")) or not storable(value):
        return "contains characters that cannot be sent"
    return None
