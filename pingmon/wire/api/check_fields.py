"""The fields of a check as clients send them: their rules, the errors they cause, and the settings they make.

The table `FIELDS` is the contract: names, order, limits and error texts are those of the management API. Fields are
judged in the order of the table and only the first error is told. Unknown fields are ignored, and the answer warns of
them. Stricter than the reference server in one point: text that no column or header could hold (NUL, half a surrogate
pair) is an error, and `true` is no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from pingmon.core.check.schedule import BadSchedule, kind_of, next_expected, validated
from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.notify.alert_rules import AlertRuleChanges, EscalationStep
from pingmon.core.notify.channel import Channel
from pingmon.core.units import Id
from pingmon.wire.api.timezones import canonical

Given: TypeAlias = Mapping[str, Any]
"""The known fields of a request, each as its rule wants it."""

SLUG_MAX: Final = 100
NAME_SHOWN: Final = 50
"""Characters of the name of an unknown field that a warning repeats."""
NAMES_SHOWN: Final = 10
"""Unknown fields that a warning names."""
SLUG_FOLLOWS_NAME: Final = (1, 2)
"""Versions of the API in which the name makes the slug. Later, a slug is only what the client says."""

_NOT_IN_SLUGS: Final = re.compile(r"[^\w\s-]", re.ASCII)
_GAP_IN_SLUGS: Final = re.compile(r"[-\s]+")


class Invalid(ValueError):
    """What the client sent cannot be used; the message is the error text of the API, `why` may say more."""

    def __init__(self, text: str, why: str | None = None) -> None:
        super().__init__(text)
        self.why = why


class FieldRule(Struct, frozen=True, kw_only=True):
    """What a field may be: limits in characters or units, `values` it must be among, and `wrong`, a last judgement.

    `nullable`: `null` may stand for it. `items`: the fields of the objects that an array is made of.

    `wrong` names what is the matter with a value that fits all else, or returns None. Its words are the contract; of
    such a value `why` says more.
    """

    type: Literal["string", "integer", "boolean", "array"]
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] | None = None
    wrong: Callable[[str], str | None] | None = None
    why: Callable[[Any], str | None] | None = None
    nullable: bool = False
    items: Mapping[str, FieldRule] | None = None


def _wrong_schedule(expression: str) -> str | None:
    return None if _schedule_fault(expression) is None else "is not a valid cron or OnCalendar expression"


def _schedule_fault(expression: str) -> str | None:
    try:
        validated(expression)
    except BadSchedule as error:
        return str(error)
    return None


def _wrong_zone(name: str) -> str | None:
    return "is not a valid timezone" if canonical(name) is None else None


_FLAG: Final = FieldRule(type="boolean")
_KEYWORDS: Final = FieldRule(type="string", max_length=200)
_SECONDS: Final = FieldRule(type="integer", minimum=60, maximum=31_536_000)
_TEXT: Final = FieldRule(type="string")

STEP: Final[dict[str, FieldRule]] = {
    "after": FieldRule(type="integer", minimum=60, maximum=604_800),
    "channels": _TEXT,
}
"""A step of an escalation: so many seconds after the first message these channels are told."""
STEPS_MAX: Final = 20
REMIND_MIN: Final = 60
"""Seconds between two reminders; 0 is never."""

PROJECT_ALERTS: Final[dict[str, FieldRule]] = {
    "remind_every": FieldRule(type="integer", minimum=0, maximum=2_678_400),
    "escalation": FieldRule(type="array", items=STEP),
}
"""How a project tells of outages."""
ALERTS: Final[dict[str, FieldRule]] = {
    **{name: replace(rule, nullable=True) for name, rule in PROJECT_ALERTS.items()},
    "parent": FieldRule(type="string", pattern="|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
"""How a check or site does; where it says `null`, its project does."""

FIELDS: Final[dict[str, FieldRule]] = {
    "channels": _TEXT,
    "desc": _TEXT,
    "failure_kw": _KEYWORDS,
    "filter_subject": _FLAG,
    "filter_body": _FLAG,
    "filter_http_body": _FLAG,
    "filter_default_fail": _FLAG,
    "grace": _SECONDS,
    "manual_resume": _FLAG,
    "methods": FieldRule(type="string", values=("", "POST")),
    "name": FieldRule(type="string", max_length=100),
    "schedule": FieldRule(type="string", max_length=100, wrong=_wrong_schedule, why=_schedule_fault),
    "slug": FieldRule(type="string", max_length=SLUG_MAX, pattern="[a-z0-9_-]*"),
    "start_kw": _KEYWORDS,
    "subject": _KEYWORDS,
    "subject_fail": _KEYWORDS,
    "success_kw": _KEYWORDS,
    "tags": _TEXT,
    "timeout": _SECONDS,
    "tz": FieldRule(type="string", wrong=_wrong_zone),
    "unique": FieldRule(type="array", values=("name", "slug", "tags", "timeout", "grace", "uuid")),
    "notify_after": FieldRule(type="integer", minimum=1, maximum=100),
} | ALERTS

NAMED: Final[dict[str, FieldRule]] = {
    "uuid": FieldRule(type="string", pattern="[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
}
"""What only counts if `unique` names it: elsewhere it is what was read and is sent back, or nothing that we know."""

PLAIN: Final = tuple(
    name for name in CheckChanges.__struct_fields__ if name not in ("kind", "channels", "tz", "alerts")
)
"""Fields that become settings as they are. A schedule makes its kind, channels are looked up, zones made canonical."""


# --- judging ------------------------------------------------------------------------------------------------------


def judged(body: Mapping[str, object], fields: Mapping[str, FieldRule] = FIELDS) -> Given:
    """The known fields of `body`. Raises `Invalid` for the first that breaks its rule, in the order of `fields`."""
    given: dict[str, object] = {}
    for name, rule in fields.items():
        if name in body:
            trouble = fault(rule, body[name], name)
            if trouble is not None:
                raise Invalid(f"json validation error: {trouble}", _why(rule, body[name], name))
            given[name] = body[name]
    return given


def ignored(body: Mapping[str, object], fields: Mapping[str, FieldRule], shown: Mapping[str, object]) -> list[str]:
    """A warning of those keys of `body` that mean nothing; what is `shown` may be sent back as it came."""
    unknown = [name for name in body if name not in fields and name not in shown and name != "api_key"]
    listed = ", ".join(name[:NAME_SHOWN] for name in unknown[:NAMES_SHOWN])
    return [f"ignored, because there are no such fields: {listed}"] if unknown else []


def fault(rule: FieldRule, value: object, name: str) -> str | None:
    """What is wrong with `value` in the field `name`; None if nothing is."""
    if value is None and rule.nullable:
        return None
    if rule.type == "boolean":
        return None if isinstance(value, bool) else f"{name} is not a boolean"
    if rule.type == "integer":
        return _number_fault(rule, value, name)
    if rule.type == "array":
        return _array_fault(rule, value, name)
    if rule.values is not None:
        return None if isinstance(value, str) and value in rule.values else f"{name} has unexpected value"
    return _text_fault(rule, value, name)


def _why(rule: FieldRule, value: object, name: str) -> str | None:
    """More about a value that has a fault: its limit, or what `why` says of one that is `wrong`."""
    if rule.type == "integer" and isinstance(value, int) and not isinstance(value, bool):
        if rule.minimum is not None and value < rule.minimum:
            return f"the least is {rule.minimum}"
        return f"the most is {rule.maximum}"
    if rule.why is None or fault(replace(rule, wrong=None), value, name) is not None:
        return None
    return rule.why(value)


def _number_fault(rule: FieldRule, value: object, name: str) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{name} is not a number"
    if rule.minimum is not None and value < rule.minimum:
        return f"{name} is too small"
    if rule.maximum is not None and value > rule.maximum:
        return f"{name} is too large"
    return None


def _array_fault(rule: FieldRule, value: object, name: str) -> str | None:
    if not isinstance(value, list):
        return f"{name} is not an array"
    if rule.items is not None:
        return _objects_fault(rule.items, value, name)
    if not all(isinstance(item, str) and item in (rule.values or ()) for item in value):
        return f"an item in '{name}' has unexpected value"
    return None


def _objects_fault(rules: Mapping[str, FieldRule], objects: list[Any], name: str) -> str | None:
    for each in objects:
        if not isinstance(each, dict) or each.keys() != rules.keys():
            return f"an item in '{name}' is not an object with {' and '.join(rules)}"
        for field, rule in rules.items():
            trouble = fault(rule, each[field], f"{field} in '{name}'")
            if trouble is not None:
                return trouble
    return None


def _text_fault(rule: FieldRule, value: object, name: str) -> str | None:
    if not isinstance(value, str):
        return f"{name} is not a string"
    if not storable(value):
        return f"{name} contains characters that cannot be stored"
    if rule.max_length is not None and len(value) > rule.max_length:
        return f"{name} is too long"
    if rule.pattern is not None and not re.fullmatch(rule.pattern, value):
        return f"{name} does not match pattern"
    trouble = rule.wrong(value) if rule.wrong is not None else None
    return None if trouble is None else f"{name} {trouble}"


def storable(text: str) -> bool:
    """Whether `text` is Unicode that can be written as UTF-8, without NUL."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


