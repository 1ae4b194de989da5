"""Channels over the API: listed and made."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import Any

import pytest

from pingmon.core.events import ProjectCreated
from pingmon.http.api import ApiSettings
from tests.http.api_house import OTHER_PROJECT, House

CHANNELS = "/api/v3/channels/"
VALUE = {"url_down": "https://hooks.example/$CODE", "method_down": "POST"}


def test_a_webhook() -> None:
    """A new webhook is answered with its complete settings and the secret that signs its messages."""
    house = House()
    reply = house.post(CHANNELS, {"kind": "webhook", "name": "ops", "value": VALUE})
    assert reply.status == 201
    made = reply.json
    assert list(made) == ["id", "name", "kind", "value", "secret"]
    assert (made["name"], made["kind"], made["value"]["method_up"]) == ("ops", "webhook", "GET")
    assert re.fullmatch("whsec_[A-Za-z0-9+/]{32}", made["secret"])
    assert len(b64decode(made["secret"].removeprefix("whsec_"))) == 24
    channel = house.monitor.world.channels[made["id"]]
    assert (channel.name, channel.value, channel.secret) == ("ops", made["value"], made["secret"])


def test_settings_as_a_json_string() -> None:
    """The settings may come as a JSON string, and the name may be left out."""
    house = House()
    made = house.post(CHANNELS, {"kind": "webhook", "value": json.dumps(VALUE)}).json
    assert made["name"] == ""
    assert made["value"]["url_down"] == VALUE["url_down"]


def test_the_list_tells_no_secrets() -> None:
    """The list names each of the project's channels, and neither settings nor secrets nor other projects' channels."""
    house = House()
    first, second = house.channel("ops"), house.channel("dev")
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
        ({"kind": "carrier pigeon"}, "kind has unexpected value; the kinds are: webhook"),
        ({"kind": "webhook", "name": "x" * 101}, "name is too long"),
        ({"kind": "webhook", "name": 1}, "name is not a string"),
        ({"kind": "webhook"}, "value is not an object"),
        ({"kind": "webhook", "value": "{}"}, "value needs a url_down or a url_up"),
        ({"kind": "webhook", "value": VALUE | {"url_up": "javascript:1"}}, "url_up is not an http or https URL"),
    ],
)
def test_errors(body: dict[str, Any], text: str) -> None:
    """What cannot be used is told, and no channel is made."""
    house = House()
    reply = house.post(CHANNELS, body)
    assert (reply.status, reply.error) == (400, f"json validation error: {text}")
    assert house.monitor.world.channels == {}


def test_too_many_channels() -> None:
    """A full project takes no more channels."""
    house = House(ApiSettings(max_channels=1, keys_per_second=0))
    house.channel()
    reply = house.post(CHANNELS, {"kind": "webhook", "value": VALUE})
    assert (reply.status, reply.error) == (403, "too many channels: a project may have 1")


def test_a_read_only_key_sees_no_channels() -> None:
    """Channels need a read-and-write key."""
    house = House()
    assert house.get(CHANNELS, house.ro).status == 401


def test_each_project_has_its_own_names() -> None:
    """A check cannot be given another project's channel."""
    house = House()
    house.channel("ops")
    house.submit(OTHER_PROJECT, ProjectCreated("other", "k"))
    key = house.new_key(OTHER_PROJECT, "rw")
    reply = house.post("/api/v3/checks/", {"channels": "ops"}, key)
    assert (reply.status, reply.error) == (400, "invalid channel identifier: ops")
