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

import msgspec

from pingmon.core.address_policy import AddressPolicy
from pingmon.wire.api.check_fields import Invalid, storable
from pingmon.wire.message.webhook import BODY_METHODS, in_body_only, is_placeholder
from pingmon.wire.web_url import BadUrl, web_url

DIRECTIONS: Final = ("down", "up")
METHODS: Final = ("GET", "POST", "PUT")
TEXT_MAX: Final = 1000
"""Characters of a URL or a body."""
MAX_HEADERS: Final = 50

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
    given = _object(value)
    settings: dict[str, object] = {}
    for direction in DIRECTIONS:
        settings[f"url_{direction}"] = _url(given, f"url_{direction}")
        settings[f"method_{direction}"] = _method(given, f"method_{direction}")
        settings[f"headers_{direction}"] = _headers(given, f"headers_{direction}")
        settings[f"body_{direction}"] = _text(given, f"body_{direction}")
    if not any(settings[f"url_{direction}"] for direction in DIRECTIONS):
        raise _error("value needs a url_down or a url_up")
    return settings


def changed_value(settings: Mapping[str, object], value: object) -> dict[str, object]:
    """`settings` with those that `value` sets; the others stay. Raises `Invalid`."""
    return webhook_value({**settings, **_object(value)})


def unreachable(settings: Mapping[str, Any], policy: AddressPolicy) -> str | None:
    """Why a receiver that is named by its address, or as this machine, will never be told; None if it may be.

    Other names are looked up for each message, so nothing can be said of them here.
    """
    for direction in DIRECTIONS:
        url = settings[f"url_{direction}"]
        refusal = policy.refusal(address) if url and (address := _address(url)) else None
        if refusal is not None:
            return f"url_{direction} cannot be reached: {refusal}"
    return None


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


def _error(text: str) -> Invalid:
    return Invalid(f"json validation error: {text}")


def _object(value: object) -> dict[Any, Any]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value.encode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError):
            raise _error("value is not JSON") from None
    if not isinstance(value, dict):
        raise _error("value is not an object")
    return value


def _text(given: dict[Any, Any], name: str) -> str:
    text = given.get(name, "")
    if not isinstance(text, str):
        raise _error(f"{name} is not a string")
    if not storable(text):
        raise _error(f"{name} contains characters that cannot be stored")
    if len(text) > TEXT_MAX:
        raise _error(f"{name} is too long")
    return text


def _url(given: dict[Any, Any], name: str) -> str:
    url = _text(given, name)
    if url and not _is_web_address(url):
        raise _error(f"{name} is not an http or https URL")
    return url


def _is_web_address(url: str) -> bool:
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
        raise _error(f"{name} has unexpected value")
    return method


def _headers(given: dict[Any, Any], name: str) -> dict[str, str]:
    headers = given.get(name, {})
    if not isinstance(headers, dict):
        raise _error(f"{name} is not an object")
    if len(headers) > MAX_HEADERS:
        raise _error(f"{name} has too many headers")
    for key, value in headers.items():
        trouble = _header_fault(key, value)
        if trouble is not None:
            raise _error(f"a header in '{name}' {trouble}")
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
