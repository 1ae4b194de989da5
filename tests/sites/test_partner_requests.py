"""Tests of `pingmon.sites.partner_requests`, against a real server on loopback."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_twisted
from standardwebhooks import Webhook
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from pingmon.core.partner.inquiry import PartnerAnswer, PartnerQuestion
from pingmon.core.partner.partner import Partner, PartnerSpec
from pingmon.core.units import SECOND
from pingmon.sites.partner_requests import PARALLEL, WAITING_MAX, Partners
from pingmon.testing import SECRET, result
from pingmon.testing import START as NOW
from pingmon.wire.partner_webhook import payload
from tests.delivery.receiver import Server, Stalling, egress, seconds, until

pytestmark = pytest.mark.usefixtures("nothing_left")

ASKED = PartnerQuestion("site.7", "http://example.com", 403, "example", NOW)
IN_AN_HOUR = NOW + 3600 * SECOND
INSTANT = b"2023-11-14T23:13:20Z"


def asked_id(request: bytes) -> bytes:
    (line,) = (line for line in request.split(b"\r\n") if line[:11].lower() == b"webhook-id:")
    return line[11:].strip()


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def partners(*, budget_s: float = 5.0, running: Any = reactor, allow: str = "127.0.0.0/8") -> Partners:
    return Partners(egress(running, allow), lambda: NOW, budget_s=budget_s)


def partner(port: int, **settings: Any) -> Partner:
    return Partner("partner", PartnerSpec(slug="example", webhook=f"http://127.0.0.1:{port}/hook", **settings), 1, 1)


@pytest_twisted.ensureDeferred
async def test_the_partner_receives_the_seeds_bytes_and_its_ok_is_understood(server: Server) -> None:
    port = await server.listen()
    assert await partners().ask(partner(port, secret=SECRET), ASKED) == PartnerAnswer("ok")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook HTTP/1.1"
    assert body == payload(ASKED)
    assert {b"Content-Type: application/json", b"Content-Length: %d" % len(body), b"Connection: close"} <= set(lines)
    assert not any(line.lower().startswith((b"transfer-encoding", b"cookie", b"accept-encoding")) for line in lines)


@pytest_twisted.ensureDeferred
async def test_reading_30_the_receiver_can_check_who_asks(server: Server) -> None:
    port = await server.listen()
    await partners().ask(partner(port, secret=SECRET), ASKED)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:])
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (ASKED.id, str(NOW // SECOND))
    expected = Webhook(SECRET).sign(ASKED.id, datetime.fromtimestamp(NOW // SECOND, UTC), body.decode())
    assert headers["webhook-signature"] == expected.lower()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (http(INSTANT), PartnerAnswer("until", IN_AN_HOUR)),
        (http(b"2022-11-14T23:13:20Z"), PartnerAnswer("expired", detail="said: 2022-11-14T23:13:20Z")),
        (http(b"<html>"), PartnerAnswer("malformed", detail="said: <html>")),
        (http(b""), PartnerAnswer("malformed", detail="said nothing")),
        (http(INSTANT, b"201 Created"), PartnerAnswer("refused", detail="status 201")),
        (http(INSTANT, b"500 No"), PartnerAnswer("refused", detail="status 500")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", PartnerAnswer("refused", detail="status 204")),
        (http(b" " * 1024 + INSTANT), PartnerAnswer("malformed", detail="more than 1024 bytes")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1025,
            PartnerAnswer("malformed", detail="more than 1024 bytes"),
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok", PartnerAnswer("no answer", detail="the answer broke off")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", PartnerAnswer("ok")),
        (b"SSH-2.0-OpenSSH_9.2\r\n", PartnerAnswer("no answer", detail="the answer is not HTTP")),
        (b"", PartnerAnswer("no answer", detail="the connection was closed without an answer")),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_an_answer_means(server: Server, answer: bytes, meaning: PartnerAnswer) -> None:
    server.answers(answer, close=True)
    asking = partners()
    assert await asking.ask(partner(await server.listen()), ASKED) == meaning
    assert asking.idle


@pytest_twisted.ensureDeferred
async def test_reading_17_no_partner_may_silence_for_longer_than_it_is_allowed(server: Server) -> None:
    server.answers(http(INSTANT))
    found = await partners().ask(partner(await server.listen(), max_suppression=60), ASKED)
    assert found == PartnerAnswer("until", NOW + 60 * SECOND, ("clamped",))


@pytest_twisted.ensureDeferred
async def test_reading_24_a_redirect_is_refused_and_not_followed(server: Server) -> None:
    port = await server.listen()
    server.answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/x\r\nContent-Length: 0\r\n\r\n" % port)
    assert await partners().ask(partner(port), ASKED) == PartnerAnswer("refused", detail="status 302")
    assert len(server.requests) == 1


@pytest_twisted.ensureDeferred
async def test_reading_25_a_partner_that_is_slow_or_dead_delays_no_user_past_the_budget(server: Server) -> None:
    server.reply = lambda receiver: None
    asking, known = partners(budget_s=0.2), partner(await server.listen())
    assert await asking.ask(known, ASKED) == PartnerAnswer("no answer", detail="timed out after 0.2 s")
    await until(lambda: not server.open)
    await server.close()
    server.ports.clear()
    assert await asking.ask(known, ASKED) == PartnerAnswer("no answer", detail="connection refused")
    assert asking.idle


@pytest_twisted.ensureDeferred
async def test_a_partner_in_a_private_network_is_not_asked_unless_that_is_allowed(server: Server) -> None:
    found = await partners(allow="10.0.0.0/8").ask(partner(await server.listen()), ASKED)
    assert found.kind == "no answer"
    assert found.detail.startswith("address 127.0.0.1 is private")
    assert not server.requests


@pytest_twisted.ensureDeferred
async def test_reading_29_a_partner_is_asked_five_things_at_a_time_in_order(server: Server) -> None:
    server.reply = lambda receiver: None
    asking, known = partners(), partner(await server.listen())
    answers = [
        asking.ask(known, PartnerQuestion(str(number), "http://x", 0, "x", NOW)) for number in range(PARALLEL + 2)
    ]
    await until(lambda: len(server.requests) == PARALLEL)
    await seconds(0.05)
    assert len(server.requests) == PARALLEL
    server.reply = lambda receiver: receiver.write(http(b"ok"))
    for receiver in tuple(server.open):
        receiver.write(http(b"ok"))
    assert [await answer for answer in answers] == [PartnerAnswer("ok")] * len(answers)
    assert [asked_id(request) for request in server.requests[PARALLEL:]] == [b"5", b"6"]
    assert asking.idle


@pytest_twisted.ensureDeferred
async def test_reading_29_waiting_counts_towards_the_budget(server: Server) -> None:
    server.reply = lambda receiver: None
    asking, known = partners(budget_s=0.3), partner(await server.listen())
    answers = [asking.ask(known, ASKED) for _ in range(PARALLEL * 3)]
    late = PartnerAnswer("no answer", detail="timed out after 0.3 s")
    unasked = PartnerAnswer("no answer", detail="its turn did not come within 0.15 s")
    assert [await answer for answer in answers] == [late] * PARALLEL + [unasked] * 2 * PARALLEL
    assert len(server.requests) == PARALLEL, "a question that nobody has time to answer is not put"
    assert asking.idle


def test_reading_29_a_question_that_had_to_wait_has_the_rest_of_the_budget() -> None:
    clock = Unresolving()
    asking = partners(running=clock, budget_s=10)
    first = [asking.ask(silent(), ASKED) for _ in range(PARALLEL)]
    clock.advance(6)
    next = asking.ask(silent(), ASKED)
    clock.advance(4)
    assert all(answer.called for answer in first)
    clock.advance(5.99)
    assert not next.called
    clock.advance(0.02)
    assert result(next) == PartnerAnswer("no answer", detail="timed out after 10 s")


@pytest_twisted.ensureDeferred
async def test_reading_29_a_slow_partner_is_in_nobody_elses_way(server: Server) -> None:
    asking, slow = partners(budget_s=0.5), Server()
    slow.reply = lambda receiver: None
    stuck = [asking.ask(partner(await slow.listen()), ASKED) for _ in range(PARALLEL + 1)]
    other = Partner("other", PartnerSpec(slug="other", webhook=f"http://127.0.0.1:{await server.listen()}"), 1, 1)
    assert await asking.ask(other, ASKED) == PartnerAnswer("ok")
    for answer in stuck:
        assert (await answer).kind == "no answer"
    await slow.close()


@pytest_twisted.ensureDeferred
async def test_reading_29_an_instant_for_all_of_a_partners_sites_answers_whoever_waits(server: Server) -> None:
    server.reply = lambda receiver: None
    looked: list[int] = []

    def now() -> int:
        """Is called once for each request, and once for each answer."""
        looked.append(NOW)
        return NOW

    asking = Partners(egress(reactor, "127.0.0.0/8"), now)
    known = partner(await server.listen(), scope="partner")
    answers = [asking.ask(known, ASKED) for _ in range(PARALLEL + WAITING_MAX)]
    await until(lambda: len(server.requests) == PARALLEL)
    for receiver in tuple(server.open):
        receiver.write(http(INSTANT))
    found = [await answer for answer in answers]
    assert found[:PARALLEL] == [PartnerAnswer("until", IN_AN_HOUR)] * PARALLEL
    assert found[PARALLEL:] == [PartnerAnswer("until", IN_AN_HOUR, shared=True)] * WAITING_MAX
    assert len(looked) == 2 * PARALLEL
    assert len(server.requests) == PARALLEL
    assert asking.idle


@pytest_twisted.ensureDeferred
async def test_reading_10_an_instant_for_one_site_says_nothing_of_the_others(server: Server) -> None:
    server.reply = lambda receiver: receiver.write(http(INSTANT if len(server.requests) == 1 else b"ok"))
    asking, known = partners(), partner(await server.listen())
    kinds = sorted([(await answer).kind for answer in [asking.ask(known, ASKED) for _ in range(PARALLEL + 4)]])
    assert kinds == ["ok"] * (PARALLEL + 3) + ["until"]


# --- without a network --------------------------------------------------------------------------------------------


class Unresolving(Clock):
    """A reactor on which no name is ever resolved."""

    class nameResolver:  # noqa: N801 - as Twisted calls it
        @staticmethod
        def resolveHostName(*args: object) -> None:
            pass


def silent() -> Partner:
    return Partner("partner", PartnerSpec(slug="example", webhook="http://hooks.example/"), 1, 1)


def test_reading_29_when_too_many_wait_the_next_is_not_asked_and_its_users_are_told_at_once() -> None:
    clock = Unresolving()
    asking = partners(running=clock, budget_s=10)
    waiting = [asking.ask(silent(), ASKED) for _ in range(PARALLEL + WAITING_MAX)]
    assert result(asking.ask(silent(), ASKED)) == PartnerAnswer(
        "no answer", detail="too many questions wait for this partner"
    )
    clock.advance(4.99)
    assert not any(answer.called for answer in waiting)
    clock.advance(0.01)
    unasked = PartnerAnswer("no answer", detail="its turn did not come within 5 s")
    assert {result(answer) for answer in waiting[PARALLEL:]} == {unasked}
    clock.advance(5)
    assert {result(answer) for answer in waiting[:PARALLEL]} == {
        PartnerAnswer("no answer", detail="timed out after 10 s")
    }
    assert asking.idle
    assert not clock.getDelayedCalls()


def test_cancelling_ends_a_question_at_once_and_the_next_has_its_turn() -> None:
    clock = Unresolving()
    asking = partners(running=clock, budget_s=10)
    answers = [asking.ask(silent(), ASKED) for _ in range(PARALLEL + 2)]
    for answer in (answers[0], answers[-1], *answers[1:-1]):
        answer.cancel()
        with pytest.raises(CancelledError):
            result(answer)
    assert asking.idle
    assert not clock.getDelayedCalls()


@pytest_twisted.ensureDeferred
async def test_cancelling_closes_the_connection(server: Server) -> None:
    server.reply = lambda receiver: None
    asking = partners()
    running = asking.ask(partner(await server.listen()), ASKED)
    await until(lambda: bool(server.requests))
    running.addErrback(lambda _: None)
    running.cancel()
    await until(lambda: not server.open)
    assert asking.idle


@pytest.mark.parametrize("count", [1, PARALLEL + 500])
def test_partners_that_cannot_be_asked_at_all_are_no_answer(count: int) -> None:
    asking = partners(running=Clock())
    unsendable = Partner("partner", PartnerSpec(slug="example", webhook="gopher://x/"), 1, 1)
    for answer in [asking.ask(unsendable, ASKED) for _ in range(count)]:
        assert result(answer) == PartnerAnswer("no answer", detail="the URL is neither http nor https")
    assert asking.idle


def test_the_queue_moves_on_past_any_number_of_questions_that_end_at_once() -> None:
    clock = Unresolving()
    asking = partners(running=clock)
    stuck = [asking.ask(silent(), ASKED) for _ in range(PARALLEL)]
    unsendable = Partner("partner", PartnerSpec(slug="example", webhook="gopher://x/"), 1, 1)
    waiting = [asking.ask(unsendable, ASKED) for _ in range(WAITING_MAX)]
    clock.advance(1)
    stuck[0].addErrback(lambda _: None)
    stuck[0].cancel()
    assert {result(answer).detail for answer in waiting} == {"the URL is neither http nor https"}
    clock.advance(10)
    assert asking.idle


def test_what_is_asked_in_an_answers_callback_is_asked() -> None:
    asking = partners(running=Clock())
    unsendable = Partner("partner", PartnerSpec(slug="example", webhook="gopher://x/"), 1, 1)
    again: list[Deferred[PartnerAnswer]] = []
    asking.ask(unsendable, ASKED).addCallback(lambda _: again.append(asking.ask(unsendable, ASKED)))
    assert result(again[0]).kind == "no answer"
    assert asking.idle


def test_a_bug_in_asking_is_logged_and_is_no_answer() -> None:
    def broken() -> int:
        raise ZeroDivisionError("bug")

    asking = Partners(egress(Clock()), broken)
    with capturedLogs() as logged:
        found = result(asking.ask(silent(), ASKED))
    assert found == PartnerAnswer("no answer", detail="pingmon could not ask by its own fault; its log says more")
    assert [event["log_failure"].type for event in logged] == [ZeroDivisionError]
    assert asking.idle


@pytest_twisted.ensureDeferred
async def test_an_answer_that_came_while_pingmon_stood_still_is_read_before_the_budget_is_over(server: Server) -> None:
    """Else users would be told of what their host knows, after each stall of a few seconds."""
    stalling = Stalling()
    server.reply = lambda receiver: stalling.over(receiver, http(INSTANT), 60)
    asking = partners(running=stalling).ask(partner(await server.listen()), ASKED)
    assert await asking == PartnerAnswer("until", IN_AN_HOUR)
