"""What must be done so that a project is as a file wants it. A pure function of both, and of the time.

    items of the file, items of the daemon ──▶ steps, and what is wrong

Steps come in the order in which they can be done: a channel is there before a check has it, a parent before what
depends on it, and a channel goes after all that had it. A setting is judged by the API's own rules where it would
change, so what is as it is never stands in the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from pingmon.api.channel_kinds import KINDS as CHANNEL_KINDS
from pingmon.cli.project_file import GENERIC, KINDS, RULES, WATCHED, WEBHOOK, WORDS, Fields, Item, Kind, renamed
from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.channel import GROUP
from pingmon.core.notify.maintenance import WindowSpec
from pingmon.wire.api import check_fields
from pingmon.wire.api.check_fields import FieldRule, Invalid
from pingmon.wire.api.maintenance import window_changes
from pingmon.wire.api.webhook_channel import webhook_value

Verb: TypeAlias = Literal["add", "change", "keep", "ignore", "remove"]
Changes: TypeAlias = dict[str, tuple[Any, Any]]

NEW: Final = "+"
"""Begins what stands for the id of what is not there yet; its reference follows."""

URLS: Final = frozenset(name for name in WEBHOOK if name.startswith("url"))


class Step(Struct, frozen=True):
    """What happens to one item; `ignore`: the file says nothing of it, and it stays.

    `item` is as it will be, or as it is if it goes. `changes` are fields as they were and will be; None is none.
    """

    verb: Verb
    item: Item
    changes: Changes = {}

    @property
    def id(self) -> str:
        """The item's id, or what stands for it."""
        return self.item.uuid or NEW + self.item.reference


def difference(
    wanted: Sequence[Item], have: Sequence[Item], *, labels: Collection[tuple[str, str]], now: int, prune: bool
) -> tuple[list[Step], list[str]]:
    """The steps that make of `have` what is `wanted`, and all faults; with faults, the steps are of no use.

    `labels` are kind and label of all tables of the file, usable or not. `now` is in microseconds since the epoch. With
    `prune`, a maintenance window that opens only once stays: it ends by itself, and somebody has made it for the night.
    """
    pairs, faults = _matched(wanted, have)
    found = {had.uuid for _, had in pairs if had is not None}
    extra = [item for item in have if item.uuid not in found]
    if prune:
        extra = [item for item in extra if item.kind != "maintenance" or "schedule" in item.fields]
    names = _Names(pairs, [] if prune else extra, labels)
    steps = []
    for item, had in pairs:
        step, wrong = _step(item, had, names, now)
        steps.append(step)
        faults += [f"{item.table} {fault}" for fault in wrong]
    steps += [Step("remove" if prune else "ignore", item) for item in extra]
    depths = _depths(steps)
    faults += [
        f"{step.item.table} parent depends on this one"
        for step in steps
        if depths[step.id] is None and step.verb != "ignore"
    ]
    return sorted(steps, key=lambda step: _order(step, depths[step.id] or 0)), faults


def _order(step: Step, depth: int) -> tuple[int, int, int]:
    place = KINDS.index(step.item.kind)
    if step.verb == "remove":
        return len(KINDS), -place, 0
    if step.item.kind in WATCHED:
        return 1, depth, place
    return place, int(step.item.fields.get("kind") == GROUP), 0


def _depths(steps: Sequence[Step]) -> dict[str, int | None]:
    """How many each depends on, one by one; None if it depends on itself."""
    parents = {step.id: step.item.fields.get("parent", "") for step in steps if step.verb != "remove"}
    depths: dict[str, int | None] = {}
    for step in steps:
        above: list[str] = []
        id = parents.get(step.id, "")
        while id in parents and id not in above:
            above.append(id)
            id = parents[id]
        depths[step.id] = None if step.id in above else len(above)
    return depths


def sent(step: Step, made: Mapping[str, str]) -> Fields:
    """The fields that a step sends; `made` has the ids of what was not there, by what stood for them."""
    rules = RULES[step.item.kind]
    fields: Fields = {}
    for name, (_, new) in step.changes.items():
        value = renamed(name, new, made)
        if name == "escalation" and new is not None:
            value = [{**each, "channels": ",".join(each["channels"])} for each in value]
        if new is not None or (name in rules and rules[name].nullable):
            fields[name] = ",".join(value) if isinstance(value, tuple) else value
    return fields


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


