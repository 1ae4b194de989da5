"""Tests of `pingmon.wire.api.probe_results`: what probes saw, for people and as JSON."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.site.probe_result import Fault, Phases, ProbeResult
from pingmon.testing import START as T0
from pingmon.testing import bad, good
from pingmon.wire.api.probe_results import WORDS, look_json, witnesses


def void(node: str = "", detail: str = "no answer within 15 s") -> ProbeResult:
    return ProbeResult(node, T0, fault="void", detail=detail)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ((bad(), bad("berlin"), good("tokyo")), "503 Service Unavailable (here, berlin); ok (tokyo)"),
        ((good("tokyo"), bad("berlin"), bad()), "503 Service Unavailable (berlin, here); ok (tokyo)"),
        (
            (bad(), bad("berlin", fault="timeout", detail="timed out after 10 s while connecting")),
            "503 Service Unavailable (here); timed out after 10 s while connecting (berlin)",
        ),
        ((bad(), bad("berlin"), void("tokyo")), "503 Service Unavailable (here, berlin); could not look (tokyo)"),
        ((void(), good("berlin"), bad("tokyo")), "503 Service Unavailable (tokyo); ok (berlin); could not look (here)"),
        ((bad(), bad("berlin"), bad("berlin")), "503 Service Unavailable (here, berlin)"),
        ((bad("berlin"),), "503 Service Unavailable (berlin)"),
        ((bad(),), "503 Service Unavailable"),
        ((bad(), bad(fault="dns", detail="")), "503 Service Unavailable; no address found"),
        ((good(),), "ok"),
        ((replace(good(), detail="redirected from https to http"), good("berlin")), "ok (here, berlin)"),
        ((), ""),
    ],
)
def test_who_saw_the_same_is_named_together_and_what_is_wrong_comes_first(
    looks: tuple[ProbeResult, ...], said: str
) -> None:
    """Places are named when there are several; why somebody could not look is not taken for the site's fault."""
    assert witnesses(looks) == said


@pytest.mark.parametrize(
    ("fault", "said"),
    [("status", "status 503"), ("dns", "no address found"), ("timeout", "timed out"), ("tls", "TLS failed")],
)
def test_a_look_without_details_is_told_by_its_kind(fault: Fault, said: str) -> None:
    """A verifier need not give any."""
    assert witnesses([bad(fault=fault, detail="")]) == said


def test_every_kind_of_look_has_its_words() -> None:
    """So a new one is not told by a name that only the program knows."""
    assert set(WORDS) == set(get_args(Fault))


def test_a_look_as_json() -> None:
    """All of it, with the exact time, and the class `ok` where nothing went wrong."""
    look = ProbeResult("berlin", T0 + 5, 503, "status", 120, "192.0.2.1", "503 Service Unavailable", Phases(1, 2, 3, 4))
    assert look_json(look) == {
        "node": "berlin",
        "at": "2023-11-14T22:13:20.000005+00:00",
        "class": "status",
        "code": 503,
        "ms": 120,
        "address": "192.0.2.1",
        "detail": "503 Service Unavailable",
        "phases": {"dns": 1, "connect": 2, "tls": 3, "answer": 4},
    }
    assert look_json(good())["class"] == "ok"


LOOKS = st.builds(ProbeResult, st.text(max_size=5), fault=st.sampled_from(get_args(Fault)), detail=st.text(max_size=5))


@given(st.lists(LOOKS, max_size=6))
def test_no_place_that_looked_is_left_out(looks: list[ProbeResult]) -> None:
    """Whatever they saw."""
    said = witnesses(looks)
    assert all(look.node in said for look in looks)
    assert json.loads(json.dumps([look_json(look) for look in looks]))[:1] == [look_json(look) for look in looks[:1]]
