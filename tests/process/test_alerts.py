"""From a job's silence or failure to a webhook, with real processes all the way."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from msgspec.structs import replace
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from pingmon.core.check.settings import CheckSpec
from pingmon.core.notify.alert_rules import AlertRules, EscalationStep
from pingmon.core.world.events import (
    AnyEvent,
    ChannelCreated,
    CheckCreated,
    Draft,
    NotificationDelivered,
    PingReceived,
    ProjectCreated,
)
from pingmon.journal import Journal, journal_at
from pingmon.journal.sqlite.verify import verify
from pingmon.testing import PROJECT, uuid
from pingmon.wire.message.links import Link, url
from tests.process.daemons import Receiver, Running, Starter, until

pytestmark = pytest.mark.process

LOOPBACK = '[outgoing]\nallow = ["127.0.0.0/8"]\n'


def hook(receiver: Receiver, **more: str) -> dict[str, Any]:
    value = {"url_down": f"{receiver.url}/down", "method_down": "POST", "url_up": f"{receiver.url}/up"}
    return {"kind": "webhook", "name": "hook", "value": value | {"method_up": "POST"} | more}


def with_channel(daemon: Running, receiver: Receiver, **more: str) -> str:
    """A webhook channel to the receiver; its signing secret."""
    made = daemon.api("POST", "channels/", hook(receiver, **more))
    assert made.status == 201, made.body
    secret: str = made.json["secret"]
    return secret


def test_a_failure_and_a_recovery_are_told_with_signed_webhooks(start: Starter, receiver: Receiver) -> None:
    """Down with the exit status, up with the length of the outage; both verify with the channel's secret."""
    daemon = start(config=LOOPBACK)
    secret = with_channel(daemon, receiver)
    daemon.ping("job", "?create=1")
    daemon.ping("job/3", method="POST", body=b"disk on fire")
    daemon.ping("job")
    down, up = receiver.wait(2)
    assert (down.method, down.path, up.path) == ("POST", "/down", "/up")
    message = json.loads(down.body)
    assert message["event"] == "check.down"
    assert message["check"]["name"] == "job"
    for told in (down, up):
        standardwebhooks.Webhook(secret).verify(told.body, told.headers)
    assert json.loads(up.body)["event"] == "check.up"
    assert down.headers["webhook-id"] != up.headers["webhook-id"]


def test_the_message_about_an_outage_is_edited_when_it_is_over(start: Starter, receiver: Receiver) -> None:
    """By a Discord, after a restart too: what it calls the message is in the log."""
    receiver.answer = lambda request: (200, b'{"id": "42"}')
    daemon = start(config=LOOPBACK)
    made = daemon.api("POST", "channels/", {"kind": "discord", "value": {"url": f"{receiver.url}/api/webhooks/1/x"}})
    assert made.status == 201, made.body
    daemon.ping("job", "?create=1")
    daemon.ping("job/fail")
    receiver.wait(1)
    until(lambda: daemon.api("GET", f"channels/{made.json['id']}").json["last_delivered"], "the receipt in the log")
    daemon.kill()
    daemon = start(daemon.data, config=LOOPBACK)
    daemon.ping("job")
    posted, edited = receiver.wait(2)
    assert (posted.method, posted.path) == ("POST", "/api/webhooks/1/x?wait=true")
    assert (edited.method, edited.path) == ("PATCH", "/api/webhooks/1/x/messages/42?wait=true")
    down, up = (json.loads(each.body)["content"] for each in (posted, edited))
    assert down.startswith("DOWN: job, ")
    assert "[Acknowledge](<http://" in down
    assert up.startswith("UP: job, ")


def test_a_program_of_the_operators_is_run(start: Starter, tmp_path: Path) -> None:
    """With the message; one that he has not named makes no channel."""
    program, said = tmp_path / "page", tmp_path / "said"
    program.write_text(f"#!/bin/sh\ncat > {said}.new && mv {said}.new {said}\n")
    program.chmod(0o755)
    daemon = start(config=f'[commands]\nallow = ["{program}"]\n')
    refused = daemon.api("POST", "channels/", {"kind": "command", "value": {"program": "/bin/sh"}})
    assert (refused.status, "/bin/sh may not be run" in refused.json["error"]) == (400, True)
    made = daemon.api("POST", "channels/", {"kind": "command", "value": {"program": str(program)}})
    assert made.status == 201, made.body
    daemon.ping("job", "?create=1")
    daemon.ping("job/3")
    until(said.exists, "the program's run")
    assert json.loads(said.read_text())["event"] == "check.down"
    until(lambda: daemon.api("GET", f"channels/{made.json['id']}").json["last_delivered"], "its success")


