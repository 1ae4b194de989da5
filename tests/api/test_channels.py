"""Channels over the API: listed, made, shown, changed, tested, deleted; and what became of their messages."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import UNSET
from twisted.internet.defer import Deferred, succeed

from pingmon.api.api import ApiSettings
from pingmon.api.channel_kinds import KINDS
from pingmon.core.address_policy import allowing
from pingmon.core.notify.allowed import Allowed
from pingmon.core.notify.notification import Attempted
from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.units import SECOND
from pingmon.core.world.events import (
    ChannelChanged,
    ChannelCreated,
    NotificationDelivered,
    NotificationFailed,
    PartnerAnswered,
    ProjectCreated,
)
from pingmon.testing import PROJECT, START, result
from pingmon.wire.api.webhook_channel import webhook_value
from tests.api.stage import CHANNELS, OTHER_PROJECT, ApiStage

VALUE = {"url_down": "https://hooks.example/$CODE", "method_down": "POST"}


def test_a_webhook() -> None:
    """A new webhook is answered with its complete settings and the secret that signs its messages."""
    house = ApiStage()
    reply = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE})
    assert reply.status == 201
    made = reply.json
    assert list(made)[:5] == ["id", "name", "kind", "value", "secret"]
    assert (made["name"], made["kind"], made["value"]["method_up"]) == ("ops", "webhook", "GET")
    assert re.fullmatch("whsec_[A-Za-z0-9+/]{32}", made["secret"])
    assert len(b64decode(made["secret"].removeprefix("whsec_"))) == 24
    channel = house.world.channels[made["id"]]
    assert (channel.name, channel.value, channel.secret) == ("ops", made["value"], made["secret"])


@pytest.mark.parametrize(
    ("kind", "value", "more"),
    [
        ("ntfy", {"topic": "ops"}, {"url": "https://ntfy.sh", "token": "", "priority": 4}),
        ("telegram", {"token": "1:x", "chat_id": "7"}, {"thread_id": 0, "url": "https://api.telegram.org"}),
        ("slack", {"url": "https://hooks.slack.com/services/T/B/x"}, {}),
        ("discord", {"url": "https://discord.com/api/webhooks/1/x"}, {}),
        ("pagerduty", {"routing_key": "k" * 32}, {"severity": "critical", "url": "https://events.pagerduty.com"}),
    ],
)
def test_a_service(kind: str, value: dict[str, Any], more: dict[str, Any]) -> None:
    """It is made with what it needs, shown with its defaults, and changed; a URL that may not be reached is refused."""
    house = ApiStage()
    made = house.post(CHANNELS, {"kind": kind, "value": value})
    assert (made.status, made.json["kind"], made.json["value"], made.json["warnings"]) == (201, kind, value | more, [])
    path = CHANNELS + made.json["id"]
    assert house.post(path, {"value": {"url": "https://own.example/"}}).json["value"]["url"] == "https://own.example/"
    refused = house.post(path, {"value": {"url": "http://127.0.0.1/"}})
    assert refused.error.startswith("json validation error: url cannot be reached: address 127.0.0.1 is private")
    assert house.post(CHANNELS, {"kind": kind, "value": {}}).status == 400


def test_a_command() -> None:
    """Only a program that the operator has named; if he takes it back, the channel is warned of."""
    page = "/usr/local/bin/page"
    command = {"kind": "command", "value": {"program": page, "arguments": ["--loud"]}}
    refusal = f'{page} may not be run; allow it with [commands] allow = ["{page}"]'
    assert ApiStage().post(CHANNELS, command).error == f"json validation error: {refusal}"
    house = ApiStage(ApiSettings(allowed=Allowed(commands=(page,)), keys_per_second=0))
    made = house.post(CHANNELS, command).json
    assert (made["value"], made["warnings"]) == (command["value"], [])
    without = ApiStage()
    without.submit(made["id"], ChannelCreated(PROJECT, "command", "", made["value"], ""))
    assert without.get(CHANNELS + made["id"]).json["warnings"] == [refusal]


def test_a_group() -> None:
    """It names its members, is shown with their ids, and loses those that are deleted; it is in no group itself."""
    house = ApiStage()
    ops, dev = house.new_channel("ops"), house.new_channel("dev")
    made = house.post(CHANNELS, {"kind": "group", "name": "all", "value": {"channels": "ops,dev"}}).json
    assert (made["value"], made["warnings"]) == ({"channels": ",".join(sorted([ops, dev]))}, [])
    check = house.new_check(channels="all")
    house.ping(check, "fail")
    assert sorted(house.world.outbox) == sorted([ops, dev])
    path = CHANNELS + made["id"]
    assert house.post(path, {"value": {"channels": "all"}}).error == "invalid channel identifier: all"
    assert house.post(path, {"value": {"channels": "dev"}}).json["value"] == {"channels": dev}
    house.delete(CHANNELS + dev)
    shown = house.get(path).json
    assert (shown["value"], shown["warnings"]) == (
        {"channels": ""},
        ["this group has no channels any more: nobody is told"],
    )
    assert house.post(path, {"name": "none"}).status == 200


def test_settings_as_a_json_string() -> None:
    """The settings may come as a JSON string, and the name may be left out."""
    house = ApiStage()
    made = house.post(CHANNELS, {"kind": "webhook", "value": json.dumps(VALUE)}).json
    assert made["name"] == ""
    assert made["value"]["url_down"] == VALUE["url_down"]


def test_the_list_tells_no_secrets() -> None:
    """The list names each of the project's channels, and neither settings nor secrets nor other projects' channels."""
    house = ApiStage()
    first, second = house.new_channel("ops"), house.new_channel("dev")
    key = house.new_project(OTHER_PROJECT)
    assert house.get(CHANNELS).json == {
        "channels": [
            {"id": first, "name": "ops", "kind": "webhook"},
            {"id": second, "name": "dev", "kind": "webhook"},
        ]
    }
    assert house.get(CHANNELS, key).json == {"channels": []}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "kind is not a string"),
        ({"kind": None}, "kind is not a string"),
        ({"kind": "carrier pigeon"}, f"kind has unexpected value; the kinds are: {', '.join(KINDS)}"),
        ({"kind": "webhook", "name": "x" * 101}, "name is too long"),
        ({"kind": "webhook", "name": 1}, "name is not a string"),
        ({"kind": "webhook"}, "value is not an object"),
        ({"kind": "webhook", "value": "{}"}, "value needs a url_down or a url_up"),
        ({"kind": "webhook", "value": VALUE | {"url_up": "javascript:1"}}, "url_up is not an http or https URL"),
    ],
)
def test_errors(body: dict[str, Any], text: str) -> None:
    """What cannot be used is told, and no channel is made."""
    house = ApiStage()
    reply = house.post(CHANNELS, body)
    assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert house.world.channels == {}


def test_too_many_channels() -> None:
    """A full project takes no more channels."""
    house = ApiStage(ApiSettings(max_channels=1, keys_per_second=0))
    house.new_channel()
    reply = house.post(CHANNELS, {"kind": "webhook", "value": VALUE})
    assert (reply.status, reply.error) == (403, "too many channels: a project may have 1")


def test_a_read_only_key_sees_no_channels() -> None:
    """Channels need a read-and-write key."""
    house = ApiStage()
    assert house.get(CHANNELS, house.ro).status == 401


def test_each_project_has_its_own_names() -> None:
    """A check cannot be given another project's channel."""
    house = ApiStage()
    house.new_channel("ops")
    house.submit(OTHER_PROJECT, ProjectCreated("other", "k"))
    key = house.new_key(OTHER_PROJECT, "rw")
    reply = house.post("/api/v3/checks/", {"channels": "ops"}, key)
    assert (reply.status, reply.error) == (400, "invalid channel identifier: ops")


