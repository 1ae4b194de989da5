"""Looks up, while sites are well, which partner hosts those whose `host` is `auto`.

Each is looked at daily, and sooner when a probe saw it at another address, when partners or their rules change, and
`AGAIN_S` after another host was seen for the first time. Lookups are spread over time, a few at once: nobody waits for
them. Nothing is looked up while no partner has rules, nor at a site that is not up: an outage is the worst moment.

Only what changes what is known goes into the log; that somebody looked and all is as it was is remembered here, and
after a restart all sites are looked at again. What the signals mean is decided elsewhere (`core.partner`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.domain_names import folded
from pingmon.core.partner.partner import AGAIN_S, AUTO, KINDS, LOOK_EVERY_S, Hosting, Kind, Signals, next_look, seen
from pingmon.core.partner.rules import Rules
from pingmon.core.site.probe_schedule import phase
from pingmon.core.site.site import Site
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import Entry, PartnerEvent, SiteEvent, SiteHostSeen
from pingmon.core.world.outcome import Outcome
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor
from pingmon.timing.deadline_heap import DeadlineHeap
from pingmon.timing.ticker import Ticker
from pingmon.wire.probe.target import target
from pingmon.wire.web_url import BadUrl

TICK_S: Final = 1.0
PARALLEL: Final = 8
"""Sites that are looked at at once; with a tick each second no more than these are begun in one."""
START_SPREAD_S: Final = 3600
"""Seconds over which sites that were looked at before are spread after a start."""
RULES_PACE: Final = 4
"""Sites a second that are looked at when rules have changed: half of what there is room for, so that new sites need
not wait for all others."""
ADDRESSES_MAX: Final = 16
"""Addresses of a site that are remembered: names with many of them lead to another with each probe."""


class Lookup(Protocol):
    """Gathers what DNS says of a host. Does not fail but by a bug; cancelling ends it."""

    def signals(self, host: str, kinds: Collection[Kind], /) -> Deferred[Signals]: ...


class HostDetection:
    """The service."""

    log = Logger()

    def __init__(self, monitor: Monitor, lookup: Lookup, clock: IReactorTime) -> None:
        self._monitor = monitor
        self._lookup = lookup
        self._rules = Rules()
        self._known: dict[Id, _Known] = {}
        self._due = DeadlineHeap()  # in microseconds of the clock that is never set
        self._looking: dict[Id, Deferred[None]] = {}
        self._ticker = Ticker(
            "looking for sites whose host is to be looked up", self._begin_due, TICK_S, clock, monitor.time.steady
        )

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Plan the sites of the loaded world and begin to look at them."""
        self._take_up_rules()
        for site in self._monitor.world.sites.values():
            self._plan_anew(site, self._wait_at_start(site))
        self._monitor.listen(self.heard, SiteEvent, PartnerEvent)
        self._ticker.start()

    def stop(self) -> Deferred[None]:
        """Look no more; what is under way is called off. Fires when all has ended."""
        self._ticker.stop()
        under_way = list(self._looking.values())
        for look in under_way:
            look.cancel()
        return DeferredList(under_way).addCallback(lambda _: None)

    @property
    def last_tick(self) -> float:
        """When it was last looked for sites to look up, in steady seconds."""
        return self._ticker.last

    @property
    def looking(self) -> int:
        """How many sites are being looked at."""
        return len(self._looking)

    # --- what changes the plan ------------------------------------------------------------------------------------

    def heard(self, entry: Entry, outcome: Outcome) -> None:
        """Follow what an entry did to sites and rules."""
        if outcome.partner is not None and self._take_up_rules():
            self._plan_all()
        if outcome.site is not None:
            self._follow(outcome.site.id)

    def address_seen(self, site: Id, address: str) -> None:
        """A probe found `site` well at `address`, which may be one that it was not at before.

        Those that were seen since the start are remembered, not what DNS said: redirects lead elsewhere.
        """
        known = self._known.get(site)
        if known is None or address in known.addresses:
            return
        if known.addresses:
            waited = self._steady() - known.looked
            self._plan(site, max(0, AGAIN_S * SECOND - waited), sooner=True)
        known.addresses = (*known.addresses[1 - ADDRESSES_MAX :], address)

    def _take_up_rules(self) -> bool:
        """Whether the rules of all partners together have changed."""
        rules = Rules((each for each in self._monitor.world.partners.values() if each.spec.rules), self._rules)
        if rules.said == self._rules.said:
            return False
        self._rules = rules
        return True

    def _plan_all(self) -> None:
        spread_s = 1 + len(self._known) // RULES_PACE
        for id in self._known:
            self._plan(id, phase(id, spread_s) * SECOND)

    def _follow(self, id: Id) -> None:
        site = self._monitor.world.sites.get(id)
        known = self._known.get(id)
        if site is None or site.spec.host != AUTO:
            if known is not None:
                del self._known[id]
                self._due.drop(id)
        elif known is None or known.url != site.spec.url:
            self._plan_anew(site, 0)
        elif known.parked and site.status == "up":
            self._plan(id, 0)

    def _plan_anew(self, site: Site, wait: int) -> None:
        if site.spec.host == AUTO:
            self._known[site.id] = _Known(site.spec.url, self._steady() - AGAIN_S * SECOND)
            self._plan(site.id, wait)

    def _wait_at_start(self, site: Site) -> int:
        """Microseconds until the first look since the start. The log does not know when the last one was."""
        if site.hosting.candidate_at:
            return self._wait_for_second(site.hosting)
        return phase(site.id, START_SPREAD_S) * SECOND if site.hosting.looked else 0

    def _wait_for_second(self, hosting: Hosting) -> int:
        """Microseconds until the host that was seen once is looked for again."""
        return min(max(SECOND, next_look(hosting) - self._monitor.now()), AGAIN_S * SECOND)

    def _plan(self, id: Id, wait: int, *, sooner: bool = False) -> None:
        """Look at the site in `wait` microseconds; if `sooner`, not later than was planned anyway."""
        known = self._known[id]
        due = self._steady() + wait
        if sooner and known.due <= due:
            return
        known.due, known.parked = due, False
        self._due.put(id, due)

    def _steady(self) -> int:
        return round(self._monitor.time.steady() * SECOND)

    # --- the tick -------------------------------------------------------------------------------------------------

    def _begin_due(self) -> None:
        places = PARALLEL - len(self._looking)
        if places <= 0:
            return
        for id, _ in self._due.due(self._steady()):
            if not self._begin(id):
                continue
            places -= 1
            if places == 0:
                return

    def _begin(self, id: Id) -> bool:
        """Look at the site, unless it is better left alone now."""
        site, known = self._monitor.world.sites.get(id), self._known[id]
        host = "" if site is None else _host(site.spec.url)
        if site is None or site.status != "up" or not self._rules.kinds or not host:
            known.parked = True
            return False
        if id in self._looking:  # and planned anew meanwhile
            self._plan(id, SECOND)
            return False
        look = Deferred.fromCoroutine(self._look_at(site, known, host))
        self._looking[id] = look
        look.addErrback(self._broken, known, id).addCallback(self._ended, id)
        return True

    def _ended(self, _: None, id: Id) -> None:
        self._looking.pop(id, None)

    def _broken(self, failure: Failure, known: _Known, id: Id) -> None:
        if not failure.check(CancelledError, JournalFull, JournalUnavailable):
            self.log.failure("an error while looking up who hosts site {site}", failure, site=id[:8])
        if self._known.get(id) is known:
            self._plan(id, AGAIN_S * SECOND)

    # --- one look -------------------------------------------------------------------------------------------------

    async def _look_at(self, site: Site, known: _Known, host: str) -> None:
        """Look up who hosts `site`, log what that changes, and plan the next look."""
        rules = self._rules
        signals = await self._lookup.signals(host, [kind for kind in KINDS if kind in rules.kinds])
        now_site = self._monitor.world.sites.get(site.id)
        if now_site is None or self._known.get(site.id) is not known or rules is not self._rules:
            return  # planned anew already
        if now_site.status != "up":
            known.parked = True
            return
        known.looked = self._steady()
        before = now_site.hosting
        attribution = rules.attribute(AUTO, signals)
        after = seen(before, attribution, self._monitor.now(), signals.failed)
        if after is before:
            known.failures += 1
        else:
            known.failures = 0
            if _changes(before, after):
                await self._monitor.submit(site.id, SiteHostSeen(attribution, signals.failed))
                self._report(site.id, before)
        if self._known.get(site.id) is known:
            self._plan(site.id, self._wait_after(site.id, known))

    def _wait_after(self, id: Id, known: _Known) -> int:
        """Microseconds until the next look, after one that has just ended."""
        if known.failures:
            return int(min(AGAIN_S << min(known.failures - 1, 16), LOOK_EVERY_S)) * SECOND
        hosting = self._monitor.world.sites[id].hosting
        return self._wait_for_second(hosting) if hosting.candidate_at else LOOK_EVERY_S * SECOND

    def _report(self, id: Id, before: Hosting) -> None:
        """Tell of another host; that a new site has one is no news."""
        if not before.looked:
            return
        site = self._monitor.world.sites.get(id)
        was = "" if before.found is None else before.found.slug
        found = None if site is None else site.hosting.found
        if found is None:
            if was:
                self.log.info("it is no longer known who hosts site {site}; it was {was}", site=id[:8], was=was)
        elif found.slug != was:
            self.log.info(
                "partner {slug} hosts site {site}, by its {kind} {evidence}",
                slug=found.slug,
                site=id[:8],
                kind=found.kind,
                evidence=found.evidence,
            )


class _Known:
    """What is remembered of one site. `due` and `looked`: microseconds of the clock that is never set.

    `looked` is when it was last looked at, `failures` how many looks in a row told nothing, because lookups failed.
    `parked`: it was due while it could not be looked at.
    """

    __slots__ = ("addresses", "due", "failures", "looked", "parked", "url")

    def __init__(self, url: str, looked: int) -> None:
        self.url = url
        self.due = 0
        self.looked = looked
        self.failures = 0
        self.parked = False
        self.addresses: tuple[str, ...] = ()


def _changes(before: Hosting, after: Hosting) -> bool:
    """Whether more has changed than the time of the last look. The first one always changes something."""
    return replace(after, looked=before.looked) != before


def _host(url: str) -> str:
    """The host of a site's URL in the form that is looked up; "" if it has none."""
    try:
        return folded(target(url).host)
    except BadUrl:
        return ""
