"""What the API answers when the journal cannot keep up, when clients hang up, and when something of ours is broken."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import capturedLogs

from pingmon.core.world.events import CheckDeleted, Event
from pingmon.journal import JournalUnavailable
from pingmon.wire.api.status import Problem
from tests.api.stage import CHECKS, ApiStage
from tests.door.stage import errors


def test_nothing_is_answered_before_it_is_durable() -> None:
    """A request to create a check has no answer until the journal has it."""
    house = ApiStage()
    house.journal.at_once = False
    asked: list[Any] = []
    house.treq.request("POST", f"http://x{CHECKS}", headers={"X-Api-Key": house.rw}).addCallback(asked.append)
    house.treq.flush()
    assert asked == []
    house.journal.flush()
    house.treq.flush()
    assert [answer.code for answer in asked] == [201]


def test_a_client_that_hangs_up_has_asked_nevertheless() -> None:
    """A change is made although the client went away before the answer, and nothing is logged about that."""
    house = ApiStage()
    house.journal.at_once = False
    ended: list[Any] = []
    asked: Deferred[Any] = house.treq.request("POST", f"http://x{CHECKS}", headers={"X-Api-Key": house.rw})
    asked.addErrback(ended.append)
    house.treq.flush()
    with capturedLogs() as logged:
        asked.cancel()
        house.treq.flush()
        house.journal.flush()
        house.treq.flush()
    assert len(ended) == 1
    assert len(house.world.checks) == 1
    assert errors(logged) == []


def test_a_full_disk() -> None:
    """While the journal cannot write, changes are refused with 503 and a time to wait, and reads still work."""
    house = ApiStage()
    id = house.new_check(name="before")
    for method, path in [("POST", CHECKS), ("POST", f"{CHECKS}{id}/pause"), ("DELETE", CHECKS + id)]:
        house.journal.fail_next()
        reply = house.ask(method, path, key=house.rw)
        assert (reply.status, reply.error, reply.headers["Retry-After"]) == (503, "try again", "5")
    assert [check["name"] for check in house.get(CHECKS).json["checks"]] == ["before"]
    assert house.post(CHECKS).status == 201


def test_two_racing_upserts_make_one_check() -> None:
    """Of two requests on their way at once, the log's first creates the check and the other one changes it."""
    house = ApiStage()
    house.journal.at_once = False
    asked: list[Any] = []
    for tags in (b"first", b"second"):
        body = b'{"name": "db", "unique": ["name"], "tags": "%s"}' % tags
        house.treq.request("POST", f"http://x{CHECKS}", headers={"X-Api-Key": house.rw}, data=body).addCallback(
            asked.append
        )
    house.treq.flush()
    house.journal.flush()
    house.treq.flush()
    assert sorted(answer.code for answer in asked) == [200, 201]
    assert [check.spec.tags for check in house.world.checks.values()] == ["second"]


def test_a_check_deleted_meanwhile() -> None:
    """A change to a check whose deletion is before it in the log is answered 404."""
    house = ApiStage()
    for method, end, body in [
        ("POST", "", b'{"name": "x"}'), ("POST", "/pause", b""), ("DELETE", "", b""),
    ]:  # fmt: skip
        id = house.new_check()
        house.journal.at_once = False
        house.monitor.submit(id, CheckDeleted())
        asked: list[Any] = []
        house.treq.request(
            method, f"http://x{CHECKS}{id}{end}", headers={"X-Api-Key": house.rw}, data=body
        ).addCallback(asked.append)
        house.treq.flush()
        house.journal.at_once = True
        house.journal.flush()
        house.treq.flush()
        assert [answer.code for answer in asked] == [404]


def test_resumed_twice_at_once() -> None:
    """Of two requests to resume a check, the log's second is told that it is not paused."""
    house = ApiStage()
    id = house.new_check()
    house.post(f"{CHECKS}{id}/pause")
    house.journal.at_once = False
    asked: list[Any] = []
    for _ in range(2):
        house.treq.request("POST", f"http://x{CHECKS}{id}/resume", headers={"X-Api-Key": house.rw}).addCallback(
            asked.append
        )
    house.treq.flush()
    house.journal.flush()
    house.treq.flush()
    assert sorted(answer.code for answer in asked) == [200, 409]


def test_a_journal_that_cannot_be_read() -> None:
    """History that cannot be read now is answered 503, not with an empty list."""
    for error in (JournalUnavailable("the disk reports an I/O error"), CancelledError()):
        house = ApiStage(history=Broken(error))
        assert house.get(f"{CHECKS}{house.new_check()}/pings/").status == 503
        site = house.new_site()
        for what in ("flips", "probes", "hours", "uptime"):
            assert house.get(f"/api/v3/sites/{site}/{what}/").status == 503


def test_a_bug() -> None:
    """What goes wrong by our fault is logged with its traceback; the client is told only that."""
    house = ApiStage(history=Broken(ZeroDivisionError("the secret of the house")))
    id = house.new_check()
    with capturedLogs() as logged:
        reply = house.get(f"{CHECKS}{id}/flips/")
    assert (reply.status, reply.body) == (500, b'{"error":"internal error"}')
    assert len(errors(logged)) == 1


class Broken:
    """A history whose every reading fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def pings(self, stream: str, **_: Any) -> Deferred[Any]:
        return fail(self._error)

    def flips(self, stream: str, **_: Any) -> Deferred[Any]:
        return fail(self._error)

    def entries(self, stream: str | None, **asked: Any) -> Deferred[Any]:
        return fail(self._error)

    def flips_at(self, seqs: Collection[int]) -> Deferred[Any]:
        return fail(self._error)

    def events(self, stream: str, kind: type[Event], **_: Any) -> Deferred[Any]:
        return fail(self._error)


def test_a_health_report_that_fails() -> None:
    """Even if the health report itself breaks, the answer is JSON and the log has the traceback."""
    house = ApiStage()

    def broken() -> list[Problem]:
        raise ZeroDivisionError

    house.health = broken
    with capturedLogs() as logged:
        reply = house.ask("GET", "/api/v3/status/")
    assert (reply.status, reply.error) == (500, "internal error")
    assert len(errors(logged)) == 1