# --- settings of every kind ---------------------------------------------------------------------------------------

SETTINGS: dict[str, object] = {
    "up": True,
    "down": True,
    "quiet": "",
    "tz": "UTC",
    "urgent": "",
    "digest_over": 20,
    "quiet_until": None,
}


def shown_settings(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in SETTINGS}


def test_a_channel_says_what_it_is_told_and_when() -> None:
    """A change sets what it names, and the rest stays."""
    house = ApiStage()
    made = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE})
    assert shown_settings(made.json) == SETTINGS
    chosen = {"up": False, "quiet": "22:00-07:00", "tz": "US/Eastern", "urgent": "page", "digest_over": 0}
    changed = house.post(CHANNELS + made.json["id"], chosen)
    told = SETTINGS | chosen | {"tz": "America/New_York"}
    assert shown_settings(changed.json) == told
    assert shown_settings(house.post(CHANNELS + made.json["id"], {"down": False}).json) == told | {"down": False}
    again = house.post(CHANNELS, {"kind": "webhook", "name": "night", "value": VALUE, "quiet": "22:00-07:00"})
    assert again.json["quiet_until"] == "2023-11-15T07:00:00+00:00"


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("up", 1, "up is not a boolean"),
        ("down", "no", "down is not a boolean"),
        ("quiet", 22, "quiet is not a string"),
        ("quiet", "at night", "quiet has a part that says no hours: 'at night'; write mon-fri 22:00-07:00"),
        ("quiet", "00:00-24:00", "quiet leaves no time in which anybody is told"),
        ("tz", "Mars", "tz is not a valid timezone"),
        ("urgent", "two words", "urgent does not match pattern"),
        ("digest_over", -1, "digest_over is too small"),
        ("digest_over", 1001, "digest_over is too large"),
        ("digest_over", True, "digest_over is not a number"),
    ],
)
def test_settings_that_mean_nothing_are_refused(field: str, value: object, error: str) -> None:
    house = ApiStage()
    reply = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE, field: value})
    assert (reply.status, reply.error) == (400, f"json validation error: {error}")
    reply = house.post(CHANNELS + house.new_channel(), {field: value})
    assert (reply.status, reply.error) == (400, f"json validation error: {error}")


