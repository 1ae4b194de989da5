"""Who is told of a site and when, held against the table at the top of `pingmon.core.site.escalation`."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from pingmon.core.flip import Flip
from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Partner, PartnerSpec
from pingmon.core.site import escalation as telling
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import PartnerSilence, Site
from pingmon.core.site.verdict import Round
from pingmon.core.units import HOUR, MINUTE
from pingmon.testing import bad, good
from tests.core.worlds import HOOK, S1, T0, URL, A, B, P

NOT_SILENT, SILENT, NOBODY = "partner to ask, and not silent", "silent by its word", "none to ask"
DOWN = Flip(7, S1, T0, "suspect", "down", "verdict", T0, code=503, looks=(bad(), bad("berlin")))
UP = Flip(9, S1, T0 + MINUTE, "down", "up", "verdict", T0, code=200, looks=(good(at=T0 + MINUTE),))
FAILS = Round((bad(), bad("berlin"), bad("tokyo")), 2, 2)


def site(*, told: bool = False, silent: bool = False, asked: bool = False) -> Site:
    """A site that went down at T0."""
    return Site(
        S1,
        P,
        SiteSpec(url=URL, host="a"),
        born=1,
        created=T0,
        since=T0,
        status="down",
        told=told,
        partner_told=A if asked else None,
        silence=PartnerSilence(A, T0 + HOUR) if silent else None,
    )


def partner(*, users: bool = True, webhook: str = HOOK) -> Partner:
    """The site's host; `users`: it may silence them too."""
    return Partner(A, PartnerSpec(slug="a", webhook=webhook, suppress_users=users), 1, T0)


# --- the table ----------------------------------------------------------------------------------------------------


def table() -> list[tuple[str, str, str]]:
    """The table as (news, column, what the cell says); a cell of a row that has but one stands in all columns."""
    assert telling.__doc__ is not None
    lines = [line.strip() for line in telling.__doc__.splitlines()]
    head = next(index for index, line in enumerate(lines) if line.startswith("news "))
    columns = re.split(r"\s{2,}", lines[head])[1:]
    rows = [re.split(r"\s{2,}", line) for line in lines[head + 1 : lines.index("", head)]]
    return [(row[0], column, row[min(place, len(row) - 1)]) for row in rows for place, column in enumerate(columns, 1)]


def went_down(column: str) -> str:
    """In the table's words, what happens when a site goes down."""
    host = None if column == NOBODY else partner()
    after, tell = telling.went_down(site(silent=column == SILENT), DOWN, host, T0)
    if after.inquiry is not None:
        answers = (PartnerAnswer("ok"), PartnerAnswer("no answer"), PartnerAnswer("until", T0 + HOUR))
        told = [telling.answered(after, host, f"{S1}_7", answer, T0)[1] is not None for answer in answers]
        assert (tell, told) == (False, [True, True, False])
        return "asked; then users by its answer"
    left, anyway = telling.went_down(site(silent=column == SILENT), DOWN, host and partner(users=False), T0)
    assert (anyway, left.told) == (True, True)
    assert after.told == tell
    return "users" if tell else "users only if it leaves them"


def came_back(column: str) -> str:
    """In the table's words, what happens when it is up again."""
    host = None if column == NOBODY else partner()
    words = set()
    for told in (True, False):
        back = replace(site(told=told, silent=column == SILENT, asked=True), status="up")
        after, tell = telling.came_back(back, UP, host, T0 + MINUTE)
        if after.inquiry is None:
            words.add("users if told")
            ends = [(after, UP if tell else None)]
        else:
            words.add("asked; then users if told")
            assert (tell, after.told) == (False, told)
            answers = (PartnerAnswer("ok"), PartnerAnswer("refused"), PartnerAnswer("until", T0 + HOUR))
            ends = [telling.answered(after, host, f"{S1}_9", answer, T0) for answer in answers]
        for end, news in ends:
            assert (end.told, end.partner_told, end.inquiry) == (False, None, None)
            assert news == (UP if told else None)
    (word,) = words
    return word


