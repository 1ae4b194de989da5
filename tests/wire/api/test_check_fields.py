"""The fields of a check are judged with the limits, the order and the error texts of the management API."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.schedule import next_expected
from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.notify.alert_rules import AlertRuleChanges
from pingmon.core.notify.channel import Channel
from pingmon.wire.api.check_fields import (
    FIELDS,
    FieldRule,
    Invalid,
    changes,
    channel_ids,
    fault,
    judged,
    slugify,
    unique_fields,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


NOW = 1_767_225_600_000_000  # 2026-01-01


def error(body: dict[str, Any]) -> str:
    with pytest.raises(Invalid) as caught:
        judged(body)
    prefix = "json validation error: "
    assert str(caught.value).startswith(prefix)
    return str(caught.value).removeprefix(prefix)


def made(body: dict[str, Any], spec: CheckSpec | None = None, version: int = 3, *channels: Channel) -> CheckSpec:
    spec = spec or CheckSpec()
    return changes(judged(body), spec, version, channels, NOW).applied_to(spec)


def channel(id: str, name: str) -> Channel:
    return Channel(id, "p", "webhook", name, {}, "", 1, 0)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("name", 1, "name is not a string"),
        ("name", None, "name is not a string"),
        ("name", "x" * 101, "name is too long"),
        ("name", "a\0b", "name contains characters that cannot be stored"),
        ("desc", "\ud800", "desc contains characters that cannot be stored"),
        ("tags", ["a"], "tags is not a string"),
        ("slug", "Upper", "slug does not match pattern"),
        ("slug", "line\n", "slug does not match pattern"),
        ("slug", "x" * 101, "slug is too long"),
        ("timeout", "60", "timeout is not a number"),
        ("timeout", 60.0, "timeout is not a number"),
        ("timeout", True, "timeout is not a number"),
        ("timeout", None, "timeout is not a number"),
        ("timeout", 59, "timeout is too small"),
        ("grace", 31_536_001, "grace is too large"),
        ("grace", 10**30, "grace is too large"),
        ("schedule", "* * * * * * * " * 8, "schedule is too long"),
        ("schedule", "surprise", "schedule is not a valid cron or OnCalendar expression"),
        ("schedule", "", "schedule is not a valid cron or OnCalendar expression"),
        ("schedule", "0 0 30 2 *", "schedule is not a valid cron or OnCalendar expression"),
        ("schedule", 5, "schedule is not a string"),
        ("tz", "Mars/Base", "tz is not a valid timezone"),
        ("tz", None, "tz is not a string"),
        ("manual_resume", 1, "manual_resume is not a boolean"),
        ("filter_http_body", "yes", "filter_http_body is not a boolean"),
        ("methods", "PUT", "methods has unexpected value"),
        ("methods", None, "methods has unexpected value"),
        ("success_kw", "x" * 201, "success_kw is too long"),
        ("subject", 1, "subject is not a string"),
        ("channels", ["a"], "channels is not a string"),
        ("unique", "name", "unique is not an array"),
        ("unique", ["status"], "an item in 'unique' has unexpected value"),
        ("unique", [["name"]], "an item in 'unique' has unexpected value"),
    ],
)
def test_errors(field: str, value: object, text: str) -> None:
    """Each wrong value is told in the words of the API."""
    assert error({field: value}) == text


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("schedule", "61 * * * *", "minute: 61 is not within 0 to 59"),
        ("schedule", "12:00\n" * 20, None),
        ("schedule", "61 * * * *" * 11, None),
        ("schedule", "61 * * *\ud800", None),
        ("schedule", 5, None),
        ("tz", "Mars/Base", None),
        ("timeout", 59, "the least is 60"),
        ("grace", 31_536_001, "the most is 31536000"),
        ("grace", True, None),
    ],
)
def test_a_refused_value_is_told_with_what_is_wrong_with_it(field: str, value: object, why: str | None) -> None:
    """Beside the words of the API, which stay as they are; if it is no text that can be shown, there are only those."""
    with pytest.raises(Invalid) as caught:
        judged({field: value})
    assert caught.value.why == why


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x" * 100, "slug": "", "tags": "a, b" * 500, "desc": "d" * 5000},
        {"timeout": 60, "grace": 31_536_000},
        {"schedule": "0 0 29 2 *", "tz": "US/Eastern"},
        {"methods": "POST", "unique": []},
        {"unknown": None, "timeouts": "x"},
    ],
)
def test_values_at_the_limits_pass(body: dict[str, Any]) -> None:
    """What is just inside the limits is taken, and unknown fields do not matter."""
    assert judged(body) == {name: value for name, value in body.items() if name in FIELDS}


def test_only_the_first_error_is_told_in_the_documented_order() -> None:
    """With everything wrong, fixing one error after the other shows them in the order of the API."""
    body: dict[str, Any] = dict.fromkeys(reversed(FIELDS), 1.5)
    told = []
    while body:
        name = error(body).split()[0]
        told.append(name)
        del body[name]
    assert " ".join(told) == (
        "channels desc failure_kw filter_subject filter_body filter_http_body filter_default_fail grace "
        "manual_resume methods name schedule slug start_kw subject subject_fail success_kw tags timeout tz unique "
        "notify_after remind_every escalation parent"
    )


@given(st.dictionaries(st.sampled_from(list(FIELDS)), JSON))
def test_no_json_breaks_the_judgement(body: dict[str, Any]) -> None:
    """Any JSON is either refused as the client's error, or makes settings that can be kept and used."""
    try:
        spec = made(body, None, 1)
    except Invalid:
        return
    assert msgspec.json.decode(msgspec.json.encode(spec), type=CheckSpec) == spec
    next_expected(spec, 1_700_000_000_000_000)


