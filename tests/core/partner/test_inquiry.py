"""Tests of `pingmon.core.partner.inquiry`: what a partner is asked, and what its answer means."""

from __future__ import annotations

import re

import pytest

from pingmon.core.partner import inquiry as answer
from pingmon.core.partner.inquiry import (
    COUNTED,
    PartnerAnswer,
    PartnerQuestion,
    counted,
    question,
    silent_until,
)
from pingmon.core.site.probe_result import ProbeResult


def round_(*looks: ProbeResult, down: bool = True) -> PartnerQuestion:
    return question("site.7", "http://example.com", "example", looks, down=down)


def bad(code: int, at: int = 1) -> ProbeResult:
    return ProbeResult(code=code, at=at, fault="status" if code else "timeout")


# --- the question -------------------------------------------------------------------------------------------------


def test_reading_1_a_down_tells_the_highest_code_of_those_that_failed() -> None:
    assert round_(bad(500), bad(403), ProbeResult(code=200, at=1)).code == 500


def test_reading_1_a_200_that_one_node_saw_is_not_in_the_news_of_an_outage() -> None:
    assert round_(bad(0), bad(0), ProbeResult(code=200, at=1)).code == 0


def test_reading_1_a_recovery_tells_the_highest_code_of_those_that_succeeded() -> None:
    assert round_(bad(500), ProbeResult(code=200), ProbeResult(code=204), down=False).code == 204


def test_reading_1_a_failure_after_a_2xx_status_line_does_not_look_like_a_recovery() -> None:
    assert round_(ProbeResult(code=200, fault="protocol", at=1)).code == 0


@pytest.mark.parametrize("fault", ["dns", "connect", "tls", "timeout", "protocol"])
def test_reading_2_all_failures_without_a_status_have_the_code_0(fault: str) -> None:
    assert round_(ProbeResult(fault=fault, at=1)).code == 0  # type: ignore[arg-type]


def test_reading_3_too_many_redirects_tell_the_last_redirect() -> None:
    assert round_(ProbeResult(code=302, fault="redirect", at=1)).code == 302


def test_reading_4_a_look_that_says_nothing_of_the_site_does_not_count() -> None:
    asked = round_(bad(403, at=5), ProbeResult(code=503, at=9, fault="void"))
    assert (asked.code, asked.at) == (403, 5)


def test_reading_5_the_time_is_the_end_of_the_latest_probe_of_the_round() -> None:
    assert round_(bad(0, at=3), bad(0, at=8), ProbeResult(code=200, at=5)).at == 8


def test_reading_6_the_url_is_the_configured_one_as_it_is() -> None:
    url = "HTTP://Example.com:80/a/../b?x=ü#f"
    assert question("id", url, "h", [], down=True) == PartnerQuestion("id", url, 0, "h", 0)


def test_reading_18_the_newest_instant_holds_longer_or_shorter_and_ok_ends_nothing() -> None:
    assert silent_until(None, PartnerAnswer("until", 5)) == 5
    assert silent_until(9, PartnerAnswer("until", 5)) == 5
    assert silent_until(2, PartnerAnswer("until", 5)) == 5
    assert silent_until(9, PartnerAnswer("ok")) == 9
    assert silent_until(None, PartnerAnswer("malformed")) is None


# --- counting -----------------------------------------------------------------------------------------------------


def test_answers_and_oddities_are_counted() -> None:
    counts: dict[str, int] = {}
    for one in (
        PartnerAnswer("ok"),
        PartnerAnswer("ok", oddities=("quoted",)),
        PartnerAnswer("until", 5, ("offset", "clamped")),
    ):
        counts = counted(counts, one)
    assert counts == {"ok": 2, "quoted": 1, "until": 1, "offset": 1, "clamped": 1}
    assert set(counts) <= set(COUNTED)


def test_an_answer_that_was_given_for_another_site_is_not_counted_again() -> None:
    assert counted({"until": 1}, PartnerAnswer("until", 5, shared=True)) == {"until": 1}


def test_the_table_at_the_top_of_the_module_names_every_kind_and_oddity() -> None:
    text = answer.__doc__ or ""
    table = re.findall(r"^    (\w+(?: \w+)?)  ", text, re.MULTILINE)[1:]
    assert [*table, *re.findall(r"`(quoted|offset|clamped)`", text)] == list(COUNTED)
