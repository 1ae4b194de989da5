"""A project as a TOML file: its channels, sites, checks and maintenance windows. Text in, values out.

Nothing is opened or asked here.

    [channels.ops]                  [sites.shop]                     [checks.nightly-backup]
    url_down = "env:OPS_URL"        url = "https://shop.example/"    schedule = "30 3 * * *"

The name of a table is the name of the channel, site or window, the slug of the check. Fields are the API's;
where one names channels it is a list of their names, and checks and sites are called `checks.sync`, `sites.shop` there.
What is left out has its default, and no `channels` means all of the project. But what a channel without a URL leaves
out stays as it is, so that secrets need not stand in the file. Times may be written as `30m`. A URL, a header or a body
may come from the environment, `env:NAME`; one that begins so itself is written `env::`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from pingmon.api.channel_kinds import KINDS as CHANNEL_KINDS
from pingmon.cli.durations import duration_text, seconds_of
from pingmon.cli.field_options import COUNTS
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.alert_rules import AlertRules
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.site.settings import SiteSpec
from pingmon.wire.api import check_fields, site_fields
from pingmon.wire.api.channel_fields import SETTINGS_FIELDS
from pingmon.wire.api.check_fields import FieldRule
from pingmon.wire.api.maintenance import WINDOW_FIELDS
from pingmon.wire.api.timezones import canonical
from pingmon.wire.api.webhook_channel import DIRECTIONS
from pingmon.wire.time_texts import instant, seconds_text

Kind: TypeAlias = Literal["channels", "sites", "checks", "maintenance"]
Fields: TypeAlias = dict[str, Any]

KINDS: Final[tuple[Kind, ...]] = ("channels", "sites", "checks", "maintenance")
WORDS: Final[dict[Kind, str]] = {
    "channels": "channel",
    "sites": "site",
    "checks": "check",
    "maintenance": "maintenance",
}
WATCHED: Final[tuple[Kind, ...]] = ("sites", "checks")
WEBHOOK: Final[Fields] = {
    f"{name}_{direction}": default
    for direction in DIRECTIONS
    for name, default in (("url", ""), ("method", "GET"), ("headers", {}), ("body", ""))
}
"""The settings of a webhook channel, and what they are in a new one if nothing is said."""
GENERIC: Final[Fields] = asdict(ChannelSettings())
"""The settings that channels of every kind have, and what they are if nothing is said."""
OPEN: Final = frozenset({"name", "kind", *GENERIC, *(f"method_{direction}" for direction in DIRECTIONS)})
"""Fields of a channel that are never a secret, whatever its kind."""
ALERTS: Final[Fields] = asdict(AlertRules())
"""How people are told of a check's outages, if nothing is said; None is as the project has it."""
DEFAULTS: Final[dict[Kind, Fields]] = {
    "channels": {"kind": "webhook", **WEBHOOK, **GENERIC},
    "sites": {
        **{name: what for name, what in asdict(SiteSpec(url="")).items() if name not in ("channels", "alerts")},
        **{name: what for name, what in ALERTS.items() if name != "notify_after"},
    },
    "checks": {
        **{name: what for name, what in asdict(CheckSpec()).items() if name not in ("kind", "channels", "alerts")},
        **ALERTS,
    },
    "maintenance": {
        "name": "",
        "subjects": (),
        "tags": "",
        "start": None,
        "end": None,
        "schedule": None,
        "tz": "UTC",
        "duration": 3600,
    },
}
"""Fields in the order in which they are written; the names are the table's own if nothing is said."""
RULES: Final[dict[Kind, Mapping[str, FieldRule]]] = {
    "channels": {
        "name": FieldRule(type="string", max_length=100),
        "kind": FieldRule(type="string"),
        **SETTINGS_FIELDS,
    },
    "sites": site_fields.FIELDS,
    "checks": check_fields.FIELDS,
    "maintenance": WINDOW_FIELDS,
}
NAMED: Final = {"channels": ("name",), "sites": ("name",), "checks": ("name", "slug"), "maintenance": ("name",)}
"""Fields that are the table's name if nothing is said."""
NAMING: Final = frozenset({"channels", "escalation", "parent", "subjects"})
"""Fields that name channels, checks or sites."""
IDLE: Final[dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "checks": (("timeout",), ("tz",)),
    "maintenance": (("start", "end"), ("tz", "duration")),
}
"""Fields that mean nothing beside a schedule, and those that mean nothing without one."""
FROM_ENVIRONMENT: Final = frozenset(name for name in ("url", *WEBHOOK) if not name.startswith("method")) | {
    name for known in CHANNEL_KINDS.values() for name, setting in known.settings.items() if setting.secret
}

