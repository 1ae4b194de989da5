"""A daemon that tells people by apprise's plug-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Event

import pytest

from tests.process.daemons import Received, Receiver, Running, Starter, until

pytestmark = pytest.mark.process

CONFIG = '[apprise]\nschemes = ["json"]\n'


def channel(daemon: Running, receiver: Receiver, scheme: str = "json") -> str:
    url = f"{scheme}://us-er:pass-word@{receiver.url.removeprefix('http://')}/pa-th"
    made = daemon.api("POST", "channels/", {"kind": "apprise", "name": "ops", "value": {"url": url}})
    assert made.status == 201, made.body
    return str(made.json["id"])


def hanging(released: Event) -> Callable[[Received], int]:
    def answer(request: Received) -> int:
        released.wait(60)
        return 200

    return answer


def test_a_failed_job_is_told_and_its_end_too(start: Starter, receiver: Receiver) -> None:
    """And nothing of the URL but the host gets into the log."""
    daemon = start(config=CONFIG)
    channel(daemon, receiver)
    for path in ("job?create=1", "job/fail", "job"):
        assert daemon.ping(path).status in (200, 201)
        receiver.wait(1 if path == "job/fail" else len(receiver.got))
    said = [json.loads(each.body) for each in receiver.wait(2)]
    assert [(each["title"], each["type"]) for each in said] == [("DOWN | job", "failure"), ("UP | job", "success")]
    daemon.stop()
    log = daemon.log.read_text()
    assert not any(secret in log for secret in ("us-er", "pass-word", "pa-th"))


def test_what_is_not_allowed_is_not_made(start: Starter, receiver: Receiver) -> None:
    """The error says what to do."""
    daemon = start(config=CONFIG)
    refused = daemon.api("POST", "channels/", {"kind": "apprise", "name": "ops", "value": {"url": "ntfys://topic"}})
    assert refused.status == 400
    assert 'ntfys:// is not allowed; allow it with [apprise] schemes = ["ntfys"]' in refused.json["error"]


def test_a_receiver_that_hangs_holds_up_neither_pings_nor_the_end(start: Starter, receiver: Receiver) -> None:
    """Its message is told when it answers again."""
    released = Event()
    receiver.answer = hanging(released)
    daemon = start(config=CONFIG)
    channel(daemon, receiver)
    for path in ("job?create=1", "job/fail"):
        assert daemon.ping(path).status in (200, 201)
    until(lambda: receiver.arrived, "the message to arrive")
    assert daemon.ping("job/log").status == 200
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 10
    released.set()
    daemon = start(daemon.data, config=CONFIG)
    until(lambda: len(receiver.got) >= 2, "the message to be repeated")
    daemon.stop()


def test_without_the_extra_it_says_what_is_missing() -> None:
    """And nothing that a daemon loads needs it."""
    program = """
import sys
sys.modules["apprise"] = None
import pingmon.tap
from pingmon.delivery.apprise_plugins import send
print(send("json://localhost", None).error)
"""
    done = subprocess.run([sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == "this pingmon cannot deliver to channels of kind 'apprise': install pingmon[apprise]\n"
