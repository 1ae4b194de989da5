"""Has every site looked at when it is due: which sites are watched, when each is due, and how late that was.

A site that is well is looked at on its own grid (`core.site.probe_schedule`), others at a pace of their own. One look
at a site is under way at a time; whoever asks for one meanwhile joins it. What was missed while the process did not run
is not made up for. A look that saw nothing or could not be logged is made again within `AGAIN_S`.

How a site is looked at, and what follows from it, is `rounds`' affair.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.site.escalation import silent_until
from pingmon.core.site.probe_result import ProbeResult
from pingmon.core.site.probe_schedule import first_probe, next_probe, on_grid
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import ClockStepped, Entry, SiteChanged, SiteCreated, SiteEvent, SiteResumed
from pingmon.core.world.outcome import Outcome
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.sites.own_health import Health
from pingmon.sites.rounds import Rounds
from pingmon.timing.deadline_heap import DeadlineHeap
from pingmon.timing.lateness import Lateness
from pingmon.timing.ticker import Ticker

TICK_S: Final = 0.25
SUSPENDED_S: Final = 10.0
"""A tick this much late means that the process did not run; then all sites are planned anew."""
AGAIN_S: Final = 50
"""Seconds until a look that saw nothing, or could not be logged, is made again at the latest."""


class SiteWatchHealth(Struct, frozen=True):
    """`sites` are watched; `late_s` is by how much the latest start of the last minute was late."""

    sites: int
    late_s: float


class _UnderWay:
    """A look at the site's `url`, and who waits to be told what it saw."""

    def __init__(self, url: str, waiting: list[Deferred[ProbeResult]]) -> None:
        self.url = url
        self.waiting = waiting
        self.task: Deferred[None] = succeed(None)


class SiteWatch:
    """The service. `own_health` is that of the daemon's own looks; it is seen to with each tick."""

    log = Logger()

    def __init__(self, monitor: Monitor, rounds: Rounds, own_health: Health, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._rounds = rounds
        self._own_health = own_health
        self._due = DeadlineHeap()
        self._looking: dict[Id, _UnderWay] = {}
        self._late = Lateness()
        self._running = False
        self._ticker = Ticker("looking for sites that are due", self.tick, TICK_S, clock, monitor.time.steady)

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Plan the sites of the loaded world and begin to look at them."""
        self._running = True
        self._plan_all()
        self._monitor.listen(self.heard, SiteEvent, ClockStepped)
        self._ticker.start()

    def stop(self) -> Deferred[None]:
        """Look no more. Fires when all looks have ended and the hours that had begun are on their way into the log."""
        self._running = False
        self._ticker.stop()
        self._own_health.stop()
        under_way = [look.task for look in self._looking.values()]
        for task in under_way:
            task.cancel()
        return DeferredList(under_way).addCallback(lambda _: Deferred.fromCoroutine(self._rounds.close()))

    @property
    def last_tick(self) -> float:
        """When sites that are due were last looked for, in steady seconds."""
        return self._ticker.last

    def health(self) -> SiteWatchHealth:
        """How it does."""
        return SiteWatchHealth(
            sites=len(self._due) + len(self._looking),
            late_s=self._late.worst(self._monitor.time.steady()),
        )

    # --- what the API asks ----------------------------------------------------------------------------------------

    def latest(self, site: Id) -> ProbeResult | None:
        """The newest look that the daemon itself had at the site since it started."""
        return self._rounds.latest.get(site)

    def probe(self, site: Id) -> Deferred[ProbeResult]:
        """Look at the site now, or join the look that is under way; fires when what follows from it is in the log.

        Errback: `KeyError` if there is no such site or it is paused; `CancelledError` if pingmon stops or the site is
        paused meanwhile; `JournalFull` or `JournalUnavailable` if what was seen could not be logged.
        """
        known = self._monitor.world.sites.get(site)
        if known is None or known.status == "paused" or not self._running:
            return fail(KeyError(site))
        waiting: Deferred[ProbeResult] = Deferred()
        under_way = self._looking.get(site)
        if under_way is not None:
            under_way.waiting.append(waiting)
        else:
            self._due.drop(site)
            self._begin(known, self._monitor.now(), [waiting])
        return waiting

    def refusal(self, url: str) -> str | None:
        """Why a site at `url`, which could be one, cannot be looked at from here, as far as that is plain from it."""
        return self._rounds.refusal(url)

    # --- what is due when -----------------------------------------------------------------------------------------

    def heard(self, entry: Entry, outcome: Outcome) -> None:
        """Follow what an entry did to what is to be looked at."""
        if outcome.everything:
            self._plan_all()
        site = outcome.site
        if site is None:
            return
        if site.id not in self._monitor.world.sites or site.status == "paused":
            self._drop(site.id)
        elif isinstance(entry.event, SiteCreated | SiteResumed | SiteChanged) and site.id not in self._looking:
            self._due.put(site.id, entry.at)

    def _drop(self, site: Id) -> None:
        self._due.drop(site)
        self._rounds.forget(site)
        under_way = self._looking.get(site)
        if under_way is not None:
            under_way.task.cancel()

    def _plan_all(self) -> None:
        now = self._monitor.now()
        sites = self._monitor.world.sites.values()
        planned = (site for site in sites if site.status != "paused" and site.id not in self._looking)
        self._due.refill({site.id: first_probe(site, now) for site in planned})

    def _plan(self, id: Id, planned: int, url: str, *, again: bool) -> None:
        """Plan the look after one at `url`, which was planned for `planned`. `again`: nothing came of it."""
        site = self._monitor.world.sites.get(id)
        if site is None or site.status == "paused" or not self._running:
            return
        now = self._monitor.now()
        if site.spec.url != url:
            due = now
        elif site.status == "up" or again:
            due = on_grid(site, now)
        else:
            silence = silent_until(site, self._monitor.world.host_of(site))
            due = max(now, next_probe(site, min(planned, now), silence))
        self._due.put(id, min(due, now + AGAIN_S * SECOND) if again else due)

    # --- looking --------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Begin to look at every site that is due."""
        steady, now = self._monitor.time.steady(), self._monitor.now()
        if steady - self._ticker.last > SUSPENDED_S:
            self._plan_all()
        self._own_health.tick()
        for id, planned in self._due.due(now):
            site = self._monitor.world.sites.get(id)
            if site is not None:
                self._late.note(steady, (now - planned) / SECOND)
                self._begin(site, planned, [])

    def _begin(self, site: Site, planned: int, waiting: list[Deferred[ProbeResult]]) -> None:
        look = self._looking[site.id] = _UnderWay(site.spec.url, waiting)
        looking = Deferred.fromCoroutine(self._rounds.look(site.id, site.spec))
        look.task = looking.addBoth(self._ended, site.id, planned, look).addErrback(
            lambda failure: self.log.failure(
                "an error while planning the next look at {site}", failure, site=site.id[:8]
            )
        )

    def _ended(self, result: ProbeResult | Failure, id: Id, planned: int, look: _UnderWay) -> None:
        del self._looking[id]
        if isinstance(result, Failure) and not result.check(CancelledError, JournalFull, JournalUnavailable):
            self.log.failure("an error while looking at site {site}", result, site=id[:8])
        self._plan(id, planned, look.url, again=isinstance(result, Failure) or not result.counts)
        for waiting in look.waiting:
            if waiting.called:
                continue
            if isinstance(result, Failure):
                waiting.errback(result)
            else:
                waiting.callback(result)