def test_settings_that_are_of_no_use_are_doubted() -> None:
    house = ApiStage()
    id = house.new_channel()
    warned = house.post(CHANNELS + id, {"up": False, "down": False, "urgent": "page"}).json["warnings"]
    grouped = house.post(CHANNELS, {"kind": "group", "name": "all", "value": {"channels": id}, "quiet": "22:00-07:00"})
    assert grouped.json["warnings"] == [
        "members are told as they say themselves: up, down, quiet, urgent and digest_over of a group mean nothing"
    ]
    assert warned[1:] == ["up and down are both off: nothing is sent", "urgent is of use with quiet hours only"]


# --- shown and changed --------------------------------------------------------------------------------------------


def test_a_channel_is_shown_with_its_secret_masked() -> None:
    """And how it stands with it; another project has no such channel."""
    house = ApiStage()
    made = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE}).json
    shown = house.get(CHANNELS + made["id"]).json
    assert shown == made | {"secret": made["secret"][:10] + "…"}
    assert {
        name: shown[name] for name in ("last_delivered", "last_error", "failing", "waiting", "old_secret_until")
    } == {
        "last_delivered": None,
        "last_error": "",
        "failing": None,
        "waiting": 0,
        "old_secret_until": None,
    }
    other = house.new_project(OTHER_PROJECT)
    for ask in (house.get, house.post, house.delete):
        assert ask(CHANNELS + made["id"], key=other).status == 404
    assert house.get(CHANNELS + made["id"], house.ro).status == 401


