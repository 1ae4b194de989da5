"""Messages to ntfy: the requests to the letter, and what its answers mean."""

from __future__ import annotations

from msgspec.structs import replace

from pingmon.testing import uuid
from pingmon.wire.message.ntfy import read, request
from pingmon.wire.message.service import ServiceAnswer
from tests.wire.message.service_letters import ACK, BASE, DOWN, UP, sent, service_letter

SEQUENCE = f"{uuid(1, 'd')}_7"


def test_the_way_up_takes_the_place_of_the_way_down() -> None:
    """Both are in one sequence, which is named by the message about the way down."""
    down = request(service_letter("ntfy", {"topic": "ops"}), BASE)
    assert sent(down) == (
        "POST",
        "https://ntfy.sh/",
        {
            "topic": "ops",
            "message": DOWN,
            "tags": ["rotating_light"],
            "priority": 4,
            "sequence_id": SEQUENCE,
            "actions": [{"action": "view", "label": "Acknowledge", "url": ACK}],
        },
    )
    assert read(down, 200, b"{}") == ServiceAnswer(receipt=SEQUENCE)
    up = request(service_letter("ntfy", {"topic": "ops"}, receipt=SEQUENCE), BASE)
    said = {"topic": "ops", "message": UP, "tags": ["white_check_mark"], "priority": 3, "sequence_id": SEQUENCE}
    assert sent(up) == ("POST", "https://ntfy.sh/", said)


def test_somebodys_own_ntfy() -> None:
    """Its URL, an access token or else the user of the URL, and the priority of ways down are settings."""
    value: dict[str, object] = {"topic": "ops", "url": "http://me:pw@ntfy.lan:8080", "priority": 5}
    asked = request(service_letter("ntfy", value), BASE)
    assert (asked.url, dict(asked.headers)["Authorization"]) == ("http://ntfy.lan:8080/", b"Basic bWU6cHc=")
    assert sent(asked)[2]["priority"] == 5
    asked = request(service_letter("ntfy", value | {"token": "tk_1"}), BASE)
    assert dict(asked.headers)["Authorization"] == b"Bearer tk_1"


def test_a_sequence_has_no_more_than_64_characters() -> None:
    """A message in another channel's stead has a longer id; its end tells it from others."""
    letter = service_letter("ntfy", {"topic": "ops"})
    letter = replace(letter, owed=replace(letter.owed, id=f"{uuid(2, 'd')}.7.{uuid(1, 'd')}"))
    assert sent(request(letter, BASE))[2]["sequence_id"] == f"{uuid(2, 'd')}_7_{uuid(1, 'd')}"[-64:]


def test_a_refusal_is_tried_again() -> None:
    """A topic may be opened, a token mended."""
    asked = request(service_letter("ntfy", {"topic": "ops"}), BASE)
    assert read(asked, 403, b"") == ServiceAnswer("status 403")
