"""Answers to "why?" over the API."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from pingmon.core.check.settings import CheckChanges
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.settings import SiteChanges
from pingmon.core.units import DAEMON, SECOND
from pingmon.core.world.events import (
    ChannelDeleted,
    CheckChanged,
    CheckCreated,
    CheckExpired,
    CheckMoved,
    CheckPaused,
    CheckResumed,
    Event,
    ListeningResumed,
    NewCheck,
    NotificationAbandoned,
    NotificationDelivered,
    NotificationFailed,
    OutageAcknowledged,
    OutageReviewed,
    PingReceived,
    ProjectAlertRulesChanged,
    ProjectDefaultsChanged,
    SiteChanged,
    SitePaused,
    SiteProbed,
    SiteResumed,
    WindowChanged,
    WindowCreated,
)
from pingmon.testing import PROJECT, START_S, bad, good, result, uuid
from pingmon.wire.api.checks import unique_key
from tests.api.stage import CHECKS, SITES, ApiStage

HOUR_S = 3600
DAY_S = 24 * HOUR_S


@pytest.fixture
def house() -> ApiStage:
    return ApiStage()


def asked(house: ApiStage, path: str, at: float | str | None = None, key: str | None = None) -> Any:
    """The answer about now, or about so many seconds after the beginning, or about an instant as it is written."""
    query = "" if at is None else f"?at={at}" if isinstance(at, str) else f"?at={round(START_S + at)}"
    reply = house.get(f"{path}/explain{query}", key)
    assert reply.status == 200, reply.body
    return reply.json


def texts(shown: Any, *topics: str) -> list[str]:
    return [each["text"] for each in shown["sentences"] if not topics or each["topic"] in topics]


def kinds(shown: Any, *topics: str) -> list[str]:
    return [each["kind"] for each in shown["sentences"] if not topics or each["topic"] in topics]


def entry(house: ApiStage, number: int) -> Event:
    """The event of an entry that a sentence rests on."""
    return house.memory.entry(number).event


def down(house: ApiStage, **fields: Any) -> str:
    """A check of ten minutes that was silent for an hour; one channel was told of it at once."""
    channel = house.new_channel()
    id = house.new_check(**{"name": "backup", "timeout": 600, "grace": 600} | fields)
    house.ping(id)
    house.clock.advance(HOUR_S)
    expire(house, id)
    house.submit(channel, NotificationDelivered(next(iter(house.world.owed)), 12, 204))
    return id


def expire(house: ApiStage, id: str) -> None:
    check = house.world.checks[id]
    assert check.deadline is not None
    house.submit(id, CheckExpired(check.deadline, check.armed_by))


# --- a check --------------------------------------------------------------------------------------------------------


def test_a_check_that_is_down(house: ApiStage) -> None:
    """Why, who was told, and what would change it; with the entries that say so."""
    id = down(house)
    shown = asked(house, f"{CHECKS}{id}")
    assert {name: shown[name] for name in ("name", "uuid", "at", "status", "since")} == {
        "name": "backup",
        "uuid": id,
        "at": "2023-11-14T23:13:20+00:00",
        "status": "down",
        "since": "2023-11-14T22:33:20+00:00",
    }
    assert texts(shown) == [
        "It is down since 2023-11-14 22:33:20 UTC: the job reported no success in time.",
        "Its last success or failure came at 2023-11-14 22:13:20 UTC.",
        "It stays down until a ping reports success, or until it is paused. A start does not end that.",
        "ops was told at 2023-11-14 23:13:20 UTC that it went down.",
        "A ping that reports success makes it up.",
    ]
    why, _, _, told, _ = shown["sentences"]
    assert [type(entry(house, number)) for number in why["entries"]] == [PingReceived, CheckExpired]
    assert [type(entry(house, number)) for number in told["entries"]] == [CheckExpired, NotificationDelivered]
    assert shown["zone"] is None


def test_a_message_that_waits_was_given_up_or_went_to_a_channel_that_is_no_more(house: ApiStage) -> None:
    """Each is told apart."""
    first, second, third = (house.new_channel(name) for name in ("ops", "pager", ""))
    id = house.new_check()
    house.ping(id, "fail")
    owed = {message.channel: message.id for message in house.world.owed.values()}
    house.submit(first, NotificationFailed(owed[first], 5, "status 500", house.now + 5 * SECOND))
    house.submit(second, NotificationAbandoned(owed[second], 5, "the URL is none"))
    house.submit(third, ChannelDeleted())
    assert texts(asked(house, f"{CHECKS}{id}"), "told") == [
        "ops has not been told yet that it went down: status 500 (1 attempt), "
        "and is tried again at 2023-11-14 22:13:25 UTC.",
        "pager was not told that it went down: the URL is none.",
        "a channel that is no more is not told that it went down: the channel was deleted.",
    ]


def test_a_read_only_key_learns_no_secrets(house: ApiStage) -> None:
    """Neither the id nor the channels nor the runs; it asks by the unique key, or by the id if it knows it."""
    id = down(house)
    house.ping(id, "start", rid=uuid(7))
    for path in (f"{CHECKS}{unique_key(id)}", f"{CHECKS}{id}"):
        shown = asked(house, path, key=house.ro)
        assert shown["unique_key"] == unique_key(id)
        assert texts(shown, "told") == ["That it went down at 2023-11-14 22:33:20 UTC was told on 1 channel."]
        assert "run" in kinds(shown)
        assert not [word for word in (id, "ops", uuid(7)) if word in str(shown)]
    assert uuid(7) in str(asked(house, f"{CHECKS}{id}"))


def test_a_check_of_nobody_else(house: ApiStage) -> None:
    """Another project's is not there."""
    id = down(house)
    other = house.new_project(uuid(2, "a"))
    assert house.get(f"{CHECKS}{id}/explain", other).status == 404
    assert house.get(f"{CHECKS}{unique_key(id)}/explain", other).status == 404