def test_what_is_sent_is_changed_and_the_rest_stays() -> None:
    """A typo is mended without sending all settings again."""
    house = ApiStage()
    id = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE}).json["id"]
    changed = house.post(CHANNELS + id, {"name": "on call", "value": {"url_up": "https://hooks.example/up"}}).json
    assert (changed["name"], changed["value"]["url_up"]) == ("on call", "https://hooks.example/up")
    assert (changed["value"]["url_down"], changed["value"]["method_down"]) == (VALUE["url_down"], "POST")
    assert house.post(CHANNELS + id, {"value": json.dumps({"url_down": ""})}).json["value"]["url_down"] == ""
    seq = house.world.seq
    assert house.post(CHANNELS + id, {"kind": "webhook"}).json["name"] == "on call"
    assert house.world.seq == seq


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"kind": "mail"}, "kind cannot be changed"),
        ({"name": 1}, "name is not a string"),
        ({"value": {"url_down": "javascript:1"}}, "url_down is not an http or https URL"),
        ({"value": {"url_down": ""}}, "value needs a url_down or a url_up"),
        ({"value": None}, "value is not an object"),
    ],
)
def test_a_change_that_cannot_be_used(body: dict[str, Any], text: str) -> None:
    """It is told, and nothing changes."""
    house = ApiStage()
    id = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE}).json["id"]
    before = house.get(CHANNELS + id).json
    reply = house.post(CHANNELS + id, body)
    assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert house.get(CHANNELS + id).json == before


def test_a_kind_of_a_newer_pingmon() -> None:
    """It is shown, and its settings stay as they are."""
    house = ApiStage()
    id = "dddddddd-0000-4000-8000-000000000009"
    house.submit(id, ChannelCreated(PROJECT, "pigeon", "coo", {"loft": "roof"}, ""))
    assert (house.get(CHANNELS + id).json["value"], house.get(CHANNELS + id).json["secret"]) == ({"loft": "roof"}, "")
    assert house.post(CHANNELS + id, {"value": {}}).error == "this pingmon knows nothing of the kind pigeon"
    assert house.post(CHANNELS + id, {"name": "cooo"}).json["name"] == "cooo"


def test_a_receiver_that_may_not_be_reached_is_refused() -> None:
    """When it is made, and not at its first alert; the answer says how to allow it."""
    house = ApiStage()
    hook = {"kind": "webhook", "value": {"url_down": "http://127.0.0.1:9/x"}}
    told = (
        "json validation error: url_down cannot be reached: address 127.0.0.1 is private; "
        'allow it with [outgoing] allow = ["127.0.0.0/8"]'
    )
    assert (house.post(CHANNELS, hook).status, house.post(CHANNELS, hook).error) == (400, told)
    id = house.new_channel()
    assert house.post(CHANNELS + id, {"value": hook["value"]}).error == told
    allowed = ApiStage(ApiSettings(allowed=Allowed(allowing(["127.0.0.0/8"])), keys_per_second=0))
    assert allowed.post(CHANNELS, hook).status == 201


def test_a_receiver_that_may_not_be_reached_any_more_is_warned_of() -> None:
    """The operator has changed the configuration since."""
    house = ApiStage()
    id = "dddddddd-0000-4000-8000-000000000009"
    house.submit(id, ChannelCreated(PROJECT, "webhook", "", webhook_value({"url_down": "http://10.0.0.1/"}), ""))
    assert house.get(CHANNELS + id).json["warnings"][0].startswith("url_down cannot be reached: address 10.0.0.1")
    assert house.post(CHANNELS + id, {"name": "lan"}).status == 200


def test_what_may_not_be_meant_so_is_warned_of() -> None:
    """A body that is not sent, a placeholder that is none, a direction of which nobody hears."""
    house = ApiStage()
    value = {"url_down": "https://x.example/$FOO", "body_down": "$NAME is down"}
    assert house.post(CHANNELS, {"kind": "webhook", "value": value}).json["warnings"] == [
        "body_down is not sent with GET: set method_down to POST",
        "$FOO in url_down is no placeholder: it is sent as it is",
        "there is no url_up: nothing is sent when something comes back",
    ]


def test_a_new_secret() -> None:
    """It is shown once, and the old one signs as well for a day; without overlap it does not."""
    house = ApiStage()
    id = house.new_channel()
    old = house.world.channels[id].secret
    renewed = house.post(f"{CHANNELS}{id}/secret").json
    assert re.fullmatch("whsec_[A-Za-z0-9+/]{32}", renewed["secret"])
    assert renewed["old_secret_until"] == "2023-11-15T22:13:20+00:00"
    assert house.world.channels[id].secrets(house.now) == (renewed["secret"], old)
    leaked = house.post(f"{CHANNELS}{id}/secret", {"overlap": 0}).json
    assert leaked["old_secret_until"] is None
    assert house.world.channels[id].secrets(house.now) == (leaked["secret"],)
    assert house.get(CHANNELS + id).json["secret"] == leaked["secret"][:10] + "…"
    assert house.post(f"{CHANNELS}{id}/secret", {"overlap": -1}).status == 400


