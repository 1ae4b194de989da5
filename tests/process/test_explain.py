"""Why an alert came, asked of a real daemon: a nightly backup whose server keeps the time of Bucharest."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from pingmon.api.credentials import key_created, new_key
from pingmon.core.check.settings import CheckSpec
from pingmon.core.world.events import AnyEvent, ChannelCreated, CheckCreated, PingReceived, ProjectCreated
from pingmon.testing import PROJECT, uuid
from tests.process.daemons import Receiver, Running, Starter, until
from tests.process.test_alerts import LOOPBACK, hook, leave_keys, past, sign_of_life

pytestmark = pytest.mark.process

DAY_S = 86_400
NIGHTS = 9
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


def nights(receiver: Receiver, key: str, midnight: float) -> list[tuple[float, str, AnyEvent]]:
    """Nine nights of a log. The schedule says five o'clock, and means UTC; the server's cron has another clock."""
    began, channel = midnight - NIGHTS * DAY_S - 60, uuid(1, "d")
    spec = CheckSpec(name="backup", kind="cron", schedule="0 5 * * *", grace=600, channels=(channel,))
    made: list[tuple[float, str, AnyEvent]] = [
        (began, PROJECT, ProjectCreated("servers", "pingkey0000000000000000")),
        (began, PROJECT, key_created(key, "rw", os.urandom)),
        (began, channel, ChannelCreated(PROJECT, "webhook", "ops", hook(receiver)["value"], SECRET)),
        (began, uuid(1), CheckCreated(PROJECT, spec)),
    ]
    pings = [(midnight - night * DAY_S + 3 * 3600 + 60, uuid(1), PingReceived()) for night in range(NIGHTS, 0, -1)]
    return [*made, *pings]


def test_an_alert_says_why_explain_says_more_and_a_rehearsal_says_what_to_do(
    start: Starter, receiver: Receiver
) -> None:
    """The alert names the zone, `explain` the entries, and with that zone there would have been no alert but one."""
    now = time.time()
    midnight = now - now % DAY_S - DAY_S
    key = new_key("rw", os.urandom)
    log = nights(receiver, key, midnight)
    past(start.tmp_path / "data", *log, sign_of_life(log[-1][0] + 60))
    leave_keys(start.tmp_path / "data")
    daemon = start(config=LOOPBACK + "[monitor]\nhold = 0\n")

    (alert,) = receiver.wait(1)
    message = json.loads(alert.body)
    assert message["event"] == "check.down"
    assert f"the last {NIGHTS} pings came " in message["advice"]
    assert message["advice"].endswith("and the schedule's zone is UTC")
    assert message["text"].endswith(message["advice"])

    told = until(lambda: "ops was told" in str(ask(daemon, key, "explain")), "the delivery to be logged")
    assert told
    shown = ask(daemon, key, "explain")
    assert (shown["status"], shown["zone"]["schedule"], shown["zone"]["pings"]) == ("down", "UTC", NIGHTS)
    assert len(shown["zone"]["fits"]) >= 1
    for sentence in shown["sentences"]:
        assert sentence["entries"], sentence
    fourth = ask(daemon, key, f"explain?at={round(log[7][0]) + 3600}")
    assert (fourth["status"], fourth["sentences"][-1]["topic"]) == ("up", "advice")

    zone = shown["zone"]["fits"][0]
    rehearsed = ask(daemon, key, "rehearse", {"tz": zone})
    assert rehearsed["today"]["count"] == NIGHTS
    assert rehearsed["changed"]["count"] == 1
    assert ask(daemon, key, "")["tz"] == "UTC"


def ask(daemon: Running, key: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the API says about the check."""
    method, text = ("GET", None) if body is None else ("POST", json.dumps(body))
    answer = daemon.ask(method, f"/api/v3/checks/{uuid(1)}/{path}", text, {"X-Api-Key": key})
    assert answer.status == 200, answer.body
    return answer.json
