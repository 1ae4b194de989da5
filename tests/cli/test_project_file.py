"""A project as a file: what is written is read again as it was, and what is wrong is told by its table."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given

from pingmon.cli.project_difference import difference
from pingmon.cli.project_file import GENERIC, WEBHOOK, Item, read, written
from pingmon.testing import START, uuid
from tests.cli.projects import projects

FILE = """
[channels.ops]
url_down = "env:OPS"
headers_down = { Authorization = "env:TOKEN", X = "env::TOKEN" }

[sites.shop]
url = "https://shop.example/"
interval = "5m"

[checks.nightly-backup]
schedule = "30 3 * * *"
tz = "Europe/Kiev"
grace = "1h30m"
channels = ["ops"]

[checks.sync]
name = "Sync of all"
timeout = 600
"""


OPEN_OF_OTHERS = {"channels", "priority", "topic", "url"}
"""Settings of groups and of ntfy that are no secret."""


def fields(text: str, **environ: str) -> dict[str, dict[str, object]]:
    """What a file that can be used says of each item."""
    items, faults, _ = read(text, environ)
    assert not faults
    return {item.label: item.fields for item in items}


def test_a_table_needs_only_what_is_not_usual() -> None:
    """Its name is the check's slug and name, times are as people write them, and the rest is as in the API."""
    found = fields(FILE, OPS="https://a/", TOKEN="s3")
    assert found["ops"] == {
        "name": "ops",
        "url_down": "https://a/",
        "headers_down": {"Authorization": "s3", "X": "env:TOKEN"},
    }
    assert found["shop"]["interval"] == 300
    assert found["shop"]["host"] == "auto"
    backup, sync = found["nightly-backup"], found["sync"]
    assert [backup[name] for name in ("name", "slug", "grace", "tz")] == [
        "nightly-backup",
        "nightly-backup",
        5400,
        "Europe/Kyiv",
    ]
    assert "timeout" not in backup
    assert [sync[name] for name in ("name", "slug", "timeout", "grace")] == ["Sync of all", "sync", 600, 3600]
    assert "channels" not in sync