# --- deleted ------------------------------------------------------------------------------------------------------


def test_a_channel_is_deleted_for_ever() -> None:
    """Checks and sites lose it, and what is owed to it; the answer says how many are left without any."""
    house = ApiStage()
    ops, dev = house.new_channel("ops"), house.new_channel("dev")
    check = house.new_check(channels="ops")
    house.new_check(channels="*")
    site = house.new_site(channels="ops")
    house.ping(check, "fail")
    gone = house.delete(CHANNELS + ops)
    assert (gone.status, gone.json["name"], gone.json["waiting"]) == (200, "ops", 0)
    assert gone.json["warnings"] == [
        "checks and sites that have no channel now, so that nobody is told when they go down: 2"
    ]
    assert house.world.owed == {}
    assert house.get(CHANNELS + ops).status == house.delete(CHANNELS + ops).status == 404
    assert [each["id"] for each in house.get(CHANNELS).json["channels"]] == [dev]
    for path in (f"/api/v3/checks/{check}", f"/api/v3/sites/{site}"):
        assert house.get(path).json["channels"] == ""
    assert house.post("/api/v3/checks/", {"channels": "ops"}).error == "invalid channel identifier: ops"
    assert house.delete(CHANNELS + dev).json["warnings"][0].endswith(": 3")


def test_a_channel_that_nothing_has() -> None:
    """There is nothing to warn of."""
    house = ApiStage()
    assert house.delete(CHANNELS + house.new_channel()).json["warnings"] == []


# --- tested -------------------------------------------------------------------------------------------------------


class Attempts:
    """Answers tests of channels as it is told."""

    def __init__(self, attempt: Attempted) -> None:
        self.attempt = attempt
        self.asked: list[tuple[str, bool]] = []

    def test(self, channel: str, *, up: bool) -> Deferred[Attempted]:
        self.asked.append((channel, up))
        return succeed(self.attempt)


def test_a_test_message_is_sent_now() -> None:
    """The answer says whether it was delivered, with which status, in which time."""
    attempts = Attempts(Attempted(START, 12, 204))
    house = ApiStage(tests=attempts)
    id = house.new_channel()
    tested = house.post(f"{CHANNELS}{id}/test")
    assert tested.status == 200
    assert tested.json == {"delivered": True, "at": "2023-11-14T22:13:20+00:00", "ms": 12, "status": 204}
    house.advance(5)
    attempts.attempt = Attempted(START, 9, error="status 404")
    assert house.post(f"{CHANNELS}{id}/test", {"event": "up"}).json == {
        "delivered": False,
        "at": "2023-11-14T22:13:20+00:00",
        "ms": 9,
        "error": "status 404",
    }
    assert attempts.asked == [(id, False), (id, True)]
    assert house.post(f"{CHANNELS}{id}/test", {"event": "sideways"}).status == 400


def test_a_channel_is_tested_every_five_seconds_at_most() -> None:
    """Its receiver is somebody else's; other channels are not affected."""
    house = ApiStage(tests=Attempts(Attempted(0, 12, 204)))
    ops, dev = house.new_channel("ops"), house.new_channel("dev")
    assert [house.post(f"{CHANNELS}{id}/test").status for id in (ops, ops, dev)] == [200, 429, 200]
    assert house.post(f"{CHANNELS}{ops}/test").headers["Retry-After"] == "5"


def test_where_nobody_delivers_nothing_is_tested() -> None:
    """The client is told to try again."""
    house = ApiStage()
    assert house.post(f"{CHANNELS}{house.new_channel()}/test").status == 503


