"""Checks are shown with the keys, the order and the formats of the management API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.check.check import Check, Run
from pingmon.core.check.settings import CheckSpec
from pingmon.core.units import SECOND
from pingmon.testing import START as NOW
from pingmon.wire.api.checks import View, check_json, status, tagged, unique_key
from pingmon.wire.time_texts import exact_text

ID = "11111111-1111-4111-8111-111111111111"
VIEW = View(3, False, "https://mon.example", "https://mon.example/ping/", NOW)
COMMON = (
    "name slug tags desc grace n_pings status started last_ping next_ping manual_resume methods subject subject_fail "
    "start_kw success_kw failure_kw filter_subject filter_body filter_http_body filter_default_fail badge_url"
)
ADDRESSES = "uuid ping_url update_url pause_url resume_url channels"
OURS = "last_start last_success told warnings"
ALERTS = "notify_after remind_every escalation parent acknowledged"


def check(**changes: Any) -> Check:
    spec = CheckSpec(**{name: changes.pop(name) for name in list(changes) if name in CheckSpec.__struct_fields__})
    return replace(Check(ID, "p", spec, 1, NOW, NOW), **changes)


@pytest.mark.parametrize(
    ("kind", "readonly", "duration", "keys"),
    [
        ("simple", False, None, f"{COMMON} {ADDRESSES} timeout {OURS} {ALERTS}"),
        ("simple", True, 0, f"{COMMON} last_duration unique_key timeout {OURS}"),
        ("cron", False, 5 * SECOND, f"{COMMON} last_duration {ADDRESSES} schedule tz {OURS} {ALERTS}"),
        ("oncalendar", True, SECOND - 1, f"{COMMON} last_duration unique_key schedule tz {OURS}"),
    ],
)
def test_keys_and_their_order(kind: str, readonly: bool, duration: int | None, keys: str) -> None:
    """The keys and their order depend on the kind of schedule and of key, and on whether a duration is known."""
    shown = check_json(check(kind=kind, last_duration=duration), replace(VIEW, readonly=readonly))
    assert " ".join(shown) == keys
    assert shown.get("last_duration") == (None if duration is None else duration // SECOND)


def test_a_schedule_is_shown_as_it_was_sent_and_a_name_as_what_it_means_too() -> None:
    """So a tool that compares what it sent with what it reads finds no difference."""
    shown = check_json(check(kind="cron", schedule="@weekly"), VIEW)
    assert (shown["schedule"], shown["schedule_means"]) == ("@weekly", "0 0 * * 0")


def test_a_read_only_key_learns_no_id() -> None:
    """Nothing that a read-only key sees contains the check's id."""
    assert ID not in json.dumps(check_json(check(), replace(VIEW, readonly=True)))


def test_values() -> None:
    """Times are cut to seconds, durations are whole seconds, addresses carry the version of the request."""
    channels = ("a", "b")
    it = check(
        channels=channels, last_ping=NOW + 999_999, last_duration=61_900_000, success_kw="ok", filter_subject=True
    )
    shown = check_json(it, replace(VIEW, version=1))
    assert shown["last_ping"] == "2023-11-14T22:13:20+00:00"
    assert shown["next_ping"] is None
    assert shown["last_duration"] == 61
    assert shown["ping_url"] == f"https://mon.example/ping/{ID}"
    assert shown["update_url"] == f"https://mon.example/api/v1/checks/{ID}"
    assert shown["resume_url"] == f"https://mon.example/api/v1/checks/{ID}/resume"
    assert shown["channels"] == "a,b"
    assert (shown["subject"], shown["subject_fail"]) == ("ok", "")
    assert check_json(check(success_kw="ok"), VIEW)["subject"] == ""


def test_unique_key_is_that_of_the_reference_server() -> None:
    """The unique key of a known id is the one that the reference server was seen to give."""
    assert unique_key("11111111-1111-4111-8111-111111111111") == "a0fd04db8396895e5a64a823e6c390e2498168e1"


def test_status_started_in_version_1_only() -> None:
    """A running check is `started` in version 1 until it has run too long; later versions say so beside the status."""
    grace = 3600 * SECOND
    running = check(runs=(Run(None, NOW - 1),), deadline=NOW - 1 + grace, status="down")
    assert status(running, replace(VIEW, version=1)) == "started"
    assert status(running, VIEW) == "down"
    assert check_json(running, VIEW)["started"] is True
    overran = check(runs=(Run(None, NOW - grace, overdue=False),), deadline=NOW, status="down")
    assert status(overran, replace(VIEW, version=1)) == "down"
    late = check(runs=(Run(None, NOW - 5),), deadline=NOW - 1, expected=NOW - 1 - grace, status="down")
    assert status(late, VIEW) == "down"
    assert status(late, replace(VIEW, version=1)) == "started"
    assert status(check(status="paused"), replace(VIEW, version=1)) == "paused"


def test_tags_are_separated_by_spaces_only() -> None:
    """All wanted tags must be there, whole and in the same case; an empty one never is."""
    it = check(tags="prod db,sql  nightly")
    assert tagged(it, frozenset({"prod", "nightly"}))
    assert not tagged(it, frozenset({"db"}))
    assert not tagged(it, frozenset({"Prod"}))
    assert not tagged(it, frozenset({""}))


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
def test_exact_times_always_have_microseconds(at: datetime) -> None:
    """An exact time has six digits after the second, also when they are zero."""
    microseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert exact_text(microseconds) == at.isoformat(timespec="microseconds")


@given(st.text(max_size=20), st.integers(0, 2**40), st.booleans(), st.sampled_from([1, 2, 3]))
def test_objects_survive_json(text: str, n: int, readonly: bool, version: int) -> None:
    """What a check says comes out of JSON as it went in."""
    it = check(name=text, desc=text, n_pings=n, last_ping=n, last_duration=n)
    shown = check_json(it, replace(VIEW, readonly=readonly, version=version))
    assert json.loads(json.dumps(shown)) == shown
