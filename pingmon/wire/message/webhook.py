"""The HTTP request that a webhook channel makes of a message.

Placeholders (webhooks of the reference server): $CODE $STATUS $NOW $NAME $NAME_JSON $SLUG $TAGS $TAG1 $TAG2 … $JSON
$EXITSTATUS in URL, headers and body, $BODY $BODY_JSON in the body only; and of our own $TEXT $TEXT_JSON, the message in
one line. They are replaced in one pass, so a value that looks like a placeholder stays as it is, and so does a
placeholder that is unknown or has no value. In the URL values
are percent-encoded, `/` is kept; header values that are not Latin-1 become XML character references. A site has no
slug, exit status (-1) and body; its name, if it has none, is its URL. Trouble of pingmon
itself is called `pingmon`, and goes as `down` and `up`.

A digest goes as `down` if anything of it is down, else as `up`, and tells what the channel is sent at all. $CODE is its
project's id, $NAME how many checks and sites it is about, $JSON the digest, $NOW when the newest of it happened. It has
no slug, tags, exit status and body.

The body is sent with POST and PUT. Without a configured one it is the message as JSON (see `message` and `digest`).
Every request is signed (Standard Webhooks 1.0): webhook-id, webhook-timestamp and webhook-signature, with the channel's
secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.check import Check
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.channel import Channel
from pingmon.core.site.settings import SiteSpec
from pingmon.core.units import SECOND
from pingmon.wire.message.digest import AnyMessage, Digest, digest_name, digest_object, digest_text
from pingmon.wire.message.message import Letter, object_of, text
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, Unsendable, signature_headers, target
from pingmon.wire.time_texts import seconds_text

BODY_METHODS: Final = frozenset({"POST", "PUT"})
METHODS: Final = BODY_METHODS | {"GET"}
RETRY_AFTER_MAX_S: Final = 86_400.0
OURS: Final = frozenset(
    {"connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"}
    | {"webhook-id", "webhook-timestamp", "webhook-signature"}
)
"""Headers that a channel cannot set: how the message is framed, and whose it is."""

_PLACEHOLDER: Final = re.compile(
    r"\$(BODY_JSON|BODY|CODE|EXITSTATUS|JSON|NAME_JSON|NAME|NOW|SLUG|STATUS|TAGS|TAG[1-9][0-9]*|TEXT_JSON|TEXT)"
)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]+")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_IN_BODY_ONLY: Final = ("BODY_JSON", "BODY")


def is_placeholder(text: str) -> bool:
    """Whether `text` (`$NAME`, say) begins with a placeholder; what follows that stays."""
    return _PLACEHOLDER.match(text) is not None


def in_body_only(text: str) -> bool:
    """Whether the placeholder at the begin of `text` is replaced in bodies only."""
    found = _PLACEHOLDER.match(text)
    return found is not None and found[1] in _IN_BODY_ONLY


class _Template(Struct, frozen=True):
    """A channel's settings for one direction."""

    url: str
    method: str
    headers: dict[str, str]
    body: str


def wants_body(letter: Letter) -> bool:
    """Whether the request needs the body of the check's last ping."""
    template = _template(letter.channel, letter.owed.flip.new)
    if letter.test or not isinstance(letter.subject, Check) or not template.url or template.method not in BODY_METHODS:
        return False
    found = _PLACEHOLDER.findall(template.body)
    return not template.body or "BODY" in found or "BODY_JSON" in found


def request(letter: Letter, shown: Mapping[str, object], last_body: bytes) -> OutgoingRequest | None:
    """The request for `letter`; None if the channel wants none in this direction. Raises `Unsendable`.

    `shown` is the check or site as the management API (v3, read-write key) shows it. `last_body` is only used if
    `wants_body(letter)`.
    """
    template = _template(letter.channel, letter.owed.flip.new)
    if not template.url:
        return None
    return _request(letter, template, _values(letter, shown), last_body, lambda: object_of(letter, shown, last_body))


def digest_request(digest: Digest) -> OutgoingRequest | None:
    """The request for `digest`; None if the channel wants nothing of what it tells. Raises `Unsendable`."""
    templates = {new: _template(digest.channel, new) for new in ("down", "up")}
    letters = tuple(letter for letter in digest.letters if templates[letter.owed.flip.new].url)
    if not letters:
        return None
    told = replace(digest, letters=letters)
    return _request(told, templates[told.status], _digest_values(told), b"", lambda: digest_object(told))


