"""Tests of `pingmon.verify.verifier`: who may ask it, and what it answers; with the door and its real parser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import Struct, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs

from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.core.units import SECOND
from pingmon.door.door import Door
from pingmon.door.http_dates import Dates
from pingmon.door.limits import DoorSettings
from pingmon.testing import FakeTime
from pingmon.verify.seen_messages import SeenMessages
from pingmon.verify.verifier import OVERRUN_S, Verifier
from pingmon.wire.message.signatures import MISMATCH, STALE, UNSIGNED, WINDOW_S, Secret, signature, signed
from pingmon.wire.verifier import BODY_MAX, REPLAYED, VERSION, answer_id
from tests.door.stage import Line, Reply, errors

OLD, NEW, OTHER = (Secret(bytes([number]) * 32) for number in (1, 2, 3))
GOOD = ProbeResult(code=200, ms=12, address="192.0.2.1")


class Site:
    """Stands for the prober: `looks` are those that were asked for."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, float, Methods]] = []
        self.waiting: list[Deferred[ProbeResult]] = []
        self.cancelled = 0

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[ProbeResult]:
        self.looks.append((url, timeout_s, methods))
        self.waiting.append(Deferred(self._cancel))
        return self.waiting[-1]

    def _cancel(self, _: object) -> None:
        self.cancelled += 1