def test_the_zone_doctor_is_heard(house: ApiStage) -> None:
    """And names the neighbours' zones first."""
    house.new_check(schedule="0 5 * * *", tz="Asia/Seoul")
    id = house.new_check(schedule="0 6 * * *")
    house.clock.advance((21 * HOUR_S - START_S) % DAY_S)
    for _ in range(4):
        house.ping(id)
        house.clock.advance(DAY_S)
    shown = asked(house, f"{CHECKS}{id}")
    assert shown["zone"]["fits"] == ["Asia/Seoul", "Asia/Tokyo"]
    assert texts(shown, "advice") == [
        "Its schedule may be in the wrong time zone: the last 4 pings came 9 h early; "
        "they fit Asia/Seoul, Asia/Tokyo, and the schedule's zone is UTC."
    ]


def test_an_alert_that_is_held_rests_on_the_entry_that_says_so(house: ApiStage) -> None:
    """pingmon was deaf when the ping was due."""
    id = house.new_check(timeout=600, grace=600)
    house.ping(id)
    house.clock.advance(HOUR_S)
    house.submit(DAEMON, ListeningResumed(house.now - 3000 * SECOND, house.now + 60 * SECOND))
    (held,) = [each for each in asked(house, f"{CHECKS}{id}")["sentences"] if each["kind"] == "held"]
    assert [type(entry(house, number)) for number in held["entries"]] == [PingReceived, ListeningResumed]


# --- why nobody is told ---------------------------------------------------------------------------------------------


def test_too_few_failures_in_a_row(house: ApiStage) -> None:
    """How many there are, when there are enough, and that nobody was told when a success came before that."""
    house.new_channel()
    id = house.new_check(timeout=600, grace=60, notify_after=3)
    house.ping(id, "fail")
    house.clock.advance(10)
    shown = asked(house, f"{CHECKS}{id}")
    assert texts(shown, "told") == [
        "No message says that it is down before it has failed 3 times in a row; so far it has 1 time, "
        "and without a success it has at 2023-11-14 22:34:20 UTC."
    ]
    (few,) = [each for each in shown["sentences"] if each["kind"] == "few_failures"]
    assert (few["count"], few["of"]) == (1, 3)
    assert [type(entry(house, number)) for number in few["entries"]] == [CheckCreated, PingReceived]
    house.ping(id)
    house.clock.advance(10)
    assert texts(asked(house, f"{CHECKS}{id}"), "told") == [
        "Nobody was told that it came back at 2023-11-14 22:13:30 UTC: nobody had been told that it went down."
    ]
    assert texts(asked(house, f"{CHECKS}{id}", 5), "told") == texts(shown, "told")
    house.ping(id, "fail")
    house.post(f"{CHECKS}{id}/pause")
    assert texts(asked(house, f"{CHECKS}{id}"), "told") == [
        "Nobody was told that it went down at 2023-11-14 22:13:40 UTC."
    ]


