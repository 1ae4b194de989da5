"""History is read from the index and off the reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from pingmon.core.events import Draft, Event, Id, PingReceived, SiteProbed
from pingmon.journal.reading import read_events

BEGIN = 1_700_000_000_000_000


@pytest.mark.parametrize("kind", [PingReceived, SiteProbed])
def test_entries_of_one_kind_are_found_in_the_index_alone(
    pen: Callable[..., Any], stream: Callable[[int], Id], kind: type[Event]
) -> None:
    book = pen()
    book.write(*[Draft(BEGIN, stream(1), kind())] * 3)
    db = book.writer.reader()
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    assert len(read_events(db, stream(1), kind, 3, 2)) == 2
    db.set_trace_callback(None)
    for sql in asked:
        plan = [detail.decode() for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert plan[-1] == "SEARCH event USING COVERING INDEX event_by_stream (stream=? AND seq<?)"
        assert not any("SCAN" in step or "TEMP" in step for step in plan), plan
    assert len(asked) == 1


@ensureDeferred
async def test_nothing_is_read_before_the_reactor_goes_on(disk: Any, stream: Callable[[int], Id]) -> None:
    journal = disk.journal()
    await journal.append(Draft(BEGIN, stream(1), SiteProbed()))
    reads = [
        journal.events(stream(1), SiteProbed, upto=1),
        journal.flips(stream(1), upto=1),
        journal.entries(stream(1)),
    ]
    assert not any(read.called for read in reads)
    assert [len(found) for found in await gatherResults(reads)] == [1, 0, 1]
