r"""The partner webhook as bytes: the question that is sent.

The payload is what PHP's `json_encode` makes of it, to the byte:

    {"ts":1385139152,"url":"http:\/\/example.com","code":403,"host":"example","type":"http"}

It is posted as `application/json` with `webhook-id`, by which a question that is asked twice can be told, and, if the
partner has a secret, `webhook-timestamp` and `webhook-signature` (Standard Webhooks 1.0). Extra headers disturb no
receiver; the body stays as the partners know it.
"""

from __future__ import annotations

import json

from pingmon.core.partner.inquiry import PartnerQuestion
from pingmon.core.partner.partner import Partner
from pingmon.core.units import SECOND
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, signature_headers, target


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