class _Names:
    """What names in a file stand for: its tables first, then what the daemon has and keeps."""

    def __init__(
        self,
        pairs: Iterable[tuple[Item, Item | None]],
        others: Iterable[Item],
        labels: Collection[tuple[str, str]],
    ) -> None:
        tables = {(item.kind, item.label): had.uuid if had else NEW + item.reference for item, had in pairs}
        self._broken = {*labels} - tables.keys()
        self._named: dict[tuple[Kind, str], set[str]] = defaultdict(set)
        for item in others:
            for name in (item.uuid, *(item.identity or ())[1:]):
                self._named[item.kind, name].add(item.uuid)
        self.all = {id for (kind, _), ids in self._named.items() if kind == "channels" for id in ids}
        self.all |= {id for (kind, _), id in tables.items() if kind == "channels"}
        self._named |= {key: {id} for key, id in tables.items()}

    def resolved(self, item: Item, had: Item | None) -> tuple[Fields, list[str]]:
        """Those fields of a site, check or window that name others, with ids; and what is wrong with the names."""
        fields, before = item.fields, had.fields if had is not None else {}
        faults: list[str] = []
        found: Fields = {}
        if item.kind == "channels" and "channels" in fields:
            found["channels"] = tuple(sorted(self._channels("channels", fields["channels"], faults)))
        if item.kind in WATCHED:
            named = self._channels("channels", fields["channels"], faults) if "channels" in fields else {*self.all}
            found["channels"] = tuple(sorted(named))
            found["parent"] = self._watched("parent", fields["parent"], before.get("parent", ""), faults)
        if fields.get("escalation") is not None:
            found["escalation"] = tuple(
                {**step, "channels": tuple(sorted(self._channels("escalation", step["channels"], faults)))}
                for step in fields["escalation"]
            )
        if item.kind == "maintenance":
            kept = before.get("subjects", ())
            ids = {self._watched("subjects", name, kept, faults) for name in fields["subjects"]}
            found["subjects"] = tuple(sorted(ids))
        return found, faults

    def _channels(self, field: str, names: Iterable[str], faults: list[str]) -> set[str]:
        return {id for name in names for id in self._one(field, "channels", name, faults)}

    def _watched(self, field: str, name: str, kept: Collection[str], faults: list[str]) -> str:
        """The id of a check or site; what the daemon has in this field may stay, though it is no more."""
        kind, _, label = name.partition(".")
        for each in WATCHED:
            if kind == each:
                return next(iter(self._one(field, each, label, faults)), "")
        if name and name not in kept:
            faults.append(f"{field}: write checks.NAME or sites.NAME, not {name}")
        return name

    def _one(self, field: str, kind: Kind, name: str, faults: list[str]) -> set[str]:
        if (kind, name) in self._broken:
            return set()
        ids = self._named.get((kind, name), set())
        if len(ids) > 1:
            faults.append(f"{field}: {len(ids)} are called {name}; take an id: {', '.join(sorted(ids))}")
        elif not ids:
            faults.append(f"{field}: there is no {WORDS[kind]} {name}")
        return ids


# --- what changes -------------------------------------------------------------------------------------------------


def _step(item: Item, had: Item | None, names: _Names, now: int) -> tuple[Step, list[str]]:
    fields: Fields = dict(item.fields)
    if item.kind == "channels":
        stays = had is not None and not URLS & fields.keys()
        kind = fields.get("kind", "webhook")
        new = {"kind": kind} | (WEBHOOK if kind == "webhook" else {}) | GENERIC
        fields = (had.fields if had and stays else new) | fields
    known, faults = names.resolved(item, had)
    fields |= known
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
        if name in rules and name not in ("channels", "parent", "subjects") and value is not None:
            try:
                _judge(name, value, rules[name])
            except Invalid as error:
                faults.append(_text(error))
    yield from faults
    try:
        if kind == "checks" and "schedule" in changes and "schedule" in fields and not faults:
            given = {name: fields[name] for name in ("schedule", "tz")}
            check_fields.changes(given, CheckSpec(), 3, (), now)
        if kind == "maintenance" and changes and not faults:
            window_changes({**fields, "subjects": ""}, WindowSpec(), lambda id: True)
        if kind == "sites" and "url" not in fields:
            yield "url is missing"
        if kind == "channels" and changes:
            if not new and "kind" in changes:
                yield f"kind cannot be changed from {changes['kind'][0]}"
            elif fields["kind"] == "webhook":
                webhook_value({name: fields[name] for name in WEBHOOK})
            elif fields["kind"] in CHANNEL_KINDS:
                yield from _unusable(fields, changes)
    except Invalid as error:
        yield _text(error)


def _unusable(fields: Fields, changes: Changes) -> Iterator[str]:
    """What is wrong with a channel of another kind. Raises `Invalid`."""
    known = CHANNEL_KINDS[fields["kind"]]
    for name, (_, new) in changes.items():
        if new is not None and name not in ("name", "kind", *GENERIC, *known.settings):
            there = sorted({*GENERIC, *known.settings, "name", "kind"})
            yield f"there is no field {name}; known are {', '.join(there)}"
    given = {name: fields[name] for name in known.settings if name in fields}
    known.judged({name: ",".join(value) if isinstance(value, tuple) else value for name, value in given.items()})


def _judge(name: str, value: Any, rule: FieldRule) -> None:
    steps = [{**step, "channels": ""} for step in value] if name == "escalation" else []
    check_fields.judged({name: steps if name == "escalation" else value}, {name: rule})
    check_fields.steps(steps, ())
    if name == "remind_every":
        check_fields.remindable(value)


def _text(error: Invalid) -> str:
    text = str(error).removeprefix("json validation error: ")
    return f"{text}: {error.why}" if error.why else text
