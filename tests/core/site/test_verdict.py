"""What a round says, held against the table at the top of `core/site/verdict`, and what holds whatever is seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.site import verdict as module
from pingmon.core.site.failures import FORBIDDEN_NAME, NOT_ALLOWED
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.verdict import Round, Verdict, agreed, verdict
from pingmon.testing import bad, good

Kind: TypeAlias = Literal["good", "bad", "timeout", "void"]
KINDS: tuple[Kind, ...] = ("good", "bad", "timeout", "void")


FAILING = ("bad", "timeout")


def look(kind: Kind, node: str = "") -> ProbeResult:
    return {
        "good": good(node),
        "bad": bad(node),
        "timeout": bad(node, code=0, fault="timeout"),
        "void": ProbeResult(node, 1, fault="void"),
    }[kind]


def asked(own: Kind, *others: Kind, quorum: int = 2) -> Round:
    """A round in which these were asked, in a place that nobody vouched for."""
    return Round((look(own), *(look(kind, f"v{n}") for n, kind in enumerate(others))), len(others), quorum, "unsure")


def table() -> list[tuple[str, str, str]]:
    """The rows of the table as (here, elsewhere, the round says)."""
    assert module.__doc__ is not None
    lines = [line.strip() for line in module.__doc__.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("here "))
    rows = [re.split(r"\s{2,}", line) for line in lines[head + 1 : lines.index("", head)]]
    return [(row[0], row[1], row[2]) for row in rows]


def elsewhere(words: str, votes: Sequence[Kind], quorum: int) -> bool:
    """Whether the table's words are true of the votes."""
    failing, well = votes.count("bad") + votes.count("timeout"), votes.count("good")
    return {
        "fewer than `quorum` see it failing": failing < quorum,
        "at least `quorum` do": failing >= quorum,
        "most of those asked see it well": well > len(votes) / 2,
        "all are absent, or nobody was asked": failing + well == 0,
        "at least `quorum` see it failing, nobody sees it well": failing >= quorum and well == 0,
        "of those present, a quorum sees it failing": failing >= min(quorum, failing + well),
        "fewer do: others see it well": well > 0,
        "anything else": True,
    }[words]


@pytest.mark.parametrize("quorum", [1, 2, 3])
@pytest.mark.parametrize("verifiers", range(5))
def test_every_row_of_the_table_is_what_the_code_says(verifiers: int, quorum: int) -> None:
    """Of every round of up to four verifiers, the first row that fits is true."""
    rows, seen = table(), set()
    for own, *votes in product(KINDS, repeat=verifiers + 1):
        if not votes and own not in FAILING:
            continue
        here = {"bad": ("bad", "bad, not a timeout"), "timeout": ("bad",)}.get(own, (own,))
        fits = [says for where, words, says in rows if where in here and elsewhere(words, votes, quorum)]
        assert verdict(asked(own, *votes, quorum=quorum)) == fits[0], (own, votes)
        seen.add(fits[0])
    assert seen == {"alone"} or verifiers


VERDICTS: list[tuple[str, Round, Verdict]] = [
    ("all who can look agree", asked("bad", "bad", "bad", "void"), "down"),
    ("all agree on a timeout", asked("timeout", "timeout", "timeout", "timeout"), "failing"),
    ("an answer to others is none here", asked("timeout", "bad", "bad", "bad"), "failing"),
    ("one of three sees it well", asked("bad", "bad", "bad", "good"), "failing"),
    ("one can look, and agrees", asked("bad", "bad", "void", "void"), "failing"),
    ("the only verifier agrees", asked("bad", "bad", quorum=1), "down"),
    ("nobody elsewhere can look", asked("bad", "void", "void", "void"), "alone"),
    ("nobody else was asked", Round((bad(),)), "alone"),
    ("most see it well", asked("bad", "good", "good", "bad"), "up"),
    ("they disagree evenly", asked("bad", "good", "bad"), "unknown"),
    ("it is well here", asked("good", "bad", "void", "void"), "up"),
    ("it is well here and nowhere else", asked("good", "bad", "bad", "good"), "torn"),
    ("the daemon cannot look", asked("void", "bad", "bad", "bad"), "unknown"),
    ("a verifier answers twice", Round((bad(), bad("a"), bad("a"), good("b")), 3, 2, "unsure"), "unknown"),
]


