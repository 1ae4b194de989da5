"""Messages by Telegram's bots: the requests to the letter, and what answers mean."""

from __future__ import annotations

import json

import pytest

from pingmon.wire.message.service import ServiceAnswer
from pingmon.wire.message.telegram import read, request
from tests.wire.message.service_letters import ACK, BASE, DOWN, UP, sent, service_letter

VALUE: dict[str, object] = {"token": "12:aB-c", "chat_id": "-7"}
BOT = "https://api.telegram.org/bot12:aB-c"
PLAIN = {"link_preview_options": {"is_disabled": True}}
SENT = request(service_letter("telegram", VALUE), BASE)
EDIT = request(service_letter("telegram", VALUE, receipt="-7/42"), BASE)


def refusal(why: str, **parameters: object) -> bytes:
    return json.dumps({"ok": False, "description": why, "parameters": parameters}).encode()


def test_a_way_down_is_sent() -> None:
    """Into a thread, if the chat has some; the receipt is the chat and the message."""
    assert sent(SENT) == (
        "POST",
        f"{BOT}/sendMessage",
        {"chat_id": "-7", "text": f"{DOWN}\nAcknowledge: {ACK}"} | PLAIN,
    )
    threaded = request(service_letter("telegram", VALUE | {"thread_id": 3, "url": "http://tg.lan/"}), BASE)
    assert (threaded.url, sent(threaded)[2]["message_thread_id"]) == ("http://tg.lan/bot12:aB-c/sendMessage", 3)
    answer = b'{"ok": true, "result": {"message_id": 42, "chat": {"id": -7}}}'
    assert read(SENT, 200, answer) == ServiceAnswer(receipt="-7/42")


def test_the_way_up_edits_it() -> None:
    """In the chat in which it is."""
    said = {"chat_id": -7, "text": UP, "message_id": 42} | PLAIN
    assert sent(EDIT) == ("POST", f"{BOT}/editMessageText", said)
    assert request(service_letter("telegram", VALUE, receipt="x/y"), BASE).url.endswith("/sendMessage")


def test_what_cannot_be_edited_is_sent() -> None:
    """Unless an attempt before has edited it."""
    instead = read(EDIT, 400, refusal("Bad Request: message to edit not found")).instead
    assert instead is not None
    assert sent(instead) == ("POST", f"{BOT}/sendMessage", {"chat_id": -7, "text": UP} | PLAIN)
    same = refusal("Bad Request: message is not modified: specified new message content and …")
    assert read(EDIT, 400, same) == ServiceAnswer(receipt="-7/42")


def test_a_chat_that_has_moved_is_followed() -> None:
    """A group that became a supergroup has another id; nobody is led in circles."""
    moved = refusal("Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1007)
    instead = read(SENT, 400, moved).instead
    assert instead is not None
    assert sent(instead) == ("POST", f"{BOT}/sendMessage", sent(SENT)[2] | {"chat_id": -1007})
    assert read(instead, 400, moved) == ServiceAnswer("status 400")


@pytest.mark.parametrize(
    ("status", "why", "found"),
    [
        (403, "Forbidden: bot was blocked by the user", ServiceAnswer("status 403", gone=True)),
        (400, "Bad Request: chat not found", ServiceAnswer("status 400", gone=True)),
        (401, "Unauthorized", ServiceAnswer("status 401", gone=True)),
        (404, "Not Found", ServiceAnswer("status 404", gone=True)),
        (400, "Bad Request: message is too long", ServiceAnswer("status 400")),
        (429, "Too Many Requests", ServiceAnswer("status 429")),
    ],
)
def test_what_a_refusal_means(status: int, why: str, found: ServiceAnswer) -> None:
    """A bot that was blocked, and one that does not exist, has nobody to tell."""
    assert read(SENT, status, refusal(why)) == found


@pytest.mark.parametrize("body", [b"", b"[]", b'{"result": []}', b'{"result": {"message_id": "x", "chat": {"id": 1}}}'])
def test_an_answer_without_a_name_gives_no_receipt(body: bytes) -> None:
    """The message has arrived all the same."""
    assert read(SENT, 200, body) == ServiceAnswer()
