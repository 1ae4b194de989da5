"""One round of a site: looks at it, has others look when it fails, and logs what all saw.

    own look ─▶ health: can it be believed? ─▶ nothing new: only counted (`hourly_sums`)
                                           └─▶ first failure: logged (suspect), and at once, in parallel,
                                               another own look and the verifiers' ─▶ logged, judged by the fold
                                           └─▶ down and good: verifiers ─▶ logged, judged
                                           └─▶ nothing seen, for the third time: logged (unknown)
    in doubt: own look and the verifiers', in parallel ─▶ logged, judged

When it is a site's turn is up to `site_watch`. Nothing here decides what was seen means (`core.site`; of looks that saw
nothing: Note [Looks that count for nothing] in `core.site.probe_result`) nor who is told (`core.site.escalation`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, cast

from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore, succeed

from pingmon.core.site.escalation import overdue
from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.core.site.settings import SiteSpec
from pingmon.core.site.site import Site, in_doubt, remarkable, wants_round
from pingmon.core.site.verdict import Round, agreed, verdict
from pingmon.core.units import Id
from pingmon.core.world.events import Hour, SiteProbed
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.sites.hourly_sums import Hours
from pingmon.sites.own_health import Health, Prober
from pingmon.sites.stand_ins import StandIns
from pingmon.timing.lateness import Lateness

BLIND: Final = 3
"""Looks in a row that saw nothing after which it is not known how the site is."""
ROUNDS: Final = 200
"""Rounds of verifiers that may be under way at once; more wait."""


class Verifiers(Protocol):
    """Asks several others to look at a URL. Fires with a look for each that was asked, and never fails."""

    def ask(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[tuple[ProbeResult, ...]]: ...

    def trouble(self) -> str: ...


class RoundsHealth(Struct, frozen=True):
    """`blind` are the sites that the last looks saw nothing of; `trouble` is why own looks count for nothing.

    `queued_s` is the longest time that a site has waited for verifiers within the last minute.
    """

    blind: int
    queued_s: float
    trouble: str


class Rounds:
    """Makes them. `verifiers` is None where there are none; `quorum` is how many of them must see a failure.

    `address_seen` is told of the address at which a site was well. `latest` are the newest looks that the daemon itself
    had since it started.
    """

    def __init__(
        self,
        monitor: Monitor,
        prober: Prober,
        own_health: Health,
        *,
        stand_ins: StandIns,
        verifiers: Verifiers | None = None,
        quorum: int = 2,
        address_seen: Callable[[Id, str], object] = lambda site, address: None,
    ) -> None:
        self.verifiers = verifiers
        self.quorum = quorum
        self.latest: dict[Id, ProbeResult] = {}
        self._monitor = monitor
        self._prober = prober
        self._own_health = own_health
        self._stand_ins = stand_ins
        self._address_seen = address_seen
        self._hours = Hours(self._write_hour)
        self._places = DeferredSemaphore(ROUNDS)
        self._blind: dict[Id, int] = {}
        self._queued = Lateness()

    def health(self) -> RoundsHealth:
        """How they do."""
        return RoundsHealth(
            blind=sum(looks >= BLIND for looks in self._blind.values()),
            queued_s=self._queued.worst(self._monitor.time.steady()),
            trouble=self._own_health.trouble,
        )

    def refusal(self, url: str) -> str | None:
        """Why a site at `url` cannot be looked at from here, as far as that is plain from it."""
        return self._prober.refusal(url)

    def forget(self, site: Id) -> None:
        """It is watched no more. If it is only paused, the hour that had begun is logged."""
        self.latest.pop(site, None)
        self._stand_ins.forget(site)
        self._blind.pop(site, None)
        if site in self._monitor.world.sites:
            self._hours.close(site)
        else:
            self._hours.forget(site)

    async def close(self) -> None:
        """Put the hours that had begun on their way into the log. No look may be under way any more."""
        await self._hours.close_all()

    # --- one look, and what follows -------------------------------------------------------------------------------

    async def look(self, id: Id, spec: SiteSpec) -> ProbeResult:
        """Look at the site at `spec`, and see to what follows. The daemon's own look, once that is in the log.

        Raises `JournalFull` or `JournalUnavailable` if what was seen could not be logged.
        """
        site = self._still(id, spec)
        if site is not None and self._verified(spec) and in_doubt(site):
            own = await self._round(site, None)
        else:
            own = await self._own_look(id, spec)
            site = self._still(id, spec)
            if site is not None and own.counts:
                own = await self._followed(site, own)
        if own.good and own.address and self._still(id, spec) is not None:
            self._address_seen(id, own.address)
        self._hours.add(id, own)
        await self._mark_blindness(id, spec, own)
        return own

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
        own = self._own_health.saw(id, seen)
        if not own.good:
            alone = not self._verified(spec) and not self._is_told(id)
            own = await self._own_health.confirmed(own, partial(self._look_at_others, id) if alone else None)
        else:
            self._stand_ins.well(id, own.address)
        self.latest[id] = own
        return own

    def _look_at_others(self, failing: Id) -> list[Deferred[ProbeResult]]:
        return self._stand_ins.look(failing, self._monitor.world.sites, self.latest)

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
        others = agreed(seen, others)
        if not seen.good:
            self._own_health.heard(id, others)
            found = Round((seen, *others), len(others), self.quorum, "unsure")
            if not found.unanimous and verdict(found) != "up":
                seen = await self._own_health.confirmed(seen, partial(self._look_at_others, id))
        if self._still(id, spec) is not None and any(look.counts for look in (seen, *others)):
            await self._log(id, (seen, *others), asked=len(others))
        return cast(ProbeResult, seen)

    async def _log(self, id: Id, looks: tuple[ProbeResult, ...], asked: int = 0) -> None:
        event = SiteProbed(looks, asked, self.quorum, place=self._own_health.place) if asked else SiteProbed(looks)
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
