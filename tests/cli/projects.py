"""Projects as the daemon has them, for tests of what is made of a file; and what becomes of one."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from pingmon.cli.project_difference import NEW, Step
from pingmon.cli.project_file import DEFAULTS, WEBHOOK, Fields, Item, Kind
from pingmon.testing import uuid

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
NAMES = st.sampled_from(["", "a", "b", "Größe $x", 'a"b', "env:A", "a.b", "x\ny", "\x7f"]) | TEXTS
SECONDS = st.integers(60, 86_400)
FLAGS = st.booleans()
HEADERS = st.dictionaries(st.sampled_from(["A", "X-Token"]), st.sampled_from(["", "env:B", "env::B", "Größe"]))
FIELDS: dict[Kind, dict[str, st.SearchStrategy[object]]] = {
    "channels": {
        "name": NAMES,
        "url_down": st.sampled_from(["http://a/", "https://b.example/$NAME"]),
        "url_up": st.sampled_from(["", "http://a/"]),
        "method_down": st.sampled_from(["GET", "POST"]),
        "headers_up": HEADERS,
        "body_down": TEXTS,
    },
    "sites": {
        "name": NAMES,
        "url": st.sampled_from(["http://a.example/", "http://b.example/", "http://c.example/?x=1"]),
        "interval": SECONDS,
        "tags": TEXTS,
        "local_only": FLAGS,
        "method": st.sampled_from(["GET", "HEAD"]),
    },
    "checks": {
        "name": NAMES,
        "slug": st.sampled_from(["", "a", "b", "job-1", "x_2"]),
        "desc": TEXTS,
        "grace": SECONDS,
        "timeout": SECONDS,
        "manual_resume": FLAGS,
        "methods": st.sampled_from(["", "POST"]),
    },
}


@st.composite
def items(draw: st.DrawFn, kind: Kind, number: int, channels: Sequence[str] = ()) -> Item:
    """One item; of a site or check `channels` are those that it may have."""
    fields: Fields = {**DEFAULTS[kind], **draw(st.fixed_dictionaries(FIELDS[kind]))}
    if kind == "channels":
        fields = {"kind": "webhook"} | WEBHOOK | fields
    else:
        fields["channels"] = tuple(sorted(draw(st.sets(st.sampled_from(channels)) if channels else st.just(set()))))
    if kind == "checks":
        gone = ("timeout",) if draw(FLAGS) else ("schedule", "tz")
        fields = {name: value for name, value in fields.items() if name not in gone}
    return Item(kind, "", uuid(number), fields)


@st.composite
def projects(draw: st.DrawFn, *, first: int = 0, named: bool = False) -> list[Item]:
    """All of a project; ids count from `first`. `named`: each has a name, and shares it with no other of its kind."""
    made: list[Item] = []
    for kind in DEFAULTS:
        channels = [item.uuid for item in made if item.kind == "channels"]
        for number in range(draw(st.integers(0, 3))):
            made.append(draw(items(kind, first + 100 * len(made) + number, channels)))
    if not named:
        return made
    by_name = {(item.kind, (item.identity or ("", ""))[1]): item for item in made if item.identity is not None}
    ids = {item.uuid for item in by_name.values()}
    return [_with_channels(item, ids) for item in by_name.values()]


def _with_channels(item: Item, ids: set[str]) -> Item:
    fields = dict(item.fields)
    if "channels" in fields:
        fields["channels"] = tuple(each for each in fields["channels"] if each in ids)
    return Item(item.kind, item.label, item.uuid, fields)


def carried_out(steps: Sequence[Step], have: Sequence[Item]) -> list[Item]:
    """What the daemon has after all steps."""
    world = {item.uuid: item for item in have}
    made: dict[str, str] = {}
    for number, step in enumerate(steps):
        item = step.item
        if step.verb == "remove":
            world.pop(item.uuid)
            world = {id: _with_channels(each, {*world}) for id, each in world.items()}
        if step.verb not in ("add", "change"):
            continue
        sent = {name: new for name, (_, new) in step.changes.items() if new is not None}
        if item.kind != "channels" and "channels" in sent:
            sent["channels"] = tuple(sorted(made.get(each, each) for each in sent["channels"]))
        id = item.uuid or uuid(9_000 + number)
        if item.kind == "channels":
            made[NEW + item.label] = id
        fields = (dict(world[id].fields) if item.uuid else {}) | sent
        if "schedule" in sent:
            fields.pop("timeout", None)
        elif "timeout" in sent:
            fields = {name: value for name, value in fields.items() if name not in ("schedule", "tz")}
        world[id] = Item(item.kind, item.label, id, fields)
    return list(world.values())
