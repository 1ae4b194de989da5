"""Tests of `pingmon.verify.verifiers`: several verifiers asked at once, over real connections."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import count
from typing import Any, cast

import msgspec
import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from pingmon.core.site.failures import NO_INTERMEDIATE
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.units import SECOND
from pingmon.outgoing.exchange import NoReply, Reply
from pingmon.outgoing.tls_trust import Trust
from pingmon.testing import START as NOW
from pingmon.testing import result
from pingmon.verify import verifier_health as standing
from pingmon.verify.configured_verifier import Peer, chosen
from pingmon.verify.quorum_wait import GRACE_S
from pingmon.verify.verifier_health import PASSING, UNHEARD, PeerHealth
from pingmon.verify.verifiers import RECEIVED_MAX, SLACK_S, Verifiers, sender
from pingmon.wire.message.signatures import MISMATCH, STALE, Secret, signature, signed
from pingmon.wire.outgoing_request import OutgoingRequest
from pingmon.wire.verifier import BODY_MAX, REPLAYED, VerifierQuestion, answer_id, answer_of, decode_question, encode
from tests.authority import Authority
from tests.delivery.receiver import Receiver, Server, Stalling, until
from tests.outgoing.test_passage import listen_tls

OLD, NEW, OTHER = (Secret(bytes([number]) * 32) for number in (1, 2, 3))
SITE = "http://site.example/"
GOOD = ProbeResult(code=200, ms=12, address="192.0.2.1")
BAD = ProbeResult(fault="tls", ms=7, address="192.0.2.1", detail="certificate has expired")


@pytest.fixture
def silent(nothing_left: None) -> Iterator[None]:
    """Fails a test that leaves anything in the log, but that a verifier is of no use."""
    with capturedLogs() as logged:
        yield
    others = (event for event in logged if event["log_namespace"] != standing.__name__)
    assert [event for event in others if event["log_level"] >= LogLevel.warn] == []


@pytest_twisted.async_yield_fixture
async def server(silent: None) -> AsyncIterator[Server]:
    """A raw HTTP server in a verifier's place."""
    server = Server()
    yield server
    await server.close()


@pytest.fixture(scope="module")
def trust() -> Trust:
    return Trust()


async def nowhere(name: str) -> Sequence[str]:
    """No name has an address."""
    return ()


class Asking:
    """A daemon's side: its verifiers, and a clock for their deadlines."""

    def __init__(self, *peers: Peer, trust: Any = None, ask: int | None = None) -> None:
        self.timers = Stalling()
        self.numbers = count(1)
        clock: Any = self.timers
        send = sender(clock, trust, nowhere)
        self.verifiers = Verifiers(
            send, clock, peers, now=lambda: NOW, new_id=lambda: f"{next(self.numbers):032x}", ask=ask
        )

    def look(self) -> Deferred[ProbeResult]:
        """What the only verifier saw."""
        return self.verifiers.ask(SITE, 10.0).addCallback(lambda looks: looks[0])


def asking(port: int, *secrets: Secret) -> Asking:
    """One verifier, called fra, at this port."""
    return Asking(Peer("fra", f"http://127.0.0.1:{port}", secrets or (NEW,)))


def question_of(request: bytes) -> VerifierQuestion:
    return decode_question(request.partition(b"\r\n\r\n")[2])


def http(body: bytes, headers: dict[str, bytes], status: str = "200 OK") -> bytes:
    lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in headers.items())
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), lines, body)


def seen(request: bytes, look: ProbeResult = GOOD, by: Secret = NEW, id: str = "", now: int = NOW) -> bytes:
    """A verifier's answer to this request; `id` may be another one."""
    id = id or question_of(request).id
    body = encode(answer_of(look, id, "claims to be another"))
    return http(body, signature(by, answer_id(id), now, body))


def replying(answer: Callable[[bytes], bytes]) -> Callable[[Receiver], None]:
    return lambda receiver: receiver.write(answer(receiver.received))


