"""Tests of `pingmon.wire.message.message`: what people and programs are told."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from pingmon.core.check.check import Check, Status
from pingmon.core.check.settings import CheckSpec
from pingmon.core.flip import Cause, Deaf, Flip, FlipStatus, Silenced
from pingmon.core.notify.alert_rules import AlertRules
from pingmon.core.notify.channel import Channel
from pingmon.core.notify.notification import Acknowledged, Audience, Missed, Notification
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site
from pingmon.core.site.verdict import Place
from pingmon.core.units import SECOND
from pingmon.testing import PROJECT, bad, good, uuid
from pingmon.testing import START as T0
from pingmon.wire.api.probe_results import look_json
from pingmon.wire.message.message import (
    REASONS,
    Letter,
    called,
    name,
    object_of,
    text,
    trial_letter,
    why_of,
)
from pingmon.wire.time_texts import duration_text

CHANNEL = Channel(uuid(1, "d"), PROJECT, "webhook", "ops", {}, "", 1, T0)


def letter(new: Status, cause: Cause = "", *, exitstatus: int | None = None, deaf: Deaf | None = None) -> Letter:
    """A message about a check that was up for an hour, or down for 90 seconds."""
    old: Status = "up" if new == "down" else "down"
    since = T0 - (3600 if new == "down" else 90) * SECOND
    check = Check(uuid(1), PROJECT, CheckSpec(name="nightly backup"), 3, T0, T0, new)
    flip = Flip(7, check.id, T0, old, new, cause, since, exitstatus, deaf)
    owed = Notification(f"{CHANNEL.id}.7", CHANNEL.id, flip, T0)
    return Letter(owed, check, CHANNEL, T0 + SECOND)


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (
            letter("down", "silence"),
            "DOWN: nightly backup, since 2023-11-14 22:13:20 UTC: the job reported no success in time",
        ),
        (letter("down", "run"), "DOWN: nightly backup, since 2023-11-14 22:13:20 UTC: a run took longer than it may"),
        (letter("down", "signal"), "DOWN: nightly backup, since 2023-11-14 22:13:20 UTC: the job reported a failure"),
        (
            letter("down", "signal", exitstatus=3),
            "DOWN: nightly backup, since 2023-11-14 22:13:20 UTC: the job reported a failure (exit status 3)",
        ),
        (letter("up"), "UP: nightly backup, since 2023-11-14 22:13:20 UTC, after 1 min 30 s down"),
        (
            letter("up", "ended"),
            "ENDED: nightly backup, its schedule has no further occurrence: "
            "no ping is expected any more, so silence raises no alert",
        ),
    ],
)
def test_the_line_says_what_happened_to_which_check_when_and_why(sent: Letter, line: str) -> None:
    assert text(sent) == line


def test_an_up_whose_down_was_never_delivered_says_from_when_to_when_it_was_down() -> None:
    up = letter("up")
    up = replace(up, owed=replace(up.owed, down_from=T0 - 7200 * SECOND))
    assert text(up) == "UP: nightly backup, was down from 2023-11-14 20:13:20 UTC to 2023-11-14 22:13:20 UTC (2 h)"
    said = object_of(up, {})
    assert said["down_from"] == "2023-11-14T20:13:20+00:00"
    assert msgspec.convert(said["flip"], dict[str, object])["down_seconds"] == 7200


@pytest.mark.parametrize(("count", "often"), [(1, ""), (3, "3 times ")])
def test_a_message_makes_up_for_outages_of_which_none_could_be_told(count: int, often: str) -> None:
    """In the way down that came after them, or in the way up."""
    down = letter("down", "silence")
    down = replace(down, owed=replace(down.owed, missed=Missed(T0 - 7200 * SECOND, T0 - 3600 * SECOND, count)))
    assert text(down).endswith(f"; it was down {often}before, from 2023-11-14 20:13:20 UTC to 2023-11-14 21:13:20 UTC")
    assert object_of(down, {})["missed"] == {
        "count": count,
        "since": "2023-11-14T20:13:20+00:00",
        "until": "2023-11-14T21:13:20+00:00",
    }


@pytest.mark.parametrize(("up", "happened"), [(False, "went down"), (True, "came back")])
def test_a_test_message_cannot_be_taken_for_an_alert(up: bool, happened: str) -> None:
    """Neither by people nor by programs; all else is as in a real one."""
    trial = trial_letter(replace(CHANNEL, name="o\nps"), T0, up=up)
    assert text(trial) == f'TEST: a message to channel "o?ps", as if something {happened}; nothing has'
    said = object_of(trial, {"name": "test"})
    assert (said["event"], said["id"], said["check"]) == ("test", f"{CHANNEL.id}_test_{T0}", {"name": "test"})
    flip = msgspec.convert(said["flip"], dict[str, object])
    assert (flip["new"], flip["since"]) == ("up" if up else "down", "2023-11-14T22:12:20+00:00")


def test_what_a_channel_is_called_cannot_break_a_line() -> None:
    """One without a name is called by its kind."""
    assert called(replace(CHANNEL, name="o\nps")) == "o?ps (dddddddd)"
    assert called(replace(CHANNEL, name="")) == "webhook (dddddddd)"


def test_a_message_says_that_pingmon_itself_had_been_deaf() -> None:
    deaf = Deaf(T0 - 60 * SECOND, T0 - 30 * SECOND, T0, "suspended")
    told = letter("down", "silence", deaf=deaf)
    assert text(told).endswith(
        "; pingmon itself heard nothing from 2023-11-14 22:12:20 UTC to 2023-11-14 22:12:50 UTC "
        "(its machine was suspended)"
    )
    assert object_of(told, {})["deaf"] == {
        "since": "2023-11-14T22:12:20+00:00",
        "until": "2023-11-14T22:12:50+00:00",
        "cause": "suspended",
    }


def test_a_message_says_what_may_be_wrong_last() -> None:
    """For people in the line, for programs under a key of its own."""
    advised = replace(letter("down", "silence"), advice="the pings fit Europe/Bucharest")
    assert text(advised).endswith(": the job reported no success in time; the pings fit Europe/Bucharest")
    assert object_of(advised, {})["advice"] == "the pings fit Europe/Bucharest"
    assert "advice" not in object_of(letter("down", "silence"), {})


def test_a_relayed_message_says_which_channel_could_not_be_told_and_why() -> None:
    first = letter("down", "silence")
    owed = replace(first.owed, relays=uuid(9, "d"), relays_error="status 410", error="timed out after 30 s")
    relay = replace(first, owed=owed, lost="pager")
    assert text(relay).endswith('; channel "pager" could not be told (status 410)')
    assert object_of(relay, {})["relay"] == {"channel": uuid(9, "d"), "name": "pager", "error": "status 410"}


def test_the_object_has_the_check_the_flip_and_an_id_without_full_stops() -> None:
    said = object_of(letter("down", "signal", exitstatus=3), {"name": "nightly backup"})
    assert said == {
        "event": "check.down",
        "id": f"{CHANNEL.id}_7",
        "text": "DOWN: nightly backup, since 2023-11-14 22:13:20 UTC: the job reported a failure (exit status 3)",
        "check": {"name": "nightly backup"},
        "flip": {
            "at": "2023-11-14T22:13:20+00:00",
            "old": "up",
            "new": "down",
            "reason": "signal",
            "why": "the job reported a failure",
            "exit_status": 3,
            "since": "2023-11-14T21:13:20+00:00",
        },
    }


def test_the_object_quotes_the_end_of_what_the_last_ping_said() -> None:
    """That is where errors stand; a ping without a body is not quoted."""
    assert object_of(letter("down", "signal"), {}, b"x" * 5000 + "disk is full ✓".encode())["body"] == (
        "x" * 986 + "disk is full ✓"
    )
    assert "body" not in object_of(letter("down", "signal"), {}, b"")


def test_every_cause_of_a_flip_has_its_words() -> None:
    assert set(REASONS) == set(get_args(Cause))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (7320, "2 h 2 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 30, "30 d"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: int, shown: str) -> None:
    assert duration_text(seconds) == shown


def test_a_check_without_a_name_is_called_by_its_slug_or_its_id() -> None:
    check = letter("up").subject
    assert name(check) == "nightly backup"
    assert name(replace(check, spec=CheckSpec(slug="nightly"))) == "nightly"
    assert name(replace(check, spec=CheckSpec())) == check.id


# --- sites --------------------------------------------------------------------------------------------------------

SAW_IT = (bad(), bad("berlin"), good("tokyo"))


def of_site(new: Status, looks: tuple[ProbeResult, ...] = SAW_IT, **spec: Any) -> Letter:
    """A message about a site that was suspect at T0, or down for 90 seconds until T0."""
    old: FlipStatus = "suspect" if new == "down" else "down"
    since = T0 if new == "down" else T0 - 90 * SECOND
    site = Site(uuid(1, "5"), PROJECT, SiteSpec(**{"name": "Shop", "url": "https://shop.example/"} | spec), 3, T0, T0)
    flip = Flip(7, site.id, T0, old, new, "verdict", since, code=503 if new == "down" else 200, looks=looks)
    return Letter(Notification(f"{CHANNEL.id}.7", CHANNEL.id, flip, T0), site, CHANNEL, T0 + SECOND)


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (
            of_site("down"),
            "DOWN: Shop (https://shop.example/), since 2023-11-14 22:13:20 UTC: "
            "503 Service Unavailable (here, berlin); ok (tokyo)",
        ),
        (
            of_site("down", looks=(bad(),)),
            "DOWN: Shop (https://shop.example/), since 2023-11-14 22:13:20 UTC: 503 Service Unavailable",
        ),
        (
            of_site("down", name=""),
            "DOWN: https://shop.example/, since 2023-11-14 22:13:20 UTC: "
            "503 Service Unavailable (here, berlin); ok (tokyo)",
        ),
        (
            of_site("up", looks=(good(), good("tokyo"))),
            "UP: Shop (https://shop.example/), since 2023-11-14 22:13:20 UTC, after 1 min 30 s down",
        ),
    ],
)
def test_the_line_about_a_site_says_which_one_where_it_is_and_who_saw_what(sent: Letter, line: str) -> None:
    assert text(sent) == line


def test_the_object_has_the_site_as_the_api_shows_it_and_what_was_seen() -> None:
    said = object_of(of_site("down"), {"name": "Shop"})
    assert said == {
        "event": "site.down",
        "id": f"{CHANNEL.id}_7",
        "text": text(of_site("down")),
        "site": {"name": "Shop"},
        "flip": {
            "at": "2023-11-14T22:13:20+00:00",
            "old": "suspect",
            "new": "down",
            "reason": "verdict",
            "why": why_of(of_site("down").owed.flip),
            "exit_status": None,
            "since": "2023-11-14T22:13:20+00:00",
            "code": 503,
            "looks": [look_json(look) for look in SAW_IT],
        },
    }


def test_an_outage_that_is_told_after_a_silence_says_why_it_is_told_so_late() -> None:
    sent = of_site("down")
    late = replace(sent, owed=replace(sent.owed, flip=replace(sent.owed.flip, known_until=T0 + 3600 * SECOND)))
    assert text(late) == text(sent) + "; its host knew of it until 2023-11-14 23:13:20 UTC, and that is over"
    assert object_of(late, {})["known_until"] == "2023-11-14T23:13:20+00:00"
    assert "known_until" not in object_of(sent, {})


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("well", "nobody elsewhere could look, but pingmon sees others well"),
        ("unsure", "nobody elsewhere could look, and nobody vouches for pingmon's own connection"),
    ],
)
def test_an_outage_that_nobody_elsewhere_could_look_at_says_so_and_what_is_known(place: Place, words: str) -> None:
    sent = of_site("down")
    alone = replace(sent, owed=replace(sent.owed, flip=replace(sent.owed.flip, place=place)))
    assert text(alone) == f"{text(sent)}; {words}"
    assert object_of(alone, {})["alone"] == place
    assert "alone" not in object_of(sent, {})


def test_a_recovered_site_was_down_since_its_incident() -> None:
    said = object_of(of_site("up"), {})
    flip = msgspec.convert(said["flip"], dict[str, object])
    assert (said["event"], flip["down_seconds"], flip["code"]) == ("site.up", 90, 200)


def test_a_name_with_line_breaks_makes_no_second_line() -> None:
    sent = of_site("up", name="Shop\r\nUP: everything")
    assert text(sent).startswith("UP: Shop UP: everything (https://shop.example/), since")


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    up = letter("up")
    assert replace(up, owed=replace(up.owed, down_from=T0 + SECOND)).down_seconds == 0


def test_the_end_of_a_schedule_is_an_event_of_its_own() -> None:
    """Not a recovery: nothing had been down."""
    said = object_of(letter("up", "ended"), {})
    assert said["event"] == "check.ended"
    assert "down_seconds" not in msgspec.convert(said["flip"], dict[str, object])


# --- how it is told while it lasts --------------------------------------------------------------------------------


def test_a_reminder_says_for_how_long_it_has_been_down() -> None:
    down = letter("down", "signal")
    again = replace(down, owed=replace(down.owed, reminder=2), now=T0 + 7500 * SECOND)
    assert text(again) == (
        "STILL DOWN: nightly backup, for 2 h 5 min now, since 2023-11-14 22:13:20 UTC: the job reported a failure"
    )
    said = object_of(again, {})
    assert (said["event"], said["reminder"]) == ("check.reminder", 2)


def test_who_is_told_as_nobody_has_acknowledged_it_hears_why() -> None:
    down = letter("down", "signal")
    later = replace(down, owed=replace(down.owed, step=1))
    assert text(later).endswith("; nobody has acknowledged it yet")
    assert (object_of(later, {})["event"], object_of(later, {})["step"]) == ("check.down", 1)


@pytest.mark.parametrize(
    ("by", "called", "sentence"),
    [
        ("maintenance", "disks", 'it went down in maintenance "disks"'),
        ("maintenance", "", "it went down in maintenance"),
        ("parent", "uplink", "it depends on uplink, which was down then"),
    ],
)
def test_what_was_held_says_what_held_it(by: Any, called: str, sentence: str) -> None:
    """When it is told; a reminder of it does not say so again, nor does the way up."""
    down = letter("down", "signal")
    held = replace(down, owed=replace(down.owed, flip=replace(down.owed.flip, silenced=Silenced(by, "w", called))))
    assert text(held).endswith(f"; {sentence}")
    assert object_of(held, {})["silenced"] == {"by": by, "name": called}
    assert sentence not in text(replace(held, owed=replace(held.owed, reminder=1)))


def test_after_so_many_failures_in_a_row_the_message_says_so() -> None:
    down = letter("down", "signal")
    check = down.subject
    assert isinstance(check, Check)
    spec = replace(check.spec, alerts=AlertRules(notify_after=3))
    assert text(replace(down, subject=replace(check, spec=spec))).endswith("; it failed 3 times in a row")


@pytest.mark.parametrize(("by", "words"), [("ada", "acknowledged by ada at"), ("", "acknowledged at")])
def test_the_way_up_says_who_saw_to_it(by: str, words: str) -> None:
    up = letter("up")
    check = up.subject
    assert isinstance(check, Check)
    audience = Audience(up.owed.flip.seq, "up", (), acknowledged=Acknowledged(T0, by))
    known = replace(up, subject=replace(check, audience=audience))
    assert text(known).endswith(f"; {words} 2023-11-14 22:13:20 UTC")
    assert object_of(known, {})["acknowledged"] == {"at": "2023-11-14T22:13:20+00:00", "by": by}
    other = replace(check, audience=replace(audience, seq=up.owed.flip.seq + 1))
    assert "acknowledged" not in text(replace(up, subject=other))
