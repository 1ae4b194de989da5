"""Pings some checks and saves the world, for ever; run, and killed, by tests. The argument: the journal."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from pingmon.core.check.settings import CheckSpec
from pingmon.core.world.events import CheckCreated, CheckDeleted, PingReceived, ProjectCreated
from pingmon.core.world.outcome import Outcome
from pingmon.journal.sqlite.engine import SqliteJournal
from pingmon.monitor import Monitor
from pingmon.testing import PROJECT, uuid
from pingmon.timing.clock import Timekeeper, steady_seconds, wall_seconds

CHECKS = 3_000


async def story(reactor: Any, path: Path) -> None:
    journal: SqliteJournal[Outcome] = SqliteJournal(path, reactor=reactor)
    monitor = Monitor(journal, Timekeeper(wall_seconds, steady_seconds))
    monitor.open()
    await monitor.start()
    if not monitor.world.projects:
        await monitor.submit(PROJECT, ProjectCreated("p", "pingkey"))
        await gatherResults(
            [monitor.submit(uuid(number), CheckCreated(PROJECT, CheckSpec())) for number in range(CHECKS)]
        )
    while len(monitor.world.checks) > 1:
        some = random.sample(list(monitor.world.checks), min(50, len(monitor.world.checks)))
        await gatherResults([monitor.submit(id, PingReceived()) for id in some])
        await monitor.submit(some[0], CheckDeleted())
        await monitor.save()
        print(monitor.world.seq, flush=True)


if __name__ == "__main__":
    react(lambda _: Deferred.fromCoroutine(story(the_reactor, Path(sys.argv[1]))))
