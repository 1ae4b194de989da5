r"""The partner webhook as bytes: the question that is sent, and the reply.

The payload is what PHP's `json_encode` makes of it, to the byte:

    {"ts":1385139152,"url":"http:\/\/example.com","code":403,"host":"example","type":"http"}

It is posted as `application/json` with `webhook-id`, which is the same when a question is asked again. If the partner
has a secret, it has `webhook-timestamp` and `webhook-signature` as well (Standard Webhooks 1.0). Extra headers disturb
no receiver; the body stays as the partners know it.

The reply is `ok` or an instant such as `2017-11-05T13:15:30Z`: full ISO 8601, extended, with seconds and zone.
Fractions are cut off at microseconds; `t` and `z` may be small. No zone, a date alone, week dates, the basic format,
leap seconds and 24:00 are neither. A byte order mark, white space around, and the case of `ok` do not matter.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Final

from pingmon.core.partner.inquiry import Oddity, PartnerQuestion, PartnerReply
from pingmon.core.partner.partner import Partner
from pingmon.core.units import SECOND
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, signature_headers, target

BODY_MAX: Final = 1024
"""Bytes of a reply; a longer one means nothing."""
EXCERPT_MAX: Final = 60
"""Characters of a reply that are kept to show it."""

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\n\r\x0b\x0c"
_INSTANT: Final = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])([01]\d|2[0-3]):([0-5]\d))"
)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- only differences are taken, so that no offset can overflow
_MICROSECOND: Final = timedelta(microseconds=1)


# --- the question -------------------------------------------------------------------------------------------------


def payload(question: PartnerQuestion) -> bytes:
    """The webhook's body. `ts` is when the last check ended, in whole seconds; never when the webhook is sent."""
    ts, url, host = question.at // SECOND, _php_string(question.url), _php_string(question.host)
    return f'{{"ts":{ts},"url":{url},"code":{question.code},"host":{host},"type":"http"}}'.encode("ascii")


def request(partner: Partner, question: PartnerQuestion, now: int) -> OutgoingRequest:
    """The request that asks `partner`, for an attempt at `now` (microseconds since the epoch). Raises `Unsendable`."""
    url, credentials = target(partner.spec.webhook)
    body = payload(question)
    headers = {
        "Content-Type": b"application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": question.id.encode(),
    }
    if credentials is not None:
        headers["Authorization"] = credentials
    headers |= signature_headers(tuple(filter(None, [partner.spec.secret])), question.id, now, body)
    return OutgoingRequest("POST", url, tuple(headers.items()), body)


def _php_string(text: str) -> str:
    # Beside the slash, DEL is the one character that PHP leaves as it is and Python escapes.
    return '"' + "\x7f".join(json.dumps(part)[1:-1] for part in text.split("\x7f")).replace("/", "\\/") + '"'


# --- the reply ----------------------------------------------------------------------------------------------------


def read_reply(status: int, body: bytes) -> PartnerReply:
    """What a partner's HTTP answer says. Nothing is refused here: `core.partner.inquiry` judges it."""
    if len(body) > BODY_MAX:
        return PartnerReply(status, None, detail=f"more than {BODY_MAX} bytes")
    text = body.strip(_SPACE).removeprefix(_BOM).strip(_SPACE)
    oddities: tuple[Oddity, ...] = ()
    if text[:1] == text[-1:] == b'"':
        text, oddities = text[1:-1], ("quoted",)
    if text.lower() == b"ok":
        return PartnerReply(status, "ok", oddities)
    instant = _instant(text)
    if instant is None:
        return PartnerReply(status, None, detail=_excerpt(text))
    at, converted = instant
    return PartnerReply(status, at, (*oddities, "offset") if converted else oddities, _excerpt(text))


def _instant(text: bytes) -> tuple[int, bool] | None:
    """The instant in microseconds since the epoch, and whether it came in another zone than UTC; None if it is none."""
    # `datetime.fromisoformat` takes much that the webhook's text rules out (dates alone, week dates, no zone).
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    try:
        local = datetime(*(int(found[part]) for part in range(1, 7)))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    fraction = int((found[7] or b"0")[:6].ljust(6, b"0"))
    at = (local - _EPOCH) // _MICROSECOND + fraction
    if found[8]:
        return at, False
    ahead_s = int(found[10]) * 3600 + int(found[11]) * 60
    sign = 1 if found[9] == b"+" else -1
    return at - sign * ahead_s * SECOND, found[9] == b"-" or ahead_s != 0


def _excerpt(text: bytes) -> str:
    """The beginning of a stranger's text, without what could disturb a page or a log."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:EXCERPT_MAX].decode("utf-8", "replace"))
    return f"said: {shown}" if shown else "said nothing"
