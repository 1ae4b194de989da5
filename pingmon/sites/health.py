"""Whether the daemon's own looks at sites can be trusted. While they cannot, they are void: they page nobody.

Two signs that it is pingmon's place that is sick, and not the sites:

    canaries  of some sites of the operator's choosing that never fail, most fail now
    breaker   of at least `MANY` sites looked at within a minute, more than half fail here and are up for the verifiers

Canaries are looked at when a site fails, at once, and one answer serves all who ask within `FRESH_S`; else every
`CANARIES_EVERY_S`, so that one that is no good is noticed before an outage, and every `CANARIES_AGAIN_S` while they
fail. The breaker holds for `WINDOW_S`, then looks count again: if they still contradict the verifiers, it trips anew,
and as long as that goes on the operator is told once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.ids import Id
from pingmon.core.look import ASKED, Look, Methods

MANY: Final = 10
WINDOW_S: Final = 60.0
FRESH_S: Final = 2.0
"""A place can lose its way out at any moment, but an outage of thousands of sites must not become one of a canary."""
CANARIES_AGAIN_S: Final = 10.0
CANARIES_EVERY_S: Final = 600.0
CANARY_S: Final = 10.0
"""Seconds that a canary gets to answer."""

log = Logger()


class Prober(Protocol):
    """Looks at a URL from here. The Deferred never fails but by being cancelled."""

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[Look]: ...


class Health:
    """`steady`: seconds on a clock that is never set."""

    def __init__(self, prober: Prober, canaries: Sequence[str], steady: Callable[[], float]) -> None:
        self._prober = prober
        self._canaries = tuple(canaries)
        self._steady = steady
        self._seen = _LastMinute()
        self._contradicted = _LastMinute()
        self._void_until = self._watched_until = steady()
        self._contradiction = ""
        self._canaries_fail = False
        self._asked_at = float("-inf")
        self._asking: Deferred[bool] | None = None
        self._waiting: list[Deferred[bool]] = []
        self._told = False

    @property
    def trouble(self) -> str:
        """What is wrong with the daemon's own place; empty if nothing is known to be."""
        if self._canaries_fail:
            return f"most of the {len(self._canaries)} canaries fail"
        return self._contradiction if self._steady() < self._watched_until else ""

    def tick(self) -> None:
        """See to the canaries. To be called often."""
        every = CANARIES_AGAIN_S if self._canaries_fail else CANARIES_EVERY_S
        if self._canaries and self._asking is None and self._steady() - self._asked_at >= every:
            self._ask_canaries()
        self._tell()

    def stop(self) -> None:
        """Look at no canary any more."""
        if self._asking is not None:
            self._asking.cancel()

    # --- the breaker ----------------------------------------------------------------------------------------------

    def saw(self, site: Id, own: Look) -> Look:
        """The daemon has looked at `site`: what it saw, or that nothing was seen if this place is sick."""
        if not own.counts:
            return own
        now = self._steady()
        self._seen.add(site, now)
        if own.good:
            self._contradicted.discard(site)
        return _voided(own, self._contradiction) if now < self._void_until else own

    def heard(self, site: Id, others: Iterable[Look]) -> None:
        """Verifiers have looked at a site that fails here."""
        votes = [look.good for look in others if look.counts]
        if sum(votes) <= len(votes) / 2:
            return
        now = self._steady()
        self._contradicted.add(site, now)
        wrong, seen = self._contradicted.count(now), self._seen.count(now)
        if seen >= MANY and wrong > seen / 2:
            self._contradiction = f"{wrong} of {seen} sites fail only here, and are up for the verifiers"
            self._void_until, self._watched_until = now + WINDOW_S, now + 2 * WINDOW_S
            self._seen, self._contradicted = _LastMinute(), _LastMinute()
            self._tell()

    # --- the canaries ---------------------------------------------------------------------------------------------

    def confirmed(self, own: Look) -> Deferred[Look]:
        """`own`, which is bad, once the canaries have said whether it can be believed. Never fails.

        Cancelling ends only this waiting.
        """
        if not own.counts or own.good or not self._canaries:
            return succeed(own)
        if self._asking is None and self._steady() - self._asked_at < FRESH_S:
            return succeed(_voided(own, self.trouble) if self._canaries_fail else own)
        answer: Deferred[bool] = Deferred()
        self._waiting.append(answer)
        if self._asking is None:
            self._ask_canaries()
        return answer.addCallback(lambda fail: _voided(own, self.trouble) if fail else own)

    def _ask_canaries(self) -> None:
        looks = gatherResults([self._prober.look(url, CANARY_S) for url in self._canaries])
        self._asking = looks.addCallbacks(_most_fail, self._not_looked)
        self._asking.addCallback(self._answered)

    def _answered(self, fail: bool) -> bool:
        self._asking, waiting, self._waiting = None, self._waiting, []
        self._asked_at = self._steady()
        self._canaries_fail = fail
        self._tell()
        for answer in waiting:
            if not answer.called:
                answer.callback(fail)
        return fail

    def _not_looked(self, failure: Failure) -> bool:
        error = failure.value
        if isinstance(error, FirstError) and error.subFailure.check(CancelledError):
            return self._canaries_fail
        log.failure("while looking at the canaries", failure)
        return True

    # --- what the operator hears ----------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Once when trouble begins, and once when it is over."""
        trouble = self.trouble
        if trouble and not self._told:
            log.error("probes from here count for nothing until this is over: {trouble}", trouble=trouble)
        elif self._told and not trouble:
            log.info("probes from here count again")
        self._told = bool(trouble)


class _LastMinute:
    """The sites that something was noted of within the last `WINDOW_S`."""

    def __init__(self) -> None:
        self._noted: OrderedDict[Id, float] = OrderedDict()

    def add(self, site: Id, now: float) -> None:
        self._noted[site] = now
        self._noted.move_to_end(site)
        self.count(now)

    def discard(self, site: Id) -> None:
        self._noted.pop(site, None)

    def count(self, now: float) -> int:
        while self._noted and now - next(iter(self._noted.values())) >= WINDOW_S:
            self._noted.popitem(last=False)
        return len(self._noted)


def _most_fail(looks: list[Look]) -> bool:
    """Nothing seen is as bad as a failure here: whoever cannot look can say nothing of others."""
    return sum(not (look.counts and look.good) for look in looks) > len(looks) / 2


def _voided(own: Look, why: str) -> Look:
    return replace(own, fault="void", detail=f"not believed: {why}")