# --- asked and answered -------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_each_says_what_it_saw_and_goes_by_the_name_that_we_gave(server: Server) -> None:
    other = Server()
    server.reply = replying(seen)
    other.reply = replying(lambda request: seen(request, BAD))
    peers = [
        Peer(name, f"http://127.0.0.1:{await each.listen()}", (NEW,))
        for name, each in (("fra", server), ("nyc", other))
    ]
    asked = Asking(*peers)
    looks = await asked.verifiers.ask("https://site.example/x?y", 10.0, methods=("HEAD",))
    assert looks == (
        ProbeResult("fra", NOW, 200, "", 12, "192.0.2.1"),
        ProbeResult("nyc", NOW, 0, "tls", 7, "192.0.2.1", "certificate has expired"),
    )
    first, second = question_of(server.requests[0]), question_of(other.requests[0])
    assert first == VerifierQuestion(f"{1:032x}", "https://site.example/x?y", 10.0, 15.0, True)
    assert second.id == f"{2:032x}"
    await other.close()


class QuestionOfOld(msgspec.Struct, forbid_unknown_fields=True):
    """As verifiers of the first version read it."""

    id: str
    url: str
    timeout: float
    deadline: float
    head_only: bool = False


@pytest_twisted.ensureDeferred
async def test_a_verifier_of_the_first_version_is_asked_in_words_that_it_knows(server: Server) -> None:
    """It cannot ask a site with GET, and that says nothing of the site; all else it can."""

    def of_old(request: bytes) -> bytes:
        try:
            msgspec.json.decode(request.partition(b"\r\n\r\n")[2], type=QuestionOfOld)
        except msgspec.ValidationError as error:
            return http(str(error).encode(), {}, "400 Bad Request")
        return seen(request)

    server.reply = replying(of_old)
    verifiers = Asking(Peer("old", f"http://127.0.0.1:{await server.listen()}", (NEW,))).verifiers
    for methods in (("HEAD", "GET"), ("HEAD",)):
        (look,) = await verifiers.ask("https://site.example/", 10.0, methods=methods)
        assert look.good
    (look,) = await verifiers.ask("https://site.example/", 10.0, methods=("GET",))
    assert (look.fault, look.detail) == ("void", "is too old to ask with GET")


@pytest_twisted.ensureDeferred
async def test_questions_leave_no_lines_in_the_log(server: Server) -> None:
    """An outage of many sites is a flood of them."""
    server.reply = replying(seen)
    asked = Asking(Peer("fra", f"http://127.0.0.1:{await server.listen()}", (NEW,)))
    with capturedLogs() as events:
        await asked.verifiers.ask("https://site.example/", 10.0)
    assert [event for event in events if "HTTP11ClientFactory" in str(event)] == []


@pytest_twisted.ensureDeferred
async def test_a_question_is_signed_by_the_first_secret_and_bears_nothing_else(server: Server) -> None:
    server.reply = replying(lambda request: seen(request, by=OLD))
    port = await server.listen()
    assert (await asking(port, NEW, OLD).look()).good
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"POST /verify HTTP/1.1"
    headers = {name.decode().lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
    assert signed([NEW], headers, body, NOW).id == question_of(server.requests[0]).id
    assert headers.pop("user-agent").startswith(b"pingmon/")
    assert headers.pop("content-length") == b"%d" % len(body)
    assert {name: value for name, value in headers.items() if not name.startswith("webhook-")} == {
        "host": b"127.0.0.1:%d" % port,
        "content-type": b"application/json",
        "connection": b"close",
    }


@pytest_twisted.ensureDeferred
async def test_an_answer_may_come_in_pieces_in_chunks_or_end_with_the_connection(server: Server) -> None:
    asked = asking(await server.listen())

    def chunked(request: bytes) -> bytes:
        head, _, body = seen(request).partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b"%x" % len(body), body, b"0", b"", b""])

    def until_close(receiver: Receiver) -> None:
        head, _, body = seen(receiver.received).partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        receiver.write(b"\r\n".join([*lines, b"", body]))
        cast(Any, receiver.transport).loseConnection()

    def pieces(receiver: Receiver) -> None:
        answer = seen(receiver.received)
        receiver.write(answer[:-20])
        cast(Any, reactor).callLater(0.02, receiver.write, answer[-20:])

    for reply in (replying(chunked), until_close, pieces):
        server.reply = reply
        assert await asked.look() == ProbeResult("fra", NOW, 200, "", 12, "192.0.2.1")