def test_who_changes_the_name_and_who_changes_the_settings_do_not_undo_each_other() -> None:
    """At the same time, too: what a request does not name is not written."""
    house = ApiStage()
    id = house.new_channel()
    for fields in ({"name": "night shift"}, {"value": {"method_down": "PUT"}}):
        assert house.post(CHANNELS + id, fields).status == 200
    written = result(house.journal.events(id, ChannelChanged, upto=house.world.seq))
    second, first = [entry.event for entry in written]
    assert isinstance(first, ChannelChanged)
    assert isinstance(second, ChannelChanged)
    assert (first.name, first.value, second.name) == ("night shift", UNSET, UNSET)
    channel = house.world.channels[id]
    assert (channel.name, channel.value["method_down"]) == ("night shift", "PUT")


# --- what became of messages --------------------------------------------------------------------------------------


def failing(house: ApiStage, id: str) -> str:
    """A check that went down, and whose message to the channel failed once."""
    check = house.new_check(name="backup")
    house.ping(check, "fail")
    (owed,) = house.world.outbox[id]
    house.submit(id, NotificationFailed(owed, 40, "status 500", house.now + 5 * SECOND))
    return check


def test_a_message_that_waits_is_shown() -> None:
    """When it fell due, how it was tried, and when it is tried again; and the channel says that it fails."""
    house = ApiStage()
    id = house.new_channel()
    check = failing(house, id)
    (waiting,) = house.get(f"{CHANNELS}{id}/deliveries/").json["deliveries"]
    assert waiting == {
        "id": f"{id}_{waiting['seq']}",
        "channel": id,
        "seq": waiting["seq"],
        "check": check,
        "name": "backup",
        "event": "check.down",
        "due": "2023-11-14T22:13:20+00:00",
        "tried": [{"at": "2023-11-14T22:13:20+00:00", "ms": 40, "error": "status 500"}],
        "result": "waiting",
        "ended": None,
        "next_try": "2023-11-14T22:13:25+00:00",
    }
    shown = house.get(CHANNELS + id).json
    assert (shown["waiting"], shown["last_error"], shown["failing"]) == (
        1,
        "status 500",
        {
            "since": "2023-11-14T22:13:20+00:00",
            "attempts": 1,
            "error": "status 500",
            "next_try": "2023-11-14T22:13:25+00:00",
        },
    )
    assert house.get(f"/api/v3/checks/{check}").json["told"] is False


def test_each_message_of_a_digest_is_shown_by_itself() -> None:
    """With the channel, with the flip, and where the check is explained: in a digest, and by which entry."""
    house = ApiStage()
    id = house.new_channel()
    check = failing(house, id)
    house.submit(id, NotificationDelivered(f"{id}.digest.9", 30, 200, through=house.world.seq))
    entry = house.world.seq
    (shown,) = house.get(f"{CHANNELS}{id}/deliveries/").json["deliveries"]
    assert (shown["result"], shown["digest"]) == ("delivered", f"{id}_digest_9")
    assert shown["tried"][-1] == {"at": "2023-11-14T22:13:20+00:00", "ms": 30, "status": 200}
    assert house.get(f"/api/v3/checks/{check}/flips/").json["flips"][0]["deliveries"] == [shown]
    (said,) = [it for it in house.get(f"/api/v3/checks/{check}/explain").json["sentences"] if it["topic"] == "told"]
    assert said["text"] == "ops was told at 2023-11-14 22:13:20 UTC in a digest that it went down."
    assert entry in said["entries"]


def test_what_became_of_messages_is_shown_newest_first() -> None:
    """Replaced by which one, delivered when, and why it will never be; by pages."""
    house = ApiStage()
    id = house.new_channel()
    check = failing(house, id)
    house.ping(check)
    (up,) = house.world.outbox[id]
    house.submit(id, NotificationDelivered(up, 30, 200))
    house.ping(check, "fail")
    house.delete(f"/api/v3/checks/{check}")
    gone, delivered, replaced = house.get(f"{CHANNELS}{id}/deliveries/").json["deliveries"]
    assert (gone["result"], gone["why"], gone["about"], gone["event"]) == (
        "void",
        "the check was deleted",
        check,
        "down",
    )
    assert (delivered["result"], delivered["down_from"]) == ("delivered", "2023-11-14T22:13:20+00:00")
    assert delivered["tried"] == [{"at": "2023-11-14T22:13:20+00:00", "ms": 30, "status": 200}]
    assert (replaced["result"], replaced["replaced_by"]) == ("replaced", delivered["id"])

    def page(query: str) -> list[int]:
        return [each["seq"] for each in house.get(f"{CHANNELS}{id}/deliveries/?{query}").json["deliveries"]]

    assert page("limit=2") == [gone["seq"], delivered["seq"]]
    assert page(f"before={delivered['seq']}") == [replaced["seq"]]
    assert page("limit=1&before=1") == []


