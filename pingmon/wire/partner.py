r"""The partner webhook as bytes, and partners as the API shows and takes them.

The payload is what PHP's `json_encode` makes of it, to the byte:

    {"ts":1385139152,"url":"http:\/\/example.com","code":403,"host":"example","type":"http"}

It is posted as `application/json` with `webhook-id`, by which a question that is asked twice can be told, and, if the
partner has a secret, `webhook-timestamp` and `webhook-signature` (Standard Webhooks 1.0). Extra headers disturb no
receiver; the body stays as the partners know it.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pingmon.core.partner.inquiry import COUNTED, PartnerQuestion
from pingmon.core.partner.partner import (
    AUTO,
    MAX_SUPPRESSION_S,
    BadRule,
    HostRule,
    Partner,
    PartnerChanges,
    PartnerSpec,
    rule,
)
from pingmon.core.units import SECOND
from pingmon.core.world.events import applied
from pingmon.wire.api.check_fields import FieldRule, Given, Invalid, judged
from pingmon.wire.api.checks import seconds_text
from pingmon.wire.message.webhook import USER_AGENT, OutgoingRequest, Unsendable, signature, target

RULES_MAX: Final = 1000
"""Rules of one partner."""

_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")
_SECRET: Final = re.compile(r"whsec_([A-Za-z0-9+/]+={0,2})")


# --- what is asked ------------------------------------------------------------------------------------------------


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
        "User-Agent": USER_AGENT.encode(),
        "webhook-id": question.id.encode(),
    }
    if credentials is not None:
        headers["Authorization"] = b"Basic " + b64encode(credentials)
    headers |= signature(tuple(filter(None, [partner.spec.secret])), question.id, now, body)
    return OutgoingRequest("POST", url, tuple(headers.items()), body)


def _php_string(text: str) -> str:
    # Beside the slash, DEL is the one character that PHP leaves as it is and Python escapes.
    return '"' + "\x7f".join(json.dumps(part)[1:-1] for part in text.split("\x7f")).replace("/", "\\/") + '"'


# --- what the API shows -------------------------------------------------------------------------------------------


def partner_json(partner: Partner, *, with_secret: bool = False) -> dict[str, Any]:
    """The JSON object of a partner; `with_secret` only in the answer to its creation.

    `answers` has what its answers were and how often, and how often something was odd about them (see
    `core.partner.inquiry`). `silent_until` is null if all of its sites never were silent by its word.
    """
    spec = partner.spec
    shown: dict[str, Any] = {
        "slug": spec.slug,
        "name": spec.name,
        "webhook": spec.webhook,
        "rules": [{"kind": rule.kind, "value": rule.value} for rule in spec.rules],
        "scope": spec.scope,
        "suppress_users": spec.suppress_users,
        "max_suppression": spec.max_suppression,
        "answers": {name.replace(" ", "_"): partner.answers.get(name, 0) for name in COUNTED},
        "silent_until": seconds_text(partner.silent_until),
        "uuid": partner.id,
    }
    if with_secret:
        shown["secret"] = spec.secret
    return shown


# --- what the API takes -------------------------------------------------------------------------------------------


def _wrong_slug(slug: str) -> str | None:
    return "is reserved" if slug == AUTO else None


def _wrong_webhook(url: str) -> str | None:
    try:
        fits = url == "" or (not _NOT_IN_URL.search(url) and bool(target(url)))
    except Unsendable:
        fits = False
    return None if fits else "is not an http or https URL"


def _wrong_secret(secret: str) -> str | None:
    found = _SECRET.fullmatch(secret)
    try:
        fits = secret == "" or (found is not None and 24 <= len(b64decode(found[1], validate=True)) <= 64)
    except ValueError:  # characters that do not come in fours
        fits = False
    return None if fits else "is not whsec_ and then 24 to 64 bytes in base64"


FIELDS: Final[dict[str, FieldRule]] = {
    "slug": FieldRule(type="string", max_length=100, pattern="[a-z0-9_-]+", wrong=_wrong_slug),
    "name": FieldRule(type="string", max_length=100),
    "webhook": FieldRule(type="string", max_length=1000, wrong=_wrong_webhook),
    "scope": FieldRule(type="string", values=("site", "partner")),
    "suppress_users": FieldRule(type="boolean"),
    "max_suppression": FieldRule(type="integer", minimum=60, maximum=MAX_SUPPRESSION_S),
    "secret": FieldRule(type="string", wrong=_wrong_secret),
}
"""Judged in this order, then `rules`; only the first error is told."""


def settings(body: Mapping[str, object]) -> Given:
    """The known fields of a request, as a partner holds them. Raises `Invalid`."""
    given = dict(judged(body, FIELDS))
    if "rules" in body:
        given["rules"] = _rules(body["rules"])
    return given


def created(given: Given, others: Iterable[Partner], *, secret: str) -> PartnerSpec:
    """The partner that a request makes, beside `others`; `secret` is used if the request has none. Raises `Invalid`."""
    if "slug" not in given:
        raise _error("slug is missing")
    return _unrivalled(PartnerSpec(**{"secret": secret, **given}), others)


def changes(partner: Partner, given: Given, others: Iterable[Partner]) -> PartnerChanges:
    """What a request changes in `partner`; `others` may contain it. Sites know it by its slug, so that stays.

    Raises `Invalid`.
    """
    if given.get("slug", partner.spec.slug) != partner.spec.slug:
        raise _error("slug cannot be changed")
    found = PartnerChanges(**{name: value for name, value in given.items() if name != "slug"})
    _unrivalled(applied(found, partner.spec), (other for other in others if other.id != partner.id))
    return found


def _rules(value: object) -> tuple[HostRule, ...]:
    if not isinstance(value, list):
        raise _error("rules is not an array")
    if len(value) > RULES_MAX:
        raise _error("rules has too many items")
    found: dict[HostRule, None] = {}
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            raise _error(f"item {number} of rules is not an object")
        kind = item.get("kind")
        try:
            found[rule(kind if isinstance(kind, str) else "", item.get("value"))] = None
        except BadRule as error:
            raise _error(f"item {number} of rules: {error}") from error
    return tuple(found)


def _unrivalled(spec: PartnerSpec, others: Iterable[Partner]) -> PartnerSpec:
    """`spec`, if no other partner has its slug or one of its rules: a site has one host."""
    mine = set(spec.rules)
    for other in others:
        if other.spec.slug == spec.slug:
            raise _error("slug is taken")
        shared = next((rule for rule in other.spec.rules if rule in mine), None)
        if shared is not None:
            raise _error(f"rules: {shared.kind} {shared.value} belongs to {other.spec.slug}")
    return spec


def _error(text: str) -> Invalid:
    return Invalid(f"json validation error: {text}")
