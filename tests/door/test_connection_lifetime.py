"""The life of a connection, held against the tables at the top of its module, and walked at random."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pingmon.door import connection_lifetime
from pingmon.door.connection_lifetime import Lifetime, Ticks, Verdict

LIMITS = Ticks(deadline=30, idle=60, linger=2, flush=10)
NOW = 1000


def fresh() -> Lifetime:
    return Lifetime(LIMITS, NOW)


def after(*events: str) -> Lifetime:
    life = fresh()
    for event in events:
        happen(life, event)
    return life


def happen(life: Lifetime, event: str, tick: int = NOW, request: object = 1) -> None:
    doings: dict[str, Callable[[], None]] = {
        "opens": lambda: life.opens(request, tick),
        "whole": lambda: life.whole(request),
        "gone": lambda: life.gone(request),
        "answered": lambda: life.answered(tick),
        "moves": lambda: life.moves(tick),
        "stalls": lambda: life.stalls(tick),
        "flows": life.flows,
        "half_closes": life.half_closes,
        "leaves": life.leaves,
        "cuts_short": life.cuts_short,
        "hurries": life.hurries,
        "refused": lambda: life.refused(tick),
        "closes": lambda: life.closes(tick),
        "turned_out": lambda: life.turned_out(tick),
    }
    doings[event]()


IN_STATE: dict[str, tuple[str, ...]] = {
    "quiet": (),
    "arriving": ("opens",),
    "busy": ("opens", "whole"),
    "stalled": ("stalls",),
    "leaving": ("leaves",),
    "lingering": ("opens", "refused"),
    "closing": ("closes",),
}


def table() -> list[tuple[str, str, str]]:
    """The second table of the module's docstring as (event, state, what the cell says)."""
    lines = [line.split() for line in (connection_lifetime.__doc__ or "").splitlines()]
    head = next(index for index, words in enumerate(lines) if words[:2] == ["event", "quiet"])
    rows = []
    for words in lines[head + 1 :]:
        if not words:
            break
        rows += [(words[0], state, cell) for state, cell in zip(lines[head][1:], words[1:], strict=True)]
    return rows


@pytest.mark.parametrize(("event", "state", "cell"), [row for row in table() if row[2] != "-"])
def test_what_happens_leads_where_the_table_says(event: str, state: str, cell: str) -> None:
    """Cell by cell."""
    life = after(*IN_STATE[state])
    assert life.state() == state
    happen(life, event)
    assert life.state() == (state if cell == "." else cell)


def test_the_table_knows_all_that_can_happen() -> None:
    """Every method that changes the state has its row, but for `moves`, which only counts from when on it is quiet."""
    questions = {"late", "state", "verdict", "stalled", "closing", "leaving", "busy", "drops", "ended"}
    methods = {name for name in dir(Lifetime) if not name.startswith("_")} - questions - {"moves"}
    assert {event for event, _, _ in table()} == methods


@pytest.mark.parametrize(
    ("events", "facts", "verdict", "ticks"),
    [
        ((), {}, Verdict.FINISH, LIMITS.deadline + 1),
        (("opens",), {}, Verdict.CUT, LIMITS.deadline + 1),
        (("opens", "gone"), {}, Verdict.FINISH, LIMITS.deadline + 1),
        (("opens", "whole"), {}, Verdict.STAY, 10**6),
        (("opens", "whole", "answered"), {}, Verdict.FINISH, LIMITS.idle + 1),
        (("opens", "whole", "hurries", "answered"), {}, Verdict.FINISH, 1),
        ((), {"held": True}, Verdict.STAY, 10**6),
        ((), {"sending": True}, Verdict.ABORT, LIMITS.idle + 1),
        (("leaves",), {"sending": True}, Verdict.ABORT, LIMITS.idle + 1),
        (("leaves",), {}, Verdict.FINISH, 0),
        (("half_closes",), {}, Verdict.FINISH, 0),
        (("half_closes",), {"held": True}, Verdict.STAY, 10**6),
        (("opens", "half_closes"), {}, Verdict.CUT, 0),
        (("opens", "half_closes"), {"held": True}, Verdict.CUT, LIMITS.deadline + 1),
        (("opens", "whole", "half_closes"), {}, Verdict.STAY, 10**6),
        (("stalls",), {}, Verdict.ABORT, LIMITS.idle + 1),
        (("opens", "stalls"), {}, Verdict.ABORT, LIMITS.idle + 1),
        (("refused",), {}, Verdict.CLOSE, LIMITS.linger),
        (("refused", "half_closes"), {}, Verdict.CLOSE, 0),
        (("half_closes", "refused"), {}, Verdict.CLOSE, 0),
        (("refused", "closes"), {}, Verdict.CLOSE, 1),
        (("closes",), {}, Verdict.CLOSE, 1),
        (("turned_out",), {}, Verdict.ABORT, 1),
        (("closes", "turned_out"), {}, Verdict.ABORT, 1),
    ],
)
def test_how_long_it_may_last(events: tuple[str, ...], facts: dict[str, bool], verdict: Verdict, ticks: int) -> None:
    """Nothing happens before, and then what the first table says."""
    life = after(*events)
    assert life.verdict(NOW + ticks, **facts) is verdict
    assert ticks in (0, 10**6) or life.verdict(NOW + ticks - 1, **facts) is Verdict.STAY


