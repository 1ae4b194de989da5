"""Explanations, in words and as JSON."""

from __future__ import annotations

import inspect
import re
from types import ModuleType
from typing import Any, get_args

import pytest

from pingmon.core.check import explanation as of_checks
from pingmon.core.check.check import Status
from pingmon.core.check.zone_doctor import ZoneFinding
from pingmon.core.facts import Fact
from pingmon.core.flip import Flip
from pingmon.core.notify import outage_facts, told_facts
from pingmon.core.notify.notification import Became
from pingmon.core.partner.inquiry import AnswerKind
from pingmon.core.site import explanation as of_sites
from pingmon.core.site.site import SiteStatus
from pingmon.core.units import HOUR
from pingmon.wire.api.explanations import ANSWERS, CHECK, COMMON, SITE, explanation_json, sentence
from tests.core.worlds import C1, MINUTE, S1, T0, bad, good

DOWN = Flip(7, C1, T0, "up", "down", "signal", exitstatus=3)
SITE_DOWN = Flip(7, S1, T0, "suspect", "down", "verdict", looks=(bad(), good("berlin")))
UP = Flip(8, C1, T0, "down", "up")


def kinds(module: ModuleType) -> set[str]:
    """The kinds of facts that a module can find."""
    tables = [table for name, table in vars(module).items() if name in ("_CHANGE", "_NOTHING")]
    written = re.findall(r'(?:kind|kind, entries) = ?"(\w+)"|kind="(\w+)"|else "(\w+)"', inspect.getsource(module))
    return {kind for found in written for kind in found if kind} | {kind for table in tables for kind in table.values()}


@pytest.mark.parametrize(
    ("module", "words", "besides"),
    [
        (of_checks, CHECK, {*get_args(Status), "overdue_run", "goes_down", "resumed"}),
        (of_sites, SITE, {*get_args(SiteStatus), "patience", "unopposed", "resumed"}),
        (outage_facts, COMMON, {"told_then", "step"}),
        (told_facts, COMMON, {kind.replace(" ", "_") for kind in get_args(Became)}),
    ],
)
def test_each_kind_of_fact_has_its_words_and_stands_in_the_table_of_its_module(
    module: ModuleType, words: dict[str, str], besides: set[str]
) -> None:
    """Nobody is answered 500 because a sentence is missing."""
    for kind in kinds(module) | besides:
        assert kind in words, kind
        assert re.search(rf"\b{kind}\b", module.__doc__ or ""), kind


