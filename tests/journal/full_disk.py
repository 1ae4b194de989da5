"""A journal on a disk that fills up and gets room again; run by test_disk_errors.py, prints what happened as JSON.

usage: full_disk.py limit DIRECTORY     the process may write no file beyond its present size (an I/O error)
       full_disk.py filler DIRECTORY    the file system that holds DIRECTORY is filled up
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from pingmon.core.world.events import Draft, Entry, PingReceived
from pingmon.core.world.snapshot_blocks import Block
from pingmon.journal import FlipRow, JournalUnavailable
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.journal.sqlite.verify import verify
from pingmon.testing import START

STREAM = "00000000-0000-0000-0000-000000000001"


def limited(place: Path) -> Callable[[], None]:
    size = max(file.stat().st_size for file in place.iterdir())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def filled(place: Path) -> Callable[[], None]:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return filler.unlink


async def story(place: Path, fault: Callable[[Path], Callable[[], None]]) -> dict[str, Any]:
    path = place / "journal.sqlite3"
    delivered: list[Entry] = []
    reactor: Any = the_reactor
    journal: SqliteJournal[None] = SqliteJournal(path, reactor=reactor)
    journal.open(START)
    journal.start(delivered.append)
    told: dict[str, Any] = {"refused": 0, "accepted": 0}

    async def outcome(done: Deferred[None]) -> str:
        try:
            await done
        except JournalUnavailable as error:
            return error.cause
        return "done"

    def draft(size: int) -> Draft:
        return Draft(START, STREAM, PingReceived(), os.urandom(size))

    for _ in range(5):
        await journal.append(draft(50))
    journal.derive(FlipRow(5, STREAM, START, b"{}"))
    mend = fault(place)
    for _ in range(20):
        waiting = [journal.append(draft(9000)) for _ in range(3)]
        for done in waiting:
            told["accepted" if await outcome(done) == "done" else "refused"] += 1
    blocks = [Block(n, "check", b'["' + b"x" * 4000 + b'"]') for n in range(1, 51)]
    told["snapshot"] = await outcome(journal.snapshot(5, blocks, START))
    told["unhealthy"] = journal.health().failing_since is not None
    told["snapshot_seq_after_failure"] = journal.snapshot_seq
    before = len(delivered)
    mend()
    told["touch"] = await outcome(journal.touch(START + 7))
    told["healthy"] = journal.health().failing_since is None
    for _ in range(5):
        told["after"] = await outcome(journal.append(draft(9000)))
    told["delivered_after"] = len(delivered) - before
    told["second_snapshot"] = await outcome(journal.snapshot(journal.last_seq, blocks[:1], START))
    told["flips"] = len(await journal.flips(STREAM, upto=99))
    told["gapless"] = [entry.seq for entry in delivered] == list(range(1, len(delivered) + 1))
    await journal.stop()
    told["damage"] = verify(path).damage
    reopened: SqliteJournal[None] = SqliteJournal(path, reactor=reactor)
    reopened.open(START)
    told["kept"] = reopened.last_seq == len(delivered)
    await reopened.stop()
    return told


def main(_: Any) -> Deferred[None]:
    fault = {"limit": limited, "filler": filled}[sys.argv[1]]
    told = Deferred.fromCoroutine(story(Path(sys.argv[2]), fault))
    return told.addCallback(lambda result: print(json.dumps(result)))


if __name__ == "__main__":
    react(main)