_VARIABLE: Final = re.compile("env:([A-Za-z_][A-Za-z0-9_]*)")
_BARE: Final = re.compile("[A-Za-z0-9_-]+")


class Item(Struct, frozen=True):
    """A channel, site, check or maintenance window: as a file wants it, or as the daemon has it.

    `label` is the name of its table, `uuid` its id, "" if a file does not say it. `fields` are complete but for those
    of a channel in a file. `channels` are labels or names in a file, and missing for all; ids from the daemon, sorted.
    `parent` and `subjects` are alike, with `checks.` or `sites.` before each name. Steps of an `escalation` are in
    order; each is an object with `after` and `channels`.
    """

    kind: Kind
    label: str
    uuid: str
    fields: Fields

    @property
    def table(self) -> str:
        """The head of its table."""
        return f"[{self.kind}.{_key(self.label)}]"

    @property
    def identity(self) -> tuple[str, str] | None:
        """By what it is known, if not by its id: a field, and its value. None if it has no name at all."""
        names = {"sites": ("name", "url"), "checks": ("slug", "name")}.get(self.kind, ("name",))
        return next(((name, self.fields[name]) for name in names if self.fields.get(name)), None)

    def is_secret(self, field: str) -> bool:
        """Whether who knows a field can use it elsewhere."""
        kind = str(self.fields.get("kind", "webhook"))
        if self.kind != "channels" or field in OPEN:
            return False
        known = {} if kind == "webhook" or kind not in CHANNEL_KINDS else CHANNEL_KINDS[kind].settings
        return field not in known or known[field].secret

    @property
    def reference(self) -> str:
        """What other items of a file call it."""
        return f"{self.kind}.{self.label}" if self.kind in WATCHED else self.label


# --- reading ------------------------------------------------------------------------------------------------------


class _Faults(Exception):
    """A table that cannot be used; the arguments say why."""


def read(text: str, environ: Mapping[str, str]) -> tuple[list[Item], list[str], frozenset[tuple[str, str]]]:
    """The items of a file, what is wrong with it, and kind and label of all tables that it has, usable or not.

    Values are not judged here, only what they are.
    """
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        return [], [f"this is not TOML: {error}"], frozenset()
    items, faults = [], []
    for kind, tables in found.items():
        if kind not in KINDS:
            faults.append(f"[{_key(kind)}] there is no such table; known are {', '.join(KINDS)}")
        elif not isinstance(tables, dict):
            faults.append(f"[{kind}] a name is missing: write [{kind}.NAME]")
        else:
            for label, given in tables.items():
                try:
                    items.append(_item(kind, label, given, environ))
                except _Faults as error:
                    faults += [f"[{kind}.{_key(label)}] {fault}" for fault in error.args]
    labels = ((kind, label) for kind, tables in found.items() if isinstance(tables, dict) for label in tables)
    return items, faults, frozenset(labels)


