"""Tests of `pingmon.wire.probe.cookies`: what is kept of a stranger's cookies, and who gets it back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.testing import START as NOW
from pingmon.wire.probe.cookies import COOKIE_MAX, COOKIES_MAX, Cookies


def kept(*given: str, host: str = "h.example", secure: bool = False) -> str:
    """What is sent back to `host` of what h.example gave."""
    cookies = Cookies()
    cookies.take("h.example", given, NOW)
    return cookies.header(host, secure=secure)


def test_cookies_go_back_to_the_host_that_gave_them_and_to_no_other() -> None:
    assert kept("a=1; Path=/x; HttpOnly; SameSite=Lax", "b=2") == "a=1; b=2"
    assert kept("a=1; Domain=example", host="www.h.example") == ""


def test_the_newest_of_one_name_counts_and_one_that_has_run_out_takes_it_away() -> None:
    assert kept("a=1", "b=2", "a=3") == "b=2; a=3"
    past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT", "expires=Thu, 01-Jan-70 00:00:01 GMT"
    for gone in ("Max-Age=0", "max-age=-1", *past):
        assert kept("a=1", "b=2", f"a=deleted; Path=/; {gone}") == "b=2"
    for stays in ("Max-Age=60", "Max-Age=x", "Expires=Fri, 01 Jan 2100 00:00:00 GMT", "Expires=soon", "Expires"):
        assert kept(f"a=1; {stays}") == "a=1"


def test_one_that_is_for_tls_goes_over_tls_only() -> None:
    assert kept("a=1; Secure", "b=2") == "b=2"
    assert kept("a=1; Secure", "b=2", secure=True) == "a=1; b=2"


def test_what_is_no_cookie_is_passed_over() -> None:
    assert kept("", "=x", "a", "a b=1", "a=\r\nX: y", "a=\xe9", "a=\0", ";", "x=" + "y" * COOKIE_MAX) == ""


def test_so_many_are_kept_and_no_more_and_none_shows_itself() -> None:
    cookies = Cookies()
    cookies.take("h.example", (f"n{number}=secret" for number in range(100)), NOW)
    sent = cookies.header("h.example", secure=False).split("; ")
    assert sent == [f"n{number}=secret" for number in range(100 - COOKIES_MAX, 100)]
    assert repr(cookies) == f"<{COOKIES_MAX} cookies>"


@given(st.lists(st.text(max_size=60) | st.text("ab=; \texpirsmxag-0123456789", max_size=60), max_size=40))
def test_nothing_that_is_given_breaks_the_request(given: list[str]) -> None:
    sent = kept(*given)
    assert sent.isascii()
    assert sent.isprintable()