# --- settings -----------------------------------------------------------------------------------------------------


def changes(given: Given, spec: CheckSpec, version: int, channels: Iterable[Channel], now: int) -> CheckChanges:
    """What a request at `now` changes in a check that has `spec` now; a new one has the defaults.

    `now` is microseconds since the epoch, `channels` are those of the project. Raises `Invalid` for a channel that is
    not among them, and for a schedule with which the check could never alarm, because all its occurrences are past.
    """
    sets: dict[str, Any] = {name: given[name] for name in PLAIN if name in given}
    channels = list(channels)
    if "channels" in given:
        sets["channels"] = channel_ids(given["channels"], channels)
    if (alerts := alert_changes(given, channels)) is not None:
        sets["alerts"] = alerts
    if "schedule" in given:
        sets["kind"] = kind_of(given["schedule"])
    elif "timeout" in given:
        sets["kind"] = "simple"
    if "tz" in given:
        sets["tz"] = canonical(given["tz"])
    if version in SLUG_FOLLOWS_NAME and "name" in given:
        sets.setdefault("slug", slugify(given["name"])[:SLUG_MAX])
    for key, value in _subject_changes(given, spec).items():
        sets.setdefault(key, value)
    wanted = CheckChanges(**sets)
    if "schedule" in given and next_expected(wanted.applied_to(spec), now) is None:
        raise Invalid("json validation error: schedule has no occurrence in the future")
    return wanted


