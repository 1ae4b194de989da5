"""Whether the daemon's own looks at sites can be trusted. While they cannot, they are void: they page nobody.

What that means: Note [Looks that count for nothing] in `core.site.probe_result`.

Three signs that it is pingmon's place that is sick, and not the sites:

    canaries     of some sites of the operator's choosing that never fail, most fail now
    other sites  where there are no canaries and nobody elsewhere looks: of some other sites, in other networks than the
                 one that fails and than each other, most fail too
    breaker      of at least `MANY` sites looked at within a minute, more than half fail here and are up for the
                 verifiers

Canaries are looked at when a site fails, at once, and one answer serves all who ask within `FRESH_S`; else every
`CANARIES_EVERY_S`, so that one that is no good is noticed before an outage, and every `CANARIES_AGAIN_S` while they
fail. Other sites are only asked when one fails and while they fail too. As nobody has said of them that they never do,
they are believed for `OTHERS_MAX_S` and no longer: else an outage of all sites would be told to nobody.

A site that sent an HTTP status itself was reached, whatever canaries do; unless they are answered with a status too,
perhaps by somebody on the way.

The breaker holds for `WINDOW_S`, then looks count again: if they still contradict the verifiers, it trips anew. As long
as any of this goes on the operator is told once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.site.probe_result import ASKED, Methods, ProbeResult
from pingmon.core.site.verdict import Place
from pingmon.core.units import Id

MANY: Final = 10
WINDOW_S: Final = 60.0
FRESH_S: Final = 2.0
"""A place can lose its way out at any moment, but an outage of thousands of sites must not become one of a canary."""
CANARIES_AGAIN_S: Final = 10.0
CANARIES_EVERY_S: Final = 600.0
CANARY_S: Final = 10.0
"""Seconds that a canary gets to answer."""
OTHERS_MAX_S: Final = 3_600.0
VOUCHED_S: Final = 60.0
"""Seconds for which it is known that a place is well: as long as a round may take in which no verifier answers."""

log = Logger()


Looks: TypeAlias = Callable[[], "list[Deferred[ProbeResult]]"]
"""Begins to look at some sites."""


class Prober(Protocol):
    """Looks at a URL from here. The Deferred never fails but by being cancelled."""

    def look(self, url: str, timeout_s: float, *, methods: Methods = ASKED) -> Deferred[ProbeResult]: ...

    def refusal(self, url: str) -> str | None:
        """Why it is plain from `url` alone that it may not be looked at; None if it is not."""


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
        self._looks: Looks | None = self._look_at_canaries if self._canaries else None
        self._witnesses = _Witnesses()
        self._failing_since: float | None = None
        self._vouched_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []
        self._told = False

    @property
    def trouble(self) -> str:
        """What is wrong with the daemon's own place; empty if nothing is known to be."""
        if self._failing_since is not None:
            what = "canaries" if self._canaries else "other sites that were looked at"
            return f"most of the {self._witnesses.number} {what} fail"
        return self._contradiction if self._steady() < self._watched_until else ""

    @property
    def place(self) -> Place:
        """What is known of the daemon's own place, for the log (`core.site.verdict`)."""
        return "well" if self._steady() - self._vouched_at < VOUCHED_S else "unsure"

    def tick(self) -> None:
        """See to canaries, and to other sites while they fail. To be called often."""
        every = CANARIES_AGAIN_S if self._failing_since is not None else CANARIES_EVERY_S
        wanted = self._canaries or self._failing_since is not None
        if wanted and self._looks and self._asking is None and self._steady() - self._asked_at >= every:
            self._ask(self._looks)
        self._tell()

    def stop(self) -> None:
        """Look at no canary any more."""
        if self._asking is not None:
            self._asking.cancel()

    # --- the breaker ----------------------------------------------------------------------------------------------

    def saw(self, site: Id, own: ProbeResult) -> ProbeResult:
        """The daemon has looked at `site`: what it saw, or that nothing was seen if this place is sick."""
        if not own.counts:
            return own
        now = self._steady()
        self._seen.add(site, now)
        if own.good:
            self._contradicted.discard(site)
        return _voided(own, self._contradiction) if now < self._void_until else own

    def heard(self, site: Id, others: Iterable[ProbeResult]) -> None:
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

    # --- canaries and other sites ----------------------------------------------------------------------------------

    def confirmed(self, own: ProbeResult, others: Looks | None = None) -> Deferred[ProbeResult]:
        """`own`, which is bad, once the canaries have said whether it can be believed. Never fails.

        `others` looks at other sites instead, if there are no canaries; None if nobody but the canaries is to be
        asked. Cancelling ends only this waiting.
        """
        looks = self._looks if self._canaries else others
        if not own.counts or own.good or looks is None:
            return succeed(own)
        if self._asking is None and self._steady() - self._asked_at < FRESH_S:
            return succeed(self._believed(own))
        answer: Deferred[None] = Deferred()
        self._waiting.append(answer)
        if self._asking is None:
            self._ask(looks)
        return answer.addCallback(lambda _: self._believed(own))

    def _believed(self, own: ProbeResult) -> ProbeResult:
        since = self._failing_since
        if since is None or (own.fault == "status" and not self._witnesses.answered):
            return own
        if not self._canaries and self._steady() - since >= OTHERS_MAX_S:
            return own
        return _voided(own, self.trouble)

    def _look_at_canaries(self) -> list[Deferred[ProbeResult]]:
        return [self._prober.look(url, CANARY_S) for url in self._canaries]

    def _ask(self, looks: Looks) -> None:
        self._looks = looks
        self._asking = gatherResults(looks()).addCallbacks(self._testified, self._not_looked)
        self._asking.addCallback(self._answered)

    def _testified(self, looks: list[ProbeResult]) -> None:
        self._witnesses = witnesses = _Witnesses.of(looks)
        now = self._asked_at = self._steady()
        if witnesses.well:
            self._failing_since, self._vouched_at = None, now
        elif witnesses.number > 1 or self._canaries:
            self._failing_since = now if self._failing_since is None else self._failing_since
            self._vouched_at = float("-inf")
        else:  # one speaks for itself alone, so nobody is left who speaks against this place
            self._failing_since = None

    def _answered(self, _: None) -> None:
        self._asking, waiting, self._waiting = None, self._waiting, []
        self._tell()
        for answer in waiting:
            if not answer.called:
                answer.callback(None)

    def _not_looked(self, failure: Failure) -> None:
        self._asked_at = self._steady()
        error = failure.value
        if isinstance(error, FirstError) and error.subFailure.check(CancelledError):
            return
        log.failure("an error while looking at the canaries", failure)
        self._testified([ProbeResult(fault="void")] * max(2, len(self._canaries)))

    # --- what the operator hears ----------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Once when trouble begins, and once when it is over."""
        trouble = self.trouble
        if trouble and not self._told:
            log.error("probes from here count for nothing until this is over: {trouble}", trouble=trouble)
        elif self._told and not trouble:
            log.info("probes from here count again")
        self._told = bool(trouble)


class _Witnesses(NamedTuple):
    """What `number` canaries or other sites were like: whether most are `well`, and whether one that is not `answered`.

    Nothing seen is as bad as a failure here: whoever cannot look can say nothing of others.
    """

    number: int = 0
    well: bool = False
    answered: bool = False

    @classmethod
    def of(cls, looks: Sequence[ProbeResult]) -> _Witnesses:
        bad = [look for look in looks if not (look.counts and look.good)]
        return cls(len(looks), bool(looks) and len(bad) <= len(looks) / 2, any(look.code for look in bad))


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


def _voided(own: ProbeResult, why: str) -> ProbeResult:
    return replace(own, fault="void", detail=f"not believed: {why}")
