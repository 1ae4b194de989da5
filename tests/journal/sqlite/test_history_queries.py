"""History is read by the places of entries, those that have none yet included, and off the reactor's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults

from pingmon.core.units import Id
from pingmon.core.world.events import Draft, Entry, PingReceived, SiteProbed
from pingmon.journal.sqlite.history_queries import read_entries, read_events, read_newest
from pingmon.journal.sqlite.schema import connect, transaction
from pingmon.journal.sqlite.stream_index import NewestEntries
from pingmon.testing import START

READS: dict[str, Callable[[sqlite3.Connection, Id], list[Entry]]] = {
    "history": lambda db, stream: read_events(db, stream, PingReceived, 9, 2, 1),
    "entries": lambda db, stream: read_entries(db, stream, 1, 5),
    "newest": lambda db, stream: read_newest(db, stream, 5),
}


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("read", READS)
def test_entries_of_one_stream_are_found_by_their_places_and_among_the_newest(
    pen: Callable[..., Any], stream: Callable[[int], Id], read: str, keeps: bool
) -> None:
    """Nothing is sorted, and no table is read from end to end but the one of one row.

    A connection that is kept has an index of the newest.
    """
    book = pen()
    book.write(*[Draft(START, stream(1), PingReceived())] * 3)
    book.writer.trim(START, 1)
    book.write(*[Draft(START, stream(1), PingReceived())] * 3)
    db = connect(book.path, write=False) if keeps else book.writer.reader()
    if keeps:
        NewestEntries(db).catch_up(6)
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    assert READS[read](db, stream(1))
    db.set_trace_callback(None)
    (sql,) = asked
    plan = [detail.decode() for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
    steps = [step.partition(" USING ")[2] for step in plan if step.startswith("SEARCH")]
    newest = "COVERING INDEX newest_of_stream" if keeps else "INTEGER PRIMARY KEY"
    assert [step.split(" (")[0] for step in steps] == ["INTEGER PRIMARY KEY", "PRIMARY KEY", newest]
    assert "stream=?" in steps[1]
    assert ("stream=? AND seq>?" if keeps else "rowid>?") in steps[2]
    read_whole = [step for step in plan if ("SCAN" in step or "TEMP" in step) and "subquery" not in step]
    assert read_whole == ["SCAN meta"] * 3, plan
    if keeps:
        db.close()


def test_an_entry_that_is_not_what_was_written_is_named(pen: Callable[..., Any], stream: Callable[[int], Id]) -> None:
    """Although a page is read at once."""
    book = pen()
    book.write(*[Draft(START, stream(1), PingReceived())] * 9)
    db = book.writer.reader()
    for body in ("{]", '{"signal":7}', "{},{}", ""):
        with transaction(db):
            db.execute("DROP TRIGGER IF EXISTS event_is_never_changed")
            db.execute("UPDATE event SET body = ? WHERE seq = 7", (body,))
        with pytest.raises(ValueError, match="the body of entry 7 is not that of a ping_received"):
            read_events(db, stream(1), PingReceived, 9, 5)
        assert [entry.seq for entry in read_events(db, stream(1), PingReceived, 9, 5, 3)] == [6, 5, 4, 3, 2]


@ensureDeferred
async def test_nothing_is_read_before_the_reactor_goes_on(disk: Any, stream: Callable[[int], Id]) -> None:
    journal = disk.journal()
    await journal.append(Draft(START, stream(1), SiteProbed()))
    reads = [
        journal.events(stream(1), SiteProbed, upto=1),
        journal.flips(stream(1), upto=1),
        journal.entries(stream(1)),
    ]
    assert not any(read.called for read in reads)
    assert [len(found) for found in await gatherResults(reads)] == [1, 0, 1]
