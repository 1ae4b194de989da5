"""What must be done so that a project is as a file wants it: all of it, nothing else, and nothing the second time."""

from __future__ import annotations

import pytest
from hypothesis import given

from pingmon.cli.project_difference import Step, difference, sent
from pingmon.cli.project_file import GENERIC, WEBHOOK, Item, completed, read, written
from pingmon.testing import START, uuid
from tests.cli.projects import carried_out, projects


def plan(text: str, have: list[Item], *, prune: bool = False) -> list[Step]:
    """The steps to what a file says, with nothing wrong."""
    items, faults, labels = read(text, {})
    steps, more = difference(items, have, labels=labels, now=START, prune=prune)
    assert faults + more == []
    return steps


def faults(text: str, have: list[Item]) -> list[str]:
    """All that is wrong with a file."""
    items, found, labels = read(text, {})
    return found + difference(items, have, labels=labels, now=START, prune=False)[1]


def told(steps: list[Step]) -> list[tuple[object, ...]]:
    return [(step.verb, step.item.label, *step.changes) for step in steps]


def check(number: int, slug: str, **fields: object) -> Item:
    """A check as the daemon has it."""
    return Item("checks", slug, uuid(number), completed("checks", slug, {"channels": (), **fields}))


def channel(number: int, name: str) -> Item:
    """A channel as the daemon has it."""
    fields = {"name": name, "kind": "webhook"} | WEBHOOK | GENERIC | {"url_down": "http://a/secret"}
    return Item("channels", name, uuid(number), fields)


@given(projects(named=True), projects(first=5_000))
def test_what_is_done_makes_what_the_file_says(wanted: list[Item], have: list[Item]) -> None:
    """A second run has nothing to do. With --prune nothing stays that is not in the file, but windows of a night."""
    text = written(wanted, secrets=True)
    items, _, labels = read(text, {})
    steps, found = difference(items, have, labels=labels, now=START, prune=False)
    if found:  # what is there twice must be named by its id, and no channel becomes one of another kind
        assert all(" have the " in fault or " kind cannot be changed " in fault for fault in found)
        have = []
    for prune in (False, True):
        steps = plan(text, have, prune=prune)
        have = carried_out(steps, have)
        assert {step.verb for step in plan(text, have, prune=prune)} <= {"keep", "ignore"}
    said = {item.identity for item in wanted if item.kind == "maintenance"}
    assert written([item for item in have if "start" not in item.fields or item.identity in said], secrets=True) == text


def test_only_what_differs_is_changed() -> None:
    """A check that gets a schedule has no timeout any more."""
    have = [check(1, "a", grace=60), check(2, "b"), check(3, "c")]
    steps = plan("[checks.a]\ngrace = 120\n[checks.b]\nschedule = '* * * * *'\n[checks.d]\n", have)
    assert told(steps)[:2] == [("change", "a", "grace"), ("change", "b", "schedule", "tz", "timeout")]
    assert [step[:2] for step in told(steps)[2:]] == [("add", "d"), ("ignore", "c")]
    assert steps[1].changes["timeout"] == (86_400, None)


def test_what_a_channel_without_a_url_leaves_out_stays() -> None:
    """So a file needs no secrets. One with a URL is as the file says."""
    steps = plan("[channels.a]\nmethod_up = 'POST'", [channel(1, "a")])
    assert told(steps) == [("change", "a", "method_up")]
    assert steps[0].item.fields["url_down"] == "http://a/secret"
    assert told(plan("[channels.a]\nurl_up = 'http://b/'", [channel(1, "a")])) == [
        ("change", "a", "url_down", "url_up")
    ]


def test_checks_that_name_no_channels_have_all() -> None:
    """Those of the file, and those that the daemon has besides, unless they are to go."""
    have = [channel(1, "old"), check(2, "a", channels=(uuid(1),))]
    text = "[channels.new]\nurl_up = 'http://b/'\n[checks.a]\n"
    (change,) = (step for step in plan(text, have) if step.verb == "change")
    assert change.changes["channels"][1] == tuple(sorted(["+new", uuid(1)]))
    steps = plan(text, have, prune=True)
    assert told(steps) == [("add", "new", *steps[0].changes), ("change", "a", "channels"), ("remove", "old")]
    assert steps[1].changes["channels"][1] == ("+new",)