def test_a_message_that_is_delivered_while_the_log_is_read_is_listed_once() -> None:
    """Before the read has begun, and when it is done."""
    house = ApiStage()
    id = house.new_channel()
    check = house.new_check()
    for read in (f"{CHANNELS}{id}/deliveries/", f"/api/v3/checks/{check}/flips/?limit=1"):
        for before in (True, False):
            house.ping(check)
            house.ping(check, "fail")
            with landing(house, id, before=before):
                answer = house.get(read).json
            messages = answer["deliveries"][:1] if "deliveries" in answer else answer["flips"][0]["deliveries"]
            assert [each["event"] for each in messages] == ["check.down"], (read, before)


@contextmanager
def landing(house: ApiStage, channel: str, *, before: bool) -> Iterator[None]:
    """What waits for the channel arrives with the next read of what became of messages, `before` it or after it."""
    journal = house.journal

    def reading(read: Callable[..., Deferred[Any]]) -> Callable[..., Deferred[Any]]:
        def landed(*args: Any, **more: Any) -> Deferred[Any]:
            found = None if before else read(*args, **more)
            for owed in list(house.world.outbox.get(channel, {})):
                house.submit(channel, NotificationDelivered(owed, 30, 200))
            return found or read(*args, **more)

        return landed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "flips_at", reading(journal.flips_at))
        patch.setattr(journal, "flips", reading(journal.flips))
        yield


def test_waiting_and_ended_messages_stand_in_one_order() -> None:
    """By pages too."""
    house = ApiStage()
    id = house.new_channel()
    first, second = house.new_check(), house.new_check()
    house.ping(first, "fail")
    house.ping(second, "fail")
    (_, newer) = house.world.outbox[id]
    house.submit(id, NotificationDelivered(newer, 30, 200))
    listed = house.get(f"{CHANNELS}{id}/deliveries/").json["deliveries"]
    assert [each["result"] for each in listed] == ["delivered", "waiting"]
    (rest,) = house.get(f"{CHANNELS}{id}/deliveries/?before={listed[0]['seq']}").json["deliveries"]
    assert rest["result"] == "waiting"
    assert "next_try" in rest


def test_the_flips_of_a_check_say_who_was_told() -> None:
    """Told means delivered; a message that another channel got in the first one's stead says so."""
    house = ApiStage()
    ops = house.new_channel("ops")
    check = house.new_check()
    dev = house.new_channel("dev")
    house.ping(check, "fail")
    (owed,) = house.world.outbox[ops]
    path = f"/api/v3/checks/{check}/flips/"
    (down,) = house.get(path).json["flips"]
    assert (down["told"], [each["result"] for each in down["deliveries"]]) == (False, ["waiting"])
    house.submit(ops, NotificationFailed(owed, 1, "status 410", house.now, given_up=house.now))
    (relay,) = house.world.outbox[dev]
    house.submit(dev, NotificationDelivered(relay, 30, 200))
    (down,) = house.get(path).json["flips"]
    assert down["told"] is True
    assert {each["channel"]: (each["result"], each.get("instead_of")) for each in down["deliveries"]} == {
        ops: ("given_up", None),
        dev: ("delivered", ops),
    }
    assert house.get(f"/api/v3/checks/{check}").json["told"] is True
    (listed,) = house.get("/api/v3/checks/", house.ro).json["checks"]
    (seen,) = house.get(f"/api/v3/checks/{listed['unique_key']}/flips/", house.ro).json["flips"]
    assert (seen["told"], "deliveries" in seen) == (True, False)