def test_the_placeholders_of_the_reference_server_work(start: Starter, receiver: Receiver) -> None:
    """In URL, headers and body."""
    daemon = start(config=LOOPBACK)
    with_channel(
        daemon,
        receiver,
        url_down=f"{receiver.url}/$STATUS/$NAME",
        body_down="$SLUG exited with $EXITSTATUS: $BODY",
    )
    daemon.ping("job", "?create=1")
    daemon.ping("job/3", method="POST", body=b"disk on fire")
    (down,) = receiver.wait(1)
    assert down.path == "/down/job"
    assert down.body == b"job exited with 3: disk on fire"


def test_private_addresses_are_refused_unless_allowed_and_the_error_names_the_key(
    start: Starter, receiver: Receiver
) -> None:
    """A stranger's webhook must not reach into the operator's network; once it is allowed, what waits goes at once."""
    daemon = start()
    refused = daemon.api("POST", "channels/", hook(receiver))
    assert refused.status == 400
    assert "[outgoing] allow" in refused.json["error"]
    daemon.stop()
    daemon = start(daemon.data, config=LOOPBACK)
    with_channel(daemon, receiver)
    daemon.stop()
    daemon = start(daemon.data)
    daemon.ping("job/fail", "?create=1")
    until(lambda: "channel hook (" in daemon.log.read_text(), "the refusal")
    assert 'allow it with [outgoing] allow = ["127.0.0.0/8"]' in daemon.log.read_text()
    assert receiver.got == []
    daemon.kill()
    start(daemon.data, config=LOOPBACK)
    receiver.wait(1, 3)


def test_a_dead_receiver_costs_one_attempt_and_one_line_a_round_and_all_goes_when_it_is_back(
    start: Starter, receiver: Receiver
) -> None:
    """Forty jobs fail at once; the receiver answers 500 until it was asked. Four may be on their way together then."""
    receiver.answer = lambda request: 500
    daemon = start(config=LOOPBACK)
    assert daemon.api("POST", "channels/", hook(receiver) | {"digest_over": 0}).status == 201
    for number in range(40):
        daemon.ping(f"job-{number}/fail", "?create=1")
    receiver.wait(1)
    receiver.answer = lambda request: 200
    until(lambda: len({message.headers["webhook-id"] for message in receiver.got}) == 40, "all to be told", 12)
    until(lambda: "answers again" in daemon.log.read_text(), "the recovery to be logged")
    assert 1 <= daemon.log.read_text().count("was not told") <= 4
    assert len(receiver.got) <= 44


def test_a_channel_is_tested_and_what_waits_for_it_goes_when_the_test_goes_well(
    start: Starter, receiver: Receiver
) -> None:
    """Both secrets sign while the new one is being brought to the receiver."""
    receiver.answer = lambda request: 404
    daemon = start(config=LOOPBACK)
    old = with_channel(daemon, receiver)
    (channel,) = daemon.api("GET", "channels/").json["channels"]
    daemon.ping("job/fail", "?create=1")
    receiver.wait(1)
    tested = daemon.api("POST", f"channels/{channel['id']}/test")
    assert (tested.json["delivered"], tested.json["error"]) == (False, "status 404")
    until(lambda: logged(daemon.data, "channel_tested"), "the test to be logged")
    new = daemon.api("POST", f"channels/{channel['id']}/secret").json["secret"]
    receiver.answer = lambda request: 200
    threading.Event().wait(5.1)
    count = len(receiver.got)
    daemon.api("POST", f"channels/{channel['id']}/test", {"event": "up"})
    messages = receiver.wait(count + 1)[count:]
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(messages[0].body, messages[0].headers)
    assert {json.loads(message.body)["event"] for message in receiver.wait(4)[:4]} >= {"test", "check.down"}


def test_whoever_heard_nothing_of_an_outage_hears_of_both_its_ends_and_can_see_why(
    start: Starter, receiver: Receiver
) -> None:
    """One message, "was down from … to …"; what became of both is shown, also after the daemon was killed."""
    receiver.answer = lambda request: 500
    daemon = start(config=LOOPBACK)
    with_channel(daemon, receiver)
    check = daemon.ping("job/fail", "?create=1")
    assert check.status == 201
    receiver.wait(1)
    until(lambda: logged(daemon.data, "notification_failed"), "the failure to be logged")
    daemon.ping("job")
    receiver.answer = lambda request: 200
    up = receiver.wait(2, 8)[-1]
    assert re.search(rb'"text":"UP: job, was down from [^"]* to [^"]*"', up.body), up.body
    until(lambda: logged(daemon.data, "notification_delivered"), "the delivery to be logged")
    assert "(down) was not delivered to channel hook (" in daemon.log.read_text()
    became(daemon)
    daemon.kill()
    again = start(daemon.data, config=LOOPBACK)
    became(again)
    again.stop()
    assert verify(daemon.data / "journal.sqlite3").damage == ()


