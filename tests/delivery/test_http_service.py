"""Tests of `pingmon.delivery.http_service`, against real servers on loopback."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.logger import capturedLogs, formatEvent

from pingmon.delivery.attempt import Delivered, NotDelivered, Result, attempt
from pingmon.delivery.http_service import REQUESTS_MAX, SERVICES, HttpService
from pingmon.wire.message.digest import AnyMessage
from tests.delivery.letters import many
from tests.delivery.receiver import Server, egress
from tests.wire.message.service_letters import BASE, UP, service_letter

pytestmark = pytest.mark.usefixtures("nothing_left")

KEY = "0123456789abcdef0123456789abcdef"
VALUES: dict[str, dict[str, object]] = {
    "ntfy": {"topic": "ops", "token": "tk_secret"},
    "telegram": {"token": "12:secret", "chat_id": "7"},
    "slack": {},
    "discord": {},
    "pagerduty": {"routing_key": KEY},
}


def answer(status: int, body: bytes, header: bytes = b"X-A: b") -> bytes:
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n%b\r\n\r\n%b" % (status, len(body), header, body)


def busy(retry_after_s: float) -> Result:
    return NotDelivered("status 429", retry_after_s=retry_after_s)


async def told(kind: str, port: int, **more: Any) -> Result:
    """The result of telling a service on this port."""
    url = f"http://127.0.0.1:{port}/secret/hook" if kind in ("slack", "discord") else f"http://127.0.0.1:{port}"
    return await delivered(kind, service_letter(kind, {"url": url} | VALUES[kind], **more))


async def delivered(kind: str, message: AnyMessage) -> Result:
    service = HttpService(egress(reactor, "127.0.0.0/8"), SERVICES[kind], lambda: BASE)
    return await attempt(service, message, cast(Any, reactor), 5)


@pytest.mark.parametrize(
    ("kind", "answered", "line", "receipt"),
    [
        ("ntfy", b"{}", b"POST / HTTP/1.1", "dddddddd-0000-4000-8000-000000000001_7"),
        (
            "telegram",
            b'{"ok": true, "result": {"message_id": 42, "chat": {"id": 7}}}',
            b"POST /bot12:secret/sendMessage HTTP/1.1",
            "7/42",
        ),
        ("slack", b"ok", b"POST /secret/hook HTTP/1.1", ""),
        ("discord", b'{"id": "42"}', b"POST /secret/hook?wait=true HTTP/1.1", "42"),
        ("pagerduty", b'{"status": "success"}', b"POST /v2/enqueue HTTP/1.1", ""),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_message_arrives_and_its_receipt_is_kept(
    server: Server, kind: str, answered: bytes, line: bytes, receipt: str
) -> None:
    """And no line of the log has a secret in it."""
    port = await server.listen()
    server.answers(answer(200, answered))
    with capturedLogs() as logged:
        assert await told(kind, port) == Delivered(200, receipt=receipt)
    (request,) = server.requests
    assert request.startswith(line + b"\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in request
    assert not any("secret" in formatEvent(event) or KEY in formatEvent(event) for event in logged)


@pytest_twisted.ensureDeferred
async def test_an_edit_that_is_refused_becomes_a_new_message(server: Server) -> None:
    """In the same attempt, so that nobody has to wait for the news."""
    port = await server.listen()
    answers = [answer(404, b'{"code": 10008}'), answer(200, b'{"id": "43"}')]
    server.reply = lambda receiver: receiver.write(answers.pop(0))
    assert await told("discord", port, receipt="42") == Delivered(200, receipt="43")
    edit, post = server.requests
    assert edit.startswith(b"PATCH /secret/hook/messages/42?wait=true HTTP/1.1\r\n")
    assert post.startswith(b"POST /secret/hook?wait=true HTTP/1.1\r\n")
    assert json.loads(post.partition(b"\r\n\r\n")[2])["content"] == UP


@pytest_twisted.ensureDeferred
async def test_a_digest_has_no_receipt(server: Server) -> None:
    """Else the end of one outage would overwrite what was told of all."""
    server.answers(answer(200, b'{"id": "42"}'))
    value: dict[str, object] = {"url": f"http://127.0.0.1:{await server.listen()}/hook"}
    assert await delivered("discord", many(value, 30)) == Delivered(200)
    assert b'"content":"DOWN: 30 checks (30 down)\\n' in server.requests[0]


@pytest_twisted.ensureDeferred
async def test_a_service_that_leads_around_is_followed_a_few_times(server: Server) -> None:
    """And then it is a failure."""
    port, chats = await server.listen(), iter(range(100, 200))
    moved = lambda: b'{"parameters": {"migrate_to_chat_id": %d}}' % next(chats)  # noqa: E731
    server.reply = lambda receiver: receiver.write(answer(400, moved()))
    assert await told("telegram", port) == NotDelivered("status 400")
    assert len(server.requests) == REQUESTS_MAX


@pytest.mark.parametrize(
    ("kind", "answered", "result"),
    [
        (
            "discord",
            answer(429, b'{"retry_after": 1.5}', b"Retry-After: 2"),
            NotDelivered("status 429", retry_after_s=1.5),
        ),
        (
            "telegram",
            answer(429, b'{"parameters": {"retry_after": 9}}'),
            NotDelivered("status 429", retry_after_s=9.0),
        ),
        ("slack", answer(429, b"", b"Retry-After: 30"), busy(30.0)),
        ("slack", answer(500, b"", b"Retry-After: 30"), NotDelivered("status 500")),
        ("slack", answer(404, b"no_service"), NotDelivered("status 404", gone=True)),
        ("pagerduty", answer(400, b""), NotDelivered("status 400", permanent=True)),
        ("ntfy", b"", NotDelivered("the connection was closed without an answer")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_a_refusal_means(server: Server, kind: str, answered: bytes, result: Result) -> None:
    """How long to wait, and whether to try again at all."""
    server.answers(answered, close=True)
    assert await told(kind, await server.listen()) == result


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_where_there_is_nothing_to_send(server: Server) -> None:
    """And settings that make no request fail for good."""
    ended = service_letter("pagerduty", VALUES["pagerduty"], receipt="", cause="ended")
    assert await delivered("pagerduty", ended) == Delivered(nothing=True)
    odd = service_letter("slack", {"url": "http://a..b/"})
    assert await delivered("slack", odd) == NotDelivered("the URL has no valid host and port", permanent=True)
