"""Tests of `pingmon.timing.deadline_heap`: what is due comes up once, in order, at its newest instant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pingmon.timing.deadline_heap import DeadlineHeap


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 100) | st.none()), max_size=300),
    st.integers(0, 100),
)
def test_what_comes_up_is_the_newest_instant_of_each_site_and_in_order(
    steps: list[tuple[str, int | None]], now: int
) -> None:
    agenda, wanted = DeadlineHeap(), dict[str, int]()
    for site, due in steps:
        if due is None:
            agenda.drop(site)
            wanted.pop(site, None)
        else:
            agenda.put(site, due)
            wanted[site] = due
    assert len(agenda) == len(wanted)
    assert sorted(agenda.due(now), key=lambda found: found[::-1]) == sorted(
        ((site, due) for site, due in wanted.items() if due <= now), key=lambda found: found[::-1]
    )
    assert list(agenda.due(now)) == []
    assert all((site in agenda) == (due > now) for site, due in wanted.items())


def test_it_comes_up_in_the_order_of_time() -> None:
    agenda = DeadlineHeap()
    for site, due in (("a", 3), ("b", 1), ("c", 2)):
        agenda.put(site, due)
    assert [site for site, _ in agenda.due(3)] == ["b", "c", "a"]


def test_nothing_comes_up_any_more_once_it_is_cleared() -> None:
    agenda = DeadlineHeap()
    agenda.put("a", 1)
    agenda.clear()
    assert list(agenda.due(9)) == []