def test_who_lingers_is_closed_and_then_aborted() -> None:
    """Even if it was closed without an effect, however often."""
    for events, ticks in (("refused",), LIMITS.linger + LIMITS.flush), (("closes",), LIMITS.flush):
        life = after(*events)
        assert life.verdict(NOW + ticks) is Verdict.CLOSE
        life.closes(NOW + ticks)
        assert life.verdict(NOW + ticks + 1) is Verdict.ABORT


def test_only_those_streams_are_late_that_are() -> None:
    """Over HTTP/2 each request has its own deadline, and is cut off alone."""
    life = fresh()
    life.opens("early", NOW)
    life.opens("late", NOW + 20)
    life.opens("early", NOW + 20)  # more of the same request
    assert life.late(NOW + 31) == ["early"]
    life.gone("early")
    assert life.verdict(NOW + 31) is Verdict.STAY
    assert life.late(NOW + 51) == ["late"]


def test_whoever_reads_again_goes_on_where_he_was() -> None:
    """A client that did not read for a while has lost nothing."""
    for state in ("quiet", "arriving", "busy", "leaving"):
        life = after(*IN_STATE[state], "stalls")
        assert life.state() == "stalled"
        life.flows()
        assert life.state() == state


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(sorted({event for event, _, _ in table()} | {"moves"})), st.integers(0, 40), st.booleans()
    )
)


@given(EVENTS)
def test_every_connection_ends(events: list[tuple[str, int, bool]]) -> None:
    """Whatever happens, in whatever order: if then nothing does any more, it is over within all limits together."""
    life, tick = fresh(), NOW
    for event, ticks, other in events:
        tick += ticks
        dropped = life.closing and event in ("opens", "whole")
        if not dropped and (event != "answered" or life.busy):
            happen(life, event, tick, 2 if other else 1)
    while life.busy:
        life.answered(tick)
    last = tick + LIMITS.deadline + LIMITS.idle + LIMITS.linger + 2 * LIMITS.flush + 10
    while (verdict := life.verdict(tick)) is not Verdict.ABORT:
        tick += 1
        assert tick <= last, life.state()
        if verdict is Verdict.CUT:
            for request in life.late(tick):
                life.gone(request)
        elif verdict is not Verdict.STAY:
            life.closes(tick)


@given(EVENTS)
def test_what_is_dropped_stays_dropped(events: list[tuple[str, int, bool]]) -> None:
    """Nothing brings a connection back that is closing, and its end only comes nearer."""
    life = after("closes")
    for event, _, other in events:
        happen(life, event, NOW, 2 if other else 1)
        assert life.drops
        assert life.state() in ("closing", "lingering")
    assert life.verdict(NOW + LIMITS.flush + 1) is Verdict.ABORT


def test_states_and_verdicts_are_those_of_the_first_table() -> None:
    """No state without a row, no row without a state, in the same order."""
    rows = re.findall(
        r"^    (\w+) +.*(?:STAY|CUT|FINISH|CLOSE|ABORT)\b", connection_lifetime.__doc__ or "", re.MULTILINE
    )
    assert rows == list(get_args(connection_lifetime.State))
