"""Tests of `core/site/failed_lookup`, held against the tables at its top."""

from __future__ import annotations

import re
from itertools import product

import pytest

from pingmon.core.site import failed_lookup as module
from pingmon.core.site.failed_lookup import (
    LookupBlame,
    LookupCause,
    late_lookup,
    lookup_blame,
    nameless,
    needs_sound_servers,
    without_lookup,
)
from pingmon.core.site.probe_result import Phase, ProbeResult

SAID: dict[str, LookupBlame] = {
    "void": "void",
    "dns": "dns",
    "what is seen there": "seen there",
    "dns, and what is seen there": "dns and seen there",
}
CAUSES: dict[str, LookupCause] = {
    "for nobody answers any lookup": "nobody answers",
    "for the name's servers are silent": "silent",
    "for nothing is under the name": "nothing there",
}


def table(head: str) -> list[list[str]]:
    """The cells of the table that begins so."""
    assert module.__doc__ is not None
    lines = [line.strip() for line in module.__doc__.splitlines()]
    start = next(index for index, line in enumerate(lines) if line.startswith(head))
    return [re.split(r"\s{2,}", line) for line in lines[start + 1 : lines.index("", start)]]


def test_a_failed_lookup_is_blamed_as_the_table_says() -> None:
    said = {(CAUSES[cause], known == "known"): SAID[says] for cause, known, says in table("the lookup failed")}
    assert set(said) == set(product(CAUSES.values(), (True, False)))
    for (cause, remembered), blame in said.items():
        assert lookup_blame(cause, remembered=remembered) == blame


@pytest.mark.parametrize("fault", ["dns", "timeout"])
def test_a_late_lookup_is_blamed_as_the_table_says(fault: str) -> None:
    said = dict(table("the time was used up by a lookup"))
    look = ProbeResult(fault=fault, detail="timed out", ms=10_000)  # type: ignore[arg-type]
    for words, (meanwhile, now) in zip(said, [(True, False), (False, True), (False, False)], strict=True):
        doubtful = needs_sound_servers("dns", look.fault, answered=meanwhile)
        told = late_lookup(look, now) if doubtful else look
        assert (told == look) is (said[words] == "what it would say anyway")
        assert told == look or (told.fault, told.ms, told.detail) == (
            "void",
            10_000,
            "pingmon cannot look up names: no name server answers",
        )


@pytest.mark.parametrize("phase", ["wait", "connect", "tls", "answer"])
def test_name_servers_matter_only_to_who_waited_for_them(phase: Phase) -> None:
    assert not needs_sound_servers(phase, "timeout", answered=False)
    assert not needs_sound_servers("dns", "void", answered=False)


def test_of_a_site_without_a_name_people_read_how_its_server_is() -> None:
    why = "its name servers do not answer (SERVFAIL)"
    assert nameless(why, "", "") == ("dns", f"{why}; the server at its last known address is well")
    assert nameless(why, "status", "503 to HEAD") == (
        "dns",
        f"{why}; the server at its last known address fails too: 503 to HEAD",
    )


def test_a_look_that_was_made_without_a_lookup_says_so() -> None:
    noted = without_lookup("no name server answers")
    assert noted == "pingmon cannot look up names (no name server answers) and went to the last known address"
