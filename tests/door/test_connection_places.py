"""How many connections there may be."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs

from pingmon.door.connection_places import RESERVE, ConnectionPlaces, affordable, make_room


@pytest.mark.parametrize(
    ("wanted", "descriptors", "taken"),
    [
        (10_000, 65_536, 10_000),
        (10_000, resource.RLIM_INFINITY, 10_000),
        (10_000, 1024, 1024 - RESERVE),
        (10_000, 100, 50),
        (10, 100, 10),
        (10_000, 1, 1),
    ],
)
def test_open_files(wanted: int, descriptors: int, taken: int) -> None:
    """No more connections than the limit of open files allows, with a reserve; the operator is told once."""
    with capturedLogs() as logged:
        assert affordable(wanted, descriptors) == taken
    assert [event["log_level"] for event in logged] == ([] if taken == wanted else [LogLevel.warn])


def test_files_for_probes_are_left_out() -> None:
    """Connections of callers leave room for what the daemon itself opens, but never less than half is theirs."""
    assert affordable(10_000, 4096, others=1100) == 4096 - RESERVE - 1100
    assert affordable(10_000, 1024, others=5000) == 512


def test_limit_of_this_process() -> None:
    """Without a number, the process's own limit is asked for."""
    assert affordable(1) == 1


def test_the_limit_is_raised_as_far_as_is_needed_and_may_be() -> None:
    """It is never lowered."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = before[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        make_room(100, 100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200 + RESERVE
        make_room(1, 1)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200 + RESERVE
        if hard != resource.RLIM_INFINITY:
            make_room(hard, 0)
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "a", "b", "c"])), max_size=200))
def test_places_never_run_over(moves: list[tuple[bool, str]]) -> None:
    """Whatever comes and goes: never more than the limit, nobody over the free places, and counts come back to 0."""
    places = ConnectionPlaces(7)
    held: list[str] = []
    for come, group in moves:
        if come:
            free, had = 7 - len(held), held.count(group)
            taken = places.take(group)
            assert taken == (free > 0 and (group == "" or had < free))
            held += [group] * taken
        elif group in held:
            places.leave(group)
            held.remove(group)
        assert places.taken == len(held)
    for group in held:
        places.leave(group)
    assert (places.taken, places._held) == (0, {})
