"""What a ping request means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.core.check.check import Status
from pingmon.core.check.ping import is_text, mail_meaning, meaning
from pingmon.core.check.settings import CheckSpec
from pingmon.core.world.events import Signal


def means(body: bytes = b"", *, action: Signal = "success", method: str = "POST", **spec: Any) -> Signal:
    return meaning(CheckSpec(**spec), "up", action, None, method, body)


@pytest.mark.parametrize(("exitstatus", "signal"), [(0, "success"), (1, "fail"), (255, "fail")])
def test_an_exit_status_other_than_zero_is_a_failure(exitstatus: int, signal: Signal) -> None:
    """The number overrides the action."""
    assert meaning(CheckSpec(), "up", "success", exitstatus, "GET", b"") == signal


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_check_that_takes_only_post_ignores_other_methods(method: str) -> None:
    """Link previews must not count as success, whatever the URL or the body says."""
    assert means(b"ok", method=method, methods="POST", filter_http_body=True, success_kw="ok") == "ign"
    assert means(method="POST", methods="POST") == "success"


def test_keywords_replace_the_action_failure_first() -> None:
    """Failure beats success beats start; none of them is ignored, or a failure if so wished."""
    filters: dict[str, Any] = {
        "filter_http_body": True,
        "failure_kw": "ERR, bad",
        "success_kw": "ok",
        "start_kw": "begin",
    }
    assert means(b"ok bad", **filters) == "fail"
    assert means(b"ok begin", action="fail", **filters) == "success"
    assert means(b"begin", **filters) == "start"
    assert means(b"err", action="start", **filters) == "ign"
    assert means(b"err", **filters, filter_default_fail=True) == "fail"


def test_empty_keywords_match_nothing() -> None:
    """Stray commas and blanks are no keywords."""
    assert means(b"anything", filter_http_body=True, success_kw=" , ,") == "ign"


def test_bytes_that_are_no_text_are_matched_all_the_same() -> None:
    """An undecodable byte is never an error and never hides a keyword."""
    assert means(b"\xff\xfe ok", filter_http_body=True, success_kw="ok") == "success"


@pytest.mark.parametrize(("status", "signal"), [("paused", "ign"), ("up", "fail")])
def test_a_paused_check_with_manual_resume_ignores_everything(status: Status, signal: Signal) -> None:
    """Rule four comes last and wins."""
    assert meaning(CheckSpec(manual_resume=True), status, "fail", None, "GET", b"") == signal
    assert meaning(CheckSpec(), "paused", "success", None, "GET", b"") == "success"


@given(text=st.text(max_size=50), cut=st.integers(0, 200))
def test_text_stays_text_wherever_it_is_cut(text: str, cut: int) -> None:
    """A character severed by the limit does not make a body binary."""
    body = text.encode()
    assert is_text(body, cut=False)
    assert is_text(body[:cut], cut=len(body) > cut)


@pytest.mark.parametrize("body", [b"\xff", b"ok \xc3", b"\xe2\x82", b"\xed\xa0\x80"])
def test_what_is_not_utf_8_is_not_text(body: bytes) -> None:
    """Severed characters count only where the body was cut."""
    assert not is_text(body, cut=False)


@given(text=st.text(min_size=2, max_size=50), rest=st.integers(1, 3))
def test_the_end_of_a_text_is_text_wherever_it_begins(text: str, rest: int) -> None:
    """`tail -c` cuts the first character in two, and what is left of an output says why the job failed."""
    assert is_text(text[0].encode()[-rest:] + text[1:].encode(), cut=False)


@pytest.mark.parametrize("body", [b"\x80", b"\xbf\x80", b"\x80\x80\x80\x80ok", b"\xff\x80ok", b"\x80ok\xff"])
def test_more_than_one_severed_character_is_not_text(body: bytes) -> None:
    """Nor is nothing but such bytes."""
    assert not is_text(body, cut=False)


def test_a_cut_does_not_excuse_bad_bytes_before_it() -> None:
    """Only the last character may be incomplete."""
    assert is_text(b"\xe2\x82", cut=True)
    assert not is_text(b"\xff\xe2\x82", cut=True)


@pytest.mark.parametrize(
    ("spec", "signal"),
    [
        ({}, "success"),
        ({"filter_http_body": True, "failure_kw": "bad", "methods": "POST"}, "success"),
        ({"filter_subject": True, "failure_kw": "bad", "success_kw": "ok"}, "success"),
        ({"filter_body": True, "failure_kw": "bad", "success_kw": "ok"}, "fail"),
        ({"filter_body": True, "success_kw": "ok"}, "ign"),
        ({"filter_body": True, "filter_subject": True, "start_kw": "ok\nbad"}, "start"),
        ({"filter_subject": True, "failure_kw": "bad", "filter_default_fail": True}, "fail"),
    ],
)
def test_a_mail_is_a_success_but_for_what_its_filters_find(spec: dict[str, Any], signal: Signal) -> None:
    """In the subject, in the text or in both; what is about HTTP has no say."""
    assert mail_meaning(CheckSpec(**spec), "up", "ok", "bad") == signal
    assert mail_meaning(CheckSpec(**spec, manual_resume=True), "paused", "ok", "bad") == "ign"
