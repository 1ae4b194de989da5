"""Looks at every site when it is due, and has others look when it fails.

    due ─▶ own look ─▶ health: can it be believed? ─▶ nothing new: only counted (`hours`)
                                                  └─▶ first failure: logged (suspect), and at once, in parallel,
                                                      another own look and the verifiers' ─▶ logged, judged by the fold
                                                  └─▶ suspect, unknown, down and good: verifiers ─▶ logged, judged

A site that is well is looked at on its own grid (`core.site.phase`), others as `core.site.next_probe` says; one look at
a site is under way at a time. What was missed while the process did not run is not made up for. Nothing here decides
what was seen means (`core.site`) nor who is told (`core.telling`); a look that could not be logged is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.events import Entry, Hour, SiteChanged, SiteCreated, SiteProbed, SiteResumed, SiteSpec
from pingmon.core.ids import Id
from pingmon.core.look import Look
from pingmon.core.parts import Outcome
from pingmon.core.site import Site, next_probe, phase, remarkable, wants_round
from pingmon.core.telling import overdue
from pingmon.core.times import SECOND
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.sites.agenda import Agenda
from pingmon.sites.health import Health, Prober
from pingmon.sites.hours import Hours

TICK_S: Final = 0.25
SUSPENDED_S: Final = 10.0
"""A tick this much late means that the process did not run; then all sites are planned anew."""
SOON_S: Final = 10
"""Seconds over which the sites are spread that need a look at the start, because they are not up."""
ROUNDS: Final = 200
"""Rounds of verifiers that may be under way at once; more wait."""


class Verifiers(Protocol):
    """Asks several others to look at a URL. Fires with a look for each that was asked, and never fails."""

    def ask(self, url: str, timeout_s: float, *, head_only: bool = False) -> Deferred[tuple[Look, ...]]: ...


class RoundsHealth(Struct, frozen=True):
    """`sites` are watched, `looking` of them are being looked at now, `rounds` of these with verifiers.

    `late_s` is by how much the latest start of the last minute was late, `trouble` why own looks count for nothing.
    """

    sites: int
    looking: int
    rounds: int
    late_s: float
    trouble: str


class Rounds:
    """The service. `verifiers` is None where there are none; `quorum` is how many of them must see a failure.

    `address_seen` is told of the address at which a site was well. `last_tick`: steady seconds of the last completed
    tick.
    """

    log = Logger()

    def __init__(
        self,
        monitor: Monitor,
        prober: Prober,
        health: Health,
        clock: IReactorTime,
        *,
        verifiers: Verifiers | None = None,
        quorum: int = 2,
        address_seen: Callable[[Id, str], object] = lambda site, address: None,
    ) -> None:
        self._monitor = monitor
        self._prober = prober
        self._health = health
        self._verifiers = verifiers
        self._quorum = quorum
        self._address_seen = address_seen
        self._agenda = Agenda()
        self._hours = Hours(self._write_hour)
        self._places = DeferredSemaphore(ROUNDS)
        self._looking: dict[Id, Deferred[None]] = {}
        self._waiting: dict[Id, list[Deferred[Look]]] = {}
        self._latest: dict[Id, Look] = {}
        self._late = _Latest()
        self._running = False
        self._loop = LoopingCall(self._guarded_tick)
        self._loop.clock = clock
        self.last_tick = monitor.time.steady()

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Plan the sites of the loaded world and begin to look at them."""
        self._running = True
        self._plan_all()
        self.last_tick = self._monitor.time.steady()
        self._monitor.listen(self.heard)
        self._loop.start(TICK_S, now=False)

    def stop(self) -> Deferred[None]:
        """Look no more. Fires when all looks have ended and the hours that had begun are on their way into the log."""
        self._running = False
        if self._loop.running:
            self._loop.stop()
        under_way = list(self._looking.values())
        for look in under_way:
            look.cancel()
        return DeferredList(under_way).addCallback(lambda _: self._hours.close_all())

    def health(self) -> RoundsHealth:
        """How it does."""
        return RoundsHealth(
            sites=len(self._agenda) + len(self._looking),
            looking=len(self._looking),
            rounds=self._places.limit - self._places.tokens,
            late_s=self._late.worst(self._monitor.time.steady()),
            trouble=self._health.trouble,
        )

    # --- what the API asks ----------------------------------------------------------------------------------------

    def latest(self, site: Id) -> Look | None:
        """The newest look that the daemon itself had at the site since it started."""
        return self._latest.get(site)

    def probe(self, site: Id) -> Deferred[Look]:
        """Look at the site now, or join the look that is under way; fires when what follows from it is in the log.

        Errback: `KeyError` if there is no such site or it is paused, `CancelledError` if pingmon stops meanwhile.
        """
        known = self._monitor.world.sites.get(site)
        if known is None or known.status == "paused" or not self._running:
            return fail(KeyError(site))
        waiting: Deferred[Look] = Deferred()
        self._waiting.setdefault(site, []).append(waiting)
        if site not in self._looking:
            self._agenda.drop(site)
            self._begin(known, self._monitor.now())
        return waiting

    # --- what is due when -----------------------------------------------------------------------------------------

    def heard(self, entry: Entry, outcome: Outcome) -> None:
        """Follow what an entry did to what is to be looked at."""
        if outcome.everything:
            self._plan_all()
        site = outcome.site
        if site is None:
            return
        if site.id not in self._monitor.world.sites:
            self._drop(site.id)
            self._hours.forget(site.id)
        elif site.status == "paused":
            self._drop(site.id)
            self._hours.close(site.id)
        elif isinstance(entry.event, SiteCreated | SiteResumed | SiteChanged) and site.id not in self._looking:
            self._agenda.put(site.id, entry.at)

    def _drop(self, site: Id) -> None:
        self._agenda.drop(site)
        self._latest.pop(site, None)
        under_way = self._looking.get(site)
        if under_way is not None:
            under_way.cancel()

    def _plan_all(self) -> None:
        now = self._monitor.now()
        self._agenda.clear()
        for site in self._monitor.world.sites.values():
            if site.status != "paused" and site.id not in self._looking:
                self._agenda.put(site.id, _first(site, now))

    def _plan(self, id: Id, planned: int) -> None:
        """Plan the look after the one that was planned for `planned`."""
        site = self._monitor.world.sites.get(id)
        if site is None or site.status == "paused" or not self._running:
            return
        now = self._monitor.now()
        self._agenda.put(id, _on_grid(site, now) if site.status == "up" else max(now, next_probe(site, planned)))

    # --- the tick -------------------------------------------------------------------------------------------------

    def _guarded_tick(self) -> None:
        # A LoopingCall dies at its first exception, and sites that nobody looks at would be noticed by nobody.
        try:
            self.tick()
        except Exception:  # noqa: BLE001
            self.log.failure("while looking for sites that are due")

    def tick(self) -> None:
        """Begin to look at every site that is due."""
        steady, now = self._monitor.time.steady(), self._monitor.now()
        if steady - self.last_tick > SUSPENDED_S:
            self._plan_all()
        for id, planned in self._agenda.due(now):
            site = self._monitor.world.sites.get(id)
            if site is not None:
                self._late.note(steady, (now - planned) / SECOND)
                self._begin(site, planned)
        self.last_tick = steady

    def _begin(self, site: Site, planned: int) -> None:
        look = Deferred.fromCoroutine(self._look_at(site.id, site.spec))
        self._looking[site.id] = look
        look.addErrback(self._broken, site.id).addCallback(self._ended, site.id, planned)

    def _broken(self, failure: Failure, site: Id) -> None:
        if not failure.check(CancelledError, JournalFull, JournalUnavailable):
            self.log.failure("while looking at site {site}", failure, site=site[:8])

    def _ended(self, _: None, site: Id, planned: int) -> None:
        del self._looking[site]
        self._plan(site, planned)
        latest = self._latest.get(site)
        for waiting in self._waiting.pop(site, []):
            if waiting.called:
                continue
            if latest is None:
                waiting.errback(CancelledError())
            else:
                waiting.callback(latest)

    # --- one look, and what follows -------------------------------------------------------------------------------

    async def _look_at(self, id: Id, spec: SiteSpec) -> None:
        own = await self._own_look(id, spec)
        self._hours.add(id, own)
        site = self._still(id, spec)
        if site is None:
            return
        now = self._monitor.now()
        late = overdue(site, self._monitor.world.host_of(site), now)
        if own.good and own.address:
            self._address_seen(id, own.address)
        first = site.status in ("new", "up") and own.counts and not own.good
        if first:
            await self._log(id, (own,))
        verified = self._verifiers is not None and not spec.local_only
        if verified and wants_round(site, own, overdue=late):
            if self._still(id, spec) is not None:
                await self._round(id, spec, None if first else own)
        elif not first and remarkable(site, own, overdue=late):
            await self._log(id, (own,))

    async def _own_look(self, id: Id, spec: SiteSpec) -> Look:
        """What is seen from here, as far as it can be believed."""
        seen = await self._prober.look(spec.url, spec.timeout, head_only=spec.head_only)
        own = self._health.saw(id, seen)
        if not own.good:
            own = await self._health.confirmed(own)
        self._latest[id] = own
        return own

    async def _round(self, id: Id, spec: SiteSpec, own: Look | None) -> None:
        """Have the verifiers look, and log what all saw. `own`: None has the daemon look once more meanwhile."""
        assert self._verifiers is not None
        await self._places.acquire()
        try:
            again = Deferred.fromCoroutine(self._own_look(id, spec)) if own is None else succeed(own)
            asked = self._verifiers.ask(spec.url, spec.timeout, head_only=spec.head_only)
            both: list[Deferred[Any]] = [again, asked]
            (ended, seen), (heard, others) = await DeferredList(both, consumeErrors=True)
        finally:
            self._places.release()
        if not (ended and heard):  # this was cancelled, and the list has cancelled both
            raise CancelledError
        if not seen.good:
            self._health.heard(id, others)
        if self._still(id, spec) is not None:
            await self._log(id, (seen, *others), asked=len(others))

    async def _log(self, id: Id, looks: tuple[Look, ...], asked: int = 0) -> None:
        await self._monitor.submit(id, SiteProbed(looks, asked, self._quorum if asked else 0))

    def _still(self, id: Id, spec: SiteSpec) -> Site | None:
        """The site, if what was seen of `spec` still says something about it."""
        site = self._monitor.world.sites.get(id)
        return None if site is None or site.status == "paused" or site.spec.url != spec.url else site

    def _write_hour(self, id: Id, hour: Hour) -> None:
        if id in self._monitor.world.sites:
            written = self._monitor.submit(id, SiteProbed(hour=hour))
            written.addErrback(lambda failure: failure.trap(JournalFull, JournalUnavailable))


class _Latest:
    """The greatest lateness of the last half to whole minute."""

    def __init__(self) -> None:
        self._half = 0
        self._worst = (0.0, 0.0)

    def note(self, steady: float, late_s: float) -> None:
        before, now = self._turned(steady)
        self._worst = before, max(now, late_s)

    def worst(self, steady: float) -> float:
        return max(self._turned(steady))

    def _turned(self, steady: float) -> tuple[float, float]:
        half = int(steady // 30)
        if half != self._half:
            self._worst = (self._worst[1] if half == self._half + 1 else 0.0), 0.0
            self._half = half
        return self._worst


def _first(site: Site, now: int) -> int:
    """When to look at a site for the first time since the start. One that may be down comes soon."""
    if site.status == "up":
        return _on_grid(site, now)
    return now + phase(site.id, SOON_S) * SECOND


def _on_grid(site: Site, now: int) -> int:
    """The first instant after `now` on the site's own grid."""
    interval = site.spec.interval * SECOND
    due = now - now % interval + phase(site.id, site.spec.interval) * SECOND
    return due if due > now else due + interval
