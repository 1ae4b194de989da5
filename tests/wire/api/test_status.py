"""Tests of `pingmon.wire.api.status`: what `status/` tells to whom."""

from __future__ import annotations

from pingmon.core.notify.channel import Channel
from pingmon.wire.api.status import Problem, for_anybody, for_keys

PROBLEMS = (Problem("the journal takes no events", "/var/x: the disk is full"), Problem("sites are late", "raise it"))


def test_anybody_may_read_what_is_wrong_but_not_why() -> None:
    """A reason may name a path, a site or a verifier."""
    assert for_anybody(PROBLEMS) == {"problems": ["the journal takes no events", "sites are late"]}


def test_who_has_a_key_reads_the_reasons_and_the_version_too() -> None:
    """In the order in which they were found; none is an empty list."""
    assert for_keys(PROBLEMS, PROBLEMS[1:], "1.2") == {
        "version": "1.2",
        "problems": [
            {"text": "the journal takes no events", "detail": "/var/x: the disk is full"},
            {"text": "sites are late", "detail": "raise it"},
        ],
        "warnings": [{"text": "sites are late", "detail": "raise it"}],
    }
    assert for_keys((), (), "1.2") == {"version": "1.2", "problems": [], "warnings": []}


def test_an_operator_sees_who_is_told() -> None:
    channel = Channel("dddd", "aaaa", "webhook", "ops", {}, "", 1, 0)
    shown = for_keys((), (), "1.2", [channel])
    assert shown["told"] == [{"id": "dddd", "name": "ops", "kind": "webhook"}]
