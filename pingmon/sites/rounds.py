"""Looks at every site when it is due, and has others look when it fails.

    due ─▶ own look ─▶ health: can it be believed? ─▶ nothing new: only counted (`hourly_sums`)
                                                  └─▶ first failure: logged (suspect), and at once, in parallel,
                                                      another own look and the verifiers' ─▶ logged, judged by the fold
                                                  └─▶ down and good: verifiers ─▶ logged, judged
                                                  └─▶ nothing seen, for the third time: logged (unknown)
    due and in doubt ─▶ own look and the verifiers', in parallel ─▶ logged, judged

A site that is well is looked at on its own grid (`core.site.probe_schedule`), others at a pace of their own; one look
at a site is under way at a time. What was missed while the process did not run is not made up for. A look that saw
nothing or could not be logged is made again within `AGAIN_S`. Nothing here decides what was seen means (`core.site`)
nor who is told (`core.site.escalation`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, cast

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.site.escalation import overdue, silent_until
from pingmon.core.site.failures import FORBIDDEN_NAME, NOT_ALLOWED
from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.core.site.probe_schedule import first_probe, next_probe, on_grid
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site, in_doubt, remarkable, wants_round
from pingmon.core.site.verdict import Round, verdict
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import (
    ClockStepped,
    Entry,
    Hour,
    SiteChanged,
    SiteCreated,
    SiteEvent,
    SiteProbed,
    SiteResumed,
)
from pingmon.core.world.parts import Outcome
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.sites.hourly_sums import Hours
from pingmon.sites.own_health import Health, Prober
from pingmon.sites.stand_ins import StandIns
from pingmon.timing.deadline_heap import DeadlineHeap
from pingmon.timing.ticker import Ticker

TICK_S: Final = 0.25
SUSPENDED_S: Final = 10.0
"""A tick this much late means that the process did not run; then all sites are planned anew."""
AGAIN_S: Final = 50
"""Seconds until a look that saw nothing, or could not be logged, is made again at the latest."""
BLIND: Final = 3
"""Looks in a row that saw nothing after which it is not known how the site is."""
ROUNDS: Final = 200
"""Rounds of verifiers that may be under way at once; more wait."""


class Verifiers(Protocol):
    """Asks several others to look at a URL. Fires with a look for each that was asked, and never fails."""

    def ask(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[tuple[ProbeResult, ...]]: ...

    def trouble(self) -> str: ...


class RoundsHealth(Struct, frozen=True):
    """`sites` are watched, `looking` of them are being looked at now, `rounds` of these with verifiers; `waiting` more
    wait for a round. `blind` are those that the last looks saw nothing of.

    `late_s` is by how much the latest start of the last minute was late, `queued_s` how long a site waited for a round;
    `trouble` is why own looks count for nothing.
    """

    sites: int
    looking: int
    rounds: int
    waiting: int
    blind: int
    late_s: float
    queued_s: float
    trouble: str


class _UnderWay:
    """A look at the site's `url`: what was `seen` so far, and who waits to be told of it."""

    def __init__(self, url: str, waiting: list[Deferred[ProbeResult]]) -> None:
        self.url = url
        self.waiting = waiting
        self.seen: ProbeResult | None = None
        self.task: Deferred[None] = succeed(None)