def test_a_parent_is_there_before_what_depends_on_it() -> None:
    """Be it new or not, and be it a check or a site; a check that is in no table may be one, too."""
    text = "[checks.a]\nparent = 'checks.b'\n[checks.b]\nparent = 'sites.s'\n[sites.s]\nurl = 'http://s.example/'\n"
    steps = plan(text + "parent = 'checks.old'\n", [check(1, "old"), check(2, "a")])
    assert [(step.item.label, step.item.fields.get("parent")) for step in steps if step.verb != "ignore"] == [
        ("s", uuid(1)),
        ("b", "+sites.s"),
        ("a", "+checks.b"),
    ]
    swapped = [check(1, "b", parent=uuid(2)), check(2, "a")]
    assert [step.item.label for step in plan("[checks.b]\n[checks.a]\nparent = 'checks.b'", swapped)] == ["b", "a"]


def test_what_the_daemon_has_may_stay_though_it_is_no_more() -> None:
    """A parent that was deleted stands in no other change's way; a new one must be there."""
    have = [check(1, "a", parent=uuid(9))]
    assert told(plan(f"[checks.a]\ndesc = 'x'\nparent = '{uuid(9)}'\nchannels = []", have)) == [("change", "a", "desc")]
    assert faults(f"[checks.b]\nparent = '{uuid(9)}'", have) == [
        f"[checks.b] parent: write checks.NAME or sites.NAME, not {uuid(9)}"
    ]


def test_a_window_of_one_night_survives_what_is_pruned() -> None:
    """Somebody has made it by hand, and it ends by itself."""
    night = Item("maintenance", "night", uuid(1), completed("maintenance", "night", {"start": "1", "end": "2"}))
    weekly = Item("maintenance", "weekly", uuid(2), completed("maintenance", "weekly", {"schedule": "@weekly"}))
    assert told(plan("", [night, weekly], prune=True)) == [("remove", "weekly")]
    assert told(plan("", [night, weekly])) == [("ignore", "night"), ("ignore", "weekly")]


def test_who_is_told_later_may_be_said_to_be_as_the_project_has_it_again() -> None:
    """What is left out is sent as null."""
    have = [channel(1, "x"), check(2, "a", remind_every=60, escalation=({"after": 60, "channels": (uuid(1),)},))]
    *_, step = (step for step in plan("[checks.a]\nchannels = []", have) if step.verb == "change")
    assert sent(step, {}) == {"remind_every": None, "escalation": None}
    (step,) = plan("[checks.b]\nchannels = []\nescalation = [{ after = 60, channels = ['x'] }]", have)[1:2]
    assert sent(step, {})["escalation"] == [{"after": 60, "channels": uuid(1)}]


def test_channels_of_every_kind_are_judged_by_its_settings() -> None:
    """A secret that is left out stays; members of a group are named, and are there before it."""
    ntfy = {"kind": "ntfy", "topic": "a", "url": "https://ntfy.sh", "token": "tk_1", "priority": 4}
    have = [Item("channels", "n", uuid(1), {"name": "n"} | GENERIC | ntfy)]
    text = "[channels.all]\nkind = 'group'\nchannels = ['n', 'm']\n[channels.m]\nkind = 'ntfy'\ntopic = 'b'\n"
    steps = plan(text + "[channels.n]\nkind = 'ntfy'\npriority = 5\n", have)
    assert [(step.verb, step.item.label) for step in steps] == [("add", "m"), ("change", "n"), ("add", "all")]
    assert sent(steps[0], {}) == {"name": "m", "kind": "ntfy", "topic": "b"} | GENERIC
    assert sent(steps[1], {}) == {"priority": 5}
    assert sent(steps[2], {"+m": uuid(2)})["channels"] == f"{uuid(1)},{uuid(2)}"
    assert faults("[channels.x]\nkind = 'ntfy'\ntopik = 'a'", []) == [
        "[channels.x] there is no field topik; known are "
        f"{', '.join(sorted({*GENERIC, 'name', 'kind', 'topic', 'url', 'token', 'priority'}))}",
        "[channels.x] value needs a topic",
    ]


def test_channels_go_after_all_that_had_them() -> None:
    """And come before."""
    have = [channel(1, "x"), Item("sites", "y", uuid(2), {"name": "y", "channels": ()}), check(3, "z")]
    steps = plan(
        "[channels.n]\nurl_up = 'http://b/'\n[checks.n]\n[sites.n]\nurl = 'http://c.example/'\n", have, prune=True
    )
    assert [f"{step.verb} {step.item.kind}" for step in steps] == [
        "add channels",
        "add sites",
        "add checks",
        "remove checks",
        "remove sites",
        "remove channels",
    ]


