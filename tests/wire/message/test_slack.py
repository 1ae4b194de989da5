"""Messages to Slack's kind of webhook: the requests to the letter, and what answers mean."""

from __future__ import annotations

import pytest

from pingmon.wire.message.service import ServiceAnswer
from pingmon.wire.message.slack import read, request
from tests.wire.message.service_letters import ACK, BASE, UP, sent, service_letter

HOOK = "https://hooks.slack.com/services/T0/B0/x"


def test_a_way_down_and_a_way_up_are_two_messages() -> None:
    """What would be a mention or a link in a name is text."""
    asked = request(service_letter("slack", {"url": HOOK}, name="<!channel> & co"), BASE)
    told = "DOWN: &lt;!channel&gt; &amp; co, since 2023-11-14 22:13:20 UTC: the job reported no success in time"
    assert sent(asked) == ("POST", HOOK, {"text": f"{told}\n<{ACK}|Acknowledge>"})
    assert sent(request(service_letter("slack", {"url": HOOK}, receipt=""), BASE)) == ("POST", HOOK, {"text": UP})


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, b"ok", ServiceAnswer()),
        (400, b"invalid_token\n", ServiceAnswer("status 400", gone=True)),
        (400, b"invalid_payload", ServiceAnswer("status 400")),
        (403, b"action_prohibited", ServiceAnswer("status 403", gone=True)),
        (404, b"no_service", ServiceAnswer("status 404", gone=True)),
        (410, b"channel_is_archived", ServiceAnswer("status 410", gone=True)),
        (500, b"rollup_error", ServiceAnswer("status 500")),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, found: ServiceAnswer) -> None:
    """A webhook that is revoked, or whose channel is archived, is gone."""
    assert read(request(service_letter("slack", {"url": HOOK}), BASE), status, body) == found
