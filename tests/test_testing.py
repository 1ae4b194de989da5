"""Tests of `pingmon.testing`: the rig does with sites and partners what the daemon would."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from pingmon.core.units import SECOND
from pingmon.core.world.events import CheckCreated, ListeningResumed, PingReceived, ProjectCreated
from pingmon.testing import START_S, FakeTime, Rig, bad, good


def down(rig: Rig) -> str:
    """A site that was just seen to be down, and whose partner is asked."""
    rig.partner(slug="example")
    site = rig.site(host="example", channels=(rig.channel(),))
    rig.probe(site, bad())
    rig.probe(site, bad(), bad("berlin"), asked=1, quorum=1)
    return site


def test_a_site_goes_down_is_asked_about_and_told() -> None:
    """With the flips on the way, and one message that is owed."""
    rig = Rig()
    site = down(rig)
    assert [flip.new for flip in rig.flips] == ["suspect", "down"]
    assert rig.answer(site).channels == (rig.channel(),)
    assert rig.world.sites[site].told
    assert [owed.flip.code for owed in rig.world.owed.values()] == [503]


def test_a_partner_asks_for_silence() -> None:
    """Nobody is told then."""
    rig = Rig()
    site = down(rig)
    assert rig.answer(site, "until", rig.now + 3600 * SECOND).channels == ()
    assert not rig.world.owed


@pytest.mark.parametrize("clean", [True, False])
def test_a_question_is_still_to_be_asked_after_a_restart(clean: bool) -> None:
    """The same one, and users wait for its answer as before."""
    rig = Rig()
    site = down(rig)
    before = rig.world.sites[site].inquiry
    rig = rig.restarted(clean=clean)
    assert list(rig.world.inquiring) == [site]
    assert rig.world.sites[site].inquiry == before
    rig.answer(site, "no answer")
    rig.probe(site, good(), good("berlin"), asked=1)
    rig.answer(site)
    assert [(owed.flip.new, owed.down_from is not None) for owed in rig.world.owed.values()] == [("up", True)]


def test_what_is_logged_is_collected() -> None:
    """Beginning with the project, and without what an earlier daemon over the same log did."""
    rig = Rig()
    check = rig.check()
    rig.ping(check, "fail", b"why", exitstatus=1)
    assert [type(entry.event) for entry in rig.entries] == [ProjectCreated, CheckCreated, PingReceived]
    assert (rig.entries[-1].payload, [flip.new for flip in rig.flips]) == (b"why", ["down"])
    after = rig.restarted()
    assert ([type(entry.event) for entry in after.entries], after.flips) == ([ListeningResumed], [])
    assert after.events(PingReceived, CheckCreated) == [rig.entries[1].event, rig.entries[2].event]


def test_a_clock_that_has_run_before() -> None:
    """The wall's clock begins when it always does, and what was due before is done first."""
    clock = Clock()
    done: list[float] = []
    clock.advance(5000)
    time = FakeTime(clock)
    assert (time.wall(), time.steady()) == (START_S, 5000)
    clock.callLater(0, lambda: done.append(time.wall()))
    time.advance(0)
    assert done == [START_S]
    time.advance(2.5)
    assert time.wall() == START_S + 2.5


def test_an_answer_needs_a_question() -> None:
    """A test that answers what nobody asked is wrong."""
    rig = Rig()
    with pytest.raises(AssertionError, match="nobody is asked"):
        rig.answer(rig.site())


def test_nobody_else_builds_a_monitor() -> None:
    """Tests that need one take a rig, but for those of monitors themselves and of journals on a disk."""
    tests = Path(__file__).parent
    builders = (path for path in tests.rglob("*.py") if re.search(r"\bMonitor\(", path.read_text("utf-8")))
    assert {path.relative_to(tests).parts[0] for path in builders} == {"journal", "monitor"}
