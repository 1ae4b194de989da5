"""Tests of what a partner's reply means, from its bytes (`wire.partner_webhook`) to `core.partner.inquiry`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pingmon.core.partner.inquiry import COUNTED, PartnerAnswer, judged
from pingmon.core.units import SECOND
from pingmon.wire.partner_webhook import BODY_MAX, EXCERPT_MAX, read_reply

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT = datetime(2017, 11, 5, 13, 15, 30, tzinfo=UTC)
T = (AT - EPOCH) // timedelta(seconds=1) * SECOND
NOW = T - 3600 * SECOND
DAY_S = 86_400


def said(body: bytes, *, status: int = 200, now: int = NOW, max_s: int = DAY_S) -> PartnerAnswer:
    return judged(read_reply(status, body), now, max_s)


# --- the answer, by the table in the module -----------------------------------------------------------------------


def test_the_seeds_own_instant() -> None:
    """An HTTP 200 with `2017-11-05T13:15:30Z` is silence until then."""
    assert said(b"2017-11-05T13:15:30Z") == PartnerAnswer("until", T)


def test_the_seeds_own_ok() -> None:
    assert said(b"ok") == PartnerAnswer("ok")


@pytest.mark.parametrize("now", [T, T + 1, T + 10**15, T - 60 * SECOND])
def test_reading_16_an_instant_that_is_past_or_at_most_60_s_ahead_has_expired(now: int) -> None:
    assert said(b"2017-11-05T13:15:30Z", now=now) == PartnerAnswer("expired", detail="said: 2017-11-05T13:15:30Z")


def test_reading_16_a_moment_more_than_60_s_ahead_is_a_time_to_come() -> None:
    assert said(b"2017-11-05T13:15:30Z", now=T - 60 * SECOND - 1) == PartnerAnswer("until", T)


def test_reading_17_an_instant_too_far_ahead_is_cut_to_what_the_partner_may_ask_for() -> None:
    assert said(b"2999-01-01T00:00:00Z", max_s=600) == PartnerAnswer("until", NOW + 600 * SECOND, ("clamped",))
    assert said(b"2017-11-05T13:15:30Z", max_s=3600) == PartnerAnswer("until", T)
    assert said(b"2017-11-05T13:15:30Z", max_s=3599) == PartnerAnswer("until", T - SECOND, ("clamped",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"ok.",
        b"okay",
        b"o k",
        b"yes",
        b"null",
        b"1509887730",
        b'{"until":"2017-11-05T13:15:30Z"}',
        b"<html>2017-11-05T13:15:30Z</html>",
        b"2017-11-05T13:15:30Z 2017-11-05T13:15:30Z",
        b"2017-11-05T13:15:30Z\nok",
        b"\xff\xfeo\x00k\x00",
        b"\xc3\x28",
        b"ok\x00",
        b'"',
        b'""',
        b'"ok',
        b"'ok'",
        b'""ok""',
        b"o" * BODY_MAX,
    ],
)
def test_reading_19_anything_else_is_malformed_and_does_not_silence(body: bytes) -> None:
    assert (said(body).kind, said(body).until) == ("malformed", None)


def test_reading_19_an_answer_that_is_too_long_is_malformed_whatever_it_begins_with() -> None:
    assert said(b"ok" + b" " * (BODY_MAX - 2)) == PartnerAnswer("ok")
    assert said(b"ok" + b" " * (BODY_MAX - 1)) == PartnerAnswer("malformed", detail=f"more than {BODY_MAX} bytes")


def test_reading_19_the_beginning_of_a_malformed_answer_is_kept_without_what_could_disturb_a_page() -> None:
    assert said(b"no\x1b[31m \xff\n!").detail == "said: no?[31m \ufffd?!"
    assert said(b"x" * 500).detail == "said: " + "x" * EXCERPT_MAX
    assert said(b"").detail == "said nothing"


@pytest.mark.parametrize(
    "body", [b"OK", b"Ok", b"ok\n", b" ok ", b"\r\nok\r\n", b"\xef\xbb\xbfok", b" \xef\xbb\xbf ok\t"]
)
def test_reading_20_case_space_and_byte_order_mark_do_not_matter(body: bytes) -> None:
    assert said(body) == PartnerAnswer("ok")


@pytest.mark.parametrize("body", [b" 2017-11-05T13:15:30Z\n", b"\xef\xbb\xbf2017-11-05T13:15:30Z"])
def test_reading_20_nor_do_they_around_an_instant(body: bytes) -> None:
    assert said(body) == PartnerAnswer("until", T)


def test_reading_21_one_pair_of_quotes_is_understood_and_counted() -> None:
    assert said(b'"2017-11-05T13:15:30Z"\n') == PartnerAnswer("until", T, ("quoted",))
    assert said(b'"ok"') == PartnerAnswer("ok", oddities=("quoted",))
    assert said(b'""2017-11-05T13:15:30Z""').kind == "malformed"


@pytest.mark.parametrize(
    ("body", "until"),
    [
        (b"2017-11-05T13:15:30z", T),
        (b"2017-11-05t13:15:30Z", T),
        (b"2017-11-05T13:15:30+00:00", T),
        (b"2017-11-05T13:15:30.5Z", T + SECOND // 2),
        (b"2017-11-05T13:15:30.1234567899Z", T + 123_456),
        (b"2017-11-05T13:15:30.000+00:00", T),
    ],
)
def test_reading_22_utc_however_it_is_written_and_fractions_are_good(body: bytes, until: int) -> None:
    assert said(body) == PartnerAnswer("until", until)


@pytest.mark.parametrize(
    "body",
    [
        b"2017-11-05T14:15:30+01:00",
        b"2017-11-05T08:15:30-05:00",
        b"2017-11-05T18:45:30+05:30",
        b"2017-11-06T13:14:30+23:59",
        b"2017-11-05T13:15:30-00:00",
    ],
)
def test_reading_22_another_zone_is_converted_and_counted(body: bytes) -> None:
    assert said(body) == PartnerAnswer("until", T, ("offset",))


@pytest.mark.parametrize(
    "text",
    [
        "2017-11-05T13:15:30",
        "2017-11-05 13:15:30Z",
        "2017-11-05",
        "2017-11-05Z",
        "2017-11-05T13:15Z",
        "2017-11-05T13Z",
        "20171105T131530Z",
        "2017-11-05T131530Z",
        "2017-W44-7T13:15:30Z",
        "2017-309T13:15:30Z",
        "2017-11-05T13:15:30,5Z",
        "2017-11-05T13:15:30.Z",
        "2017-11-05T13:15:30+0100",
        "2017-11-05T13:15:30+01",
        "2017-11-05T13:15:30+24:00",
        "2017-11-05T13:15:30+01:60",
        "2017-11-05T13:15:30 Z",
        "2017-11-05T13:15:30UTC",
        "2017-11-05T13:15:30Z/PT1H",
        "17-11-05T13:15:30Z",
        "+2017-11-05T13:15:30Z",
        "2017-1-5T13:15:30Z",
        "2017-13-05T13:15:30Z",
        "2017-02-29T13:15:30Z",
        "0000-11-05T13:15:30Z",
        "٢٠١٧-11-05T13:15:30Z",
        "Sun, 05 Nov 2017 13:15:30 GMT",
    ],
)
def test_reading_22_what_is_no_full_instant_with_a_zone_is_malformed(text: str) -> None:
    assert said(text.encode()) == PartnerAnswer("malformed", detail=f"said: {text}")


@pytest.mark.parametrize("time", ["23:59:60", "24:00:00", "13:15:61", "25:00:00", "13:60:00"])
def test_reading_23_leap_seconds_and_the_24th_hour_are_malformed(time: str) -> None:
    assert said(f"2017-11-05T{time}Z".encode()).kind == "malformed"


@pytest.mark.parametrize("status", [100, 201, 202, 204, 301, 302, 304, 400, 404, 410, 429, 500, 503, 0, 299])
@pytest.mark.parametrize("body", [b"ok", b"2017-11-05T13:15:30Z", b""])
def test_reading_24_with_any_other_status_nothing_is_acknowledged(status: int, body: bytes) -> None:
    assert said(body, status=status) == PartnerAnswer("refused", detail=f"status {status}")


# --- properties ---------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [b"2017", b"-", b"11", b"05", b"T", b":", b"30", b"Z", b"+", b"ok", b'"', b".", b" ", b"\xef\xbb\xbf"]
)
TIMES = st.integers(-(2**53), 2**53)


@given(st.integers(0, 999), st.binary() | st.lists(PIECES).map(b"".join), TIMES, st.integers(60, 604_800))
@example(200, b"9999-12-31T23:59:59-23:59", NOW, 60)
@example(200, b"0001-01-01T00:00:00+23:59", NOW, 60)
def test_no_answer_whatever_raises_and_only_an_instant_silences(status: int, body: bytes, now: int, max_s: int) -> None:
    found = judged(read_reply(status, body), now, max_s)
    assert found.kind in COUNTED
    assert (found.until is not None) == (found.kind == "until")
    if found.until is not None:
        assert status == 200
        assert now + min(60, max_s - 1) * SECOND < found.until <= now + max_s * SECOND


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)),  # noqa: DTZ001 -- the zones are drawn apart
    st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)),
)
def test_an_instant_means_the_same_in_every_zone(moment: datetime, ahead: timedelta) -> None:
    zone = timezone(timedelta(minutes=ahead // timedelta(minutes=1)))
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    expected = (local - EPOCH) // timedelta(microseconds=1)
    found = judged(read_reply(200, local.isoformat().encode()), expected - 120 * SECOND, 604_800)
    assert (found.kind, found.until) == ("until", expected)
    assert ("offset" in found.oddities) == bool(zone.utcoffset(None))
