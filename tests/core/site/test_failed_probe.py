"""Tests of `pingmon.core.site.failed_probe`, held against the tables at its top."""

from __future__ import annotations

import errno
import re
from itertools import product

import pytest

from pingmon.core.site import failed_probe as module
from pingmon.core.site.failed_probe import (
    HELD_UP_S,
    LONG_LOOKUP,
    TellsOf,
    counting_attempt,
    forbidden,
    out_of_time,
    tells_of,
)
from pingmon.core.site.probe_result import Phase

ADDRESSES = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}


def table(head: str) -> dict[str, str]:
    """The rows of the table that begins so: the first word of what they say."""
    assert module.__doc__ is not None
    lines = [line.strip() for line in module.__doc__.splitlines()]
    start = next(index for index, line in enumerate(lines) if line.startswith(head))
    cells = [re.split(r"\s{2,}", line) for line in lines[start + 1 : lines.index("", start)]]
    return {row[0]: re.split(r"\W", row[1].removeprefix("the "))[0] for row in cells}


@pytest.mark.parametrize(
    ("words", "places"),
    {
        "that stands in the site's URL": [(True, False, False), (True, False, True)],
        "to which its name leads, here": [(False, False, False)],
        "to which its name leads, for a verifier": [(False, False, True)],
        "to which a redirect leads": [
            (literal, True, elsewhere) for literal, elsewhere in product((True, False), repeat=2)
        ],
    }.items(),
)
def test_a_forbidden_address_is_what_the_table_says(words: str, places: list[tuple[bool, bool, bool]]) -> None:
    said = table("an address is forbidden")
    assert len(said) == 4
    for literal, redirected, elsewhere in places:
        assert forbidden(literal=literal, redirected=redirected, elsewhere=elsewhere).fault == said[words]


def test_what_a_failed_attempt_tells_of_is_what_the_table_says() -> None:
    said: dict[tuple[str, int], str] = {}
    rows = table("connecting failed")
    for causes, whose in rows.items():
        names, _, family = causes.partition(", to an ")
        for name in names.split() if names.isupper() else ():
            for version in (family.split()[0],) if family else ADDRESSES:
                said[version, getattr(errno, name)] = whose
    for version, number in product(ADDRESSES, errno.errorcode):
        assert tells_of(ADDRESSES[version], number) == said.get((version, number), rows["anything else"])
    assert tells_of(ADDRESSES["IPv4"], None) == "site"


@pytest.mark.parametrize(
    ("numbers", "counts"),
    [
        ((errno.ECONNREFUSED, errno.EHOSTUNREACH), (0, "site")),
        ((errno.ECONNREFUSED, errno.EMFILE, errno.ENFILE), (1, "machine")),
        ((errno.ENETUNREACH, errno.ECONNREFUSED), (1, "site")),
        ((errno.ENETUNREACH, errno.EADDRNOTAVAIL), (1, "machine")),
        ((errno.ENETUNREACH, errno.ENETDOWN), (0, "family")),
        ((None,), (0, "site")),
    ],
)
def test_of_several_attempts_the_one_counts_that_tells_most(
    numbers: tuple[int | None, ...], counts: tuple[int, TellsOf]
) -> None:
    assert counting_attempt((ADDRESSES["IPv4"], number) for number in numbers) == counts


@pytest.mark.parametrize("phase", ["wait", "dns", "connect", "tls", "answer"])
def test_what_used_up_time_says_is_what_the_table_says(phase: Phase) -> None:
    """The first row that is true of it counts."""
    said = table("the time was used up")
    limit_s = 10.0
    for held_up, long_lookup, untried, answered in product((True, False), repeat=4):
        true = {
            "and this process saw to it too late": held_up,
            "while it waited for its turn": phase == "wait",
            "by looking up the name, for half of it": phase == "dns" and long_lookup,
            "while not all addresses could be tried": untried,
            "after an answer that counts": answered,
            "otherwise": True,
        }
        assert list(true) == list(said)
        late_s = HELD_UP_S + (0.01 if held_up else 0.0)
        phase_s = limit_s * LONG_LOOKUP - (0.0 if long_lookup else 0.01)
        kind = out_of_time(phase, late_s=late_s, phase_s=phase_s, limit_s=limit_s, untried=untried, answered=answered)
        assert kind.fault == next(said[words] for words in said if true[words])
