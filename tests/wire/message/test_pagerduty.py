"""Events for PagerDuty: the requests to the letter, and what answers mean."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pingmon.testing import uuid
from pingmon.wire.message.pagerduty import read, request
from pingmon.wire.message.service import ServiceAnswer
from tests.wire.message.service_letters import ACK, BASE, DOWN, sent, service_letter

KEY = "0123456789abcdef0123456789abcdef"
VALUE: dict[str, object] = {"routing_key": KEY}
URL = "https://events.pagerduty.com/v2/enqueue"
OF_THE_CHECK = f"pingmon-{uuid(1)}"


def test_a_way_down_triggers_an_alert_and_the_way_up_resolves_it() -> None:
    """Both name it by the check."""
    assert sent(request(service_letter("pagerduty", VALUE), BASE)) == (
        "POST",
        URL,
        {
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": OF_THE_CHECK,
            "payload": {
                "summary": DOWN,
                "source": "backup",
                "severity": "critical",
                "timestamp": "2023-11-14T22:13:20+00:00",
                "class": "check.down",
            },
            "client": "pingmon",
            "links": [{"href": ACK, "text": "Acknowledge in pingmon"}],
        },
    )
    unsigned = service_letter("pagerduty", VALUE)
    unsigned = replace(unsigned, channel=replace(unsigned.channel, secret=""))
    assert "links" not in sent(request(unsigned, BASE))[2]
    resolve = {"routing_key": KEY, "event_action": "resolve", "dedup_key": OF_THE_CHECK}
    assert sent(request(service_letter("pagerduty", VALUE, receipt=""), BASE)) == ("POST", URL, resolve)


def test_the_end_of_a_schedule_is_no_alert() -> None:
    """Nothing is sent."""
    assert request(service_letter("pagerduty", VALUE, receipt="", cause="ended"), BASE) is None


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (202, ServiceAnswer()),
        (400, ServiceAnswer("status 400", permanent=True)),
        (429, ServiceAnswer("status 429")),
        (500, ServiceAnswer("status 500")),
    ],
)
def test_what_an_answer_means(status: int, found: ServiceAnswer) -> None:
    """An event that is none stays none; all else is tried again."""
    asked = request(service_letter("pagerduty", VALUE), BASE)
    assert asked is not None
    assert read(asked, status, b"") == found