@pytest_twisted.ensureDeferred
async def test_a_verifier_may_be_at_an_ipv6_address(server: Server) -> None:
    server.reply = replying(seen)
    port = await server.listen(r"tcp:0:interface=\:\:1")
    assert (await Asking(Peer("six", f"http://[::1]:{port}/v", (NEW,))).look()).good
    assert server.requests[0].startswith(b"POST /v/verify HTTP/1.1\r\n")
    assert b"Host: [::1]:%d\r\n" % port in server.requests[0]


@pytest_twisted.ensureDeferred
async def test_over_https_only_a_certificate_for_its_name_is_believed(server: Server, trust: Trust) -> None:
    authority = Authority()
    server.reply = replying(seen)
    good = listen_tls(server, authority.issue("127.0.0.1"))
    wrong = listen_tls(server, authority.issue("other.example"))
    ours = Trust(authority.roots)

    async def look(port: int, whom: Trust) -> tuple[str, str]:
        found = await Asking(Peer("fra", f"https://127.0.0.1:{port}", (NEW,)), trust=whom).look()
        return found.fault, found.detail

    assert await look(good, ours) == ("", "")
    assert await look(wrong, ours) == ("void", "TLS: certificate is not for 127.0.0.1")
    assert await look(good, trust) == ("void", f"TLS: {NO_INTERMEDIATE()}")
    assert len(server.requests) == 1
    await until(lambda: not server.open)


# --- who does not answer, or lies ---------------------------------------------------------------------------------


def status(line: str, body: bytes = b"", **headers: bytes) -> Callable[[bytes], bytes]:
    return lambda request: http(body, headers, line)


def with_body(body: bytes) -> Callable[[bytes], bytes]:
    return lambda request: http(body, signature(NEW, answer_id(question_of(request).id), NOW, body))


UNTRUSTED = "the answer is not to be trusted: "
REPLIES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("a wrong secret", status("401 Unauthorized", MISMATCH.encode()), f"refused us: {MISMATCH}"),
    ("a wrong clock", status("401 Unauthorized", STALE.encode()), f"refused us: {STALE}"),
    ("a replay", status("401 Unauthorized", REPLAYED.encode()), f"refused us: {REPLAYED}"),
    ("a stranger's 401", status("401 Unauthorized", b"<script>"), "refused our signature"),
    ("overloaded", status("503 Unavailable", Retry__After=b"5"), "is overloaded"),
    ("a web server's 500", status("500 Oops", b"<html>"), "answered with status 500"),
    ("a redirect", status("302 Found", Location=b"http://127.0.0.1:1/"), "answered with status 302"),
    ("an unsigned answer", lambda request: http(seen(request).partition(b"\r\n\r\n")[2], {}), UNTRUSTED),
    ("signed by another", lambda request: seen(request, by=OTHER), UNTRUSTED + MISMATCH),
    ("signed long ago", lambda request: seen(request, now=NOW - 301 * SECOND), UNTRUSTED + STALE),
    ("of another round", lambda request: seen(request, id="e" * 32), "answered another question"),
    ("signed garbage", with_body(b"\xff{"), "the answer cannot be read: JSON is malformed: invalid character (byte 0)"),
    ("our own words", lambda request: http(request.partition(b"\r\n\r\n")[2], echoed(request)), "the answer cannot be"),
    ("no HTTP", lambda request: b"220 mail.example ESMTP\r\n", "the answer is not HTTP"),
    ("an unknown coding", status("200 OK", Transfer__Encoding=b"x-odd"), "the answer is not HTTP"),
    ("two lengths", status("200 OK", Content__Length=b"5"), "the answer is not HTTP"),
    ("a long body", with_body(b" " * (BODY_MAX + 1)), "too much came back"),
    (
        "endless headers",
        lambda request: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * RECEIVED_MAX,
        f"more than {RECEIVED_MAX} bytes",
    ),
]


