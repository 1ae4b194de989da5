"""Looks at sites from here: so many at a time, and each for itself (`site_visit`).

What looks share is here: their places, the resolver and the policy, and what is known of addresses that answer nobody.
Nothing here knows what is seen, nor what it means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed

from pingmon.core.address_policy import AddressPolicy
from pingmon.core.site import failures as kinds
from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.dns.resolver import Resolver
from pingmon.outgoing.tls_trust import Trust
from pingmon.probe.dark_addresses import DarkAddresses
from pingmon.probe.site_visit import SiteVisit
from pingmon.probe.slot_shortage import Limit, SlotWaits
from pingmon.probe.slots import Slots
from pingmon.wire.probe.target import target
from pingmon.wire.web_url import is_literal

REMEDIES: Final[dict[Limit, str]] = {
    "in all": "raise [sites] parallel",
    "at one address": "raise [sites] per_address, or the intervals of the sites there",
}


class Prober:
    """Looks at sites. `reactor`: IReactorTCP and IReactorTime; `now`: microseconds since the epoch.

    `max_in_flight` and `per_address` bound what goes on at once, in all and to one address; one look holds a socket or
    two as a rule, and for moments up to `MAX_ADDRESSES`. More looks wait, at most `max_waiting` of them and each at
    most `max_wait_s` in all. `elsewhere`: it is a verifier's, which does not know the daemon's networks.
    `remedies`: what the operator is told to raise when they wait for long.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: Resolver,
        policy: AddressPolicy,
        trust: Trust,
        *,
        now: Callable[[], int],
        max_in_flight: int = 500,
        per_address: int = 4,
        max_waiting: int = 10_000,
        max_wait_s: float = 60.0,
        elsewhere: bool = False,
        remedies: Mapping[Limit, str] = REMEDIES,
    ) -> None:
        self.reactor = reactor
        self.resolver = resolver
        self.policy = policy
        self.trust = trust
        self.now = now
        self.max_wait_s = max_wait_s
        self.elsewhere = elsewhere
        self.flight = Slots(max_in_flight)
        self.targets = Slots(per_address)
        self.dark = DarkAddresses()
        self.waits = SlotWaits(reactor.seconds, remedies)
        self.looks = 0
        """Looks that have begun and not ended, those that wait included."""
        self.seen: Counter[str] = Counter()
        """How many looks have ended with each fault since the start; "" is none."""
        self._most = max_in_flight + max_waiting

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[ProbeResult]:
        """Look at `url` for at most `timeout_s` seconds, waiting for a turn not included.

        Fires with what was seen and never fails. Cancelling ends it at once with `CancelledError`. `methods`: what
        is asked.
        """
        if self.looks >= self._most:
            self.waits.note("in all", "", 0.0, void=True)
            self.seen["void"] += 1
            return succeed(ProbeResult(at=self.now(), fault="void", detail=kinds.TOO_MANY()))
        self.looks += 1
        return SiteVisit(self, timeout_s, methods, self._over).begin(url).addCallback(self._count)

    def _over(self) -> None:
        self.looks -= 1

    def _count(self, look: ProbeResult) -> ProbeResult:
        self.seen[look.fault] += 1
        return look

    def refusal(self, url: str) -> str | None:
        """Why it is plain from `url` alone that it may not be looked at; None if it is not. Raises `BadUrl`."""
        host = target(url).host
        return self.policy.refusal(host) if is_literal(host) else None
