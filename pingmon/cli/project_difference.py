"""What must be done so that a project is as a file wants it. A pure function of both, and of the time.

    items of the file, items of the daemon ──▶ steps, and what is wrong

Steps come in the order in which they can be done: a channel is there before a check has it, and goes after all that had
it. A setting is judged by the API's own rules where it would change, so what is as it is never stands in the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from pingmon.cli.project_file import GENERIC, KINDS, RULES, WEBHOOK, WORDS, Fields, Item, Kind
from pingmon.core.check.settings import CheckSpec
from pingmon.wire.api import check_fields
from pingmon.wire.api.check_fields import Invalid
from pingmon.wire.api.webhook_channel import webhook_value

Verb: TypeAlias = Literal["add", "change", "keep", "ignore", "remove"]
Changes: TypeAlias = dict[str, tuple[Any, Any]]

NEW: Final = "+"
"""Begins what stands for the id of a channel that is not there yet; its label follows."""

URLS: Final = frozenset(name for name in WEBHOOK if name.startswith("url"))


class Step(Struct, frozen=True):
    """What happens to one item; `ignore`: the file says nothing of it, and it stays.

    `item` is as it will be, or as it is if it goes. `changes` are fields as they were and will be; None is none.
    """

    verb: Verb
    item: Item
    changes: Changes = {}


def difference(
    wanted: Sequence[Item], have: Sequence[Item], *, labels: Collection[str], now: int, prune: bool
) -> tuple[list[Step], list[str]]:
    """The steps that make of `have` what is `wanted`, and all faults; with faults, the steps are of no use.

    `labels` are those of all channels of the file, usable or not. `now` is in microseconds since the epoch.
    """
    pairs, faults = _matched(wanted, have)
    found = {had.uuid for _, had in pairs if had is not None}
    extra = [item for item in have if item.uuid not in found]
    channels = _Channels(pairs, [] if prune else extra, labels)
    steps = []
    for item, had in pairs:
        step, wrong = _step(item, had, channels, now)
        steps.append(step)
        faults += [f"{item.table} {fault}" for fault in wrong]
    steps += [Step("remove" if prune else "ignore", item) for item in extra]
    return sorted(steps, key=_order), faults


def _order(step: Step) -> int:
    place = KINDS.index(step.item.kind)
    return 2 * len(KINDS) - place if step.verb == "remove" else place


# --- what is what -------------------------------------------------------------------------------------------------


def _matched(wanted: Sequence[Item], have: Sequence[Item]) -> tuple[list[tuple[Item, Item | None]], list[str]]:
    """Each wanted item with the daemon's that it means: by its id, or by the name that no other claims by id."""
    by_id = {(item.kind, item.uuid): item for item in have}
    by_name = defaultdict(list)
    claimed = {(item.kind, item.uuid) for item in wanted if item.uuid}
    for item in have:
        if (item.kind, item.uuid) not in claimed:
            by_name[item.kind, item.identity].append(item)
    pairs: list[tuple[Item, Item | None]] = []
    faults: list[str] = []
    seen: dict[object, Item] = {}
    for item in wanted:
        name = item.identity
        key = (item.kind, item.uuid or name)
        twins = by_name[item.kind, name]
        fault = None
        if key in seen:
            fault = f"is the same as {seen[key].table}"
        elif item.uuid and key not in by_id:
            fault = f"there is no {WORDS[item.kind]} {item.uuid}"
        elif name is None and not item.uuid:
            fault = "has no name: give it one, or say which it is by uuid"
        elif not item.uuid and len(twins) > 1:
            ids = ", ".join(sorted(twin.uuid for twin in twins))
            fault = f"{len(twins)} {item.kind} have the {' '.join(name or ())}: say which by uuid: {ids}"
        if fault is not None:
            faults.append(f"{item.table} {fault}")
            continue
        seen[key] = item
        pairs.append((item, by_id[item.kind, item.uuid] if item.uuid else twins[0] if twins else None))
    return pairs, faults


class _Channels:
    """What names of channels stand for: tables of the file first, then what the daemon has and keeps."""

    def __init__(
        self, pairs: Iterable[tuple[Item, Item | None]], others: Iterable[Item], labels: Collection[str]
    ) -> None:
        tables = {item.label: (had.uuid if had else NEW + item.label) for item, had in pairs if item.kind == "channels"}
        self._broken = frozenset(labels) - tables.keys()
        self._named: dict[str, set[str]] = defaultdict(set)
        self.all = {*tables.values()}
        for channel in others:
            if channel.kind == "channels":
                self.all.add(channel.uuid)
                for name in (channel.fields["name"], channel.uuid):
                    self._named[name].add(channel.uuid)
        self._named |= {label: {id} for label, id in tables.items()}

    def ids(self, names: Iterable[str]) -> tuple[set[str], list[str]]:
        """The ids of named channels, and what is wrong with the names."""
        found: set[str] = set()
        faults: list[str] = []
        for name in names:
            ids = self._named.get(name, set())
            if len(ids) == 1:
                found |= ids
            elif ids:
                faults.append(f"channels: {len(ids)} are called {name}; take an id: {', '.join(sorted(ids))}")
            elif name not in self._broken:
                faults.append(f"channels: there is no channel {name}")
        return found, faults


# --- what changes -------------------------------------------------------------------------------------------------


def _step(item: Item, had: Item | None, channels: _Channels, now: int) -> tuple[Step, list[str]]:
    fields: Fields = dict(item.fields)
    faults: list[str] = []
    if item.kind == "channels":
        stays = had is not None and not URLS & fields.keys()
        fields = (had.fields if had and stays else {"kind": "webhook"} | WEBHOOK | GENERIC) | fields
    else:
        ids, faults = channels.ids(fields["channels"]) if "channels" in fields else (channels.all, [])
        fields["channels"] = tuple(sorted(ids))
    before = had.fields if had else {}
    changes = {
        name: (before.get(name), fields.get(name))
        for name in dict.fromkeys([*fields, *before])
        if not _same(before.get(name), fields.get(name))
    }
    faults += _wrong(item.kind, fields, changes, now, new=had is None)
    verb: Verb = "add" if had is None else "change" if changes else "keep"
    return Step(verb, Item(item.kind, item.label, had.uuid if had else "", fields), changes), faults


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _wrong(kind: Kind, fields: Fields, changes: Changes, now: int, *, new: bool) -> Iterator[str]:
    """What the API would refuse."""
    rules: Mapping[str, Any] = RULES[kind]
    faults = []
    for name, (_, value) in changes.items():
        if name in rules and name != "channels" and value is not None:
            try:
                check_fields.judged({name: value}, {name: rules[name]})
            except Invalid as error:
                faults.append(_text(error))
    yield from faults
    try:
        if kind == "checks" and "schedule" in changes and "schedule" in fields and not faults:
            given = {name: fields[name] for name in ("schedule", "tz")}
            check_fields.changes(given, CheckSpec(), 3, (), now)
        if kind == "sites" and "url" not in fields:
            yield "url is missing"
        if kind == "channels" and changes:
            if not new and "kind" in changes:
                yield f"kind cannot be changed from {changes['kind'][0]}"
            elif fields["kind"] == "webhook":
                webhook_value({name: fields[name] for name in WEBHOOK})
    except Invalid as error:
        yield _text(error)


def _text(error: Invalid) -> str:
    text = str(error).removeprefix("json validation error: ")
    return f"{text}: {error.why}" if error.why else text
