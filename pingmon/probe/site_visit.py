"""One look at a site: redirects followed, one deadline over all of it, and an honest word for trouble.

A name is looked up once for each hop, every address it has is held against the policy, and the connection goes to one
of these very addresses. If one address of a host is refused, the host is not connected to. What that and other
troubles say of the site is up to `core.site.failed_probe` and `failed_lookup`, what statuses say to `status_codes`.

If a name's servers do not answer, it is asked where the name led a while ago: it is good to know that only the name is
at fault.

A look that has to wait for a place at an address is over at once if others have just found that nobody answers there
(`dark_addresses`); whoever finds a place free looks for itself.

Nothing fails but by being cancelled: whatever goes wrong is a `ProbeResult`, its sentence from `core.site.failures`.
What is pingmon's own trouble (no descriptors, no network, no name server that answers, too much to do) is `void` too:
Note [Looks that count for nothing] in `core.site.probe_result`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.address_policy import AddressPolicy
from pingmon.core.site import failures as kinds
from pingmon.core.site.failed_lookup import late_lookup, lookup_blame, nameless, needs_sound_servers, without_lookup
from pingmon.core.site.failed_probe import DOING, forbidden, out_of_time
from pingmon.core.site.probe_result import Fault, Method, Methods, Phase, ProbeResult
from pingmon.core.site.status_codes import MAX_REDIRECTS, get_after_s, is_redirect, is_up
from pingmon.dns.resolver import Resolver
from pingmon.dns.results import LookupFailed
from pingmon.outgoing.passage import MAX_ADDRESSES
from pingmon.outgoing.tls_trust import Trust
from pingmon.probe.connect import Dial
from pingmon.probe.dark_addresses import DarkAddresses
from pingmon.probe.head_request import request
from pingmon.probe.head_then_get import Answered, Ended, HeadThenGet
from pingmon.probe.network_faults import ProbeFailed, failed, lookup_cause
from pingmon.probe.probe_slots import ProbeSlots
from pingmon.probe.probe_timer import ProbeTimer
from pingmon.probe.slot_shortage import SlotWaits
from pingmon.probe.slots import Slots
from pingmon.wire.probe.cookies import Cookies
from pingmon.wire.probe.response_head import ResponseHead
from pingmon.wire.probe.target import Target, redirected, target
from pingmon.wire.web_url import BadUrl, is_literal

log = Logger()


class Shared(Protocol):
    """What all visits share, as `Prober` has it. `flight` has the places for looks, `targets` those at each address."""

    reactor: Any
    resolver: Resolver
    policy: AddressPolicy
    trust: Trust
    now: Callable[[], int]
    max_wait_s: float
    elsewhere: bool
    flight: Slots
    targets: Slots
    dark: DarkAddresses
    waits: SlotWaits


class SiteVisit:
    """One look, of at most `timeout_s` seconds. `over` is called when it holds no place and wants none any more."""

    def __init__(self, prober: Shared, timeout_s: float, methods: Methods, over: Callable[[], object]) -> None:
        self._prober = prober
        self._over = over
        self._timeout_s = timeout_s
        self._methods = methods
        self._timer = ProbeTimer(
            prober.reactor, timeout_s, prober.max_wait_s, self._expire, get_after_s(timeout_s), self._insist
        )
        self._slots = ProbeSlots(prober.flight, prober.targets, self._timer, prober.waits)
        self._cookies: Cookies | None = None
        self._began_s = self._entered_s = prober.reactor.seconds()
        self._code = 0
        self._address = ""
        self._notes: list[str] = []
        self._nameless = ""
        self._hops: list[Target] = []
        self._verdict: ProbeFailed | None = None
        self._walking: Deferred[ProbeResult] | None = None
        self._asking: HeadThenGet | None = None

    def begin(self, url: str) -> Deferred[ProbeResult]:
        """Look at `url`. As `Prober.look`; call it once."""
        self._walking = Deferred.fromCoroutine(self._walk(url))
        return self._walking.addErrback(self._stopped)

    # --- the way --------------------------------------------------------------------------------------------------

    async def _walk(self, url: str) -> ProbeResult:
        try:
            return self._judged(await self._followed(url))
        except ProbeFailed as error:
            return self._seen(error.fault, error.detail)
        finally:
            self._timer.stop()
            self._slots.leave()
            self._over()

    async def _followed(self, url: str) -> Answered:
        """The answer at the end of all redirects."""
        try:
            self._hops.append(target(url))
        except BadUrl as error:
            raise failed(kinds.NOT_PROBED, why=error) from error
        while True:
            where = self._hops[-1]
            answered = await self._asked(where)
            if not is_redirect(answered.head.status):
                return answered
            if len(self._hops) > MAX_REDIRECTS:
                raise failed(kinds.TOO_MANY_REDIRECTS, most=MAX_REDIRECTS)
            self._cookies = self._cookies or Cookies()
            self._cookies.take(where.host, answered.head.cookies, self._prober.now())
            self._hops.append(self._next(where, answered.head))

    def _next(self, where: Target, head: ResponseHead) -> Target:
        if not head.location:
            raise failed(kinds.LEADS_NOWHERE, why="the redirect does not say where to")
        try:
            there = redirected(where, head.location)
        except BadUrl as error:
            raise failed(kinds.LEADS_NOWHERE, why=f"the URL {error}") from error
        if where.secure and not there.secure:
            self._notes.append("redirected from https to http")
        return there

    async def _asked(self, where: Target) -> Answered:
        """What the server at `where` has to say."""
        try:
            await self._slots.take_off()
            addresses = await self._checked(where.host)
            await self._slots.queue(addresses, lambda: self._ask_the_others(addresses, where.port))
            self._enter("connect")
            creator = self._creator(where.host) if where.secure else None
            cookie = "" if self._cookies is None else self._cookies.header(where.host, secure=where.secure)

            def dial(method: Method, ended: Ended) -> Dial:
                entered = self._entered if method == self._methods[0] else _unnoticed
                wire = request(method, where, cookie)
                return Dial(self._prober.reactor, addresses, where.port, wire, creator, entered, ended)

            exchange = self._asking = HeadThenGet(dial, self._methods)
            try:
                answered = await exchange.done
            finally:
                self._address = exchange.first.address or self._address
                if not self._nameless:  # else it is of whoever had the name before
                    self._code = exchange.code or self._code
                self._asking = None
            if answered.note:
                self._notes.append(answered.note)
            return answered
        finally:
            self._slots.leave()

    def _enter(self, phase: Phase) -> None:
        self._timer.enter(phase)
        self._entered_s = self._prober.reactor.seconds()

    def _entered(self, phase: Phase) -> None:
        """Somebody has answered."""
        self._timer.enter(phase)
        if self._asking is not None and self._asking.first.address:
            self._prober.dark.heard(self._asking.first.address, self._hops[-1].port, self._prober.reactor.seconds())
            if phase == "answer" and self._timer.late:
                self._asking.insist()

    def _insist(self) -> None:
        """So much of the time is used up that GET is asked besides."""
        if self._asking is not None:
            self._asking.insist()

    async def _checked(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, all of them permitted."""
        self._enter("dns")
        resolver, policy = self._prober.resolver, self._prober.policy
        try:
            addresses = (await resolver.addresses(host)).addresses
        except LookupFailed as error:
            addresses = self._remembered(host, error)
        refusal = policy.refusal_of_name(addresses)
        if refusal is None:
            return addresses[:MAX_ADDRESSES]
        literal, redirected = is_literal(host), len(self._hops) > 1
        kind = forbidden(literal=literal, redirected=redirected, elsewhere=self._prober.elsewhere)
        if literal:
            raise failed(kind, why=policy.refusal(host))
        log.debug("{host} leads to {addresses}, which are not all allowed", host=host, addresses=", ".join(addresses))
        raise failed(kind, why=refusal)

    def _remembered(self, host: str, error: LookupFailed) -> tuple[str, ...]:
        """The addresses that `host` had a while ago, if they are to be asked instead; else what its lookup means."""
        known = self._prober.resolver.remembered(host)
        blame = lookup_blame(lookup_cause(error), remembered=known is not None)
        if blame == "void":
            raise failed(kinds.CANNOT_ASK, why=error) from error
        if blame == "dns" or known is None:
            raise ProbeFailed("dns", str(error)) from error
        if blame == "seen there":
            self._notes.append(without_lookup(error))
        else:
            self._nameless = str(error)
        return known.addresses

    def _creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        try:
            return self._prober.trust.creator(host)
        except ValueError as error:
            raise failed(kinds.NO_CERTIFICATE) from error

    def _ask_the_others(self, addresses: tuple[str, ...], port: int) -> None:
        """Raise `ProbeFailed` if nobody answers at any of `addresses`."""
        prober = self._prober
        dark = prober.dark.found(addresses, port, self._timeout_s, prober.reactor.seconds())
        if dark is not None:
            raise failed(kinds.DARK, address=dark.address, tried=dark.tried_s)

    # --- the end --------------------------------------------------------------------------------------------------

    def _judged(self, answered: Answered) -> ProbeResult:
        if is_up(answered.head.status):
            return self._seen("", "; ".join(self._notes))
        return self._seen("status", answered.bad)

    def _seen(self, fault: Fault, detail: str) -> ProbeResult:
        self._timer.stop()
        if self._nameless:
            fault, detail = nameless(self._nameless, fault, detail)
        if fault and len(self._hops) > 1:
            after = "a redirect" if len(self._hops) == 2 else f"{len(self._hops) - 1} redirects"
            detail = f"{detail}, at {self._hops[-1].shown} after {after}"
        return ProbeResult(
            at=self._prober.now(),
            code=self._code,
            fault=fault,
            ms=self._timer.ms,
            address=self._address,
            detail=detail,
            phases=self._timer.phases,
        )

    def _expire(self, late_s: float) -> None:
        """The time is used up, and was `late_s` seconds ago."""
        self._verdict = self._out_of_time(late_s)
        assert self._walking is not None
        self._walking.cancel()

    def _out_of_time(self, late_s: float) -> ProbeFailed:
        phase, exchange, prober, now_s = self._timer.phase, self._asking, self._prober, self._prober.reactor.seconds()
        unconnected = None if exchange is None or exchange.first.address else exchange.first
        answered = None if exchange is None else exchange.so_far()
        kind = out_of_time(
            phase,
            late_s=late_s,
            phase_s=now_s - self._entered_s,
            limit_s=self._timeout_s,
            untried=unconnected is not None and unconnected.troubled,
            answered=answered is not None,
        )
        if kind is kinds.NO_PLACE:
            prober.waits.note(*self._slots.waits_for, prober.max_wait_s, void=True)
        if kind is kinds.TIMED_OUT and unconnected is not None:
            prober.dark.tried(unconnected.waiting, unconnected.no_way, self._hops[-1].port, self._entered_s, now_s)
        if answered is not None and kind is kinds.BAD_STATUS:
            return ProbeFailed(kind.fault, answered.bad)
        doing = DOING[phase]
        if kind is kinds.TIMED_OUT and phase == "answer" and exchange is not None:
            doing = f"{doing} to {' and '.join(exchange.asked)}"
        return failed(kind, doing=doing, waited=prober.max_wait_s, limit=self._timeout_s)

    def _stopped(self, failure: Failure) -> Deferred[ProbeResult]:
        """It was cancelled, by the deadline or from outside; anything else is a bug."""
        if failure.check(CancelledError) is None:
            log.failure("an error while probing a site", failure)
            return succeed(self._seen("void", kinds.OWN_FAULT()))
        if self._verdict is None:
            failure.raiseException()
        assert self._verdict is not None
        look, resolver = self._seen(self._verdict.fault, self._verdict.detail), self._prober.resolver
        if needs_sound_servers(self._timer.phase, look.fault, answered=resolver.sound_since(self._began_s)):
            return resolver.sound().addCallback(partial(late_lookup, look))
        return succeed(look)


def _unnoticed(phase: Phase) -> None:
    """The first dial's phases are the look's."""