@given(st.sampled_from([rule for rule in FIELDS.values() if rule.type == "string"]), st.text(max_size=120))
def test_no_text_breaks_a_rule(rule: FieldRule, text: str) -> None:
    """Any text is judged, never an accident; what is refused is refused with the name of its field."""
    trouble = fault(rule, text, "field")
    assert trouble is None or trouble.startswith("field ")


def test_what_makes_the_kind() -> None:
    """A schedule makes the check cron or OnCalendar, else a timeout makes it simple, else it stays what it is."""
    cron = made({"schedule": "0 5 * * *", "timeout": 300, "tz": "Europe/Kiev"})
    assert (cron.kind, cron.schedule, cron.tz) == ("cron", "0 5 * * *", "Europe/Kyiv")
    assert made({"schedule": "daily"}).kind == "oncalendar"
    named = made({"schedule": "@daily"})
    assert (named.kind, named.schedule) == ("cron", "@daily")
    assert made({"grace": 60, "tz": "UTC"}, cron).kind == "cron"
    assert made({"timeout": 60}, cron).kind == "simple"


@pytest.mark.parametrize(
    ("version", "body", "slug"),
    [
        (1, {"name": "Nightly Backup"}, "nightly-backup"),
        (2, {"name": "Nightly Backup"}, "nightly-backup"),
        (3, {"name": "Nightly Backup"}, "was"),
        (2, {"name": "Nightly Backup", "slug": "mine"}, "mine"),
        (2, {"name": "Was"}, "was"),
        (2, {"tags": "x"}, "was"),
        (2, {"name": "㎉" * 100}, ("kcal" * 100)[:100]),
    ],
)
def test_slugs_by_version(version: int, body: dict[str, Any], slug: str) -> None:
    """Before version 3 a new name makes a new slug, unless one is given; since then it never does."""
    assert made(body, CheckSpec(name="Was", slug="was"), version).slug == slug


def test_old_names_of_the_subject_keywords() -> None:
    """`subject` and `subject_fail` set the keywords and switch the filter on; today's names win over them."""
    spec = made({"subject": "good", "subject_fail": "bad"})
    assert (spec.success_kw, spec.failure_kw, spec.filter_subject) == ("good", "bad", True)
    assert not made({"subject": "", "subject_fail": ""}, spec).filter_subject
    assert made({"subject": ""}, spec).filter_subject
    spec = made({"subject": "good", "success_kw": "better", "filter_subject": False})
    assert (spec.success_kw, spec.filter_subject) == ("better", False)