def test_a_check_that_has_become_less_patient(house: ApiStage) -> None:
    """It is not said to have had no channels, for that may not be why nobody was told."""
    id = house.new_check()
    house.ping(id, "fail")
    assert kinds(asked(house, f"{CHECKS}{id}"), "told") == ["no_channels", "nobody"]
    house.post(f"{CHECKS}{id}", {"remind_every": 600})
    assert kinds(asked(house, f"{CHECKS}{id}"), "told") == ["no_channels", "nobody"]
    house.post(f"{CHECKS}{id}", {"notify_after": 2})
    house.post(f"{CHECKS}{id}", {"notify_after": 1})
    assert kinds(asked(house, f"{CHECKS}{id}"), "told") == ["no_channels", "unheard"]


def test_maintenance(house: ApiStage) -> None:
    """Until when, by which window, and of the past that it was so."""
    house.new_channel()
    made = house.post("/api/v3/maintenance/", {"name": "disks", "start": "1", "end": str(round(START_S) + HOUR_S)})
    window = f"/api/v3/maintenance/{made.json['uuid']}"
    id = house.new_check()
    house.ping(id, "fail")
    house.clock.advance(10)
    (held,) = [each for each in asked(house, f"{CHECKS}{id}")["sentences"] if each["topic"] == "told"]
    assert held["text"] == (
        "No message says that it is down before 2023-11-14 23:13:20 UTC: until then there is maintenance (disks)."
    )
    assert {type(entry(house, number)) for number in held["entries"]} == {WindowCreated, PingReceived}
    assert texts(asked(house, f"{CHECKS}{id}", key=house.ro), "told") == [held["text"].replace(" (disks)", "")]
    house.post(window, {"end": str(round(START_S) + 60)})
    (held,) = [each for each in asked(house, f"{CHECKS}{id}")["sentences"] if each["topic"] == "told"]
    assert WindowChanged in {type(entry(house, number)) for number in held["entries"]}
    assert texts(asked(house, f"{CHECKS}{id}", 5), "told") == [
        "Nobody was told that it went down at 2023-11-14 22:13:20 UTC: there was maintenance (disks)."
    ]
    house.clock.advance(60)
    assert texts(asked(house, f"{CHECKS}{id}"), "next")[-1] == (
        "If it is still down at 2023-11-14 22:14:30 UTC, people are told of it."
    )
    house.submit(id, OutageReviewed())
    assert kinds(asked(house, f"{CHECKS}{id}"), "told") == ["waiting"]
    assert kinds(asked(house, f"{CHECKS}{id}", 20), "told") == ["unheard"]


def test_what_it_depends_on_is_down(house: ApiStage) -> None:
    """A read-only key does not see what that is."""
    house.new_channel()
    parent = house.new_check(name="database")
    id = house.new_check(parent=parent)
    for each in (parent, id):
        house.ping(each, "fail")
    (held,) = [each for each in asked(house, f"{CHECKS}{id}")["sentences"] if each["topic"] == "told"]
    assert (held["kind"], held["who"]) == ("parent_down", "database")
    assert held["text"] == "No message says that it is down while database, which it depends on, is down, too."
    assert len([each for each in held["entries"] if type(entry(house, each)) is PingReceived]) == 2
    assert "database" not in str(asked(house, f"{CHECKS}{id}", key=house.ro))