def alert_changes(given: Given, channels: Iterable[Channel]) -> AlertRuleChanges | None:
    """What a request changes in when and how often people are told; None if nothing. Raises `Invalid`."""
    sets = {name: given[name] for name in AlertRuleChanges.__struct_fields__ if name in given}
    if sets.get("escalation") is not None:
        sets["escalation"] = steps(sets["escalation"], channels)
    if "parent" in sets:
        sets["parent"] = sets["parent"].lower()
    remindable(sets.get("remind_every"))
    return AlertRuleChanges(**sets) if sets else None


def remindable(every: int | None) -> None:
    """Raises `Invalid` for reminders that would come too often."""
    if every and every < REMIND_MIN:
        raise Invalid("json validation error: remind_every is too small")


def steps(told: Iterable[Mapping[str, Any]], channels: Iterable[Channel]) -> tuple[EscalationStep, ...]:
    """The steps of an escalation, the soonest first. Raises `Invalid` for channels that are not there, or too many."""
    known = list(channels)
    found = [EscalationStep(step["after"], channel_ids(step["channels"], known)) for step in told]
    if len(found) > STEPS_MAX:
        raise Invalid("json validation error: escalation has too many items")
    return tuple(sorted(found, key=lambda step: step.after))


def _subject_changes(given: Given, spec: CheckSpec) -> dict[str, object]:
    """What the old names `subject` and `subject_fail` of the keywords for e-mail subjects stand for."""
    sets: dict[str, object] = {}
    if "subject" in given:
        sets["success_kw"] = given["subject"]
    if "subject_fail" in given:
        sets["failure_kw"] = given["subject_fail"]
    if sets:
        success = sets.get("success_kw", spec.success_kw)
        failure = sets.get("failure_kw", spec.failure_kw)
        sets["filter_subject"] = bool(success or failure)
    return sets


def slugify(name: str) -> str:
    """The slug that the management API made of a name before version 3; it may be empty.

    The rule is Django's `slugify`: fold to ASCII, lower-case, drop what is no letter, digit, underscore, space or
    hyphen, then make one hyphen of every run of spaces and hyphens.
    """
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return _GAP_IN_SLUGS.sub("-", _NOT_IN_SLUGS.sub("", folded.lower())).strip("-_")


def wanted_id(body: Mapping[str, object], given: Given) -> Id | None:
    """The UUID that a request wants a check to have, in small letters; None if it names none. Raises `Invalid`."""
    if "uuid" not in given.get("unique", []) or "uuid" not in body:
        return None
    return str(judged(body, NAMED)["uuid"]).lower()


def unique_fields(given: Given) -> tuple[str, ...]:
    """The fields by which a check that is already there is the wanted one; none if one of them was not given.

    With `uuid` there are none: that alone decides, see `wanted_id`.
    """
    names = given.get("unique", [])
    return tuple(dict.fromkeys(names)) if all(name in given for name in names) else ()


def channel_ids(wanted: str, channels: Iterable[Channel]) -> tuple[Id, ...]:
    """The channels that a list of ids and exact names, separated by commas, stands for, sorted; `*` is all of them.

    Ids are read in either case.
    """
    channels = list(channels)
    if wanted == "*":
        return tuple(sorted(channel.id for channel in channels))
    if wanted == "":
        return ()
    found = set()
    for item in wanted.split(","):
        if not item:
            raise Invalid("empty channel identifier")
        matches = [channel.id for channel in channels if item == channel.name or item.lower() == channel.id]
        if not matches:
            raise Invalid(f"invalid channel identifier: {item}")
        if len(matches) > 1:
            raise Invalid(f"non-unique channel identifier: {item}")
        found.add(matches[0])
    return tuple(sorted(found))
