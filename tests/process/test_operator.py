"""A daemon that tells its operator of its own trouble."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.process.daemons import Receiver, Running, Starter, until
from tests.process.forked import ran
from tests.process.test_disk_full import small_disk

__all__ = ["small_disk"]
pytestmark = pytest.mark.process

CONFIG = '[outgoing]\nallow = ["127.0.0.0/8"]\n[operator]\nchannels = ["ops"]\nhold = 2\n'


def warned(daemon: Running) -> set[str]:
    """What the operator's key is warned of."""
    return {warning["text"] for warning in daemon.api("GET", "status/", key="operator_key").json["warnings"]}


def told_of_disk(daemon: Running, channel: str) -> list[str]:
    """What became of messages about it, newest first. Of a kill that took long there is one as well."""
    listed = daemon.api("GET", f"channels/{channel}/deliveries").json["deliveries"]
    return [f"{each['event']} {each['result']}" for each in listed if "disk" in each["name"]]


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
    assert re.search(r"^tells +ops$", ran("pingmon", "status", "--data", daemon.data).stdout, re.MULTILINE)
    ballast.write_bytes(bytes(62 << 20))
    assert warned(daemon) == {"the journal's disk is nearly full"}
    until(lambda: told_of_disk(daemon, made.json["id"]) == ["pingmon.trouble delivered"], "a message")
    daemon.kill()
    daemon = start(small_disk / "data", config=CONFIG)
    assert warned(daemon) == {"the journal's disk is nearly full"}
    ballast.unlink()
    both = ["pingmon.over delivered", "pingmon.trouble delivered"]
    until(lambda: told_of_disk(daemon, made.json["id"]) == both, "another one")
    got = [each for each in receiver.got if b"disk" in each.body]
    assert [each.path for each in got] == ["/down", "/up"]
    down, up = (json.loads(each.body) for each in got)
    assert (down["event"], up["event"]) == ("pingmon.trouble", "pingmon.over")
    assert down["text"].startswith("TROUBLE: pingmon: the journal's disk is nearly full, since ")
    assert up["text"].startswith("OVER: pingmon: the journal's disk is nearly full, from ")
    assert (up["pingmon"]["kind"], up["pingmon"]["status"]) == ("disk", "up")
    assert "Traceback" not in daemon.log.read_text()