def test_unique_counts_only_with_all_its_fields() -> None:
    """A check is looked for by fields that were all given; otherwise a new one is wanted."""
    assert unique_fields({"unique": ["name", "tags", "name"], "name": "a", "tags": ""}) == ("name", "tags")
    assert unique_fields({"unique": ["name", "slug"], "name": "a"}) == ()
    assert unique_fields({"unique": []}) == ()
    assert unique_fields({"unique": ["name", "uuid"], "name": "a"}) == ()
    assert unique_fields({}) == ()


def test_channels_by_id_name_or_star() -> None:
    """Channels are named by id or exact name, comma-separated; `*` is all, nothing is none."""
    both = [channel("b", "ops"), channel("a", "dev team")]
    assert channel_ids("*", both) == ("a", "b")
    assert channel_ids("", both) == ()
    assert channel_ids("ops,a,b", both) == ("a", "b")
    assert made({"channels": "dev team"}, None, 3, *both).channels == ("a",)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("ops,", "empty channel identifier"),
        ("nobody", "invalid channel identifier: nobody"),
        ("Ops", "invalid channel identifier: Ops"),
        ("ops, b", "invalid channel identifier:  b"),
        ("twins", "non-unique channel identifier: twins"),
    ],
)
def test_channels_that_cannot_be_meant(wanted: str, text: str) -> None:
    """A channel that is missing, empty or ambiguous is told as such."""
    with pytest.raises(Invalid) as caught:
        channel_ids(wanted, [channel("a", "ops"), channel("b", "twins"), channel("c", "twins")])
    assert str(caught.value) == text


def test_the_table_covers_every_setting() -> None:
    """Every setting of a check can be sent, but its kind, which follows from the schedule."""
    settings = {*CheckChanges.__struct_fields__, *AlertRuleChanges.__struct_fields__}
    assert settings - set(FIELDS) == {"kind", "alerts"}


@pytest.mark.parametrize("schedule", ["Thu,Fri 2012-*-1,5 11:12:13", "2019-01-01", "2025-12-31 23:59", "2026-01-01"])
def test_a_schedule_whose_occurrences_are_all_past_is_refused(schedule: str) -> None:
    """The check could never alarm. One that will still come true once is taken."""
    with pytest.raises(Invalid, match=r"^json validation error: schedule has no occurrence in the future$"):
        made({"schedule": schedule})
    assert made({"schedule": "2026-01-01 00:01"}).kind == "oncalendar"


def test_a_check_whose_schedule_has_run_out_may_be_changed() -> None:
    """As long as the change does not set the schedule."""
    assert made({"name": "old"}, CheckSpec(kind="oncalendar", schedule="2019-01-01")).name == "old"


# --- slugs of names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("", ""),
        ("Hello, World!", "hello-world"),
        ("  many   spaces\tand\nlines  ", "many-spaces-and-lines"),
        ("Un éléphant à l'orée du bois", "un-elephant-a-loree-du-bois"),
        ("jack & jill like numbers 1,2,3 and 4", "jack-jill-like-numbers-123-and-4"),
        ("snake_case stays", "snake_case-stays"),
        ("--dashes--and__lines__", "dashes-and__lines"),
        ("a - - b", "a-b"),
        ("(foobar)", "foobar"),
        ("日本", ""),
        ("ﬁle №5", "file-no5"),
        ("Ⅳ²", "iv2"),
    ],
)
def test_the_slug_of_a_name_is_the_one_that_django_makes(name: str, slug: str) -> None:
    """As in the examples of Django's own documentation and tests."""
    assert slugify(name) == slug


@given(st.text(max_size=100))
def test_any_name_makes_a_legal_slug_that_stays(name: str) -> None:
    """Whatever the name, its slug is legal, and the slug of a slug is that slug."""
    slug = slugify(name)
    assert re.fullmatch("[a-z0-9_-]*", slug)
    assert slugify(slug) == slug
