"""Uptime: what a site's flips and silences make of each day and month."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pingmon.core.flip import Flip, FlipStatus
from pingmon.core.partner.inquiry import PartnerAnswer, PartnerQuestion
from pingmon.core.partner.partner import Partner, PartnerSpec
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Inquiry, Site
from pingmon.core.units import SECOND
from pingmon.core.world.events import Entry, PartnerAnswered
from pingmon.wire.api.uptime import (
    STATES,
    Interval,
    Past,
    Period,
    Span,
    days,
    months,
    silence_now,
    silences,
    tally,
    uptime_json,
)

END = 1000
WINDOW = Period("w", 0, END)


def flips(*changes: tuple[int, FlipStatus]) -> list[Flip]:
    """Flips at so many seconds, given oldest first, as the journal gives them: newest first."""
    olds: list[FlipStatus] = ["new", *(new for _, new in changes)]
    made = [Flip(seq, "s", at * SECOND, olds[seq], new) for seq, (at, new) in enumerate(changes)]
    return made[::-1]


def spans(*changes: tuple[int, FlipStatus], silent: list[Interval] | None = None) -> list[Span]:
    past = Past(END * SECOND)
    past.take(flips(*changes))
    return past.spans(silent or [])


def parts(*changes: tuple[int, FlipStatus], silent: list[Interval] | None = None) -> dict[str, int]:
    """Seconds of the window by state, those with none left out."""
    found = tally(spans(*changes, silent=silent), WINDOW)
    return {state: seconds for state, seconds in found.items() if seconds}


# --- what counts as what ------------------------------------------------------------------------------------------


def test_a_site_that_was_never_looked_at_is_not_watched() -> None:
    """Without flips there is nothing to tell."""
    assert parts() == {"unwatched": 1000}


def test_an_outage_is_down_from_its_first_failure() -> None:
    """The time in which it was only suspect was part of it."""
    assert parts((100, "up"), (400, "suspect"), (400, "down"), (500, "up")) == {
        "up": 800,
        "down": 100,
        "unwatched": 100,
    }


def test_an_outage_overrules_the_doubt_before_its_verdict() -> None:
    """The site was unknown for a while; then it was decided that it had been down all the time."""
    changes: list[tuple[int, FlipStatus]] = [(0, "up"), (400, "suspect"), (450, "unknown"), (400, "down"), (500, "up")]
    assert parts(*changes) == {"up": 900, "down": 100}


def test_a_false_alarm_was_up_all_the_time() -> None:
    """What was suspect counts as what the verdict made of it."""
    assert parts((0, "up"), (400, "suspect"), (410, "up")) == {"up": 1000}


def test_doubt_that_nobody_resolved_counts_for_nothing() -> None:
    """A suspect site that became unknown, was paused, or is still suspect was neither up nor down in that time."""
    assert parts((0, "up"), (400, "suspect"), (500, "unknown"), (600, "up")) == {"up": 800, "unknown": 200}
    assert parts((0, "up"), (400, "suspect"), (500, "paused")) == {"up": 400, "unknown": 100, "unwatched": 500}
    assert parts((0, "up"), (400, "suspect")) == {"up": 400, "unknown": 600}


def test_a_suspicion_older_than_its_outage_is_part_of_it() -> None:
    """When the clock was set in between, the flips do not begin at the same instant."""
    assert parts((0, "up"), (400, "suspect"), (410, "down")) == {"up": 400, "down": 600}


def test_a_paused_site_is_not_watched_until_it_was_looked_at_again() -> None:
    """Resuming alone says nothing about it."""
    assert parts((0, "up"), (100, "paused"), (200, "new"), (300, "up")) == {"up": 800, "unwatched": 200}


def test_a_flip_of_a_clock_that_was_set_back_waits_for_its_time() -> None:
    """What is ahead of now has not been."""
    assert parts((100, "up"), (1100, "paused")) == {"up": 900, "unwatched": 100}


def test_what_is_before_the_flips_that_are_known_is_said_by_the_caller() -> None:
    """If not all were read, it is unknown."""
    assert tally(spans((600, "up")), WINDOW, "unknown")["unknown"] == 600


def test_what_is_after_now_is_not_watched() -> None:
    """A period need not end with what is known."""
    assert tally(spans((0, "up")), Period("w", 900, 1200))["unwatched"] == 200


# --- silences -----------------------------------------------------------------------------------------------------


def test_an_outage_that_the_host_knew_of_is_not_counted() -> None:
    """Only so far as the silence covers it; silent time in which the site was up is up."""
    outage: list[tuple[int, FlipStatus]] = [(0, "up"), (400, "down"), (600, "up")]
    assert parts(*outage, silent=[(450, 550)]) == {"up": 800, "down": 100, "suppressed": 100}
    assert parts(*outage, silent=[(0, 1000)]) == {"up": 800, "suppressed": 200}
    assert parts(*outage, silent=[(0, 400), (600, 1000), (500, 500), (520, 510)]) == {"up": 800, "down": 200}
    assert parts(*outage, silent=[(300, 450), (440, 460), (460, 470), (590, 700)]) == {
        "up": 800,
        "down": 120,
        "suppressed": 80,
    }


def answered(seq: int, at: int, until: int | None) -> Entry:
    answer = PartnerAnswer("ok") if until is None else PartnerAnswer("until", until * SECOND)
    return Entry(seq, at * SECOND, "s", PartnerAnswered("q", "p", answer, 5))


def test_a_newer_instant_replaces_an_older_one() -> None:
    """Whether it is longer or shorter; `ok` leaves it as it is."""
    assert silences([answered(3, 200, 250), answered(2, 150, None), answered(1, 100, 900)]) == [(200, 250), (100, 200)]
    assert silences([answered(2, 200, 250), answered(1, 100, 120)]) == [(200, 250), (100, 120)]
    assert silences([]) == []


SITE = Site("s", "p", SiteSpec(url="http://x"), 1, 0, 400 * SECOND, status="down")
HOST = Partner("h", PartnerSpec(slug="h"), 1, 1, silent_until=900 * SECOND)
ASKING = Inquiry(PartnerQuestion("q", "http://x", 0, "h", 0), "h", Flip(1, "s", 0, "suspect", "down"))


def test_a_silence_of_all_of_a_hosts_sites_covers_the_outage_that_began_in_it() -> None:
    """Not one that users were told of, or that the host is just being asked about, and nothing that is over."""
    assert silence_now(SITE, HOST) == [(400, 900)]
    for site in (replace(SITE, status="up"), replace(SITE, told=True), replace(SITE, inquiry=ASKING)):
        assert silence_now(site, HOST) == []
    assert silence_now(SITE, None) == silence_now(SITE, replace(HOST, silent_until=None)) == []


# --- days and months ----------------------------------------------------------------------------------------------


def test_days_are_those_of_utc_newest_first_and_today_ends_now() -> None:
    """2024-03-01T00:00:05Z, after a leap day."""
    now = 1_709_251_205
    assert days(now * SECOND + 999_999, 3) == [
        Period("2024-03-01", now - 5, now),
        Period("2024-02-29", now - 5 - 86_400, now - 5),
        Period("2024-02-28", now - 5 - 2 * 86_400, now - 5 - 86_400),
    ]
    assert days(now * SECOND, 0) == []


def test_months_are_those_of_utc_newest_first_and_this_one_ends_now() -> None:
    """2024-03-01T00:00:05Z: over the new year, and months of every length."""
    now = 1_709_251_205
    found = months(now * SECOND, 15)
    assert [period.name for period in found[:4]] == ["2024-03", "2024-02", "2024-01", "2023-12"]
    assert [(period.end - period.start) / 86_400 for period in found[1:4]] == [29, 31, 31]
    assert (found[0].end, found[0].start, found[-1].name) == (now, now - 5, "2023-01")


@given(st.integers(0, 4_000_000_000), st.integers(0, 40))
def test_periods_follow_one_another_without_gaps(now: int, count: int) -> None:
    """Each ends where the one after it begins."""
    for periods in (days(now * SECOND, count), months(now * SECOND, count if now > 110_000_000 else 0)):
        ends = [now, *(period.start for period in periods)]
        assert [period.end for period in periods] == ends[:-1]


def test_a_line_of_the_answer() -> None:
    """Uptime is what was up of what was judged; without any there is none."""
    line = uptime_json(tally(spans((0, "up"), (750, "down")), WINDOW), "date", WINDOW)
    assert line == {
        "date": "w", "uptime": 0.75, "up": 750, "down": 250, "suppressed": 0, "unknown": 0, "unwatched": 0,
    }  # fmt: skip
    assert list(line) == ["date", "uptime", *STATES]
    assert uptime_json(tally([], WINDOW), "month", WINDOW)["uptime"] is None


# --- for all histories --------------------------------------------------------------------------------------------

Changes = st.lists(
    st.tuples(st.integers(-50, END + 50), st.sampled_from(["new", "up", "suspect", "down", "unknown", "paused"])),
    max_size=12,
)
Silences = st.lists(st.tuples(st.integers(-50, END + 50), st.integers(-50, END + 50)), max_size=5)


def second_by_second(changes: list[tuple[int, FlipStatus]], silent: list[Interval]) -> dict[str, int]:
    """The same, told one second at a time: the newest flip that speaks of a second decides it."""
    counted: dict[str, int] = dict.fromkeys(STATES, 0)
    for second in range(END):
        state: Any = "unwatched"
        for number, (at, status) in enumerate(changes):
            if at <= second:
                later = changes[number + 1][1] if number + 1 < len(changes) else None
                state = {"new": "unwatched", "paused": "unwatched"}.get(status, status)
                if status == "suspect":
                    state = later if later in ("up", "down") else "unknown"
        if state == "down" and any(start <= second < end for start, end in silent):
            state = "suppressed"
        counted[state] += 1
    return counted


@given(Changes, Silences)
@example([(0, "down"), (10, "up"), (5, "down")], [(3, 7)])
def test_the_parts_are_those_of_counting_every_second(changes: Any, silent: list[Interval]) -> None:
    """And so they add up to the window."""
    found = tally(spans(*changes, silent=silent), WINDOW)
    assert found == second_by_second(changes, silent)
    assert sum(found.values()) == END


@given(Changes, Silences, st.lists(st.integers(0, END), max_size=6))
def test_the_pieces_of_a_window_add_up_to_it(changes: Any, silent: list[Interval], cuts: list[int]) -> None:
    """However it is cut."""
    known = spans(*changes, silent=silent)
    marks = [0, *sorted(cuts), END]
    pieces = [tally(known, Period("", start, end)) for start, end in pairwise(marks)]
    whole = tally(known, WINDOW)
    assert {state: sum(piece[state] for piece in pieces) for state in STATES} == whole


@given(Changes, st.integers(0, 12))
def test_history_may_be_read_page_by_page(changes: Any, first: int) -> None:
    """Two pages say what one would."""
    newest_first = flips(*changes)
    past = Past(END * SECOND)
    past.take(newest_first[:first])
    past.take(newest_first[first:])
    assert past.spans() == spans(*changes)


@given(Changes, Silences)
def test_spans_have_no_gaps(changes: Any, silent: list[Interval]) -> None:
    """From the oldest instant to now, each begins where the one before it ended, and none is empty."""
    known = spans(*changes, silent=silent)
    assert all(one.end == other.start for one, other in pairwise(known))
    assert all(span.start < span.end for span in known)
    assert not known or known[-1].end == END