def test_reminders_steps_and_who_sees_to_it(house: ApiStage) -> None:
    """What comes next, what came, and that no more comes; each with its entries, and without names for who may not."""
    house.new_channel()
    boss = house.new_channel("boss")
    steps = [{"after": 1200, "channels": boss}]
    id = house.new_check(channels="ops", remind_every=600, escalation=steps)
    house.ping(id, "fail")
    path = f"{CHECKS}{id}"
    then = [
        "Whoever was told is reminded at 2023-11-14 22:23:20 UTC, if it is still down and nobody has acknowledged it.",
        "At 2023-11-14 22:33:20 UTC boss is told, too, if it is still down and nobody has acknowledged it.",
    ]
    assert texts(asked(house, path), "next")[-2:] == then
    assert "1 more channel is told" in texts(asked(house, path, key=house.ro), "next")[-1]
    (owed,) = house.world.owed.values()
    house.submit(owed.channel, NotificationDelivered(owed.id, 12, 204))
    house.clock.advance(600)
    house.submit(id, OutageReviewed())
    assert texts(asked(house, path), "told")[-1] == "The newest reminder, number 1, was due at 2023-11-14 22:23:20 UTC."
    (owed,) = house.world.owed.values()
    house.submit(owed.channel, NotificationDelivered(owed.id, 12, 204))
    house.clock.advance(60)
    house.post(f"{path}/ack", {"by": "ada"})
    house.post(f"{path}/ack", {"by": "bob"})
    shown = asked(house, path)
    assert kinds(shown, "next") == ["stays_down"]
    reminded, known = [each for each in shown["sentences"] if each["topic"] == "told"][-2:]
    assert (reminded["kind"], reminded["count"]) == ("reminded", 1)
    assert [type(entry(house, number)) for number in reminded["entries"]] == [PingReceived, OutageReviewed]
    assert known["text"] == (
        "The outage was acknowledged at 2023-11-14 22:24:20 UTC by ada: "
        "no reminder and no step of the escalation follows."
    )
    by = [entry(house, number) for number in known["entries"]]
    assert by[1:] == [OutageAcknowledged("ada")]
    assert "ada" not in str(asked(house, path, key=house.ro))
    assert kinds(asked(house, path, 605), "told") == ["delivered", "reminded"]
    assert kinds(asked(house, path, 5), "told") == ["delivered"]


def test_what_follows_from_the_rules_of_the_project(house: ApiStage) -> None:
    """It rests on the entry that has set them."""
    house.new_channel()
    house.post(f"/api/v3/projects/{PROJECT}", {"remind_every": 600}, house.operator)
    id = house.new_check()
    house.ping(id, "fail")
    (reminder,) = [each for each in asked(house, f"{CHECKS}{id}")["sentences"] if each["kind"] == "reminder"]
    assert {type(entry(house, number)) for number in reminder["entries"]} == {ProjectAlertRulesChanged, PingReceived}


# --- the past -------------------------------------------------------------------------------------------------------


def test_the_past_of_a_check(house: ApiStage) -> None:
    """As it was then, with the settings and the messages of then."""
    id = down(house)
    house.submit(id, CheckChanged(CheckChanges(grace=1200)))
    house.ping(id)
    house.clock.advance(60)
    house.submit(id, CheckPaused())
    path = f"{CHECKS}{id}"
    statuses = [asked(house, path, at)["status"] for at in (0, 599, 601, HOUR_S - 1, HOUR_S + 30, HOUR_S + 60)]
    assert statuses == ["up", "up", "grace", "grace", "up", "paused"]
    before = asked(house, path, 300)
    assert before["at"] == "2023-11-14T22:18:20+00:00"
    assert texts(before, "next")[-1].endswith(
        "goes down at 2023-11-14 22:33:20 UTC, which is 10 min after one is expected."
    )
    assert kinds(before, "told") == ["nothing_yet"]
    after = asked(house, path, HOUR_S + 30)
    assert texts(after, "next")[-1].endswith("which is 20 min after one is expected.")
    assert kinds(asked(house, path), "state")[0] == "paused"