def _item(kind: Kind, label: str, given: object, environ: Mapping[str, str]) -> Item:
    if not isinstance(given, dict):
        raise _Faults(f"is not a table: write [{kind}.{_key(label)}]")
    faults: list[str] = []
    fields: Fields = {}
    known = {*DEFAULTS[kind], *NAMED[kind], "uuid", *(("channels",) if kind in WATCHED else ())}
    for name, value in given.items():
        if name not in known and not (kind == "channels" and given.get("kind", "webhook") != "webhook"):
            faults.append(f"there is no field {name}; known are {', '.join(sorted(known))}")
            continue
        try:
            fields[name] = _value(kind, name, value, environ)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    faults += _schedule_faults(kind, fields)
    if faults:
        raise _Faults(*faults)
    uuid = fields.pop("uuid", "")
    return Item(kind, label, uuid, completed(kind, label, fields))


def _schedule_faults(kind: Kind, fields: Fields) -> list[str]:
    """What is said beside a schedule, or without one, that means nothing then."""
    with_, without = IDLE.get(kind, ((), ()))
    if "schedule" in fields:
        return [f"say {name} or schedule, not both" for name in with_ if name in fields]
    return [f"{name} is for a schedule, and there is none" for name in without if name in fields]


def _value(kind: Kind, name: str, value: object, environ: Mapping[str, str]) -> object:
    if name == "uuid":
        if not isinstance(value, str) or not value:
            raise ValueError("is an id, as text")
        return value.lower()
    if name in ("channels", "subjects"):
        return _names(value, "ops" if name == "channels" else "checks.sync")
    if name == "escalation":
        return _steps(value)
    if name in ("start", "end"):
        return _instant(value)
    rule = RULES[kind].get(name)
    if rule is not None and rule.type == "string" and not isinstance(value, str):
        raise ValueError("is not a string")
    if isinstance(value, str) and is_seconds(kind, name):
        return seconds_of(value)
    if name in FROM_ENVIRONMENT:
        if isinstance(value, dict):
            return {key: _from_environment(text, environ) for key, text in value.items()}
        return _from_environment(value, environ)
    if name == "tz" and isinstance(value, str):
        return canonical(value) or value
    return value


def _names(value: object, example: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f'is a list of names: ["{example}"]')
    return value


def _steps(value: object) -> tuple[Fields, ...]:
    steps = []
    for step in value if isinstance(value, list) else [None]:
        if not isinstance(step, dict) or step.keys() != {"after", "channels"}:
            raise ValueError('is a list of steps: [{ after = "10m", channels = ["boss"] }]')
        after = seconds_of(step["after"]) if isinstance(step["after"], str) else step["after"]
        if not isinstance(after, int):
            raise ValueError("after is no duration")
        steps.append({"after": after, "channels": _names(step["channels"], "boss")})
    return tuple(sorted(steps, key=itemgetter("after")))


def _instant(value: object) -> object:
    text = value.isoformat() if isinstance(value, datetime) else value
    if not isinstance(text, str):
        raise ValueError("is not a string")
    return text if (at := instant(text)) is None else seconds_text(at)


def is_seconds(kind: Kind, name: str) -> bool:
    """Whether a field is a duration."""
    rule = RULES[kind].get(name)
    return kind != "channels" and rule is not None and rule.type == "integer" and name not in COUNTS


def _from_environment(value: object, environ: Mapping[str, str]) -> object:
    if not isinstance(value, str) or not value.startswith("env:"):
        return value
    if value.startswith("env::"):
        return "env:" + value.removeprefix("env::")
    named = _VARIABLE.fullmatch(value)
    if named is None:
        raise ValueError(f"{value} names no variable: write env:NAME, or env:: for a text that begins so")
    if named[1] not in environ:
        raise ValueError(f"the environment has no {named[1]}")
    return environ[named[1]]


def completed(kind: Kind, label: str, given: Fields) -> Fields:
    """`given` with the defaults of what it leaves out; of a channel only the name."""
    fields: Fields = {**dict.fromkeys(NAMED[kind], label), **given}
    if kind == "channels":
        return fields
    fields = {name: fields.get(name, default) for name, default in DEFAULTS[kind].items()} | fields
    if kind in IDLE:
        idle = IDLE[kind][0] if "schedule" in given else ("schedule", *IDLE[kind][1])
        fields = {name: value for name, value in fields.items() if name not in idle}
    if fields.get("url") == "":
        del fields["url"]
    return {name: value for name, value in fields.items() if value is not None or RULES[kind][name].nullable}