def test_steps_parents_and_windows_are_written_as_the_api_has_them() -> None:
    """Steps in their order, instants in UTC; what is not said of reminders and steps is as the project has it."""
    found = fields(
        """
        [checks.a]
        notify_after = 3
        escalation = [{ after = "1h", channels = ["boss"] }, { after = 600, channels = [] }]
        parent = "sites.b"
        [maintenance.once]
        start = 2026-12-01T22:00:00+02:00
        end = "2026-12-01T21:00:00"
        [maintenance.again]
        schedule = "@daily"
        duration = "30m"
        subjects = ["checks.a"]
        """
    )
    steps = ({"after": 600, "channels": []}, {"after": 3600, "channels": ["boss"]})
    assert [found["a"][name] for name in ("notify_after", "remind_every", "escalation", "parent")] == [
        3,
        None,
        steps,
        "sites.b",
    ]
    once = {"start": "2026-12-01T20:00:00+00:00", "end": "2026-12-01T21:00:00+00:00"}
    assert found["once"] == {"name": "once", "subjects": (), "tags": "", **once}
    again = {"schedule": "@daily", "tz": "UTC", "duration": 1800}
    assert found["again"] == {"name": "again", "subjects": ["checks.a"], "tags": "", **again}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = [", "this is not TOML: Invalid value (at end of document)"),
        ("[check.a]", "[check] there is no such table; known are channels, sites, checks, maintenance"),
        ("[[checks]]", "[checks] a name is missing: write [checks.NAME]"),
        ("checks.a = 1", "[checks.a] is not a table: write [checks.a]"),
        ("[checks.a]\ngrase = 60", "[checks.a] there is no field grase; known are channels, desc, "),
        ("[checks.a]\ngrace = '1 hour'", "[checks.a] grace: '1 hour' is no duration: write seconds"),
        ("[checks.a]\ntimeout = 60\nschedule = '* * * * *'", "[checks.a] say timeout or schedule, not both"),
        ("[checks.a]\ntz = 'UTC'", "[checks.a] tz is for a schedule, and there is none"),
        ("[checks.'a b']\nchannels = '*'", '[checks."a b"] channels: is a list of names: ["ops"]'),
        ("[checks.a]\nslug = ['a']", "[checks.a] slug: is not a string"),
        ("[channels.a]\nkind = {}", "[channels.a] kind: is not a string"),
        ("[sites.a]\nname = 2026-01-02", "[sites.a] name: is not a string"),
        ("[checks.a]\nuuid = 1", "[checks.a] uuid: is an id, as text"),
        ("[maintenance.a]\nsubjects = 'b'", '[maintenance.a] subjects: is a list of names: ["checks.sync"]'),
        ("[maintenance.a]\nstart = 'x'\nschedule = '@daily'", "[maintenance.a] say start or schedule, not both"),
        ("[maintenance.a]\nduration = 60", "[maintenance.a] duration is for a schedule, and there is none"),
        ("[maintenance.a]\nstart = 2026-12-01", "[maintenance.a] start: is not a string"),
        ("[checks.a]\nescalation = ['b']", "[checks.a] escalation: is a list of steps: [{ after = "),
        ("[checks.a]\nescalation = [{ after = 1.5, channels = [] }]", "[checks.a] escalation: after is no duration"),
        ("[checks.a]\nescalation = [{ after = '1', channels = 'a' }]", "[checks.a] escalation: is a list of names"),
        ("[sites.a]\nurl = 'env:NO'", "[sites.a] url: the environment has no NO"),
        ("[sites.a]\nurl = 'env:a b'", "[sites.a] url: env:a b names no variable: write env:NAME, or env:: for"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_table(text: str, fault: str) -> None:
    """With what to write instead."""
    items, (found,), _ = read(text, {})
    assert found.startswith(fault)
    assert not items


def test_all_faults_are_told_at_once() -> None:
    """A channel that cannot be used is still one that checks may name."""
    items, faults, labels = read("[channels.a]\nx = 1\ny = 2\n[checks.b]\nz = 3\n[checks.c]\nchannels = ['a']", {})
    assert [fault.partition(" there")[0] for fault in faults] == ["[channels.a]", "[channels.a]", "[checks.b]"]
    assert [item.label for item in items] == ["c"]
    assert labels == {("channels", "a"), ("checks", "b"), ("checks", "c")}
    assert difference(items, [], labels=labels, now=START, prune=False)[1] == []


def test_a_file_says_what_a_channel_is_told_and_when() -> None:
    """Numbers are messages, and no seconds; what is as usual is not written."""
    text = '[channels.ops]\nup = false\nquiet = "22:00-07:00"\ntz = "Europe/Riga"\ndigest_over = 5\n'
    (item,), faults, _ = read(text, {})
    assert not faults
    assert item.fields == {"name": "ops", "up": False, "quiet": "22:00-07:00", "tz": "Europe/Riga", "digest_over": 5}
    daemons = Item("channels", "ops", uuid(1), {"kind": "webhook", **WEBHOOK, **GENERIC, **item.fields})
    assert written([daemons], secrets=True) == text


def test_a_channel_of_another_kind_is_taken_as_it_is() -> None:
    """A newer daemon may know more kinds than this command."""
    assert fields("[channels.a]\nkind = 'smoke'\ncolour = 'white'")["a"] == {
        "name": "a",
        "kind": "smoke",
        "colour": "white",
    }


@given(projects())
def test_what_is_written_changes_nothing(project: list[Item]) -> None:
    """With and without secrets, whatever has no name or the name of another, in whatever order the daemon tells it."""
    for secrets in (True, False):
        text = written(project, secrets=secrets)
        assert text == written(project[::-1], secrets=secrets)
        items, faults, labels = read(text, {})
        steps, more = difference(items, project, labels=labels, now=START, prune=True)
        assert (faults, more) == ([], [])
        assert {step.verb for step in steps} <= {"keep"}


@given(projects())
def test_secrets_are_not_written_unless_asked_for(project: list[Item]) -> None:
    """Of a channel there are its name and methods, and a comment that says what is kept out."""
    found = tomllib.loads(written(project, secrets=False)).get("channels", {})
    for table in found.values():
        assert table.keys() <= {"uuid", "name", "kind", "method_down", "method_up"} | OPEN_OF_OTHERS
