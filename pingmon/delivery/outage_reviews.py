"""Has outages reviewed when something falls due: a reminder, the next step, the end of what held them.

What is due when, and to whom, is decided by the core (`core.notify.outage`); here it only happens on time. Few outages
last at a time, so all are looked through each second; what was found of one holds until it or its project changes.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.notify.outage import next_review
from pingmon.core.units import Id
from pingmon.core.world.events import OutageReviewed
from pingmon.core.world.outcome import Subject
from pingmon.core.world.project import Project
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.timing.ticker import Ticker

TICK_S: Final = 1.0


class OutageReviews:
    """The service."""

    log = Logger()

    def __init__(self, monitor: Monitor, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._found: dict[Id, tuple[Subject, Project, int | None]] = {}
        self._asked: set[Id] = set()
        self._ticker = Ticker("looking for outages to tell of again", self._tick, TICK_S, clock, monitor.time.steady)

    def start(self) -> None:
        """Begin to look."""
        self._ticker.start()

    def stop(self) -> None:
        """Look no more."""
        self._ticker.stop()

    @property
    def last_tick(self) -> float:
        """When it was last looked, in steady seconds."""
        return self._ticker.last

    def _tick(self) -> None:
        now, world = self._monitor.now(), self._monitor.world
        for id in self._found.keys() - world.outages.keys():
            del self._found[id]
        for id in list(world.outages):
            due = self._due(id)
            if due is not None and due <= now and id not in self._asked:
                self._asked.add(id)
                self._monitor.submit(id, OutageReviewed()).addBoth(self._reviewed, id)

    def _due(self, id: Id) -> int | None:
        world = self._monitor.world
        subject = world.subject(id)
        project = world.projects[subject.project]
        found = self._found.get(id)
        if found is None or found[0] is not subject or found[1] is not project:
            found = self._found[id] = (subject, project, next_review(world, subject))
        return found[2]

    def _reviewed(self, result: object, id: Id) -> None:
        self._asked.discard(id)
        if isinstance(result, Failure) and not result.check(JournalFull, JournalUnavailable):  # else it is due again
            self.log.failure("an error while the outage of {id} was reviewed", result, id=id)
