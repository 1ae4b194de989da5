"""Tests of `pingmon.verify.verifier_health`: when a verifier is in trouble, and who is told."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs

from pingmon.core.site.failures import ABOUT_THE_SITE
from pingmon.core.site.probe_result import ProbeResult
from pingmon.testing import bad, good, result
from pingmon.verify.verifier_health import PASSING, UNHEARD, Heard, Standing, trouble
from tests.probe.net import Watched

GONE = Heard(ProbeResult("fra", fault="void", detail="could not connect"))
BUSY = Heard(ProbeResult("fra", fault="void", detail="is overloaded"), alive=True)
WELL = Heard(good("fra"), alive=True)


def heard(*answers: Heard) -> tuple[Standing, list[str]]:
    """A verifier after these answers, and what was told of it."""
    standing = Standing("fra", "eu")
    with capturedLogs() as events:
        for answer in answers:
            standing.heard(answer)
    return standing, [told(event) for event in events]


def told(event: Any) -> str:
    return f"{event['log_level'].name} {event['log_format'].format(**event)}"


def test_the_operator_hears_once_that_a_verifier_is_of_no_use_and_once_that_it_is_back() -> None:
    standing, lines = heard(GONE, GONE, BUSY, WELL, WELL, Heard(bad("fra"), alive=True))
    assert standing.trouble == ""
    assert lines == [
        "warn the verifier fra is of no use: could not connect",
        "info the verifier fra is of use again",
    ]


def test_its_trouble_is_the_latest() -> None:
    assert heard(GONE, BUSY)[0].trouble == "is overloaded"
    assert heard(Heard(ProbeResult("fra", fault="void")))[0].trouble == "it cannot look"


def test_that_it_cannot_look_just_now_is_trouble_if_it_says_so_again_and_again() -> None:
    standing, lines = heard(*[BUSY] * (PASSING - 1), WELL, *[BUSY] * (PASSING - 1))
    assert (standing.trouble, lines) == ("", [])
    standing, lines = heard(*[BUSY] * PASSING)
    assert standing.trouble == "is overloaded"
    assert len(lines) == 1


@pytest.mark.parametrize("words", ABOUT_THE_SITE)
def test_that_it_may_not_look_at_one_site_is_no_trouble(words: str) -> None:
    forbidden = Heard(ProbeResult("fra", fault="void", detail=f"{words}: address 10.0.0.1 is private"), alive=True)
    assert heard(*[forbidden] * 10)[0].trouble == ""
    assert heard(GONE, forbidden)[0].trouble == ""


def test_the_words_about_one_site_are_those_of_the_prober() -> None:
    watched = Watched({"ten.example": ["10.0.0.1"], "six.example": ["2001:db8::1"]}, elsewhere=True)
    looking = [watched.look(site) for site in watched.seen]
    looking.append(watched.look("six.example", url="ftp://six.example/"))
    watched.net.pass_s(1.0)
    looks = [result(each) for each in looking]
    assert {look.fault for look in looks} == {"void"}
    assert all(look.detail.startswith(ABOUT_THE_SITE) for look in looks)


def test_who_is_never_waited_for_is_waited_for_by_one_round_in_a_while() -> None:
    standing, _ = heard()
    for _ in range(UNHEARD):
        assert not standing.due()
        standing.passed_over()
    assert [standing.due(), standing.due()] == [True, False]
    for _ in range(UNHEARD - 1):
        standing.passed_over()
    standing.heard(WELL)
    standing.passed_over()
    assert not standing.due()
    assert standing.health.asked == 1


@pytest.mark.parametrize(
    ("ill", "well", "needed", "words"),
    [
        (0, 3, 2, ""),
        (1, 2, 2, ""),
        (2, 1, 2, "only 1 of 3 verifiers answers, fewer than the quorum of 2: v0: gone; v1: gone"),
        (2, 3, 4, "only 3 of 5 verifiers answer, fewer than the quorum of 4: v0: gone; v1: gone"),
        (2, 0, 1, "none of 2 verifiers answers, fewer than the quorum of 1: v0: gone; v1: gone"),
        (1, 0, 1, "the only verifier does not answer: v0: gone"),
        (0, 0, 1, ""),
    ],
)
def test_too_few_that_are_of_use_are_trouble(ill: int, well: int, needed: int, words: str) -> None:
    standings = [Standing(f"v{number}", "") for number in range(ill + well)]
    for standing in standings[:ill]:
        standing.heard(Heard(ProbeResult(standing.name, fault="void", detail="gone")))
    assert trouble(standings, needed) == words
