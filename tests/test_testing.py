"""Tests of `pingmon.testing`: the rig does with sites and partners what the daemon would."""

from __future__ import annotations

import pytest

from pingmon.core.units import SECOND
from pingmon.testing import Rig, bad, good


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


def test_an_answer_needs_a_question() -> None:
    """A test that answers what nobody asked is wrong."""
    rig = Rig()
    with pytest.raises(AssertionError, match="nobody is asked"):
        rig.answer(rig.site())
