"""Appends for ever to a few streams and prints the seq of each entry once it is durable; run, and killed, by tests.

The arguments: the journal, and how many append at the same time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from pingmon.core.world.events import Draft, PingReceived
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.testing import START

STREAMS = [f"{n}0000000-0000-4000-8000-000000000001" for n in range(10)]


async def append_for_ever(journal: SqliteJournal[int], stream: str) -> None:
    while True:
        print(await journal.append(Draft(START, stream, PingReceived())), flush=True)


async def story(reactor: Any, path: Path, count: int) -> None:
    journal: SqliteJournal[int] = SqliteJournal(path, reactor=reactor)
    journal.open(START)
    journal.start(lambda entry: entry.seq)
    workers = [Deferred.fromCoroutine(append_for_ever(journal, STREAMS[n % 10])) for n in range(count)]
    for worker in workers:
        await worker


if __name__ == "__main__":
    react(lambda _: Deferred.fromCoroutine(story(the_reactor, Path(sys.argv[1]), int(sys.argv[2]))))