def became(daemon: Running) -> None:
    """The way up was delivered, and took the place of the way down: the API says so of the check and the channel."""
    (shown,) = daemon.api("GET", "checks/").json["checks"]
    flips = daemon.api("GET", f"checks/{shown['uuid']}/flips/").json["flips"]
    assert [[each["result"] for each in flip["deliveries"]] for flip in flips] == [["delivered"], ["replaced"]]
    assert [flip["told"] for flip in flips] == [True, False]
    (channel,) = daemon.api("GET", "channels/").json["channels"]
    listed = daemon.api("GET", f"channels/{channel['id']}/deliveries/").json["deliveries"]
    assert [each["result"] for each in listed] == ["delivered", "replaced"]


def test_a_receiver_that_fails_is_tried_again_with_the_same_id_also_after_a_crash(
    start: Starter, receiver: Receiver
) -> None:
    """At least once: the daemon is killed between two attempts; the next one delivers, under the same id."""
    receiver.answer = lambda request: 500
    daemon = start(config=LOOPBACK)
    with_channel(daemon, receiver)
    daemon.ping("job/fail", "?create=1")
    receiver.wait(1)
    until(lambda: logged(daemon.data, "notification_failed"), "the failure to be logged")
    daemon.kill()
    receiver.answer = lambda request: 200
    again = start(daemon.data, config=LOOPBACK)
    first, second = receiver.wait(2)[:2]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    until(lambda: logged(again.data, "notification_delivered"), "the delivery to be logged")
    threading.Event().wait(1)
    assert len(receiver.got) == 2


def test_a_dead_receiver_does_not_delay_another(start: Starter, receiver: Receiver) -> None:
    """Each channel has its own queue."""
    slow = Receiver()
    waiting = threading.Event()
    slow.answer = lambda request: 200 if waiting.wait(20) else 500
    daemon = start(config=LOOPBACK)
    with_channel(daemon, slow)
    assert daemon.api("POST", "channels/", hook(receiver) | {"name": "other"}).status == 201
    daemon.ping("job/fail", "?create=1")
    began = time.monotonic()
    receiver.wait(1)
    assert time.monotonic() - began < 5
    waiting.set()
    slow.close()


# --- silence: the log is written as if the ping had come minutes ago ----------------------------------------------


def past(data: Path, *entries: tuple[float, str, AnyEvent]) -> None:
    """Write a journal: (seconds since the epoch, stream, event) each, durable, as a daemon would have."""
    data.mkdir(mode=0o700)
    journal: Journal[None] = journal_at(data / "journal.sqlite3", reactor=reactor)  # type: ignore[arg-type]
    journal.open(round(entries[0][0] * 1e6))
    journal.start(lambda entry: None)
    for at, stream, event in entries:
        journal.append(Draft(round(at * 1e6), stream, event))
    finished: Deferred[None] = journal.stop()
    ended: list[object] = []
    finished.addBoth(ended.append)
    while not ended:
        reactor.iterate(0.01)