def test_who_was_told_by_then(house: ApiStage) -> None:
    """A message that was delivered later was waiting then, after the attempts that there had been."""
    channel = house.new_channel()
    id = house.new_check()
    house.ping(id)
    house.clock.advance(10)
    house.ping(id, "fail")
    (owed,) = house.world.owed
    house.clock.advance(10)
    house.submit(channel, NotificationFailed(owed, 5, "status 500", house.now + 5 * SECOND))
    house.clock.advance(10)
    house.submit(channel, NotificationDelivered(owed, 5, 200))
    house.clock.advance(10)
    told = [texts(asked(house, f"{CHECKS}{id}", at), "told")[0] for at in (15, 25, 35)]
    assert told == [
        "ops has not been told yet that it went down.",
        "ops has not been told yet that it went down: status 500 (1 attempt).",
        "ops was told at 2023-11-14 22:13:50 UTC that it went down.",
    ]


@pytest.mark.parametrize(
    "at",
    ["1700000005", "2023-11-14T22:13:25Z", "2023-11-14T23:13:25%2B01:00", "2023-11-14T23:13:25+01:00",
     "2023-11-14T22:13:25", "2023-11-14%2022:13:25", "2023-11-14T22:13:25.5Z"],
)  # fmt: skip
def test_an_instant_may_be_written_as_it_is_shown_or_in_seconds(house: ApiStage, at: str) -> None:
    """A plus need not be percent-encoded, and a whole second is meant to its end."""
    id = house.new_check()
    house.clock.advance(5.25)
    house.ping(id)
    house.clock.advance(60)
    shown = asked(house, f"{CHECKS}{id}", at)
    assert (shown["status"], shown["at"]) == ("up", "2023-11-14T22:13:25+00:00")


@pytest.mark.parametrize(
    ("at", "error"),
    [
        ("yesterday", "at must be an instant, as in 2026-11-21T23:13:00Z, or seconds since the epoch"),
        ("", "at must be an instant, as in 2026-11-21T23:13:00Z, or seconds since the epoch"),
        ("1700000060", "at must not be in the future"),
        ("1699999999", "at must not be before the check was created, at 2023-11-14 22:13:20 UTC"),
        ("0001-01-01T00:00:00%2B23:00", "at must not be before the check was created, at 2023-11-14 22:13:20 UTC"),
    ],
)
def test_instants_that_cannot_be_explained(house: ApiStage, at: str, error: str) -> None:
    """Each with its reason."""
    assert house.get(f"{CHECKS}{house.new_check()}/explain?at={at}").error == error


def test_what_was_trimmed_is_said_to_be_unknown(house: ApiStage) -> None:
    """The changes of status are kept for ever; where pings are still there, everything is known."""
    id = house.submit(uuid(1), PingReceived(create=NewCheck(PROJECT, "job"))).id
    house.clock.advance(10)
    house.ping(id, "fail")
    for _ in range(5):
        house.clock.advance(10)
        house.ping(id)
    for ping in result(house.journal.events(id, PingReceived, upto=house.world.seq, skip=2)):
        del house.memory.rows[ping.seq]
    old = asked(house, f"{CHECKS}{id}", 15)
    assert (old["status"], kinds(old, "state", "next", "advice")) == ("down", ["down", "not_kept"])
    young = asked(house, f"{CHECKS}{id}", 55)
    assert (young["status"], young["since"]) == ("up", "2023-11-14T22:13:40+00:00")
    assert kinds(young, "next") == ["expected", "goes_down"]


def test_a_long_history_is_read_from_near_its_end(house: ApiStage) -> None:
    """With its settings, however long ago they were set, and all that has happened since."""
    id = house.new_check(timeout=600)
    house.submit(id, CheckChanged(CheckChanges(grace=120)))
    for _ in range(700):
        house.ping(id)
        house.ping(id, "fail")
        house.clock.advance(1)
    house.ping(id)
    house.clock.advance(1)
    shown = asked(house, f"{CHECKS}{id}", 700)
    assert (shown["status"], kinds(shown, "advice")) == ("up", [])
    assert texts(shown, "next")[-1].endswith("which is 2 min after one is expected.")