@pytest.mark.parametrize(("case", "seen", "expected"), VERDICTS, ids=[case for case, _, _ in VERDICTS])
def test_what_a_round_says(case: str, seen: Round, expected: Verdict) -> None:
    """The rows by name; two looks of one verifier are one voice."""
    assert verdict(seen) == expected


@pytest.mark.parametrize(
    ("own", "votes", "expected"),
    [
        ("bad", ("bad", "bad", "good"), "down"),
        ("bad", ("void", "void", "void"), "unknown"),
        ("bad", ("bad", "void", "void"), "unknown"),
        ("good", ("bad", "bad", "bad"), "up"),
        ("bad", ("good", "good", "bad"), "up"),
        ("void", ("bad", "bad", "bad"), "unknown"),
    ],
)
def test_what_was_logged_by_the_first_versions_is_judged_as_they_did(
    own: Kind, votes: tuple[Kind, ...], expected: Verdict
) -> None:
    """No replay makes other messages of it than were sent."""
    now = asked(own, *votes)
    assert verdict(Round(now.looks, now.asked, now.quorum)) == expected


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6), st.sampled_from(KINDS))
def test_the_absent_count_for_nobody_in_the_quorum(votes: list[Kind], own: Kind) -> None:
    """One more who cannot look makes no outage and hides none, as long as most of those asked do not see it well."""
    before, after = verdict(asked(own, *votes)), verdict(asked(own, *votes, "void"))
    assert after == before or (before == "up" and own != "good")


@given(st.lists(st.sampled_from(KINDS), max_size=6), st.sampled_from(KINDS), st.integers(1, 4))
def test_no_verdict_of_an_outage_without_a_bad_look_here(votes: list[Kind], own: Kind, quorum: int) -> None:
    """Whatever all others say; and none where nobody here or elsewhere sees anything."""
    says = verdict(asked(own, *votes, quorum=quorum))
    assert own in FAILING or says in ("up", "torn", "unknown")
    assert says != "down" or "good" not in votes


@given(st.lists(st.sampled_from(KINDS), min_size=2, max_size=6), st.sampled_from(KINDS), st.data())
def test_one_verifier_that_lies_makes_no_outage_where_others_can_look(
    votes: list[Kind], own: Kind, data: st.DataObject
) -> None:
    """If without it nobody elsewhere sees a failure and somebody sees it well, its word is no quorum of two."""
    liar = data.draw(st.integers(0, len(votes) - 1))
    honest = [kind for number, kind in enumerate(votes) if number != liar]
    if set(honest) & set(FAILING) or "good" not in honest:
        return
    votes[liar] = "bad"
    assert verdict(asked(own, *votes)) in ("up", "unknown")


def test_a_name_that_leads_where_nobody_may_look_is_seen_failing_by_verifiers_too() -> None:
    """What only verifiers may not look at says nothing: it may be in the daemon's own network."""
    nowhere = ProbeResult("", 1, fault="dns", detail=FORBIDDEN_NAME(why="a null address"))
    refused = ProbeResult("v0", 1, fault="void", detail=NOT_ALLOWED(why="a null address"))
    others = (refused, look("void", "v1"), look("good", "v2"))
    assert [(each.node, each.fault) for each in agreed(nowhere, others)] == [("v0", "dns"), ("v1", "void"), ("v2", "")]
    assert agreed(nowhere, others)[0].detail == nowhere.detail
    assert agreed(bad(), others) == others
