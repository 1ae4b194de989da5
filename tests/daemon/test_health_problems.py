"""Tests of `pingmon.daemon.health_problems`: what `status/` says is wrong, and what it says of the reasons."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pingmon.core.units import SECOND
from pingmon.daemon.health_problems import problems, unsure
from pingmon.probe.slot_shortage import Shortage
from pingmon.testing import Rig
from pingmon.verify.verifier_health import PeerHealth
from tests.daemon.parts import parts

ILL = SimpleNamespace(trouble=lambda: "none of 2 answers: a: dead; b: dead")


def test_a_daemon_that_is_well_has_no_problems() -> None:
    """With verifiers or without."""
    whole = parts(Rig())
    assert problems(whole) == []
    whole.rounds.verifiers = SimpleNamespace(trouble=lambda: "")
    assert problems(whole) == []


@pytest.mark.parametrize(
    ("change", "value", "text", "detail"),
    [
        ("reviews__last_tick", -11.0, "outages are not being looked at", "a restart may help"),
        ("outbox__last_tick", -11.0, "notifications are not being looked at", "for 11 s now: a fault in pingmon"),
        ("site_watch__last_tick", -11.0, "sites are not being looked at", "a restart may help"),
        ("hosts__last_tick", -11.0, "the hosts of sites are not being looked at", "a restart may help"),
        ("outbox__overdue", lambda now: 121 * SECOND, "a notification is overdue by 121 s", "[outgoing] parallel"),
        ("inquiries__overdue", lambda now: 11 * SECOND, "a question to a partner is overdue by 11 s", "too slow"),
        ("health__trouble", "most fail", "probes from here count for nothing: most fail", "pingmon's own network"),
        ("health__blind", 6, "6 of 10 sites cannot be looked at from here", "name servers of this machine"),
        ("health__late_s", 12.0, "sites are probed 12 s late", "too slow"),
        ("health__queued_s", 12.0, "verifiers are asked 12 s late", "200 sites that fail"),
        ("rounds__verifiers", ILL, "none of 2 answers", "a: dead; b: dead"),
    ],
)
def test_what_keeps_it_from_its_work_is_named(change: str, value: Any, text: str, detail: str) -> None:
    """Each by itself; why, and what to do, stands in the detail and nowhere else."""
    (problem,) = problems(parts(Rig(), **{change: value}))
    assert problem.text == text
    assert detail in problem.detail


def test_looks_that_come_late_for_want_of_places_are_named_with_the_limit_that_is_short() -> None:
    """Many slow sites at one address stretch their interval; that shows nowhere else."""
    short = Shortage("at one address", "raise [sites] per_address", 30, 2, 60.0, "192.0.2.1")
    (problem,) = problems(parts(Rig(), prober__waits=SimpleNamespace(shortages=lambda: (short,))))
    assert problem.text == short.text
    assert "raise [sites] per_address" in problem.detail


def test_while_the_disk_takes_nothing_that_is_all_there_is_to_say() -> None:
    """What is overdue for want of a log is no problem of its own; the detail says what is wrong with the disk."""
    rig = Rig()
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.journal.fail_next(1000)
    rig.monitor.deafness.begin(rig.now, "disk")
    rig.advance(300)
    (problem,) = problems(parts(rig, inquiries__overdue=lambda now: 99 * SECOND))
    assert problem.text == "the journal takes no events: the disk is full"
    assert str(rig.journal.health().last_error) in problem.detail


def test_a_disk_that_hangs_is_named_and_for_how_long() -> None:
    """`status/` says it while no ping is answered."""
    rig = Rig()
    rig.journal.hangs_s = 7
    rig.advance(1)
    (problem,) = problems(parts(rig))
    assert problem.text == "the disk has not answered the journal for 7 s"


def test_what_readers_meet_is_named() -> None:
    """Damage stays; a read that failed is forgotten when one succeeds."""
    rig = Rig()
    rig.journal.tracker.read("an I/O error")
    assert [problem.text for problem in problems(parts(rig))] == ["the journal cannot be read"]
    rig.journal.tracker.read(None)
    assert problems(parts(rig)) == []
    rig.journal.tracker.damaged("entry 7 is altered")
    rig.journal.tracker.read(None)
    (problem,) = problems(parts(rig))
    assert problem.text == "the journal is damaged"
    assert problem.detail.startswith("entry 7 is altered")


def test_a_daemon_that_stood_still_takes_no_events_although_its_disk_is_well() -> None:
    """Until the log has taken the end of it."""
    rig = Rig()
    rig.monitor.deafness.begin(rig.now, "suspended")
    (problem,) = problems(parts(rig))
    assert problem.text == "the journal takes no events"
    assert "stood still" in problem.detail


def test_each_kind_of_problem_is_told_from_all_others() -> None:
    """So that the operator is told of each, and of its end, whatever figures it is told with."""
    rig = Rig()
    rig.journal.tracker.read("an I/O error")
    rig.journal.tracker.damaged("entry 7 is altered")
    rig.monitor.deafness.begin(rig.now, "suspended")
    ill: dict[str, Any] = {
        "outbox__last_tick": -11.0,
        "hosts__last_tick": -11.0,
        "outbox__overdue": lambda now: 121 * SECOND,
        "health__trouble": "most fail",
        "health__blind": 6,
        "health__late_s": 12.0,
        "health__queued_s": 12.0,
        "rounds__verifiers": ILL,
    }
    found = [problem.kind for problem in problems(parts(rig, **ill))]
    assert len(found) == 10
    assert len(set(found)) == 10
    assert all(found)


def test_how_verifiers_do_is_not_known_before_each_was_asked() -> None:
    """Since the start."""
    asked = PeerHealth("a", "", asked=1)
    assert unsure(parts(Rig())) == frozenset()
    assert unsure(parts(Rig(), verifier_health=lambda: (asked, PeerHealth("b", "")))) == {"verifiers"}
    assert unsure(parts(Rig(), verifier_health=lambda: (asked,))) == frozenset()
