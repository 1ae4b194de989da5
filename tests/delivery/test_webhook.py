"""Tests of `pingmon.delivery.webhook`, against real servers on loopback."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import pytest_twisted
from OpenSSL.SSL import Error as TlsError
from standardwebhooks import Webhook as Verifier
from twisted.internet import reactor
from twisted.internet.error import ConnectBindError, ConnectionLost, NoRouteError, TCPTimedOutError
from twisted.internet.error import TimeoutError as ConnectionTimeoutError
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed, ResponseNeverReceived

from pingmon.core.units import SECOND
from pingmon.delivery.attempt import Delivered, NotDelivered, Result, attempt
from pingmon.delivery.webhook import BODY_MAX, judged
from pingmon.outgoing.exchange import explained
from pingmon.outgoing.passage import RECEIVED_MAX
from pingmon.testing import SECRET
from pingmon.testing import START as NOW
from tests.delivery.letters import letter, many
from tests.delivery.receiver import Server, kind, seconds, sent, until

pytestmark = pytest.mark.usefixtures("nothing_left")

LOOPBACK = kind("127.0.0.0/8", "::1")


@pytest_twisted.ensureDeferred
async def test_the_request_arrives_as_configured_and_the_answer_is_success(server: Server) -> None:
    port = await server.listen()
    result = await sent(
        LOOPBACK,
        f"http://127.0.0.1:{port}/hook/$STATUS?t=a%2Fb",
        method_down="POST",
        headers_down={"X-Mine": "yes"},
        body_down="$STATUS: $BODY",
    )
    assert result == Delivered(200)
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook/down?t=a%2Fb HTTP/1.1"
    assert {b"X-Mine: yes", b"Connection: close", b"Host: 127.0.0.1:%d" % port} <= set(lines)
    assert not any(line.lower().startswith((b"accept-encoding", b"cookie")) for line in lines)
    assert body == b"down: last of cccc up to 7"


@pytest_twisted.ensureDeferred
async def test_a_digest_arrives(server: Server) -> None:
    value: dict[str, object] = {"url_down": f"http://127.0.0.1:{await server.listen()}/$STATUS", "method_down": "POST"}
    assert await attempt(LOOPBACK, many(value, 3), cast(Any, reactor)) == Delivered(200)
    assert server.requests[0].startswith(b"POST /down HTTP/1.1")
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["counts"] == {"down": 3, "up": 0, "ended": 0}


@pytest_twisted.ensureDeferred
async def test_the_receiver_can_verify_who_sent_it(server: Server) -> None:
    port = await server.listen()
    now = int(datetime.now(UTC).timestamp() * SECOND)  # noqa: TID251 -- `verify` compares with the real clock
    message = letter({"url_down": f"http://127.0.0.1:{port}", "method_down": "POST"}, now=now, name="naïve")
    assert await attempt(LOOPBACK, message, cast(Any, reactor)) == Delivered(200)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    found = Verifier(SECRET).verify(body, headers)
    assert (found["event"], found["id"], found["check"]) == ("check.down", message.id, {"uuid": message.subject.id})


@pytest_twisted.ensureDeferred
async def test_ipv6_names_and_hosts_with_underscores_can_be_asked(server: Server) -> None:
    port = await server.listen(r"tcp:0:interface=\:\:1")
    assert await sent(LOOPBACK, f"http://[::1]:{port}/") == Delivered(200)
    assert b"\r\nHost: [::1]:%d\r\n" % port in server.requests[0]
    port = await server.listen()
    assert await sent(LOOPBACK, f"http://localhost:{port}/") == Delivered(200)
    assert await sent(LOOPBACK, f"http://no_such.invalid:{port}/") == NotDelivered("could not resolve host")


@pytest_twisted.ensureDeferred
async def test_a_post_without_anything_to_say_has_an_empty_body(server: Server) -> None:
    port = await server.listen()
    result = await sent(LOOPBACK, f"http://127.0.0.1:{port}/", method_down="POST", body_down="$SLUG")
    assert result == Delivered(200)
    assert b"\r\nContent-Length: 0\r\n" in server.requests[0]


@pytest_twisted.ensureDeferred
async def test_the_log_names_the_host_and_nothing_else_of_the_url(server: Server) -> None:
    port = await server.listen()
    with capturedLogs() as logged:
        await sent(LOOPBACK, f"http://us-er:pass-word@127.0.0.1:{port}/pa-th?que-ry")
        await sent(LOOPBACK, f"http://us-er:pass-word@127.0.0.1:{port}x/pa-th?que-ry")
    lines = [formatEvent(event) for event in logged]
    assert "127.0.0.1 answered 200" in lines
    assert not any(secret in line for line in lines for secret in ("us-er", "pass-word", "pa-th", "que-ry"))


@pytest_twisted.ensureDeferred
async def test_no_url_for_the_direction_is_nothing_to_do(server: Server) -> None:
    assert await attempt(LOOPBACK, letter({"url_up": "http://127.0.0.1:1/"}), cast(Any, reactor)) == Delivered(
        nothing=True
    )


@pytest_twisted.ensureDeferred
async def test_settings_that_make_no_request_fail_for_good(server: Server) -> None:
    assert await sent(LOOPBACK, "gopher://x/") == NotDelivered("the URL is neither http nor https", permanent=True)


# --- what answers mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", Delivered(204)),
        (b"HTTP/1.1 299 Whatever\r\nContent-Length: 0\r\n\r\n", Delivered(299)),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Delivered(200)),
        (b"HTTP/1.1 500 No\r\nContent-Length: 6\r\n\r\nsecret", NotDelivered("status 500")),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", NotDelivered("status 410", gone=True)),
        (
            b"HTTP/1.1 429 Slow\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n",
            NotDelivered("status 429", retry_after_s=77.0),
        ),
        (
            b"HTTP/1.1 503 Busy\r\nRetry-After: Tue, 14 Nov 2023 22:13:50 GMT\r\nContent-Length: 0\r\n\r\n",
            NotDelivered("status 503", retry_after_s=30.0),
        ),
        (
            b"HTTP/1.1 429 Slow\r\nRetry-After: 77\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n",
            NotDelivered("status 429"),
        ),
        (b"HTTP/1.1 500 No\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n", NotDelivered("status 500")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", NotDelivered("the answer broke off")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", NotDelivered("the answer is not HTTP")),
        (b"", NotDelivered("the connection was closed without an answer")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_an_answer_means(server: Server, answer: bytes, result: Result) -> None:
    server.answers(answer, close=True)
    assert await sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/") == result


@pytest_twisted.ensureDeferred
async def test_a_redirect_is_a_failure_and_not_followed(server: Server) -> None:
    port = await server.listen()
    server.answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/x\r\nContent-Length: 0\r\n\r\n" % port)
    assert await sent(LOOPBACK, f"http://127.0.0.1:{port}/") == NotDelivered("status 302")
    assert len(server.requests) == 1


@pytest_twisted.ensureDeferred
async def test_cookies_are_never_sent_back(server: Server) -> None:
    server.answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: tenant=1\r\nContent-Length: 0\r\n\r\n")
    port = await server.listen()
    for _ in range(2):
        await sent(LOOPBACK, f"http://127.0.0.1:{port}/")
    assert [b"cookie" in request.lower() for request in server.requests] == [False, False]


@pytest_twisted.ensureDeferred
async def test_a_huge_answer_is_cut_off_and_still_a_success(server: Server) -> None:
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x" * (BODY_MAX + 1))
    assert await sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/") == Delivered(200)


@pytest_twisted.ensureDeferred
async def test_a_flood_of_headers_is_cut_off(server: Server) -> None:
    server.answers(b"HTTP/1.1 200 OK\r\n", *[b"X-Flood: %b\r\n" % (b"x" * 1000)] * (RECEIVED_MAX // 1000 + 1))
    result = await sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/")
    assert result == NotDelivered(f"more than {RECEIVED_MAX} bytes came back")


@pytest_twisted.ensureDeferred
async def test_an_answer_that_claims_to_be_compressed_is_not_unpacked(server: Server) -> None:
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrubb")
    assert await sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/") == Delivered(200)


# --- what goes wrong on the way -----------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_refused_connection_is_called_that(server: Server) -> None:
    port = await server.listen()
    await server.close()
    assert await sent(LOOPBACK, f"http://127.0.0.1:{port}/") == NotDelivered("connection refused")
    server.ports.clear()


@pytest.mark.parametrize(
    "begin",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
)
@pytest_twisted.ensureDeferred
async def test_the_deadline_covers_headers_and_body_and_closes_the_connection(server: Server, begin: bytes) -> None:
    server.answers(begin)
    result = await sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/", timeout_s=0.2)
    assert result == NotDelivered("timed out after 0.2 s")
    await until(lambda: not server.open)


@pytest_twisted.ensureDeferred
async def test_a_body_that_drips_does_not_outlast_the_deadline(server: Server) -> None:
    server.answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    dripping = sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/", timeout_s=0.3)
    while not dripping.called:
        await seconds(0.02)
        for receiver in server.open:
            receiver.write(b"1\r\nx\r\n")
    assert await dripping == NotDelivered("timed out after 0.3 s")
    await until(lambda: not server.open)


@pytest_twisted.ensureDeferred
async def test_a_tls_handshake_that_is_not_answered_does_not_outlast_the_deadline(server: Server) -> None:
    result = await sent(LOOPBACK, f"https://127.0.0.1:{await server.listen()}/", timeout_s=0.2)
    assert result == NotDelivered("timed out after 0.2 s")
    await until(lambda: not server.open)


@pytest_twisted.ensureDeferred
async def test_cancelling_closes_the_connection(server: Server) -> None:
    server.reply = lambda receiver: None
    running = sent(LOOPBACK, f"http://127.0.0.1:{await server.listen()}/")
    await until(lambda: bool(server.requests))
    running.addErrback(lambda _: None)
    running.cancel()
    await until(lambda: not server.open)


@pytest.mark.parametrize(("url", "address"), [("http://127.0.0.1:9/", "127.0.0.1"), ("http://[::1]:9/", "::1")])
@pytest_twisted.ensureDeferred
async def test_a_private_address_is_refused_and_the_error_says_what_to_do(url: str, address: str) -> None:
    result = await sent(kind(), url)
    assert isinstance(result, NotDelivered)
    assert result.error.startswith(f"address {address} is private; allow it with [outgoing] allow = [")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TlsError([("SSL routines", "", "wrong version number")]), "TLS: wrong version number"),
        (TlsError(), "TLS: handshake failed"),
        (TlsError([("", "", "")]), "TLS: handshake failed"),
        (NoRouteError(), "no route to host"),
        (TCPTimedOutError(), "connection timed out"),
        (ConnectionTimeoutError(), "connection timed out"),
        (ConnectBindError(), "could not connect"),
        (ConnectionLost(), "the connection was lost"),
        (RequestTransmissionFailed([Failure(ConnectionLost())]), "the connection was closed without an answer"),
        (ResponseNeverReceived([Failure(TlsError([("", "", "bad record")]))]), "TLS: bad record"),
        (ResponseNeverReceived([Failure(KeyError("x"))]), "the answer is not HTTP"),
    ],
)
def test_errors_are_short_and_say_nothing_of_the_url(error: Exception, words: str) -> None:
    assert explained(error) == words


def test_only_429_and_503_are_asked_how_long_to_wait() -> None:
    assert judged(503, b"5", NOW) == NotDelivered("status 503", retry_after_s=5.0)
    assert judged(502, b"5", NOW) == NotDelivered("status 502")
    assert judged(199, None, NOW) == NotDelivered("status 199")
