"""Tests of `pingmon.assembly`: what the status page says is wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pingmon.assembly import problems
from pingmon.core.times import SECOND
from pingmon.testing import Rig


def parts(rig: Rig, **changes: Any) -> Any:
    """The parts of a daemon that is well, but for `changes`, such as `rounds__blind`."""
    sites = SimpleNamespace(sites=10, blind=0, late_s=0.0, trouble="")
    now = rig.time.steady()
    made: dict[str, Any] = {
        "monitor": rig.monitor,
        "alarms": rig.alarms,
        "housekeeping": SimpleNamespace(damage=None),
        "outbox": SimpleNamespace(last_tick=now, overdue=lambda now: 0),
        "inquiries": SimpleNamespace(overdue=lambda now: 0),
        "hosts": SimpleNamespace(last_tick=now),
        "rounds": SimpleNamespace(last_tick=now, health=lambda: sites),
        "verifiers": SimpleNamespace(trouble=lambda: ""),
    }
    for name, value in changes.items():
        part, _, field = name.partition("__")
        setattr(sites if part == "sites" else made[part], field, value)
    return SimpleNamespace(**made)


def test_a_daemon_that_is_well_has_no_problems() -> None:
    """With verifiers or without."""
    whole = parts(Rig())
    assert problems(whole) == []
    whole.verifiers = None
    assert problems(whole) == []


@pytest.mark.parametrize(
    ("change", "value", "words"),
    [
        ("housekeeping__damage", "entry 7 is gone", "the journal is damaged"),
        ("outbox__last_tick", -11.0, "notifications are not being looked at"),
        ("rounds__last_tick", -11.0, "sites are not being looked at"),
        ("hosts__last_tick", -11.0, "the hosts of sites are not being looked at"),
        ("outbox__overdue", lambda now: 121 * SECOND, "a notification is overdue by 121 s"),
        ("inquiries__overdue", lambda now: 11 * SECOND, "a question to a partner is overdue by 11 s"),
        ("sites__trouble", "most canaries fail", "probes from here count for nothing: most canaries fail"),
        ("sites__blind", 6, "6 of 10 sites cannot be looked at from here"),
        ("sites__late_s", 12.0, "sites are probed 12 s late"),
        ("verifiers__trouble", lambda: "only 1 of 3 verifiers answers", "only 1 of 3 verifiers answers"),
    ],
)
def test_what_keeps_it_from_its_work_is_named(change: str, value: Any, words: str) -> None:
    """Each by itself."""
    assert problems(parts(Rig(), **{change: value})) == [words]


def test_while_the_disk_takes_nothing_that_is_all_there_is_to_say() -> None:
    """What is overdue for want of a log is no problem of its own."""
    rig = Rig()
    check = rig.check(timeout=60, grace=60)
    rig.ping(check)
    rig.journal.fail_next(1000)
    rig.monitor.deaf(rig.now, "disk")
    rig.advance(300)
    assert problems(parts(rig, inquiries__overdue=lambda now: 99 * SECOND)) == ["the journal takes no events"]