class Rounds:
    """The service. `verifiers` is None where there are none; `quorum` is how many of them must see a failure.

    `address_seen` is told of the address at which a site was well.
    """

    log = Logger()

    def __init__(
        self,
        monitor: Monitor,
        prober: Prober,
        health: Health,
        clock: IReactorTime,
        *,
        stand_ins: StandIns,
        verifiers: Verifiers | None = None,
        quorum: int = 2,
        address_seen: Callable[[Id, str], object] = lambda site, address: None,
    ) -> None:
        self._monitor = monitor
        self._prober = prober
        self._health = health
        self._stand_ins = stand_ins
        self.verifiers = verifiers
        self.quorum = quorum
        self._address_seen = address_seen
        self._due = DeadlineHeap()
        self._hours = Hours(self._write_hour)
        self._places = DeferredSemaphore(ROUNDS)
        self._looking: dict[Id, _UnderWay] = {}
        self._latest: dict[Id, ProbeResult] = {}
        self._blind: dict[Id, int] = {}
        self._late = _Lateness()
        self._queued = _Lateness()
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
        self._health.stop()
        under_way = [look.task for look in self._looking.values()]
        for task in under_way:
            task.cancel()
        return DeferredList(under_way).addCallback(lambda _: Deferred.fromCoroutine(self._hours.close_all()))

    @property
    def last_tick(self) -> float:
        """When sites that are due were last looked for, in steady seconds."""
        return self._ticker.last

    def health(self) -> RoundsHealth:
        """How it does."""
        return RoundsHealth(
            sites=len(self._due) + len(self._looking),
            looking=len(self._looking),
            rounds=self._places.limit - self._places.tokens,
            waiting=len(self._places.waiting),
            blind=sum(looks >= BLIND for looks in self._blind.values()),
            late_s=self._late.worst(self._monitor.time.steady()),
            queued_s=self._queued.worst(self._monitor.time.steady()),
            trouble=self._health.trouble,
        )

    # --- what the API asks ----------------------------------------------------------------------------------------

    def latest(self, site: Id) -> ProbeResult | None:
        """The newest look that the daemon itself had at the site since it started."""
        return self._latest.get(site)

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
        return self._prober.refusal(url)

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
            self._due.put(site.id, entry.at)

    def _drop(self, site: Id) -> None:
        self._due.drop(site)
        self._latest.pop(site, None)
        self._stand_ins.forget(site)
        self._blind.pop(site, None)
        under_way = self._looking.get(site)
        if under_way is not None:
            under_way.task.cancel()

    def _plan_all(self) -> None:
        now = self._monitor.now()
        sites = self._monitor.world.sites.values()
        planned = (site for site in sites if site.status != "paused" and site.id not in self._looking)
        self._due.refill({site.id: first_probe(site, now) for site in planned})

    def _plan(self, id: Id, planned: int, look: _UnderWay, *, again: bool) -> None:
        """Plan the look after `look`, which was planned for `planned`. `again`: nothing came of it."""
        site = self._monitor.world.sites.get(id)
        if site is None or site.status == "paused" or not self._running:
            return
        now = self._monitor.now()
        if site.spec.url != look.url:
            due = now
        elif site.status == "up" or again:
            due = on_grid(site, now)
        else:
            silence = silent_until(site, self._monitor.world.host_of(site))
            due = max(now, next_probe(site, min(planned, now), silence))
        self._due.put(id, min(due, now + AGAIN_S * SECOND) if again else due)

    # --- the tick -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Begin to look at every site that is due."""
        steady, now = self._monitor.time.steady(), self._monitor.now()
        if steady - self._ticker.last > SUSPENDED_S:
            self._plan_all()
        self._health.tick()
        for id, planned in self._due.due(now):
            site = self._monitor.world.sites.get(id)
            if site is not None:
                self._late.note(steady, (now - planned) / SECOND)
                self._begin(site, planned, [])

    def _begin(self, site: Site, planned: int, waiting: list[Deferred[ProbeResult]]) -> None:
        look = self._looking[site.id] = _UnderWay(site.spec.url, waiting)
        look.task = Deferred.fromCoroutine(self._look_at(site.id, site.spec, look))
        look.task.addBoth(self._ended, site.id, planned, look).addErrback(
            lambda failure: self.log.failure("while planning the next look at {site}", failure, site=site.id[:8])
        )

    def _ended(self, result: Failure | None, id: Id, planned: int, look: _UnderWay) -> None:
        del self._looking[id]
        failed = result if isinstance(result, Failure) else None
        if failed is not None and not failed.check(CancelledError, JournalFull, JournalUnavailable):
            self.log.failure("while looking at site {site}", failed, site=id[:8])
        self._plan(id, planned, look, again=failed is not None or look.seen is None or not look.seen.counts)
        for waiting in look.waiting:
            if waiting.called:
                continue
            if failed is None and look.seen is not None:
                waiting.callback(look.seen)
            else:
                waiting.errback(failed or CancelledError())

    # --- one look, and what follows -------------------------------------------------------------------------------

    async def _look_at(self, id: Id, spec: SiteSpec, look: _UnderWay) -> None:
        site = self._still(id, spec)
        if site is not None and self._verified(spec) and in_doubt(site):
            own = look.seen = await self._round(site, None)
        else:
            own = look.seen = await self._own_look(id, spec)
            site = self._still(id, spec)
            if site is not None and own.counts:
                own = look.seen = await self._followed(site, own)
        if own.good and own.address and self._still(id, spec) is not None:
            self._address_seen(id, own.address)
        self._hours.add(id, own)
        await self._mark_blindness(id, spec, own)

    async def _followed(self, site: Site, own: ProbeResult) -> ProbeResult:
        """See to what follows from `own`; the same, or that it cannot be believed after all."""
        late = overdue(site, self._monitor.world.host_of(site), self._monitor.now())
        first = site.status in ("new", "up") and not own.good
        if first:
            await self._log(site.id, (own,))
        if self._verified(site.spec) and wants_round(site, own, overdue=late):
            if self._still(site.id, site.spec) is not None:
                return await self._round(site, None if first else own)
        elif not first and remarkable(site, own, overdue=late):
            await self._log(site.id, (own,))
        return own

    async def _mark_blindness(self, id: Id, spec: SiteSpec, own: ProbeResult) -> None:
        """Count looks in a row that saw nothing; that is logged when it has gone on for long enough."""
        site = self._still(id, spec)
        if own.counts:
            self._blind.pop(id, None)
        elif site is not None:
            self._blind[id] = self._blind.get(id, 0) + 1
            if self._blind[id] >= BLIND and site.status in ("new", "up", "suspect"):
                await self._log(id, (own,))

    async def _own_look(self, id: Id, spec: SiteSpec) -> ProbeResult:
        """What is seen from here, as far as it can be believed."""
        seen = await self._prober.look(spec.url, spec.timeout, methods=spec.methods)
        own = self._health.saw(id, seen)
        if not own.good:
            alone = not self._verified(spec) and not self._is_told(id)
            own = await self._health.confirmed(own, partial(self._look_at_others, id) if alone else None)
        else:
            self._stand_ins.well(id, own.address)
        self._latest[id] = own
        return own

    def _look_at_others(self, failing: Id) -> list[Deferred[ProbeResult]]:
        return self._stand_ins.look(failing, self._monitor.world.sites, self._latest)

    def _is_told(self, id: Id) -> bool:
        """Whether another bad look at the site changes nothing."""
        site = self._monitor.world.sites.get(id)
        return site is None or (site.status == "down" and site.told)

    def _verified(self, spec: SiteSpec) -> bool:
        return self.verifiers is not None and not spec.local_only

    async def _round(self, site: Site, own: ProbeResult | None) -> ProbeResult:
        """Have the verifiers look, and log what all saw. `own`: None has the daemon look meanwhile.

        The daemon's own look is returned. Unless the others agree, it must be known whether it can be believed.
        """
        assert self.verifiers is not None
        id, spec = site.id, site.spec
        came = self._monitor.time.steady()
        await self._places.acquire()
        self._queued.note(self._monitor.time.steady(), self._monitor.time.steady() - came)
        try:
            mine = Deferred.fromCoroutine(self._own_look(id, spec)) if own is None else succeed(own)
            asked = self.verifiers.ask(spec.url, spec.timeout, methods=spec.methods)
            both: list[Deferred[Any]] = [mine, asked]
            (ended, seen), (heard, others) = await DeferredList(both, consumeErrors=True)
        finally:
            self._places.release()
        for done, result in ((ended, seen), (heard, others)):
            if not done:  # cancelled, as a rule: the list has cancelled both when this was
                result.raiseException()
        others = _agreed(seen, others)
        if not seen.good:
            self._health.heard(id, others)
            found = Round((seen, *others), len(others), self.quorum, "unsure")
            if not found.unanimous and verdict(found) != "up":
                seen = await self._health.confirmed(seen, partial(self._look_at_others, id))
        if self._still(id, spec) is not None and any(look.counts for look in (seen, *others)):
            await self._log(id, (seen, *others), asked=len(others))
        return cast(ProbeResult, seen)

    async def _log(self, id: Id, looks: tuple[ProbeResult, ...], asked: int = 0) -> None:
        event = SiteProbed(looks, asked, self.quorum, place=self._health.place) if asked else SiteProbed(looks)
        await self._monitor.submit(id, event)

    def _still(self, id: Id, spec: SiteSpec) -> Site | None:
        """The site, if what was seen of `spec` still says something about it."""
        site = self._monitor.world.sites.get(id)
        return None if site is None or site.status == "paused" or site.spec.url != spec.url else site

    def _write_hour(self, id: Id, hour: Hour) -> Deferred[None]:
        if id in self._monitor.world.sites:
            written = self._monitor.submit(id, SiteProbed(hour=hour))
            return written.addCallbacks(lambda _: None, lambda failure: failure.trap(JournalFull, JournalUnavailable))
        return succeed(None)


def _agreed(own: ProbeResult, others: tuple[ProbeResult, ...]) -> tuple[ProbeResult, ...]:
    """What verifiers saw, once it is known what was seen here.

    One that may not look where a name leads says nothing of the site, which may be in a network that only the daemon
    is allowed into. But if the daemon may not look there either, both have seen the same: it leads nowhere.
    """
    if not FORBIDDEN_NAME.seen_in(own):
        return others
    return tuple(
        replace(look, fault=own.fault, detail=own.detail) if NOT_ALLOWED.seen_in(look) else look for look in others
    )


class _Lateness:
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