def story(receiver: Receiver, pinged_at: float, now: float) -> list[tuple[float, str, AnyEvent]]:
    """A project, a channel, a check with a minute's period and grace, its ping, and a sign of life at `now`."""
    value = hook(receiver)["value"]
    return [
        (pinged_at - 2, PROJECT, ProjectCreated("p", "pingkey0000000000000000")),
        (
            pinged_at - 2,
            uuid(1, "d"),
            ChannelCreated(PROJECT, "webhook", "h", value, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
        ),
        (pinged_at - 1, uuid(1), CheckCreated(PROJECT, CheckSpec(timeout=60, grace=60, channels=(uuid(1, "d"),)))),
        (pinged_at, uuid(1), PingReceived()),
        sign_of_life(now),
    ]


def sign_of_life(now: float) -> tuple[float, str, AnyEvent]:
    """What shows that the daemon listened at `now`."""
    return now, uuid(99), CheckCreated(PROJECT, CheckSpec())


def test_silence_is_told_at_the_deadline(start: Starter, receiver: Receiver) -> None:
    """Never before, stamped with it, and within a second where the machine lets the daemon run.

    Deadlines pass every 0.9 s, so at all distances from a tick. A machine that is busy with other things holds up the
    start and some of them; a daemon that is late by itself is late with each.
    """
    now = time.time()
    deadlines = {f"job {n}": now + 3 + 0.9 * n for n in range(60)}
    spec = CheckSpec(timeout=60, grace=60, channels=(uuid(1, "d"),))
    made = [(now - 118, uuid(n), CheckCreated(PROJECT, replace(spec, name=it))) for n, it in enumerate(deadlines, 1)]
    pinged = [(deadline - 120, uuid(n), PingReceived()) for n, deadline in enumerate(deadlines.values(), 1)]
    past(start.tmp_path / "data", *story(receiver, now - 117, now)[:2], *made, *pinged, sign_of_life(now))
    leave_keys(start.tmp_path / "data")
    start(config=LOOPBACK + "[monitor]\nhold = 0\n")
    began = time.time()

    def lateness() -> list[float]:
        """Of what was told of deadlines that passed after the start."""
        late = []
        for message in list(receiver.got):
            body = json.loads(message.body)
            deadline = deadlines[body["check"]["name"]]
            assert datetime.fromisoformat(body["flip"]["at"]).timestamp() == int(deadline)
            if deadline > began:
                late.append(message.at - deadline)
        return late

    late = until(lambda: len(found := lateness()) >= 8 and found, "deadlines to be told", 60)
    assert 0 <= min(late) <= 0.9, late


def test_silence_during_an_outage_of_pingmon_is_told_once_late_and_with_the_reason(
    start: Starter, receiver: Receiver
) -> None:
    """Held for the time of `hold`, then told; and a restart tells it no second time."""
    now = time.time()
    past(start.tmp_path / "data", *story(receiver, now - 600, now - 590))
    leave_keys(start.tmp_path / "data")
    began = time.time()
    daemon = start(config=LOOPBACK + "[monitor]\nhold = 3\n")
    (down,) = receiver.wait(1)
    assert down.at - began >= 2.9
    assert re.search(rb"deaf", down.body), down.body
    until(lambda: logged(daemon.data, "notification_delivered"), "the delivery to be logged")
    daemon.kill()
    start(daemon.data, config=LOOPBACK + "[monitor]\nhold = 0\n")
    threading.Event().wait(2.5)
    assert len(receiver.got) == 1


def test_a_job_that_reports_during_the_hold_alarms_nobody(start: Starter, receiver: Receiver) -> None:
    """The daemon's own outage must not page people."""
    now = time.time()
    past(start.tmp_path / "data", *story(receiver, now - 600, now - 590))
    leave_keys(start.tmp_path / "data")
    daemon = start(config=LOOPBACK + "[monitor]\nhold = 2\n")
    assert daemon.ask("GET", f"/ping/{uuid(1)}").status == 200
    threading.Event().wait(4)
    assert receiver.got == []


def leave_keys(data: Path) -> None:
    """The harness waits for this file, which a daemon with a past does not write."""
    (data / "first-run.json").write_text("{}")


def logged(data: Path, kind: str) -> bool:
    """Whether the log holds an event of this kind."""
    with sqlite3.connect(f"file:{data}/journal.sqlite3?mode=ro", uri=True) as log:
        return bool(log.execute("SELECT 1 FROM event WHERE kind = ?", (kind,)).fetchone())


# --- while an outage lasts ----------------------------------------------------------------------------------------


def test_a_reminder_is_sent_when_it_is_due_and_none_once_its_link_was_followed(
    start: Starter, receiver: Receiver
) -> None:
    """The check went down an hour ago, and people are told again every hour."""
    now = time.time()
    channel, check = uuid(1, "d"), uuid(1)
    secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
    rules = AlertRules(remind_every=3600, escalation=(EscalationStep(3660, (channel,)),))
    past(
        start.tmp_path / "data",
        (now - 3602, PROJECT, ProjectCreated("p", "pingkey0000000000000000")),
        (now - 3602, channel, ChannelCreated(PROJECT, "webhook", "h", hook(receiver)["value"], secret)),
        (now - 3601, check, CheckCreated(PROJECT, CheckSpec(name="job", channels=(channel,), alerts=rules))),
        (now - 3600, check, PingReceived("fail")),
        (now - 3599, channel, NotificationDelivered(f"{channel}.4", 5, 200)),
        sign_of_life(now),
    )
    leave_keys(start.tmp_path / "data")
    daemon = start(config=LOOPBACK)
    message = json.loads(receiver.wait(1)[0].body)
    assert (message["event"], message["reminder"]) == ("check.reminder", 1)
    assert message["text"].startswith("STILL DOWN: job, for 1 h")
    link = url("", Link("ack", channel, check, 4), secret)
    assert b"job is down" in daemon.ask("GET", link).body
    assert b"Nobody is reminded of job any more" in daemon.ask("POST", link).body
    daemon.ask("GET", f"/ping/{check}")
    up = json.loads(receiver.wait(2)[1].body)
    assert (up["event"], up["acknowledged"]["by"]) == ("check.up", "h")