def echoed(request: bytes) -> dict[str, bytes]:
    """The signature of the question, in the answer's place."""
    lines = [line.split(b": ", 1) for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    return {name.decode(): value for name, value in lines if name.lower().startswith(b"webhook-")}


@pytest.mark.parametrize(("reply", "why"), [row[1:] for row in REPLIES], ids=[row[0] for row in REPLIES])
@pytest_twisted.ensureDeferred
async def test_what_is_no_answer_says_nothing_about_the_site(
    server: Server, reply: Callable[[bytes], bytes], why: str
) -> None:
    server.reply = replying(lambda request: reply(request).replace(b"__", b"-"))
    look = await asking(await server.listen()).look()
    assert (look.node, look.at, look.fault, look.code, look.good, look.counts) == ("fra", NOW, "void", 0, False, False)
    assert look.detail.startswith(why)
    assert "script" not in look.detail
    await until(lambda: not server.open)


@pytest_twisted.ensureDeferred
async def test_one_answer_for_two_rounds_counts_once(server: Server) -> None:
    """A recorded answer is as good as none for any other question."""
    first: list[bytes] = []

    def recorded(request: bytes) -> bytes:
        first.append(seen(request))
        return first[0]

    server.reply = replying(recorded)
    asked = asking(await server.listen())
    assert (await asked.look()).good
    look = await asked.look()
    assert (look.fault, look.detail) == ("void", "answered another question")


@pytest_twisted.ensureDeferred
async def test_nobody_there(server: Server) -> None:
    port = await server.listen()
    await cast(Any, server.ports.pop().stopListening())
    look = await asking(port).look()
    assert (look.fault, look.detail) == ("void", "connection refused")


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "the connection was closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-L", "the answer broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "the answer broke off"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_connection_that_breaks_off(server: Server, sent: bytes, why: str) -> None:
    server.answers(sent, close=True)
    look = await asking(await server.listen()).look()
    assert (look.fault, look.detail) == ("void", why)


@pytest_twisted.ensureDeferred
async def test_a_server_that_does_not_speak_tls(server: Server, trust: Trust) -> None:
    port = await server.listen()
    server.greet = lambda receiver: receiver.write(b"220 mail.example ESMTP\r\n")
    look = await Asking(Peer("fra", f"https://127.0.0.1:{port}", (NEW,)), trust=trust).look()
    assert (look.fault, look.detail) == ("void", "TLS: wrong version number")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
@pytest_twisted.ensureDeferred
async def test_the_slow_are_not_waited_for_and_nobody_else_is_late(server: Server, begun: bytes) -> None:
    other = Server()
    other.reply = replying(seen)
    server.answers(begun)
    peers = [Peer("slow", f"http://127.0.0.1:{await server.listen()}", (NEW,))]
    peers.append(Peer("quick", f"http://127.0.0.1:{await other.listen()}", (NEW,)))
    asked = Asking(*peers)
    found = asked.verifiers.ask(SITE, 10.0)
    await until(lambda: asked.verifiers.health()[1].answered == 1)
    await until(lambda: bool(server.requests))
    asked.timers.clock.advance(10 + SLACK_S - 0.1)
    assert not found.called
    asked.timers.clock.advance(0.1)
    slow, quick = await found
    assert (slow.node, slow.fault, slow.detail) == ("slow", "void", "no answer within 15 s")
    assert quick.good
    await until(lambda: not server.open)
    await other.close()


@pytest_twisted.ensureDeferred
async def test_cancelling_ends_all_of_it(server: Server) -> None:
    server.answers()
    port = await server.listen()
    asked = Asking(*(Peer(name, f"http://127.0.0.1:{port}", (NEW,)) for name in ("a", "b")))
    found = asked.verifiers.ask(SITE, 10.0)
    await until(lambda: len(server.requests) == 2)
    found.cancel()
    with pytest.raises(CancelledError):
        await found
    assert asked.timers.clock.getDelayedCalls() == []
    await until(lambda: not server.open)


# --- without connections ------------------------------------------------------------------------------------------


class Calls:
    """Stands for the network: `made` are the requests, to be answered by the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.made: list[tuple[str, bytes, Deferred[Reply]]] = []

    async def send(self, asked: OutgoingRequest, body_max: int) -> Reply:
        answer: Deferred[Reply] = Deferred()
        self.made.append((asked.url, asked.body, answer))
        return await answer


def quiet(*names: str, **settings: Any) -> tuple[Calls, Verifiers]:
    calls, numbers, now = Calls(), count(1), count(NOW, SECOND)
    peers = [Peer(name, f"http://{name}.example", (NEW,), region=name[0]) for name in names]
    made = Verifiers(
        calls.send, calls.clock, peers, now=lambda: next(now), new_id=lambda: f"{next(numbers):032x}", **settings
    )
    return calls, made


def reply_to(question: bytes, look: ProbeResult = GOOD) -> Reply:
    id = decode_question(question).id
    body = encode(answer_of(look, id, ""))
    return Reply(200, signature(NEW, answer_id(id), NOW, body), body)


def test_all_are_asked_at_once_and_come_in_the_order_of_the_configuration() -> None:
    calls, verifiers = quiet("a", "b", "c")
    found = verifiers.ask(SITE, 10.0)
    assert [url for url, _, _ in calls.made] == [f"http://{name}.example/verify" for name in "abc"]
    for _, body, answer in reversed(calls.made):
        answer.callback(reply_to(body))
    assert [look.node for look in result(found)] == ["a", "b", "c"]
    assert calls.clock.getDelayedCalls() == []


def test_a_late_answer_is_dropped() -> None:
    calls, verifiers = quiet("a")
    found = verifiers.ask(SITE, 1.0)
    calls.clock.advance(1 + SLACK_S)
    (look,) = result(found)
    assert (look.fault, look.detail) == ("void", "no answer within 6 s")
    _, body, answer = calls.made[0]
    answer.callback(reply_to(body))
    assert verifiers.health()[0].answered == 0


def test_each_verifiers_health_is_kept() -> None:
    calls, verifiers = quiet("a", "b")
    assert verifiers.health() == (PeerHealth("a", "a"), PeerHealth("b", "b"))
    found = verifiers.ask(SITE, 10.0)
    calls.made[0][2].callback(reply_to(calls.made[0][1]))
    calls.made[1][2].errback(NoReply("could not connect"))
    ok, void = result(found)
    assert verifiers.health() == (
        PeerHealth("a", "a", 1, 1, last_ok=ok.at),
        PeerHealth("b", "b", 1, 0, 0, void.at, "could not connect"),
    )
    verifiers.ask(SITE, 10.0)
    calls.made[2][2].callback(reply_to(calls.made[2][1], ProbeResult(fault="void", detail="no descriptors left")))
    health = verifiers.health()[0]
    assert (health.asked, health.answered, health.last_ok) == (2, 1, ok.at)
    assert health.last_error == "no descriptors left"


def test_those_who_can_change_nothing_are_not_waited_for_and_that_is_not_their_failure() -> None:
    calls, verifiers = quiet("a", "b", "c", quorum=2)
    found = verifiers.ask(SITE, 10.0)
    for number in (2, 1):
        calls.made[number][2].callback(reply_to(calls.made[number][1]))
    calls.clock.advance(GRACE_S)
    slow, *others = result(found)
    assert (slow.node, slow.fault, slow.detail) == ("a", "void", "not waited for: what the others saw was enough")
    assert [look.fault for look in others] == ["", ""]
    assert calls.made[0][2].called
    assert calls.clock.getDelayedCalls() == []
    assert verifiers.health()[0] == PeerHealth("a", "a")
    assert verifiers.trouble() == ""


def test_one_that_could_contradict_a_quorum_of_failures_is_waited_for_unless_it_is_in_trouble() -> None:
    calls, verifiers = quiet("a", "b", "c", quorum=2)
    for waits in (10 + SLACK_S, GRACE_S):
        found = verifiers.ask(SITE, 10.0)
        for _, body, answer in calls.made[-2:]:
            answer.callback(reply_to(body, BAD))
        calls.clock.advance(waits - 0.1)
        assert not found.called
        calls.clock.advance(0.1)
        assert [look.fault for look in result(found)] == ["void", "tls", "tls"]


def test_without_a_quorum_to_decide_everybody_is_waited_for() -> None:
    calls, verifiers = quiet("a", "b", "c")
    found = verifiers.ask(SITE, 10.0)
    for _, body, answer in calls.made[:2]:
        answer.callback(reply_to(body))
    calls.clock.advance(10 + SLACK_S - 0.1)
    assert not found.called
    calls.clock.advance(0.1)
    assert result(found)[2].detail == "no answer within 15 s"


def test_a_verifier_that_is_dead_is_found_out_although_nobody_needs_it() -> None:
    calls, verifiers = quiet("a", "b", "c", quorum=2)
    for _ in range(UNHEARD + 1):
        verifiers.ask(SITE, 10.0)
        for _, body, answer in calls.made[-2:]:
            answer.callback(reply_to(body))
        calls.clock.advance(10 + SLACK_S)
    assert verifiers.health()[0].last_error == "no answer within 15 s"
    assert verifiers.health()[1].asked == UNHEARD + 1


def test_that_too_few_verifiers_answer_for_any_verdict_is_told() -> None:
    calls, verifiers = quiet("fra", "nyc", "ams", quorum=2)
    assert verifiers.trouble() == ""
    verifiers.ask(SITE, 10.0)
    calls.made[0][2].callback(Reply(401, {}, b"?"))
    calls.made[2][2].callback(reply_to(calls.made[2][1]))
    assert verifiers.trouble() == ""
    calls.clock.advance(10 + SLACK_S)
    assert verifiers.trouble() == (
        "only 1 of 3 verifiers answers, fewer than the quorum of 2: fra: refused our signature; "
        "nyc: no answer within 15 s"
    )
    verifiers.ask(SITE, 10.0)
    calls.made[4][2].callback(reply_to(calls.made[4][1]))
    assert verifiers.trouble() == ""


def test_a_verifier_that_is_overloaded_for_a_moment_is_not_in_trouble() -> None:
    calls, verifiers = quiet("a")
    for number in range(PASSING):
        assert verifiers.trouble() == ""
        verifiers.ask(SITE, 10.0)
        calls.made[number][2].callback(Reply(503, {}, b""))
    assert verifiers.trouble() == "the only verifier does not answer: a: is overloaded"


def test_our_own_fault_costs_nobody_else_the_answer_and_is_logged() -> None:
    with capturedLogs() as logged:
        calls, verifiers = quiet("a", "b")
        found = verifiers.ask(SITE, 10.0)
        calls.made[0][2].errback(ZeroDivisionError())
        calls.made[1][2].callback(reply_to(calls.made[1][1]))
    ours, good = result(found)
    assert ours.fault == "void"
    assert "its log says more" in ours.detail
    assert good.good
    assert [event["log_level"] for event in logged] == [LogLevel.critical, LogLevel.warn]


def test_without_verifiers_there_is_nothing_to_wait_for() -> None:
    assert result(quiet()[1].ask(SITE, 10.0)) == ()


def test_names_are_unique_because_votes_are_counted_by_name() -> None:
    with pytest.raises(ValueError, match="two verifiers have the same name"):
        quiet("a", "a")


def test_some_are_asked_in_turn() -> None:
    calls, verifiers = quiet("a1", "a2", "b1", ask=2)
    for _ in range(4):
        verifiers.ask(SITE, 10.0)
    hosts = [url.split("/")[2].split(".")[0] for url, _, _ in calls.made]
    assert [hosts[at : at + 2] for at in range(0, 8, 2)] == [["a1", "b1"], ["a1", "b1"], ["a2", "b1"], ["a2", "b1"]]


peers_of = st.lists(st.sampled_from(["", "eu", "us", "ap"]), min_size=1, max_size=8).map(
    lambda regions: [Peer(f"v{at}", "http://v.example", (NEW,), region) for at, region in enumerate(regions)]
)


@given(peers_of, st.integers(0, 9), st.integers(0, 1000))
def test_those_chosen_are_of_as_many_regions_as_can_be(peers: list[Peer], wanted: int, turn: int) -> None:
    found = chosen(peers, wanted, turn)
    assert len(found) == min(wanted, len(peers))
    assert list(found) == [peer for peer in peers if peer in found]
    regions = {peer.region or peer.name for peer in peers}
    assert len({peer.region or peer.name for peer in found}) == min(wanted, len(regions))


@given(peers_of, st.integers(1, 8))
def test_everybody_gets_a_turn(peers: list[Peer], wanted: int) -> None:
    turns = len(peers) ** 2
    assert {peer.name for turn in range(turns) for peer in chosen(peers, wanted, turn)} == {p.name for p in peers}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://v.example", "http://v.example/verify"),
        ("https://v.example:8100/", "https://v.example:8100/verify"),
        ("https://v.example/pingmon/verify", "https://v.example/pingmon/verify"),
        ("http://[2001:db8::1]:8100", "http://[2001:db8::1]:8100/verify"),
        ("http://127.0.0.1:1/a_b~c%20", "http://127.0.0.1:1/a_b~c%20/verify"),
    ],
)
def test_a_verifiers_url_may_end_in_verify_or_not(url: str, target: str) -> None:
    assert Peer("v", url, (NEW,)).target == target


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://v.example", "v: its url is neither http nor https"),
        ("v.example", "v: its url has no valid host and port, or more in it than a path"),
        ("http://v.example:99999", "no valid host and port"),
        ("http://v.example:0", "no valid host and port"),
        ("http://[::1", "no valid host and port"),
        ("http://user:secret@v.example", "more in it than a path"),
        ("http://v.example/?a=b", "more in it than a path"),
        ("http://v.example/#a", "more in it than a path"),
        ("http://vérifier.example", "more in it than a path"),
        ("http://v.example/a b", "more in it than a path"),
        ("http://v.example/\n", "more in it than a path"),
    ],
)
def test_what_is_no_verifiers_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        Peer("v", url, (NEW,))
    assert "secret" not in str(caught.value)


def test_a_verifier_has_a_name_and_a_secret_that_does_not_show() -> None:
    with pytest.raises(ValueError, match=r"verifier http://v\.example: has no name"):
        Peer("", "http://v.example", (NEW,))
    with pytest.raises(ValueError, match="verifier v: has no secret"):
        Peer("v", "http://v.example", ())
    assert "Secret(…)" in repr(Peer("v", "http://v.example", (NEW,)))
    assert json.dumps(str(NEW.key)) not in repr(Peer("v", "http://v.example", (NEW,)))


@pytest_twisted.ensureDeferred
async def test_an_answer_that_came_while_pingmon_stood_still_is_read_before_its_deadline(server: Server) -> None:
    asked = asking(await server.listen())
    server.reply = lambda receiver: asked.timers.over(receiver, seen(receiver.received, GOOD), 60)
    look = await asked.look()
    assert (look.node, look.code, look.fault) == ("fra", 200, "")
