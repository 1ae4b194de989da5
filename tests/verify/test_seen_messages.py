"""Tests of `pingmon.verify.seen_messages`: what has been taken is known until it could not be accepted any more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.verify.seen_messages import SeenMessages


def test_what_was_taken_is_known_until_its_last_second_is_over() -> None:
    taken = SeenMessages()
    taken.add("late", 20)
    taken.add("early", 10)
    for now, known in ((10, {"early", "late"}), (11, {"late"}), (20, {"late"}), (21, set())):
        taken.forget(now)
        assert {id for id in ("early", "late") if id in taken} == known
        assert len(taken) == len(known)


def test_when_it_is_full_nothing_is_forgotten_early() -> None:
    taken = SeenMessages(limit=2)
    taken.add("a", 10)
    assert not taken.full
    taken.add("b", 11)
    taken.forget(10)
    assert taken.full
    taken.forget(11)
    assert not taken.full
    assert "b" in taken


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))))
def test_it_never_forgets_what_could_be_accepted_and_never_keeps_the_rest(steps: list[tuple[int, int]]) -> None:
    """However time and messages come."""
    taken, lasts, now = SeenMessages(), dict[str, int](), 0
    for number, (later, last) in enumerate(steps):
        now = max(now, later)
        taken.forget(now)
        taken.add(str(number), last)
        lasts[str(number)] = last
        taken.forget(now)
        assert {id for id in lasts if id in taken} == {id for id, end in lasts.items() if end >= now}