def fact(kind: str, **more: Any) -> Fact:
    return Fact(topic="state", kind=kind, entries=(7,), **{"at": T0} | more)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            fact("down", flip=DOWN),
            "It is down since 2023-11-14 22:13:20 UTC: the job reported a failure (exit status 3).",
        ),
        (
            fact("was_deaf", until=T0 + MINUTE, why="disk"),
            "pingmon itself heard nothing from 2023-11-14 22:13:20 UTC to 2023-11-14 22:14:20 UTC, "
            "when the ping may have come: its disk took nothing.",
        ),
        (
            fact("ignored", why="methods"),
            "Its newest ping, at 2023-11-14 22:13:20 UTC, counts for nothing: only POST counts.",
        ),
        (
            fact("goes_down", seconds=3600),
            "Without a success it goes down at 2023-11-14 22:13:20 UTC, which is 1 h after one is expected.",
        ),
        (
            fact("zone", finding=ZoneFinding("UTC", ("Asia/Tokyo",), (9, 8, 7), -9 * HOUR, -9 * HOUR)),
            "Its schedule may be in the wrong time zone: the last 3 pings came 9 h early; "
            "they fit Asia/Tokyo, and the schedule's zone is UTC.",
        ),
        (fact("delivered", who="ops", flip=UP), "ops was told at 2023-11-14 22:13:20 UTC that it came back."),
        (
            fact("delivered", who="ops", flip=UP, why="in a digest"),
            "ops was told at 2023-11-14 22:13:20 UTC in a digest that it came back.",
        ),
        (fact("waiting", who="ops", flip=DOWN, count=0), "ops has not been told yet that it went down."),
        (
            fact("waiting", who="ops", flip=DOWN, count=2, why="status 500", until=T0 + MINUTE),
            "ops has not been told yet that it went down: status 500 (2 attempts), "
            "and is tried again at 2023-11-14 22:14:20 UTC.",
        ),
        (fact("unheard", flip=DOWN), "Nobody was told that it went down at 2023-11-14 22:13:20 UTC."),
        (
            fact("unheard", flip=UP, why="before"),
            "Nobody was told that it came back at 2023-11-14 22:13:20 UTC: nobody had been told that it went down.",
        ),
        (
            fact("unheard", flip=DOWN, why="maintenance", who="disks"),
            "Nobody was told that it went down at 2023-11-14 22:13:20 UTC: there was maintenance (disks).",
        ),
        (
            fact("unheard", flip=DOWN, why="parent", who="uplink"),
            "Nobody was told that it went down at 2023-11-14 22:13:20 UTC: uplink, which it depends on, was down, too.",
        ),
        (
            fact("few_failures", count=1, of=3),
            "No message says that it is down before it has failed 3 times in a row; so far it has 1 time.",
        ),
        (
            fact("few_failures", count=2, of=3, until=T0),
            "No message says that it is down before it has failed 3 times in a row; so far it has 2 times, "
            "and without a success it has at 2023-11-14 22:13:20 UTC.",
        ),
        (
            fact("maintenance", until=T0),
            "No message says that it is down before 2023-11-14 22:13:20 UTC: until then there is maintenance.",
        ),
        (fact("parent_down"), "No message says that it is down while what it depends on is down, too."),
        (
            fact("acknowledged", who="ada"),
            "The outage was acknowledged at 2023-11-14 22:13:20 UTC by ada: "
            "no reminder and no step of the escalation follows.",
        ),
        (
            fact("step", count=2, who="boss, phone"),
            "At 2023-11-14 22:13:20 UTC boss, phone are told, too, if it is still down and nobody has acknowledged it.",
        ),
        (
            fact("step", count=1),
            "At 2023-11-14 22:13:20 UTC 1 more channel is told, too, "
            "if it is still down and nobody has acknowledged it.",
        ),
        (fact("reminded", count=3), "The newest reminder, number 3, was due at 2023-11-14 22:13:20 UTC."),
        (fact("told_of", flip=DOWN, count=1), "That it went down at 2023-11-14 22:13:20 UTC was told on 1 channel."),
    ],
)
def test_sentences_about_checks(said: Fact, text: str) -> None:
    assert sentence(said, CHECK) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            fact("down", flip=SITE_DOWN),
            "It is down since 2023-11-14 22:13:20 UTC: 503 Service Unavailable (here); ok (berlin).",
        ),
        (
            fact("last_look", look=bad()),
            "pingmon's own newest look, at 2023-11-14 22:13:20 UTC, saw: 503 Service Unavailable.",
        ),
        (fact("said", why="no answer"), "Its host answered at 2023-11-14 22:13:20 UTC: nothing."),
        (
            fact("said", who="Hosty", why="until", until=T0 + MINUTE),
            "Hosty, who hosts it, answered at 2023-11-14 22:13:20 UTC: the outage is known, "
            "until 2023-11-14 22:14:20 UTC.",
        ),
        (
            fact("good_looks", count=2),
            "It is up again after 2 more good looks, one of them from a verifier if any can look.",
        ),
    ],
)
def test_sentences_about_sites(said: Fact, text: str) -> None:
    assert sentence(said, SITE) == text


def test_each_sentence_has_its_entries_and_what_it_says_as_data() -> None:
    """Why comes before what is next, whatever order they were found in; nothing is there that is not said."""
    facts = [
        Fact(topic="change", kind="success", entries=(9,)),
        Fact(topic="state", kind="down", entries=(9, 7, 9), at=T0, flip=DOWN),
    ]
    shown = explanation_json({"name": "backup"}, facts)
    assert shown == {
        "name": "backup",
        "sentences": [
            {
                "topic": "state",
                "kind": "down",
                "text": "It is down since 2023-11-14 22:13:20 UTC: the job reported a failure (exit status 3).",
                "entries": [7, 9],
                "at": "2023-11-14T22:13:20+00:00",
                "why": "the job reported a failure (exit status 3)",
            },
            {"topic": "change", "kind": "success", "text": "A ping that reports success makes it up.", "entries": [9]},
        ],
        "zone": None,
    }


def test_each_answer_of_a_partner_has_its_words() -> None:
    """Whatever it said."""
    assert ANSWERS.keys() == set(get_args(AnswerKind))


def test_what_the_zone_doctor_has_found_is_there_as_data_too() -> None:
    """Early is negative."""
    finding = ZoneFinding("UTC", ("Asia/Tokyo",), (9, 8, 7), -9 * HOUR, -9 * HOUR + MINUTE)
    shown = explanation_json({}, [Fact(topic="advice", kind="zone", entries=finding.entries, finding=finding)])
    assert shown["zone"] == {
        "schedule": "UTC",
        "fits": ["Asia/Tokyo"],
        "pings": 3,
        "least_seconds": -32_400,
        "most_seconds": -32_340,
    }


def test_a_look_is_shown_as_everywhere() -> None:
    """With its class and its code."""
    (shown,) = explanation_json({}, [fact("last_look", look=bad())], site=True)["sentences"]
    assert (shown["look"]["class"], shown["look"]["code"]) == ("status", 503)
