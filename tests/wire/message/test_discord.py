"""Messages to Discord: the requests to the letter, and what its answers mean."""

from __future__ import annotations

import pytest

from pingmon.wire.message.discord import read, request
from pingmon.wire.message.service import ServiceAnswer
from tests.wire.message.service_letters import ACK, BASE, DOWN, UP, sent, service_letter

HOOK = "https://discord.com/api/webhooks/1/x-Y"
POSTED = request(service_letter("discord", {"url": HOOK}), BASE)
EDIT = request(service_letter("discord", {"url": f"{HOOK}/?thread_id=5"}, receipt="42"), BASE)


def test_a_way_down_is_posted() -> None:
    """Nobody is mentioned, and no page is shown; the answer's id is the receipt."""
    said = {"content": f"{DOWN}\n[Acknowledge](<{ACK}>)", "allowed_mentions": {"parse": []}, "flags": 4}
    assert sent(POSTED) == ("POST", f"{HOOK}?wait=true", said)
    assert read(POSTED, 200, b'{"id": "42", "content": "x"}') == ServiceAnswer(receipt="42")


def test_the_way_up_edits_it() -> None:
    """Also in a thread."""
    said = {"content": UP, "allowed_mentions": {"parse": []}, "flags": 4}
    assert sent(EDIT) == ("PATCH", f"{HOOK}/messages/42?wait=true&thread_id=5", said)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_cannot_be_edited_is_posted(status: int) -> None:
    """Somebody has deleted the message, say."""
    instead = read(EDIT, status, b'{"code": 10008}').instead
    assert instead is not None
    assert sent(instead) == ("POST", f"{HOOK}?wait=true&thread_id=5", sent(EDIT)[2])


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (404, b'{"code": 10015}', ServiceAnswer("status 404", gone=True)),
        (401, b"", ServiceAnswer("status 401", gone=True)),
        (400, b"", ServiceAnswer("status 400")),
        (429, b"", ServiceAnswer("status 429")),
        (204, b"", ServiceAnswer()),
        (200, b'{"id": "../4"}', ServiceAnswer()),
        (200, b'{"id": 4}', ServiceAnswer()),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, found: ServiceAnswer) -> None:
    """A webhook that was deleted is gone; a name that is no name of Discord's is none."""
    assert read(POSTED, status, body) == found


def test_a_text_is_cut_and_its_link_is_whole() -> None:
    """No content is longer than 2,000."""
    content = sent(request(service_letter("discord", {"url": HOOK}, name="n" * 3000), BASE))[2]["content"]
    assert len(content) <= 2000
    assert content.endswith(f"n…\n[Acknowledge](<{ACK}>)")
