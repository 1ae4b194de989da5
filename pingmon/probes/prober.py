"""One look at a site from here: HEAD, redirects followed, one deadline over all of it, and an honest word for trouble.

A name is looked up once for each hop, every address it has is held against the policy, and the connection goes to one
of these very addresses. If one address of a host is refused, the host is: then the prober was told not to look and says
nothing of the site (`void`), unless the site led it there (`redirect`).

A look that has to wait for a place at an address is over at once if others have just found that nobody answers there
(`dark`); whoever finds a place free looks for itself.

Nothing fails but by being cancelled: whatever goes wrong is a `Look`. What is pingmon's own trouble (no descriptors,
no network, no name server that answers, too much to do) is `void` too, and never the site's fault.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.addresses import AddressPolicy
from pingmon.core.look import ASKED, Fault, Look, Method, Methods
from pingmon.outgoing.trust import Trust
from pingmon.probes.dark import Dark
from pingmon.probes.dial import Dial
from pingmon.probes.faults import NOT_ALLOWED, NOT_PROBED, ProbeFailed
from pingmon.probes.head import Phase, request
from pingmon.probes.lookups import CannotAsk, NoAnswer, NoSuchName
from pingmon.probes.places import Places
from pingmon.probes.resolver import Resolver
from pingmon.probes.target import BadUrl, Target, redirected, target
from pingmon.probes.watch import Watch
from pingmon.wire.http_head import Head

MAX_REDIRECTS: Final = 5
MAX_ADDRESSES: Final = 6
"""Addresses of one host that are tried."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
NO_HEAD: Final = frozenset({405, 501})
"""Answers to a HEAD that say nothing about the site until a GET confirms them."""
DOING: Final[dict[Phase, str]] = {
    "wait": "waiting for its turn",
    "dns": "looking up the name",
    "connect": "connecting",
    "tls": "shaking hands over TLS",
    "answer": "waiting for the answer",
}

log = Logger()


