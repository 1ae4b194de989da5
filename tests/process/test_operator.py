"""A daemon that tells its operator of its own trouble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.process.daemons import Receiver, Running, Starter, until
from tests.process.test_disk_full import small_disk

__all__ = ["small_disk"]
pytestmark = pytest.mark.process

CONFIG = '[outgoing]\nallow = ["127.0.0.0/8"]\n[operator]\nchannels = ["ops"]\nhold = 2\n'


def kinds(daemon: Running) -> set[str]:
    """What the operator's key is warned of."""
    return {warning["text"] for warning in daemon.api("GET", "status/", key="operator_key").json["warnings"]}


@pytest.mark.parametrize("small_disk", [64], indirect=True)
def test_the_operator_hears_once_of_a_disk_that_fills_up_and_once_that_it_is_over(
    start: Starter, small_disk: Path, receiver: Receiver
) -> None:
    """By a channel that is made after the start; a kill in between makes it no second message."""
    ballast = small_disk / "ballast"
    daemon = start(small_disk / "data", config=CONFIG)
    assert "there is no channel 'ops'" in daemon.log.read_text()
    value = {"url_down": f"{receiver.url}/down", "url_up": f"{receiver.url}/up"}
    value |= {"method_down": "POST", "method_up": "POST"}
    made = daemon.api("POST", "channels/", {"kind": "webhook", "name": "ops", "value": value})
    assert made.status == 201
    told = daemon.api("GET", "status/", key="operator_key").json["told"]
    assert [channel["name"] for channel in told] == ["ops"]
    assert "told" not in daemon.api("GET", "status/").json
    ballast.write_bytes(bytes(62 << 20))
    assert kinds(daemon) == {"the journal's disk is nearly full"}
    deliveries = f"channels/{made.json['id']}/deliveries"
    until(lambda: _results(daemon, deliveries) == ["delivered"], "a message that is known to be delivered")
    daemon.kill()
    daemon = start(small_disk / "data", config=CONFIG)
    assert kinds(daemon) == {"the journal's disk is nearly full"}
    ballast.unlink()
    until(lambda: _results(daemon, deliveries) == ["delivered"] * 2, "another one")
    first, last = receiver.got
    assert (first.path, last.path) == ("/down", "/up")
    down, up = json.loads(first.body), json.loads(last.body)
    assert (down["event"], up["event"]) == ("pingmon.trouble", "pingmon.over")
    assert down["text"].startswith("TROUBLE: pingmon: the journal's disk is nearly full, since ")
    assert up["text"].startswith("OVER: pingmon: the journal's disk is nearly full, from ")
    assert (up["pingmon"]["kind"], up["pingmon"]["status"]) == ("disk", "up")
    listed = daemon.api("GET", deliveries).json["deliveries"]
    assert [each["event"] for each in listed] == ["pingmon.over", "pingmon.trouble"]
    assert "Traceback" not in daemon.log.read_text()


def _results(daemon: Running, deliveries: str) -> list[str]:
    return [each["result"] for each in daemon.api("GET", deliveries).json["deliveries"]]
