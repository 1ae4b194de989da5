"""Tests of `pingmon.timing.deadline_heap`: what is due comes up once, in order, at its newest instant."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pingmon.timing.deadline_heap import DeadlineHeap

keys = st.sampled_from("abcde")
instants = st.integers(0, 50)


class Heap(RuleBasedStateMachine):
    """Does what a dictionary does that is searched each time, and keeps no more than it promises."""

    def __init__(self) -> None:
        super().__init__()
        self.heap = DeadlineHeap()
        self.wanted: dict[str, int] = {}

    @rule(key=keys, due=instants)
    def put(self, key: str, due: int) -> None:
        self.heap.put(key, due)
        self.wanted[key] = due

    @rule(key=keys, due=instants)
    def put_earlier(self, key: str, due: int) -> None:
        self.heap.put_earlier(key, due)
        self.wanted[key] = min(due, self.wanted.get(key, due))

    @rule(key=keys)
    def drop(self, key: str) -> None:
        self.heap.drop(key)
        self.wanted.pop(key, None)

    @rule(due=st.dictionaries(keys, instants))
    def refill(self, due: dict[str, int]) -> None:
        self.heap.refill(dict(due))
        self.wanted = due

    @rule(key=keys, times=st.integers(1, 100))
    def hurry(self, key: str, times: int) -> None:
        """One key moves forward many times."""
        for due in range(times, 0, -1):
            self.put(key, due)

    @rule(now=instants)
    def pop(self, now: int) -> None:
        at, key = min(((at, key) for key, at in self.wanted.items() if at <= now), default=(0, ""))
        self.wanted.pop(key, None)
        assert self.heap.pop(now) == ((key, at) if key else None)

    @rule(now=instants)
    def due(self, now: int) -> None:
        due = sorted((at, key) for key, at in self.wanted.items() if at <= now)
        assert [(at, key) for key, at in self.heap.due(now)] == due
        for _, key in due:
            del self.wanted[key]

    @invariant()
    def knows_what_is_due(self) -> None:
        assert {key: self.heap.get(key) for key in self.heap} == self.wanted
        assert len(self.heap) == len(self.wanted)
        assert all(key in self.heap for key in self.wanted)
        assert self.heap.first() == min(((at, key) for key, at in self.wanted.items()), default=(0, None))[1]

    @invariant()
    def stays_small(self) -> None:
        assert len(self.heap._heap) <= 2 * max(5, len(self.wanted)) + 64


TestHeap = Heap.TestCase


def test_what_is_put_while_the_due_come_up_comes_up_too() -> None:
    heap = DeadlineHeap()
    heap.put("a", 1)
    found = []
    for key, at in heap.due(3):
        found.append((key, at))
        heap.put("a", at + 1)
    assert found == [("a", 1), ("a", 2), ("a", 3)]
