"""A project as a TOML file: its channels, sites and checks. Text in, values out; nothing is opened or asked here.

    [channels.ops]                  [sites.shop]                     [checks.nightly-backup]
    url_down = "env:OPS_URL"        url = "https://shop.example/"    schedule = "30 3 * * *"

The name of a table is the name of the channel or site, the slug of the check. Fields are the API's. What is left out
has its default, and no `channels` means all of the project. But what a channel without a URL leaves out stays as it is,
so that secrets need not stand in the file. Times may be written as `30m`. A URL, a header or a body may come from the
environment, `env:NAME`; one that begins so itself is written `env::`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from pingmon.cli.durations import duration_text, seconds_of
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.site.settings import SiteSpec
from pingmon.wire.api import check_fields, site_fields
from pingmon.wire.api.channel_fields import SETTINGS_FIELDS
from pingmon.wire.api.check_fields import FieldRule
from pingmon.wire.api.timezones import canonical
from pingmon.wire.api.webhook_channel import DIRECTIONS

Kind: TypeAlias = Literal["channels", "sites", "checks"]
Fields: TypeAlias = dict[str, Any]

KINDS: Final[tuple[Kind, ...]] = ("channels", "sites", "checks")
WORDS: Final[dict[Kind, str]] = {"channels": "channel", "sites": "site", "checks": "check"}
WEBHOOK: Final[Fields] = {
    f"{name}_{direction}": default
    for direction in DIRECTIONS
    for name, default in (("url", ""), ("method", "GET"), ("headers", {}), ("body", ""))
}
"""The settings of a webhook channel, and what they are in a new one if nothing is said."""
GENERIC: Final[Fields] = asdict(ChannelSettings())
"""The settings that channels of every kind have, and what they are if nothing is said."""
OPEN: Final = frozenset({"name", "kind", *GENERIC, *(f"method_{direction}" for direction in DIRECTIONS)})
"""Fields of a channel that are never a secret."""
DEFAULTS: Final[dict[Kind, Fields]] = {
    "channels": {"kind": "webhook", **WEBHOOK, **GENERIC},
    "sites": {name: what for name, what in asdict(SiteSpec(url="")).items() if name not in ("channels", "alerts")},
    "checks": {name: what for name, what in asdict(CheckSpec()).items() if name not in ("kind", "channels", "alerts")},
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
}
NAMED: Final = {"channels": ("name",), "sites": ("name",), "checks": ("name", "slug")}
"""Fields that are the table's name if nothing is said."""
FROM_ENVIRONMENT: Final = frozenset(name for name in ("url", *WEBHOOK) if not name.startswith("method"))

_VARIABLE: Final = re.compile("env:([A-Za-z_][A-Za-z0-9_]*)")
_BARE: Final = re.compile("[A-Za-z0-9_-]+")


class Item(Struct, frozen=True):
    """A channel, site or check: as a file wants it, or as the daemon has it.

    `label` is the name of its table, `uuid` its id, "" if a file does not say it. `fields` are complete but for those
    of a channel in a file. `channels` are labels or names in a file, and missing for all; ids from the daemon, sorted.
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
        names = {"channels": ("name",), "sites": ("name", "url"), "checks": ("slug", "name")}[self.kind]
        return next(((name, self.fields[name]) for name in names if self.fields.get(name)), None)


# --- reading ------------------------------------------------------------------------------------------------------


class _Faults(Exception):
    """A table that cannot be used; the arguments say why."""


def read(text: str, environ: Mapping[str, str]) -> tuple[list[Item], list[str], frozenset[str]]:
    """The items of a file, what is wrong with it, and the labels of all channels that it has, usable or not.

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
    channels = found.get("channels")
    return items, faults, frozenset(channels if isinstance(channels, dict) else ())


def _item(kind: Kind, label: str, given: object, environ: Mapping[str, str]) -> Item:
    if not isinstance(given, dict):
        raise _Faults(f"is not a table: write [{kind}.{_key(label)}]")
    faults: list[str] = []
    fields: Fields = {}
    known = {*DEFAULTS[kind], *NAMED[kind], "uuid", *(("channels",) if kind != "channels" else ())}
    for name, value in given.items():
        if name not in known and not (kind == "channels" and given.get("kind", "webhook") != "webhook"):
            faults.append(f"there is no field {name}; known are {', '.join(sorted(known))}")
            continue
        try:
            fields[name] = _value(kind, name, value, environ)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if kind == "checks":
        faults += _schedule_faults(fields)
    if faults:
        raise _Faults(*faults)
    uuid = fields.pop("uuid", "")
    return Item(kind, label, uuid, completed(kind, label, fields))


def _schedule_faults(fields: Fields) -> list[str]:
    if "schedule" in fields:
        return ["say timeout or schedule, not both"] if "timeout" in fields else []
    return ["tz is for a schedule, and there is none"] if "tz" in fields else []


def _value(kind: Kind, name: str, value: object, environ: Mapping[str, str]) -> object:
    if name == "uuid":
        if not isinstance(value, str) or not value:
            raise ValueError("is an id, as text")
        return value.lower()
    if name == "channels":
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError('is a list of names: ["ops"]')
        return value
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


def is_seconds(kind: Kind, name: str) -> bool:
    """Whether a field is a duration."""
    rule = RULES[kind].get(name)
    return kind != "channels" and rule is not None and rule.type == "integer"


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
    for name in ("timeout",) if "schedule" in given else ("schedule", "tz") if kind == "checks" else ():
        del fields[name]
    if fields.get("url") == "":
        del fields["url"]
    return fields


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
    channels = {item.uuid: item.label for item in items if item.kind == "channels"}
    return "\n".join(_table(item, channels, secrets=secrets) for item in items)


def _table(item: Item, channels: Mapping[str, str], *, secrets: bool) -> str:
    lines, hidden = [item.table], []
    if item.identity is None or item.label != item.identity[1]:
        lines.append(f"uuid = {_toml(item.uuid)}")
    for name, value in told_fields(item).items():
        if name == "channels":
            if {*value} != channels.keys():
                lines.append(f"channels = {_toml(sorted(channels[id] for id in value))}")
        elif item.kind == "channels" and name not in OPEN and not secrets:
            hidden.append(name)
        else:
            lines.append(f"{name} = {_toml(_text_of(item.kind, name, value))}")
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


def _text_of(kind: Kind, name: str, value: Any) -> Any:
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
