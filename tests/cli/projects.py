"""Projects as the daemon has them, for tests of what is made of a file; and what becomes of one."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from pingmon.cli.project_difference import Step
from pingmon.cli.project_file import DEFAULTS, IDLE, WATCHED, WEBHOOK, Fields, Item, Kind, renamed
from pingmon.testing import uuid

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
NAMES = st.sampled_from(["", "a", "b", "Größe $x", 'a"b', "env:A", "a.b", "x\ny", "\x7f"]) | TEXTS
SECONDS = st.integers(60, 86_400)
FLAGS = st.booleans()
HEADERS = st.dictionaries(st.sampled_from(["A", "X-Token"]), st.sampled_from(["", "env:B", "env::B", "Größe"]))
NULLABLE = {"remind_every", "escalation"}
NTFY = st.sampled_from(["a", "env:B", "tk_1"])
REMINDERS = st.sampled_from([None, 0, 3600])
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
        "remind_every": REMINDERS,
    },
    "checks": {
        "name": NAMES,
        "slug": st.sampled_from(["", "a", "b", "job-1", "x_2"]),
        "desc": TEXTS,
        "grace": SECONDS,
        "timeout": SECONDS,
        "manual_resume": FLAGS,
        "methods": st.sampled_from(["", "POST"]),
        "notify_after": st.integers(1, 100),
        "remind_every": REMINDERS,
    },
    "maintenance": {
        "name": NAMES,
        "tags": TEXTS,
        "start": st.just("2026-12-01T20:00:00+00:00"),
        "end": st.sampled_from(["2026-12-01T21:00:00+00:00", "2027-12-01T21:00:00+00:00"]),
        "schedule": st.sampled_from(["@daily", "Mon 03:00"]),
        "duration": SECONDS,
    },
}


@st.composite
def items(draw: st.DrawFn, kind: Kind, number: int, channels: Sequence[str] = (), watched: Sequence[str] = ()) -> Item:
    """One item; `channels` are those that it may have, `watched` the checks and sites that it may depend on."""
    fields: Fields = {**DEFAULTS[kind], **draw(st.fixed_dictionaries(FIELDS[kind]))}
    if kind == "channels":
        fields = {"kind": "webhook"} | WEBHOOK | fields
        plain = {name: value for name, value in fields.items() if name not in WEBHOOK}
        ntfy = {"topic": "a", "url": "https://ntfy.sh", "token": draw(NTFY), "priority": draw(st.integers(1, 5))}
        members = st.sets(st.sampled_from(channels), min_size=1).map(sorted).map(tuple) if channels else None
        group = {} if members is None else plain | {"kind": "group", "channels": draw(members)}
        fields = draw(st.sampled_from([fields, plain | {"kind": "ntfy"} | ntfy, group or fields]))
    some = st.sets(st.sampled_from(channels)).map(sorted).map(tuple) if channels else st.just(())
    if kind in WATCHED:
        fields["channels"] = draw(some)
        fields["parent"] = draw(st.sampled_from(["", *watched]))
        step = st.fixed_dictionaries({"after": SECONDS, "channels": some})
        by_time = st.lists(step, max_size=2).map(
            lambda steps: tuple(sorted(steps, key=lambda step: str(step["after"]).zfill(6)))
        )
        fields["escalation"] = draw(st.none() | by_time)
    if kind == "maintenance":
        fields["subjects"] = tuple(sorted(draw(st.sets(st.sampled_from(watched)) if watched else st.just(set()))))
    if kind in IDLE:
        beside, without = IDLE[kind]
        gone = beside if draw(FLAGS) else ("schedule", *without)
        fields = {name: value for name, value in fields.items() if name not in gone}
    return Item(kind, "", uuid(number), fields)


@st.composite
def projects(draw: st.DrawFn, *, first: int = 0, named: bool = False) -> list[Item]:
    """All of a project; ids count from `first`. `named`: each has a name, and shares it with no other of its kind."""
    made: list[Item] = []
    for kind in DEFAULTS:
        channels = [item.uuid for item in made if item.kind == "channels"]
        for number in range(draw(st.integers(0, 3))):
            watched = [item.uuid for item in made if item.kind in WATCHED]
            if kind == "channels":
                channels = [item.uuid for item in made if item.fields["kind"] != "group"]
            made.append(draw(items(kind, first + 100 * len(made) + number, channels, watched)))
    if not named:
        return made
    by_name = {(item.kind, (item.identity or ("", ""))[1]): item for item in made if item.identity is not None}
    ids = {item.uuid for item in by_name.values()}
    return [_knowing(item, ids) for item in by_name.values()]


def _knowing(item: Item, ids: set[str]) -> Item:
    """The item once it names nothing but `ids`."""
    fields = dict(item.fields)
    for name in {"channels", "subjects"} & fields.keys():  # of a group, too
        fields[name] = tuple(each for each in fields[name] if each in ids)
    if fields.get("parent", "") not in ids:
        fields |= {"parent": ""} if "parent" in fields else {}
    if fields.get("escalation"):
        fields["escalation"] = tuple(
            {**step, "channels": tuple(each for each in step["channels"] if each in ids)}
            for step in fields["escalation"]
        )
    return Item(item.kind, item.label, item.uuid, fields)


def carried_out(steps: Sequence[Step], have: Sequence[Item]) -> list[Item]:
    """What the daemon has after all steps."""
    world = {item.uuid: item for item in have}
    made: dict[str, str] = {}
    for number, step in enumerate(steps):
        item = step.item
        if step.verb == "remove":
            world.pop(item.uuid)
            world = {id: _knowing(each, {*world}) for id, each in world.items()}
        if step.verb not in ("add", "change"):
            continue
        sent = {
            name: renamed(name, new, made)
            for name, (_, new) in step.changes.items()
            if new is not None or name in NULLABLE
        }
        assert sent.get("parent", "") in {"", *world}, "a parent is there before what depends on it"
        id = item.uuid or uuid(9_000 + number)
        made[step.id] = id
        fields = (dict(world[id].fields) if item.uuid else dict.fromkeys(NULLABLE & DEFAULTS[item.kind].keys())) | sent
        if item.kind in IDLE:
            beside, without = IDLE[item.kind]
            gone = beside if "schedule" in sent else ("schedule", *without) if {*beside} & sent.keys() else ()
            fields = {name: value for name, value in fields.items() if name not in gone}
        world[id] = Item(item.kind, item.label, id, fields)
    return list(world.values())