def still_down(column: str) -> str:
    """In the table's words, what happens while it stays down and its users do not know."""
    host = None if column == NOBODY else partner()
    it = site(silent=column == SILENT)
    over = T0 + HOUR if column == SILENT else T0
    assert telling.overdue(it, host, over)
    assert telling.overdue(it, host, over - 1) is (column != SILENT)
    assert telling.still_down(it, 8, Round((good(),)), host) is None
    news = telling.still_down(it, 8, FAILS, host)
    assert news is not None
    assert replace(news, known_until=None) == replace(DOWN, seq=8, looks=FAILS.looks)
    assert news.known_until == (over if column == SILENT else None)
    after, tell = telling.went_down(it, news, host, over)
    assert (after.inquiry is not None, tell) == ((False, True) if column == NOBODY else (True, False))
    return "(the same, once the silence is over and a fresh look says so)"


@pytest.mark.parametrize(("news", "column", "cell"), table())
def test_every_cell_of_the_table_is_what_the_code_does(news: str, column: str, cell: str) -> None:
    """The table at the top of the module is true."""
    done = {"goes down": went_down, "still down after": still_down, "comes back": came_back}[news]
    assert done(column) == cell


def test_the_table_has_all_news_and_all_columns() -> None:
    """Else a row that was lost would not be missed."""
    assert len(table()) == 9
    assert {column for _, column, _ in table()} == {NOT_SILENT, SILENT, NOBODY}


# --- silence ------------------------------------------------------------------------------------------------------


def test_a_silence_is_that_of_the_partner_who_asked_for_it_as_long_as_it_can_be_asked() -> None:
    """Another host, or one without a webhook, has asked for nothing; the longer of site's and partner's counts."""
    it = site(silent=True)
    assert telling.silent_until(it, partner()) == T0 + HOUR
    assert telling.silent_until(it, replace(partner(), id=B)) == 0
    assert telling.silent_until(it, partner(webhook="")) == 0
    assert telling.silent_until(it, None) == 0
    assert telling.silent_until(it, replace(partner(), silent_until=T0 + 2 * HOUR)) == T0 + 2 * HOUR
    assert telling.silent_until(it, replace(partner(), silent_until=T0)) == T0 + HOUR
    assert telling.silent_until(site(), replace(partner(), silent_until=T0)) == T0


def test_users_are_overdue_to_be_told_only_of_an_outage_that_they_and_nobody_else_wait_for() -> None:
    """Not while the partner is asked, nor once they know, nor when nothing is wrong."""
    assert telling.overdue(site(), partner(), T0)
    assert not telling.overdue(site(told=True), partner(), T0)
    assert not telling.overdue(replace(site(), status="unknown"), partner(), T0)
    assert not telling.overdue(telling.went_down(site(), DOWN, partner(), T0)[0], partner(), T0)
    assert not telling.overdue(site(silent=True), partner(), T0)
    assert telling.overdue(site(silent=True), partner(users=False), T0)
    assert telling.overdue(site(silent=True), None, T0)


@pytest.mark.parametrize(
    ("seen", "confirmed"),
    [
        (FAILS, True),
        (Round((bad(),)), True),
        (Round((good(),)), False),
        (Round((bad(), bad("berlin"), good("tokyo")), 2, 2), False),
        (Round((bad(), bad("berlin"), bad("tokyo"), good("oslo")), 3, 2), True),
        (Round((bad(), bad("berlin")), 2, 2), True),
        (Round((bad(), bad("berlin", fault="void"), bad("tokyo", fault="void")), 2, 2), True),
        (Round((bad(), good("berlin"), bad("tokyo", fault="void")), 2, 2), False),
        (Round((bad(),), 2, 2), True),
        (Round((bad("berlin"), bad("tokyo")), 2, 2), False),
        (Round((bad(fault="void"), bad("berlin"), bad("tokyo")), 2, 2), False),
        (Round(()), False),
        (Round((bad(fault="void"),)), False),
    ],
)
def test_a_fresh_look_confirms_an_outage_as_a_verdict_does_or_alone_where_nobody_contradicts(
    seen: Round, confirmed: bool
) -> None:
    """What was down for three looks needs no three looks more, and verifiers that cannot look are no reason to wait."""
    assert (telling.still_down(site(), 8, seen, None) is not None) is confirmed