class Prober:
    """Looks at sites. `reactor`: IReactorTCP and IReactorTime; `now`: microseconds since the epoch.

    `max_in_flight` and `per_address` bound what goes on at once, in all and to one address; one look holds a socket or
    two as a rule, and for moments up to `MAX_ADDRESSES`. More looks wait, at most `max_waiting` of them and each at
    most `max_wait_s` in all.
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
    ) -> None:
        self.reactor = reactor
        self.resolver = resolver
        self.policy = policy
        self.trust = trust
        self.now = now
        self.max_wait_s = max_wait_s
        self.flight = Places(max_in_flight)
        self.targets = Places(per_address)
        self.dark = Dark()
        self.looks = 0
        """Looks that have begun and not ended, those that wait included."""
        self._most = max_in_flight + max_waiting

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[Look]:
        """Look at `url` for at most `timeout_s` seconds, waiting for a turn not included.

        Fires with what was seen and never fails. Cancelling ends it at once with `CancelledError`. `methods`: what
        is asked.
        """
        if self.looks >= self._most:
            return succeed(Look(at=self.now(), fault="void", detail="pingmon has too many probes waiting already"))
        self.looks += 1
        return _Visit(self, timeout_s, methods).begin(url)


class _Visit:
    """One look. `_held` are the addresses whose places it has taken."""

    def __init__(self, prober: Prober, timeout_s: float, methods: Methods) -> None:
        self._prober = prober
        self._timeout_s = timeout_s
        self._methods = methods
        self._watch = Watch(prober.reactor, timeout_s, prober.max_wait_s, self._expire)
        self._began_s = prober.reactor.seconds()
        self._code = 0
        self._address = ""
        self._note = ""
        self._redirected = False
        self._verdict: ProbeFailed | None = None
        self._walking: Deferred[Look] | None = None
        self._dial: Dial | None = None
        self._port = 0
        self._dialled_s = 0.0
        self._flying = False
        self._held: list[str] = []

    def begin(self, url: str) -> Deferred[Look]:
        self._walking = Deferred.fromCoroutine(self._walk(url))
        return self._walking.addErrback(self._stopped)

    # --- the way --------------------------------------------------------------------------------------------------

    async def _walk(self, url: str) -> Look:
        try:
            return self._judged(await self._followed(url))
        except ProbeFailed as failed:
            return self._seen(failed.fault, failed.detail)
        finally:
            self._watch.stop()
            self._leave()
            self._prober.looks -= 1

    async def _followed(self, url: str) -> Head:
        """The answer at the end of all redirects."""
        try:
            where = target(url)
        except BadUrl as error:
            raise ProbeFailed("void", f"{NOT_PROBED}: {error}") from error
        been = {where}
        while True:
            head = await self._answer(where)
            if head.status not in REDIRECTS:
                return head
            if len(been) > MAX_REDIRECTS:
                raise ProbeFailed("redirect", f"more than {MAX_REDIRECTS} redirects")
            where, self._redirected = self._next(where, head), True
            if where in been:
                raise ProbeFailed("redirect", "the redirects go round in a circle")
            been.add(where)

    def _next(self, where: Target, head: Head) -> Target:
        try:
            there = redirected(where, head.location)
        except BadUrl as error:
            raise ProbeFailed("redirect", f"redirected to nowhere: {error}") from error
        if where.secure and not there.secure:
            self._note = "redirected from https to http"
        return there

    async def _answer(self, where: Target) -> Head:
        """What the server at `where` has to say, to a GET if it does not know HEAD."""
        head = await self._asked(self._methods[0], where)
        if head.status in NO_HEAD and len(self._methods) > 1:
            self._note = f"HEAD was answered with {head.status}, so GET was asked"
            head = await self._asked("GET", where)
        return head

    async def _asked(self, method: Method, where: Target) -> Head:
        prober = self._prober
        try:
            await self._take_off()
            addresses, self._port = await self._checked(where.host), where.port
            await self._queue(addresses)
            self._watch.enter("connect")
            self._dialled_s = prober.reactor.seconds()
            creator = self._creator(where.host) if where.secure else None
            wire = request(method, where)
            dial = self._dial = Dial(prober.reactor, addresses, where.port, wire, creator, self._entered)
            try:
                head = await dial.done
            finally:
                self._dial = None
                self._address = dial.address or self._address
            self._code = head.status
            return head
        finally:
            self._leave()

    def _entered(self, phase: Phase) -> None:
        """Somebody has answered."""
        self._watch.enter(phase)
        if self._dial is not None and self._dial.address:
            self._prober.dark.heard(self._dial.address, self._port, self._prober.reactor.seconds())

    async def _checked(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, all of them permitted."""
        self._watch.enter("dns")
        try:
            resolved = await self._prober.resolver.addresses(host)
        except NoSuchName as error:
            raise ProbeFailed("dns", str(error)) from error
        except CannotAsk as error:
            raise ProbeFailed("void", f"pingmon cannot look up names: {error}") from error
        except NoAnswer as error:
            raise ProbeFailed("dns", str(error)) from error
        for address in resolved.addresses:
            refusal = self._prober.policy.refusal(address)
            if refusal is not None:
                raise self._forbidden(refusal)
        return resolved.addresses[:MAX_ADDRESSES]

    def _forbidden(self, refusal: str) -> ProbeFailed:
        """What it means that an address is not permitted: only a site that leads there itself is to blame."""
        if self._redirected:
            return ProbeFailed("redirect", f"redirected to where pingmon may not look: {refusal}")
        return ProbeFailed("void", f"{NOT_ALLOWED}: {refusal}")

    def _creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        try:
            return self._prober.trust.creator(host)
        except ValueError as error:
            raise ProbeFailed("tls", "no certificate can be for this name") from error

    # --- whose turn it is -----------------------------------------------------------------------------------------

    async def _take_off(self) -> None:
        if not self._prober.flight.take():
            self._watch.enter("wait")
            await self._prober.flight.wait()
        self._flying = True

    async def _queue(self, addresses: tuple[str, ...]) -> None:
        """Take a place at each address, in an order that all share, so that nobody waits in a circle.

        Who has to wait there lets others fly meanwhile, so that one slow address does not hold up all probes. And it
        is told what others have found there, before it waits and after.
        """
        prober = self._prober
        for address in sorted(set(addresses)):
            if prober.targets.take(address):
                self._held.append(address)
                continue
            self._ask_the_others(addresses)
            self._watch.enter("wait")
            if self._flying:
                self._flying = False
                prober.flight.free()
            await prober.targets.wait(address)
            self._held.append(address)
            self._ask_the_others(addresses)
        if not self._flying:
            await self._take_off()

    def _ask_the_others(self, addresses: tuple[str, ...]) -> None:
        """Raise `ProbeFailed` if nobody answers at any of `addresses`."""
        prober = self._prober
        silence = prober.dark.found(addresses, self._port, self._timeout_s, prober.reactor.seconds())
        if silence is not None:
            why = f"no answer from {silence.address} for {silence.tried_s:.0f} s, like other sites there"
            raise ProbeFailed("timeout", why)

    def _leave(self) -> None:
        prober = self._prober
        while self._held:
            prober.targets.free(self._held.pop())
        if self._flying:
            self._flying = False
            prober.flight.free()

    # --- the end --------------------------------------------------------------------------------------------------

    def _judged(self, head: Head) -> Look:
        if 200 <= head.status < 300:
            return self._seen("", self._note)
        return self._seen("status", _phrase(head.status))

    def _seen(self, fault: Fault, detail: str) -> Look:
        self._watch.stop()
        return Look(
            at=self._prober.now(),
            code=self._code,
            fault=fault,
            ms=self._watch.ms,
            address=self._address,
            detail=detail,
            phases=self._watch.phases,
        )

    def _expire(self, held_up: bool) -> None:
        """The time is used up; `held_up`: this process could not see to it in time."""
        phase = self._watch.phase
        if held_up:
            self._verdict = ProbeFailed("void", f"pingmon was held up while {DOING[phase]}")
        elif phase == "wait":
            self._verdict = ProbeFailed("void", f"pingmon had no place free for {self._prober.max_wait_s:g} s")
        elif phase == "dns" and not self._prober.resolver.heard_since(self._began_s):
            self._verdict = ProbeFailed("void", "pingmon cannot look up names: no name server answers")
        elif self._dial is not None and self._dial.troubled and not self._dial.address:
            self._verdict = ProbeFailed("void", "pingmon cannot connect to all addresses")
        else:
            self._verdict = ProbeFailed("timeout", f"timed out after {self._timeout_s:g} s while {DOING[phase]}")
            self._tell_the_others()
        assert self._walking is not None
        self._walking.cancel()

    def _tell_the_others(self) -> None:
        """The time is used up, and perhaps nobody has answered."""
        dial, prober = self._dial, self._prober
        if dial is not None and not dial.address:
            prober.dark.tried(dial.waiting, dial.no_way, self._port, self._dialled_s, prober.reactor.seconds())

    def _stopped(self, failure: Failure) -> Look:
        """It was cancelled, by the deadline or from outside; anything else is a bug."""
        if failure.check(CancelledError) is None:
            log.failure("while probing a site", failure)
            return self._seen("void", "pingmon could not look by its own fault; its log says more")
        if self._verdict is None:
            failure.raiseException()
        assert self._verdict is not None
        return self._seen(self._verdict.fault, self._verdict.detail)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status}"