# --- writing ------------------------------------------------------------------------------------------------------


def labelled(items: Iterable[Item]) -> list[Item]:
    """The daemon's items with labels by which a file can name them, sorted; the same for the same items.

    One that shares its name with another of its kind, or has none, is called by its id.
    """
    items = list(items)
    known = Counter((item.kind, item.identity) for item in items)
    used: set[tuple[Kind, str]] = set()
    found = []
    for item in sorted(items, key=lambda item: (KINDS.index(item.kind), item.identity or ("", ""), item.uuid)):
        name = item.identity
        label = name[1] if name is not None and known[item.kind, name] == 1 else ""
        if not label or (item.kind, label) in used:
            label = item.uuid
            while (item.kind, label) in used:
                label += "'"
        used.add((item.kind, label))
        found.append(Item(item.kind, label, item.uuid, item.fields))
    return sorted(found, key=lambda item: (KINDS.index(item.kind), item.label))


def written(items: Iterable[Item], *, secrets: bool) -> str:
    """The daemon's items as the text of a file, byte for byte the same for the same items.

    Without `secrets`, what may be one (URLs, headers and bodies of channels) is left out, and named in a comment.
    """
    items = labelled(items)
    names = {item.uuid: item.reference for item in items}
    channels = {item.uuid for item in items if item.kind == "channels"}
    return "\n".join(_table(item, names, channels, secrets=secrets) for item in items)


def _table(item: Item, names: Mapping[str, str], channels: Set[str], *, secrets: bool) -> str:
    lines, hidden = [item.table], []
    if item.identity is None or item.label != item.identity[1]:
        lines.append(f"uuid = {_toml(item.uuid)}")
    for name, value in told_fields(item).items():
        if name == "channels":
            if {*value} != channels or item.kind == "channels":
                lines.append(f"channels = {_toml(renamed(name, value, names))}")
        elif item.is_secret(name) and not secrets:
            hidden.append(name)
        else:
            lines.append(f"{name} = {_toml(_text_of(item.kind, name, renamed(name, value, names)))}")
    if hidden:
        lines.append(f"# kept as they are: {', '.join(hidden)} (pingmon export --secrets writes them)")
    return "\n".join(lines) + "\n"


def told_fields(item: Item) -> Fields:
    """The fields that are not what they would be if nothing was said, in the order in which they are written."""
    order = [*NAMED[item.kind], *DEFAULTS[item.kind], *sorted(item.fields)]
    defaults = dict.fromkeys(NAMED[item.kind], item.label)
    plain = DEFAULTS[item.kind] | defaults
    told = {}
    for name in dict.fromkeys(order):
        if name in item.fields and (name == "schedule" or item.fields[name] != plain.get(name)):
            told[name] = item.fields[name]
    return told


def renamed(name: str, value: Any, names: Mapping[str, str]) -> Any:
    """The value of a field with other names for the channels, checks and sites in it, sorted; what has none stays."""
    if value is None or name not in NAMING:
        return value
    if name == "parent":
        return names.get(value, value)
    if name == "escalation":
        return tuple({**step, "channels": renamed("channels", step["channels"], names)} for step in value)
    return tuple(sorted(names.get(each, each) for each in value))


def _text_of(kind: Kind, name: str, value: Any) -> Any:
    if name == "escalation":
        return [{**step, "after": duration_text(step["after"])} for step in value]
    if is_seconds(kind, name):
        return duration_text(value)
    if name in FROM_ENVIRONMENT:
        return {key: _escaped(text) for key, text in value.items()} if isinstance(value, dict) else _escaped(value)
    return value


def _escaped(value: Any) -> Any:
    return f"env::{value[4:]}" if isinstance(value, str) and value.startswith("env:") else value


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_toml(each)}" for key, each in sorted(value.items()))
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _toml(text)