def test_the_flips_of_a_site_say_who_was_told() -> None:
    """As those of checks."""
    house = ApiStage()
    house.new_channel()
    site = house.new_site()
    house.probe(site, house.look())
    house.outage(site)
    up, down, *_ = house.get(f"/api/v3/sites/{site}/flips/").json["flips"]
    assert ([each["result"] for each in up["deliveries"]], up["told"]) == (["waiting"], False)
    assert [each["result"] for each in down["deliveries"]] == ["replaced"]


# --- new checks and sites -----------------------------------------------------------------------------------------


def test_new_checks_and_sites_have_all_channels_unless_they_say_otherwise() -> None:
    """An alert too many is better than one that reaches nobody; whoever wants none says so, and is warned."""
    house = ApiStage()
    both = ",".join(sorted([house.new_channel("ops"), house.new_channel("dev")]))
    bare = "it has no channels: nobody is told when it goes down"
    for path, body in (("/api/v3/checks/", {}), ("/api/v3/sites/", {"url": "https://x.example/"})):
        made = house.post(path, body).json
        assert (made["channels"], made["warnings"]) == (both, [])
        made = house.post(path, {**body, "channels": ""}).json
        assert (made["channels"], made["warnings"]) == ("", [bare])


def test_a_check_that_is_there_keeps_its_channels() -> None:
    """Only a new one gets all of them."""
    house = ApiStage()
    house.new_channel()
    id = house.new_check(name="db", channels="")
    assert house.post("/api/v3/checks/", {"name": "db", "unique": ["name"], "tags": "x"}).json["channels"] == ""
    house.ping(id, "fail")
    assert house.get(f"/api/v3/checks/{id}").json["warnings"] == ["it has no channels: it is down, and nobody is told"]


def test_who_gets_channels_when_it_is_down_is_warned_that_nobody_was_told() -> None:
    """Until it goes down again: a channel that came later does not hear of the outage."""
    house = ApiStage()
    id = house.new_check(name="db", channels="")
    house.ping(id, "fail")
    house.new_channel()
    path = f"/api/v3/checks/{id}"
    warned = ["it went down when it had no channels: nobody was told"]
    assert house.post(path, {"channels": "*"}).json["warnings"] == warned
    assert house.get(path).json["warnings"] == warned
    house.ping(id)
    assert house.get(path).json["warnings"] == []
    house.ping(id, "fail")
    assert house.get(path).json["warnings"] == []


def test_an_outage_that_is_told_late_is_told_under_the_flip_that_it_is_about() -> None:
    """Its host had asked for silence; the message came with a later look, and the flip shows it all the same."""
    house = ApiStage()
    channel = house.new_channel()
    partner = house.new_partner(webhook="https://hooks.example/")
    site = house.new_site(host="hosty")
    house.probe(site, house.look())
    for _ in range(3):
        house.probe(site, house.look("status", 503))
        house.advance(10)
    inquiry = house.world.sites[site].inquiry
    assert inquiry is not None
    house.submit(
        site, PartnerAnswered(inquiry.question.id, partner, PartnerAnswer("until", house.now + 60 * SECOND), 5)
    )
    house.advance(61)
    house.delete(f"/api/v3/partners/{partner}", house.operator)
    house.probe(site, house.look("status", 503))
    (waiting,) = house.get(f"{CHANNELS}{channel}/deliveries/").json["deliveries"]
    down = house.get(f"/api/v3/sites/{site}/flips/").json["flips"][0]
    assert (down["new"], down["seq"], down["deliveries"]) == ("down", waiting["seq"], [waiting])
    (owed,) = house.world.owed
    house.submit(channel, NotificationDelivered(owed, 30, 200))
    (delivered,) = house.get(f"{CHANNELS}{channel}/deliveries/").json["deliveries"]
    assert house.get(f"/api/v3/sites/{site}/flips/").json["flips"][0]["deliveries"] == [delivered]
    assert house.get(f"/api/v3/sites/{site}").json["told"] is True
