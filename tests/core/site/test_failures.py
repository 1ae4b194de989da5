"""Tests of `pingmon.core.site.failures`: the sentences as such. That they are true is tested where they are made."""

from __future__ import annotations

from pingmon.core.site.failures import ABOUT_THE_SITE, NOT_ALLOWED, TABLE
from pingmon.core.site.probe_result import ProbeResult


def test_each_failure_has_a_sentence_of_its_own() -> None:
    texts = [kind.text for kind in TABLE.values()]
    assert len(set(texts)) == len(texts)
    assert all(text == text.strip() and not text.endswith(".") for text in texts)


def test_a_failure_is_known_again_by_the_look_that_tells_of_it() -> None:
    look = ProbeResult(fault="void", detail=NOT_ALLOWED(why="it is private"))
    assert look.detail == "pingmon may not look there: it is private"
    assert look.detail.startswith(ABOUT_THE_SITE)
    assert NOT_ALLOWED.seen_in(look)
    assert not NOT_ALLOWED.seen_in(ProbeResult(fault="dns", detail=look.detail))
    assert not NOT_ALLOWED.seen_in(ProbeResult(fault="void", detail="no answer within 15 s"))