class VerifierStage:
    """A verifier behind its door, in memory. It has neither a monitor nor a journal."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.clock = self.time.clock
        self.site = Site()
        self.taken = SeenMessages(limit=5)
        self.verifier = Verifier(self.site, (OLD, NEW), "fra", self.clock, now=self.now, max_probes=2, taken=self.taken)
        root: Any = self.verifier
        self.door = Door(root, DoorSettings(body_limit=BODY_MAX), self.clock, Dates(self.time.wall))
        self.door.doStart()
        self.made = 0

    def now(self) -> int:
        return round(self.time.wall() * SECOND)

    def question(self, **changes: Any) -> dict[str, Any]:
        self.made += 1
        fields = {"id": f"{self.made:032x}", "url": "http://site.example/", "timeout": 10, "deadline": 15}
        return {**fields, **changes}

    def ask(self, question: dict[str, Any] | bytes, by: Secret = NEW, *, ago: int = 0, **headers: bytes | None) -> Line:
        """Post a question, signed so; headers may be replaced, or left out (None)."""
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        id = "f" * 32 if isinstance(question, bytes) else str(question["id"])
        fields: dict[str, bytes | None] = {**signature(by, id, self.now() - ago * SECOND, body)}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in fields.items() if value is not None)
        return self.send("POST", "/verify", body, lines)

    def send(self, method: str, path: str, body: bytes = b"", lines: bytes = b"") -> Line:
        line = Line(self.clock, self.door)
        head = f"{method} {path} HTTP/1.1\r\nHost: fra.example\r\nContent-Length: {len(body)}\r\n".encode()
        line.send(head + lines + b"\r\n" + body)
        return line


@pytest.fixture
def stage() -> Iterator[VerifierStage]:
    """A verifier; at the end nothing may be left of it, and nothing in the log."""
    with capturedLogs() as logged:
        stage = VerifierStage()
        yield stage
    stage.door.doStop()
    stage.door.drain(1)
    for _ in range(60):
        stage.clock.advance(1)
    assert stage.clock.getDelayedCalls() == []
    assert stage.verifier.under_way == 0
    assert [event for event in logged if event["log_level"] >= LogLevel.info] == []


def refused(line: Line) -> tuple[int, str]:
    reply = line.reply()
    assert reply.headers["Content-Type"].startswith("text/plain")
    return reply.status, reply.body.decode()


def answered(stage: VerifierStage, line: Line, by: Secret = NEW) -> dict[str, Any]:
    """The answer, once its signature is found good."""
    reply: Reply = line.reply()
    assert reply.status == 200, reply
    headers = {name.lower(): value.encode() for name, value in reply.headers.items()}
    found: dict[str, Any] = json.loads(reply.body)
    proof = signed([OLD, NEW], headers, reply.body, stage.now())
    assert (proof.id, proof.by) == (answer_id(found["id"]), by)
    return found


def test_whoever_signs_is_told_what_was_seen(stage: VerifierStage) -> None:
    question = stage.question(url="https://site.example/x")
    line = stage.ask(question)
    assert stage.site.looks == [("https://site.example/x", 10.0, ("HEAD", "GET"))]
    assert line.replies() == []
    stage.site.waiting[0].callback(GOOD)
    assert answered(stage, line) == {
        "id": question["id"],
        "code": 200,
        "class": "ok",
        "ms": 12,
        "address": "192.0.2.1",
        "node": "fra",
        "version": VERSION,
    }
    assert line.reply().headers["Cache-Control"] == "no-store"


def test_a_site_that_fails_is_an_answer_too(stage: VerifierStage) -> None:
    line = stage.ask(stage.question())
    stage.site.waiting[0].callback(ProbeResult(fault="dns", ms=3, detail="no such name"))
    answer = answered(stage, line)
    assert (answer["class"], answer["code"], answer["address"]) == ("dns", 0, "")
    assert answer["detail"] == "no such name"


def test_a_newer_daemon_may_ask_in_fields_that_are_not_known_here(stage: VerifierStage) -> None:
    """What this verifier would have to understand bears a newer version, and then it says nothing of the site."""
    line = stage.ask(stage.question(method="GET", version=VERSION, colour="red"))
    assert stage.site.looks == [("http://site.example/", 10.0, ("GET",))]
    stage.site.waiting[0].callback(GOOD)
    assert answered(stage, line)["class"] == "ok"
    answer = answered(stage, stage.ask(stage.question(colour="red", version=VERSION + 1)))
    assert (answer["class"], len(stage.site.looks)) == ("void", 1)
    assert answer["detail"] == f"was asked by version {VERSION + 1} of the contract, and knows only {VERSION}"


class AnswerOfOld(Struct):
    """As daemons of the first version read it."""

    id: str
    code: int
    class_: str = field(name="class")
    ms: int
    address: str
    node: str
    detail: str = ""


def test_a_daemon_of_the_first_version_is_answered_in_words_that_it_knows(stage: VerifierStage) -> None:
    question = {"id": "a" * 32, "url": "http://site.example/", "timeout": 10.0, "deadline": 15.0}
    line = stage.ask(question)
    assert stage.site.looks[0][2] == ("HEAD", "GET")
    stage.site.waiting[0].callback(
        ProbeResult(code=503, fault="status", detail="503 Service Unavailable to HEAD and GET")
    )
    answer = msgspec.json.decode(line.reply().body, type=AnswerOfOld)
    assert (answer.id, answer.code, answer.class_) == ("a" * 32, 503, "status")


def test_any_of_its_secrets_will_do_and_the_answer_is_signed_with_the_same(stage: VerifierStage) -> None:
    """Neither side has to change its secret at the same moment as the other."""
    for number, by in enumerate((OLD, NEW)):
        line = stage.ask(stage.question(), by)
        stage.site.waiting[number].callback(GOOD)
        answered(stage, line, by)
    stage.verifier.secrets = (NEW,)
    assert refused(stage.ask(stage.question(), OLD)) == (401, MISMATCH)


def test_a_question_by_head_alone_is_asked_so(stage: VerifierStage) -> None:
    stage.ask(stage.question(head_only=True)).hang_up()
    assert stage.site.looks[0][2] == ("HEAD",)


@pytest.mark.parametrize(
    ("timeout", "deadline", "limit"), [(10, 15, 10), (0.1, 15, 1), (1e9, 300, 30), (10, 2.5, 2.5), (10, 0.25, 0.25)]
)
def test_timeout_and_deadline_bound_the_probe(
    stage: VerifierStage, timeout: float, deadline: float, limit: float
) -> None:
    stage.ask(stage.question(timeout=timeout, deadline=deadline)).hang_up()
    assert stage.site.looks[0][1] == limit


# --- strangers and others who may not ----------------------------------------------------------------------------


def test_what_is_not_signed_by_us_and_now_is_refused_and_no_site_is_looked_at(stage: VerifierStage) -> None:
    body = stage.question()
    assert refused(stage.send("POST", "/verify", json.dumps(body).encode())) == (401, UNSIGNED)
    assert refused(stage.ask(body, OTHER)) == (401, MISMATCH)
    assert refused(stage.ask(body, webhook_signature=None)) == (401, UNSIGNED)
    assert refused(stage.ask(body, webhook_id=b"0" * 32)) == (401, MISMATCH)
    assert refused(stage.ask(body, webhook_timestamp=b"soon")) == (401, UNSIGNED)
    assert refused(stage.ask(b"no question at all", OTHER)) == (401, MISMATCH)
    assert refused(stage.send("POST", "/verify")) == (401, UNSIGNED)
    assert stage.site.looks == []
    assert len(stage.taken) == 0


def test_a_header_that_comes_twice_is_none(stage: VerifierStage) -> None:
    body = json.dumps(stage.question()).encode()
    lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in signature(NEW, "a", 0, body).items())
    assert refused(stage.send("POST", "/verify", body, lines * 2)) == (401, UNSIGNED)


@pytest.mark.parametrize("apart", [WINDOW_S + 1, -WINDOW_S - 1])
def test_a_stale_timestamp_is_refused(stage: VerifierStage, apart: int) -> None:
    stage.clock.advance(1000)
    assert refused(stage.ask(stage.question(), ago=apart)) == (401, STALE)
    assert stage.site.looks == []


def test_what_was_signed_before_the_verifier_was_started_is_refused(stage: VerifierStage) -> None:
    """Nobody knows whether it has been taken already."""
    assert refused(stage.ask(stage.question(), ago=1)) == (401, STALE)
    stage.ask(stage.question(), ago=0).hang_up()
    assert len(stage.site.looks) == 1


def test_the_same_bytes_are_taken_once(stage: VerifierStage) -> None:
    question = stage.question()
    line = stage.ask(question)
    assert refused(stage.ask(question)) == (401, REPLAYED)
    stage.site.waiting[0].callback(GOOD)
    answered(stage, line)
    assert refused(stage.ask(question)) == (401, REPLAYED)
    assert len(stage.site.looks) == 1


def test_an_id_is_known_until_its_timestamp_has_left_the_window(stage: VerifierStage) -> None:
    """Also if that timestamp is as far ahead of our clock as it may be."""
    question = stage.question()
    line = stage.ask(question, ago=-WINDOW_S)
    stage.site.waiting[0].callback(GOOD)
    line.hang_up()
    for _ in range(2):
        stage.clock.advance(WINDOW_S)
        assert refused(stage.ask(question)) == (401, REPLAYED)
    stage.clock.advance(1)
    stage.ask(question).hang_up()
    assert len(stage.site.looks) == 2


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (b"", "Input data was truncated"),
        (b"\xff\x00", "JSON is malformed: invalid character (byte 0)"),
        ({"id": "f" * 32, "url": "http://site.example/"}, "Object missing required field `timeout`"),
        ({"id": "f" * 32, "url": "file:///etc/passwd", "timeout": 1, "deadline": 1}, "url: has no valid host and port"),
        ({"id": "f" * 32, "url": "ftp://site.example/", "timeout": 1, "deadline": 1}, "url: neither http nor https"),
    ],
)
def test_a_signed_question_that_cannot_be_read_gets_the_reason(
    stage: VerifierStage, question: dict[str, Any] | bytes, why: str
) -> None:
    assert refused(stage.ask(question)) == (400, why)
    assert stage.site.looks == []


def test_a_question_must_bear_the_id_that_is_signed(stage: VerifierStage) -> None:
    body = json.dumps(stage.question()).encode()
    assert refused(stage.ask(body)) == (400, "id: not the one in webhook-id")


def test_an_answer_is_no_question(stage: VerifierStage) -> None:
    """Though it is signed with the same secret, whoever sends it back gets nothing for it."""
    line = stage.ask(stage.question())
    stage.site.waiting[0].callback(GOOD)
    reply = line.reply()
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items() if name.lower() in names)
    assert refused(stage.send("POST", "/verify", reply.body, lines.encode()))[0] == 400
    assert len(stage.site.looks) == 1


def test_a_body_is_no_longer_than_it_may_be(stage: VerifierStage) -> None:
    question = json.dumps(stage.question()).encode()
    full = question + b" " * (BODY_MAX - len(question))
    stage.ask(full, webhook_id=b"0" * 32).hang_up()
    assert stage.ask(full + b" ").reply().status == 413
    assert stage.site.looks == []


# --- too much ----------------------------------------------------------------------------------------------------


def test_when_it_is_busy_it_says_so_and_the_id_may_be_used_again(stage: VerifierStage) -> None:
    lines = [stage.ask(stage.question()) for _ in range(2)]
    question = stage.question()
    refusal = stage.ask(question)
    assert refused(refusal) == (503, "too many probes at once")
    assert refusal.reply().headers["Retry-After"] == "5"
    stage.site.waiting[0].callback(GOOD)
    lines[0].hang_up()
    again = stage.ask(question)
    for waiting in stage.site.waiting[1:]:
        waiting.callback(GOOD)
    assert answered(stage, again)["id"] == question["id"]


def test_when_it_can_keep_no_more_ids_it_waits_rather_than_forget(stage: VerifierStage) -> None:
    for number in range(5):
        line = stage.ask(stage.question())
        stage.site.waiting[number].callback(GOOD)
        answered(stage, line)
    assert refused(stage.ask(stage.question())) == (503, "too many probes at once")
    stage.clock.advance(WINDOW_S + 1)
    stage.ask(stage.question()).hang_up()
    assert len(stage.site.looks) == 6


def test_a_probe_ends_when_whoever_asked_hangs_up(stage: VerifierStage) -> None:
    line = stage.ask(stage.question())
    line.hang_up()
    assert stage.site.cancelled == 1
    assert stage.verifier.under_way == 0


def test_a_probe_that_does_not_end_is_given_up(stage: VerifierStage) -> None:
    line = stage.ask(stage.question(deadline=300))
    stage.clock.advance(10 + OVERRUN_S)
    answer = answered(stage, line)
    assert (answer["class"], answer["detail"]) == ("void", "the probe did not end in time")
    assert stage.site.cancelled == 1


def test_a_site_that_the_deadline_left_too_little_time_is_not_said_to_be_slow(stage: VerifierStage) -> None:
    late = stage.ask(stage.question(deadline=3))
    stage.site.waiting[0].callback(ProbeResult(fault="timeout", ms=3000))
    slow = stage.ask(stage.question())
    stage.site.waiting[1].callback(ProbeResult(fault="timeout", ms=10_000))
    answer = answered(stage, late)
    assert (answer["class"], answer["detail"]) == ("void", "the deadline left 3 s")
    assert answered(stage, slow)["class"] == "timeout"


# --- everything else ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/status", 200, "OK"),
        ("HEAD", "/status", 200, ""),
        ("POST", "/status", 405, "method not allowed"),
        ("GET", "/verify", 405, "method not allowed"),
        ("DELETE", "/verify", 405, "method not allowed"),
        ("GET", "/", 404, "not found"),
        ("POST", "/verify/", 404, "not found"),
        ("GET", "/ping/0/1", 404, "not found"),
        ("GET", "/00000000-0000-4000-8000-000000000000", 404, "not found"),
    ],
)
def test_there_is_nothing_else_but_a_status(
    stage: VerifierStage, method: str, path: str, status: int, body: str
) -> None:
    reply = stage.send(method, path).reply(head=method == "HEAD")
    assert (reply.status, reply.body.decode()) == (status, body)
    if status == 405:
        assert reply.headers["Allow"] == {"/verify": "POST", "/status": "GET, HEAD"}[path]


def test_our_own_fault_is_logged_and_answered_without_a_traceback() -> None:
    with capturedLogs() as logged:
        stage = VerifierStage()
        line = stage.ask(stage.question())
        stage.site.waiting[0].errback(ZeroDivisionError("secret"))
    assert refused(line) == (500, "internal error")
    (event,) = errors(logged)
    assert event["log_failure"].check(ZeroDivisionError)
    assert stage.verifier.under_way == 0


def test_a_probe_that_was_called_off_is_nothing_to_log(stage: VerifierStage) -> None:
    line = stage.ask(stage.question())
    stage.site.waiting[0].errback(CancelledError())
    assert refused(line) == (500, "internal error")