def test_a_check_that_was_in_another_project(house: ApiStage) -> None:
    """Its past is told with it, but not the names of channels that are not its project's."""
    id = down(house)
    other = house.new_project(uuid(2, "a"))
    house.clock.advance(60)
    house.submit(id, CheckMoved(uuid(2, "a")))
    house.clock.advance(60)
    house.ping(id)
    path = f"{CHECKS}{id}"
    assert house.get(f"{path}/explain").status == 404
    for at, status in ((10, "up"), (HOUR_S + 30, "down"), (HOUR_S + 90, "down"), (None, "up")):
        shown = asked(house, path, at, other)
        assert shown["status"] == status
        assert "ops" not in str(shown)
    assert texts(asked(house, path, HOUR_S + 30, other), "told") == [
        "a channel of another project was told at 2023-11-14 23:13:20 UTC that it went down."
    ]
    assert kinds(asked(house, path, HOUR_S + 90, other), "told") == ["no_channels", "delivered"]


def test_a_check_that_was_made_with_the_defaults_of_its_project(house: ApiStage) -> None:
    """Those of that time."""
    house.submit(PROJECT, ProjectDefaultsChanged(CheckChanges(grace=900)))
    id = house.submit(uuid(1), PingReceived(create=NewCheck(PROJECT, "job"))).id
    house.submit(PROJECT, ProjectDefaultsChanged(CheckChanges(grace=60)))
    house.clock.advance(60)
    assert asked(house, f"{CHECKS}{id}", 10)["sentences"] == asked(house, f"{CHECKS}{id}")["sentences"]


# --- a site ---------------------------------------------------------------------------------------------------------


class Probed:
    """Whoever has looked at sites last."""

    def __init__(self, newest: ProbeResult) -> None:
        self.newest = newest

    def latest(self, site: str) -> ProbeResult:
        return self.newest

    def probe(self, site: str) -> Deferred[ProbeResult]:
        raise NotImplementedError

    def refusal(self, url: str) -> None:
        return None


def test_a_site(house: ApiStage) -> None:
    """Up, down and back, with what was seen and who was told; each look that matters is in the log."""
    house.new_channel()
    id = house.new_site()
    house.probe(id, house.look())
    house.clock.advance(60)
    house.outage(id)
    path = f"{SITES}{id}"
    shown = asked(house, path)
    assert (shown["uuid"], shown["status"]) == (id, "up")
    assert texts(shown, "state") == [
        "It is up since 2023-11-14 22:15:20 UTC: ok.",
        "pingmon's own newest look, at 2023-11-14 22:15:20 UTC, saw: ok.",
    ]
    assert kinds(shown, "next", "told", "change") == ["look", "waiting", "bad_look"]
    assert isinstance(entry(house, shown["sentences"][0]["entries"][0]), SiteProbed)
    then = asked(house, path, 100)
    assert (then["status"], kinds(then, "told")) == ("down", ["waiting"])
    assert kinds(then, "change") == ["good_looks"]
    assert asked(house, path, 65)["status"] == "suspect"
    assert asked(house, path, 0, house.ro)["status"] == "up"


def test_a_site_that_was_just_looked_at() -> None:
    """The newest look is told of, though it says nothing new and is not in the log; but not of the past."""
    house = ApiStage(probes=Probed(good(at=round(START_S + 50) * SECOND)))
    id = house.new_site()
    house.probe(id, house.look())
    house.clock.advance(60)
    (look,) = [each for each in asked(house, f"{SITES}{id}")["sentences"] if each["kind"] == "last_look"]
    assert (look["at"], look["entries"]) == ("2023-11-14T22:14:10+00:00", [])
    (look,) = [each for each in asked(house, f"{SITES}{id}", 55)["sentences"] if each["kind"] == "last_look"]
    assert look["at"] == "2023-11-14T22:13:20+00:00"


def test_a_site_whose_host_is_asked(house: ApiStage) -> None:
    """The host is told of with its answer, now and as of the past; it is not said that there was no channel."""
    house.new_channel()
    house.new_partner("hosty", name="Hosty Inc.", webhook="https://hooks.example/")
    id = house.new_site(host="hosty")
    house.probe(id, house.look())
    for _ in range(3):
        house.clock.advance(10)
        house.probe(id, bad(at=house.now))
    path = f"{SITES}{id}"
    assert kinds(asked(house, path), "told") == ["asked"]
    house.clock.advance(10)
    house.answer(id, "until", house.now + 600 * SECOND)
    house.clock.advance(10)
    assert texts(asked(house, path), "told") == [
        "Hosty Inc., who hosts it, answered at 2023-11-14 22:14:00 UTC: the outage is known, "
        "until 2023-11-14 22:24:00 UTC.",
        "Hosty Inc., who hosts it, knows of the outage: its users are not told before 2023-11-14 22:24:00 UTC.",
    ]
    assert kinds(asked(house, path, 35), "told") == ["asked"]