def _request(
    message: AnyMessage,
    template: _Template,
    values: Mapping[str, str],
    last_body: bytes,
    as_object: Callable[[], dict[str, object]],
) -> OutgoingRequest:
    if template.method not in METHODS:
        raise Unsendable(f"the method is none of {', '.join(sorted(METHODS))}")
    url, credentials = target(_filled(template.url, {key: quote(value) for key, value in values.items()}))
    body = b""
    headers = dict(_headers(template.headers, values))
    if template.method in BODY_METHODS:
        if template.body:
            body = _filled(template.body, {**values, **_body_values(last_body)}).encode("utf-8", "replace")
        else:
            body = msgspec.json.encode(as_object())
            _default(headers, "Content-Type", b"application/json")
    _default(headers, "User-Agent", USER_AGENT)
    if credentials is not None:
        _default(headers, "Authorization", credentials)
    headers |= signature_headers(message.channel.secrets(message.now), message.id, message.now, body)
    return OutgoingRequest(template.method, url, tuple(headers.items()), body)


def retry_after_s(header: bytes | None, now: int) -> float | None:
    """How many seconds a `Retry-After` asks to wait (RFC 9110: seconds or a date); None if it asks nothing readable."""
    text = (header or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_MAX_S)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    seconds = (date.replace(tzinfo=date.tzinfo or UTC) - _EPOCH).total_seconds() - now / SECOND
    return min(max(0.0, seconds), RETRY_AFTER_MAX_S)


# --- placeholders -------------------------------------------------------------------------------------------------


def _template(channel: Channel, direction: str) -> _Template:
    value = channel.value
    defaults: dict[str, object] = {"url": "", "method": "GET", "headers": {}, "body": ""}
    found = {name: value.get(f"{name}_{direction}", default) for name, default in defaults.items()}
    try:
        return msgspec.convert(found, _Template)
    except msgspec.ValidationError as error:
        raise Unsendable(f"the channel's settings are not those of a webhook ({error})") from error


def _values(letter: Letter, shown: Mapping[str, object]) -> dict[str, str]:
    """What stands for each placeholder outside bodies."""
    flip, subject = letter.owed.flip, letter.subject
    exitstatus = flip.exitstatus
    if exitstatus is None and isinstance(subject, Check):
        exitstatus = subject.exitstatus
    spec = subject.spec
    sentence = text(letter)
    called = spec.name or spec.url if isinstance(spec, SiteSpec) else spec.name
    values = {
        "CODE": subject.id,
        "STATUS": flip.new,
        "NOW": str(seconds_text(flip.at)),
        "NAME": called,
        "NAME_JSON": json.dumps(called),
        "SLUG": spec.slug if isinstance(spec, CheckSpec) else "",
        "TAGS": spec.tags,
        "JSON": json.dumps(shown),
        "TEXT": sentence,
        "TEXT_JSON": json.dumps(sentence),
        "EXITSTATUS": str(-1 if exitstatus is None else exitstatus),
    }
    values |= {f"TAG{number}": tag for number, tag in enumerate(filter(None, spec.tags.split(" ")), 1)}
    return _encodable(values)


def _digest_values(digest: Digest) -> dict[str, str]:
    """The same for a digest."""
    sentence, called = digest_text(digest), digest_name(digest)
    return _encodable(
        {
            "CODE": digest.channel.project,
            "STATUS": digest.status,
            "NOW": str(seconds_text(digest.letters[0].owed.flip.at)),
            "NAME": called,
            "NAME_JSON": json.dumps(called),
            "SLUG": "",
            "TAGS": "",
            "JSON": json.dumps(digest_object(digest)),
            "TEXT": sentence,
            "TEXT_JSON": json.dumps(sentence),
            "EXITSTATUS": "-1",
        }
    )


def _encodable(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value.encode("utf-8", "replace").decode() for key, value in values.items()}


def _body_values(last_body: bytes) -> dict[str, str]:
    body = last_body.decode("utf-8", "replace")
    return {"BODY": body, "BODY_JSON": json.dumps(body)}


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


# --- headers and URL ----------------------------------------------------------------------------------------------


def _headers(templates: Mapping[str, str], values: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for name, template in templates.items():
        if not _TOKEN.fullmatch(name):
            raise Unsendable("a header has no valid name")
        if name.lower() not in OURS:
            value = _CONTROL.sub(" ", _filled(template, values)).strip()
            yield name, value.encode("latin-1", "xmlcharrefreplace")


def _default(headers: dict[str, bytes], name: str, value: bytes) -> None:
    if name.lower() not in map(str.lower, headers):
        headers[name] = value
