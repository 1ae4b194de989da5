"""The settings of a webhook channel: two requests, one for when a check goes down and one for when it comes back.

    url_down     url_up       http:// or https://; "" sends nothing. At least one is needed
    method_down  method_up    GET, POST or PUT
    headers_down headers_up   an object of strings
    body_down    body_up      sent with POST and PUT

They come as an object or as that object's JSON in a string, and may hold placeholders (`$NAME`, `$STATUS` …). What
could not be sent as an HTTP request is refused here, when somebody looks, and not at three in the morning.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from pingmon.wire.fields import Invalid, storable

DIRECTIONS: Final = ("down", "up")
METHODS: Final = ("GET", "POST", "PUT")
TEXT_MAX: Final = 1000
"""Characters of a URL or a body."""
MAX_HEADERS: Final = 50

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")
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
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False


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
