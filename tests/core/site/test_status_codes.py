"""Tests of `pingmon.core.site.status_codes`, held against the table at its top."""

from __future__ import annotations

import re

import pytest

from pingmon.core.site import status_codes as module
from pingmon.core.site.probe_result import ASKED, Fault, Method
from pingmon.core.site.status_codes import (
    Came,
    bad_status,
    contradicts,
    counting,
    get_after_s,
    is_redirect,
    is_up,
    settles,
    why_get,
)

COUNTS = {
    "counts": (True, True),
    "counts: it is followed": (True, True),
    "counts if GET has no answer": (False, True),
    "only says HEAD is not known": (False, False),
}
"""Whether an answer to HEAD is enough, and whether it is something if GET is not answered."""


def rows() -> dict[str, list[str]]:
    """The table, by what it says of statuses."""
    assert module.__doc__ is not None
    lines = [line.strip() for line in module.__doc__.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("status "))
    cells = [re.split(r"\s{2,}", line) for line in lines[head + 1 : lines.index("", head)]]
    return {row[0]: row[1:] for row in cells}


def row(status: int) -> list[str]:
    """What the table says of a status."""
    table = rows()
    named = next((key for key in table if str(status) in key.split(", ")), "")
    return table[named or ("2xx" if 200 <= status < 300 else "any other")]


@pytest.mark.parametrize("status", [*range(100, 600), 0, 600, 999])
def test_every_status_means_what_the_table_says(status: int) -> None:
    site, head, get = row(status)
    enough, something = COUNTS[head]
    assert (is_up(status), is_redirect(status)) == (site == "up", site == "elsewhere")
    assert settles(status) is enough
    for other in ("connect", "timeout", "protocol"):
        came: dict[Method, Came] = {"HEAD": status, "GET": other}
        assert counting(ASKED, came) == ("HEAD" if something else None)
    assert get.startswith("counts")
    assert counting(ASKED, {"HEAD": "connect", "GET": status}) == "GET"
    assert counting(ASKED, {"GET": status}) == "GET"


def test_get_counts_for_more_unless_head_was_answered_well() -> None:
    assert counting(ASKED, {"HEAD": 403, "GET": 404}) == "GET"
    assert counting(ASKED, {"HEAD": 200, "GET": 500}) == "HEAD"
    assert counting(ASKED, {"HEAD": 302, "GET": 200}) == "HEAD"


def test_nothing_counts_while_nothing_has_come_or_the_prober_itself_could_not_ask() -> None:
    assert not settles(None)
    assert counting(ASKED, {}) is None
    assert counting(ASKED, {"HEAD": "connect"}) is None
    assert counting(ASKED, {"HEAD": 403}) == "HEAD"
    assert counting(ASKED, {"HEAD": 403, "GET": "void"}) is None


@pytest.mark.parametrize("status", [200, 301, 404, 405, 501])
def test_what_a_site_that_wants_but_one_method_is_answered_with_counts(status: int) -> None:
    assert counting(("HEAD",), {"HEAD": status}) == "HEAD"
    assert counting(("GET",), {"GET": status}) == "GET"
    assert counting(("GET",), {"GET": "tls"}) is None


@pytest.mark.parametrize(
    ("came", "counts", "text"),
    [
        ({"HEAD": 503}, "HEAD", "503 Service Unavailable to HEAD"),
        ({"HEAD": 403, "GET": "timeout"}, "HEAD", "403 Forbidden to HEAD"),
        ({"GET": 404}, "GET", "404 Not Found to GET"),
        ({"HEAD": "connect", "GET": 502}, "GET", "502 Bad Gateway to GET"),
        ({"HEAD": 500, "GET": 500}, "GET", "500 Internal Server Error to HEAD and GET"),
        ({"HEAD": 403, "GET": 799}, "GET", "799 to GET, 403 to HEAD"),
    ],
)
def test_a_bad_status_is_told_with_what_was_asked(came: dict[Method, Came], counts: Method, text: str) -> None:
    assert bad_status(came, counts) == text


def test_people_read_why_get_was_asked_besides() -> None:
    assert why_get(405) == "HEAD was answered with 405, so GET was asked"
    assert why_get("connection refused") == "HEAD came to nothing (connection refused), so GET was asked"
    assert why_get(None) == "HEAD came to nothing (no answer in half of the time), so GET was asked"


@pytest.mark.parametrize(
    ("fault", "status", "wrong"),
    [
        ("", 200, False),
        ("", 503, True),
        ("", 0, True),
        ("status", 503, False),
        ("status", 200, True),
        ("status", 0, True),
        ("timeout", 0, False),
        ("timeout", 503, False),
        ("timeout", 200, True),
    ],
)
def test_what_nobody_can_have_seen(fault: Fault, status: int, wrong: bool) -> None:
    """A site that is up with a status that is not, or the other way round; a bad status that is none."""
    assert contradicts(fault, status) is wrong


def test_get_is_asked_besides_after_half_of_the_time() -> None:
    assert get_after_s(10.0) == 5.0