def test_the_looks_of_a_site_may_have_been_trimmed(house: ApiStage) -> None:
    """Then the changes of its status are what is known."""
    id = house.new_site()
    for _ in range(4):
        house.probe(id, house.look("status", 503))
        house.clock.advance(10)
    for probe in result(house.journal.events(id, SiteProbed, upto=house.world.seq)):
        del house.memory.rows[probe.seq]
    shown = asked(house, f"{SITES}{id}", 35)
    assert (shown["status"], kinds(shown, "state", "next", "advice")) == ("down", ["down", "not_kept"])


# --- whatever happens -----------------------------------------------------------------------------------------------


_DONE = st.sampled_from(
    ["success", "success", "start", "fail", "log", "pause", "resume", "grace", "expire", "deaf", "ack"]
)
_SEEN = st.sampled_from(["good", "bad", "bad", "torn", "pause", "resume", "moved", "ok", "until"])


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(_DONE, st.integers(1, 900)), max_size=15), often=st.integers(1, 3))
def test_what_is_said_of_the_past_of_a_check_is_what_was_said_then(steps: list[tuple[Any, int]], often: int) -> None:
    """Word for word, with the same entries, whatever has happened since; but not when people were to be told."""
    house = ApiStage()
    house.new_channel()
    id = house.new_check(timeout=600, grace=300, notify_after=often)
    said = []
    for what, seconds in steps:
        do(house, id, what)
        house.clock.advance(seconds)
        shown = asked(house, f"{CHECKS}{id}")
        shown["sentences"] = [each for each in shown["sentences"] if each["kind"] != "told_then"]
        said.append(shown)
        house.clock.advance(1)
    for then in said:
        assert asked(house, f"{CHECKS}{id}", then["at"]) == then


def do(house: ApiStage, id: str, what: Any) -> None:
    """Let something happen to a check."""
    check = house.world.checks[id]
    if what == "pause":
        house.submit(id, CheckPaused())
    elif what == "resume":
        house.submit(id, CheckResumed())
    elif what == "grace":
        house.submit(id, CheckChanged(CheckChanges(grace=check.spec.grace + 60)))
    elif what == "deaf":
        house.submit(DAEMON, ListeningResumed(house.now - 100 * SECOND, house.now + 60 * SECOND))
    elif what == "ack":
        house.submit(id, OutageAcknowledged("ada"))
    elif what != "expire":
        house.ping(id, what)
    elif check.deadline is not None and check.deadline <= house.now:
        expire(house, id)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(_SEEN, st.integers(1, 900)), max_size=15))
def test_what_is_said_of_the_past_of_a_site_is_what_was_said_then(steps: list[tuple[Any, int]]) -> None:
    """Its host's answers among it."""
    house = ApiStage()
    house.new_channel()
    house.new_partner(webhook="https://hooks.example/")
    id = house.new_site(host="hosty")
    said = []
    for what, seconds in steps:
        see(house, id, what)
        house.clock.advance(seconds)
        said.append(asked(house, f"{SITES}{id}"))
        house.clock.advance(1)
    for then in said:
        assert asked(house, f"{SITES}{id}", then["at"]) == then


def see(house: ApiStage, id: str, what: str) -> None:
    """Let something happen to a site."""
    site = house.world.sites[id]
    if what == "pause":
        house.submit(id, SitePaused())
    elif what == "resume":
        house.submit(id, SiteResumed())
    elif what == "moved":
        house.submit(id, SiteChanged(SiteChanges(url=f"{site.spec.url}x")))
    elif what == "torn":
        house.probe(id, bad(at=house.now), good("berlin", house.now), asked=3, quorum=2)
    elif what in ("good", "bad"):
        house.probe(id, (good if what == "good" else bad)(at=house.now))
    elif site.inquiry is not None:
        house.answer(id, what, house.now + 600 * SECOND if what == "until" else None)  # type: ignore[arg-type]
