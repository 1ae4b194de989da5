"""Partners as the management API shows and takes them: the JSON object, the rules of its fields, and their errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pingmon.core.changes import applied
from pingmon.core.partner.inquiry import COUNTED
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
from pingmon.wire.api.check_fields import FieldRule, Given, Invalid, judged
from pingmon.wire.api.checks import Json
from pingmon.wire.message.signatures import SECRET_MAX, BadSecret, secret
from pingmon.wire.outgoing_request import Unsendable, target
from pingmon.wire.time_texts import seconds_text

RULES_MAX: Final = 1000
"""Rules of one partner."""

_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")


# --- what the API shows -------------------------------------------------------------------------------------------


def partner_json(partner: Partner, *, with_secret: bool = False) -> Json:
    """The JSON object of a partner; `with_secret` only in the answer to its creation.

    `answers` has what its answers were and how often, and how often something was odd about them (see
    `core.partner.inquiry`). `silent_until` is null if all of its sites never were silent by its word.
    """
    spec = partner.spec
    shown: Json = {
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


def _wrong_secret(text: str) -> str | None:
    try:
        # Not every receiver's library takes base64 without its padding.
        fits = text == "" or (len(secret(text).key) <= SECRET_MAX and len(text.removeprefix("whsec_")) % 4 == 0)
    except BadSecret:
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
