"""Events for PagerDuty (Events API v2; github.com/PagerDuty/api-schema, reference/events-v2).

A way down triggers an alert, and the way up resolves it: both name it by the check or site (`dedup_key`), so a message
that is sent again opens no second one. A digest would be an alert that nothing resolves, and that a schedule has run
out is none: neither is sent. A summary has 1,024 characters at most. A 400 says that the event or its key is none, and
would say so again.
"""

from __future__ import annotations

from typing import Any, Final

from pingmon.wire.message.digest import AnyMessage
from pingmon.wire.message.message import Letter, event_of, name
from pingmon.wire.message.service import MessageService, ServiceAnswer, ack_url, cut, json_request, judged, words
from pingmon.wire.outgoing_request import OutgoingRequest
from pingmon.wire.time_texts import seconds_text

SUMMARY_MAX: Final = 1024


def request(message: AnyMessage, base: str) -> OutgoingRequest | None:
    """The request that triggers or resolves; its settings are `routing_key`, `severity` and `url`."""
    value: dict[str, Any] = message.channel.value
    assert isinstance(message, Letter)  # it wants no digests
    flip = message.owed.flip
    if flip.cause == "ended":
        return None
    said: dict[str, object] = {
        "routing_key": value["routing_key"],
        "event_action": "trigger" if flip.new == "down" else "resolve",
        "dedup_key": f"pingmon-{message.subject.id}",
    }
    if flip.new == "down":
        said["payload"] = {
            "summary": words(message, SUMMARY_MAX),
            "source": cut(name(message.subject), SUMMARY_MAX),
            "severity": value["severity"],
            "timestamp": seconds_text(flip.at),
            "class": event_of(message.owed, message.subject),
        }
        said["client"] = "pingmon"
        if link := ack_url(message, base):
            said["links"] = [{"href": link, "text": "Acknowledge in pingmon"}]
    return json_request(f"{value['url'].rstrip('/')}/v2/enqueue", said)


def read(asked: OutgoingRequest, status: int, body: bytes) -> ServiceAnswer:
    """What PagerDuty's answer means."""
    return judged(status, permanent=(400,))


PAGERDUTY: Final = MessageService(request, read, parallel=4, digests=False)