def test_an_id_says_which_of_two_is_meant_and_lets_names_change() -> None:
    """The other is meant by the name alone then."""
    have = [check(1, "a", desc="one"), check(2, "a", desc="two")]
    assert faults("[checks.a]", have) == [
        f"[checks.a] 2 checks have the slug a: say which by uuid: {uuid(1)}, {uuid(2)}"
    ]
    text = (
        f"[checks.b]\nuuid = '{uuid(1).upper()}'\ndesc = 'one'\nchannels = []\n[checks.a]\ndesc = 'two'\nchannels = []"
    )
    assert told(plan(text, have)) == [("change", "b", "name", "slug"), ("keep", "a")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[checks.a]\ngrace = 1", "[checks.a] grace is too small"),
        ("[checks.A]", "[checks.A] slug does not match pattern"),
        ("[checks.a]\nfilter_body = 1", "[checks.a] filter_body is not a boolean"),
        ("[checks.a]\nschedule = '1 2 3'", "[checks.a] schedule is not a valid cron or OnCalendar expression"),
        ("[checks.a]\nschedule = '2020-01-01'", "[checks.a] schedule has no occurrence in the future"),
        ("[checks.a]\nschedule = '* * * * *'\ntz = 'Mars'", "[checks.a] tz is not a valid timezone"),
        ("[checks.a]\nchannels = ['no', 'x', 'twice']", "[checks.a] channels: there is no channel no"),
        (
            "[checks.a]\nchannels = ['twice']",
            f"[checks.a] channels: 2 are called twice; take an id: {uuid(2)}, {uuid(3)}",
        ),
        ("[checks.a]\nuuid = 'b'", "[checks.a] there is no check b"),
        ("[checks.a]\n[checks.b]\nslug = 'a'", "[checks.b] is the same as [checks.a]"),
        ("[checks.a]\nslug = ''\nname = ''", "[checks.a] has no name: give it one, or say which it is by uuid"),
        ("[sites.a]", "[sites.a] url is missing"),
        ("[checks.a]\nparent = 'checks.a'", "[checks.a] parent depends on this one"),
        ("[checks.a]\nparent = 'checks.b'\n[checks.b]\nparent = 'checks.a'", "[checks.a] parent depends on"),
        ("[checks.a]\nparent = 'checks.no'", "[checks.a] parent: there is no check no"),
        ("[checks.a]\nparent = 'a'", "[checks.a] parent: write checks.NAME or sites.NAME, not a"),
        ("[checks.a]\nremind_every = 5", "[checks.a] remind_every is too small"),
        ("[checks.a]\nescalation = [{ after = 5, channels = ['x'] }]", "[checks.a] after in 'escalation' is too small"),
        (
            "[checks.a]\nescalation = [{ after = '1h', channels = ['no'] }]",
            "[checks.a] escalation: there is no channel no",
        ),
        ("[maintenance.a]", "[maintenance.a] a window needs start and an end after it, or a schedule"),
        ("[maintenance.a]\nschedule = 'x'", "[maintenance.a] schedule is not a valid cron or OnCalendar expression"),
        (
            "[maintenance.a]\nschedule = '@daily'\nsubjects = ['sites.no']",
            "[maintenance.a] subjects: there is no site no",
        ),
        ("[sites.a]\nurl = 'ftp://a'", "[sites.a] url "),
        ("[channels.a]", "[channels.a] value needs a url_down or a url_up"),
        ("[channels.x]\nkind = 'smoke'", "[channels.x] kind cannot be changed from webhook"),
        ("[channels.x]\nurl_up = 'http://a b'", "[channels.x] url_up is not an http or https URL"),
    ],
)
def test_what_the_daemon_would_refuse_is_told_before_anything_is_done(text: str, told: str) -> None:
    """By the rules of the API."""
    have = [channel(1, "x"), channel(2, "twice"), channel(3, "twice")]
    assert faults(text, have)[0].startswith(told)


def test_what_is_as_it_is_need_not_be_allowed_any_more() -> None:
    """A schedule that has run out stands in no other change's way."""
    have = [check(1, "a", schedule="2020-01-01")]
    assert told(plan("[checks.a]\nschedule = '2020-01-01'\ndesc = 'x'\nchannels = []", have)) == [
        ("change", "a", "desc")
    ]
