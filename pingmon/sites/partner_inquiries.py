"""Asks partners what the state says that they are to be asked, and puts their answers into the log.

    a site has an inquiry ─▶ its partner is asked, once ─▶ the answer, as an event ─▶ the fold tells the users, or not

The users wait meanwhile, and for nothing but the partner's time: every inquiry is taken up at once. An inquiry is part
of the saved world, so a crash at any moment repeats questions (with the same id) and loses none. One that is overtaken
by other news of its site, or whose site or partner is gone, is called off; but an answer that has come is logged, for
it may ask for silence all the same.

Nothing here decides who is asked or told (`core.site.escalation`), nor what an answer means (`core.partner.inquiry`).
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.partner.inquiry import PartnerAnswer, PartnerQuestion
from pingmon.core.partner.partner import Partner
from pingmon.core.site.escalation import exhausted
from pingmon.core.site.site import Inquiry
from pingmon.core.units import SECOND, Id
from pingmon.core.world.events import ClockStepped, Entry, PartnerAnswered, PartnerEvent, SiteEvent
from pingmon.core.world.outcome import Outcome
from pingmon.monitor import Monitor
from pingmon.resubmit import submit_until_durable
from pingmon.sites.partner_requests import BUDGET_S
from pingmon.wire.time_texts import seconds_text

STOP_S: Final = 1.25
"""Seconds that answers get on their way into the log when pingmon stops."""
LOGGING_MAX: Final = 200
"""Answers on their way into the log at once, so that a storm of them leaves room for pings."""
ODD: Final = frozenset({"malformed", "refused", "no answer"})
"""Answers that say that something is wrong with the partner's end."""
GONE: Final = PartnerAnswer("no answer", detail="the partner is gone")
BROKEN: Final = PartnerAnswer("no answer", detail="pingmon could not ask by its own fault; its log says more")


class Asks(Protocol):
    """Asks a partner. Fires within the budget and does not fail; cancelling ends it."""

    def ask(self, partner: Partner, question: PartnerQuestion, /) -> Deferred[PartnerAnswer]: ...


class Inquiries:
    """The service. `budget_s`: how long `partners` may take for an answer, for the health report."""

    log = Logger()

    def __init__(self, monitor: Monitor, partners: Asks, clock: IReactorTime, *, budget_s: float = BUDGET_S) -> None:
        self._monitor = monitor
        self._partners = partners
        self._clock = clock
        self._budget = round(budget_s * SECOND)
        self._changed: dict[Id, None] = {}
        self._current: dict[Id, _OpenInquiry] = {}
        self._open: dict[str, _OpenInquiry] = {}
        self._odd: set[Id] = set()
        self._places = DeferredSemaphore(LOGGING_MAX)
        self._soon: IDelayedCall | None = None
        self._running = False

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask what the loaded world has open, and from now on whatever is new."""
        self._running = True
        self._monitor.listen(self.heard, SiteEvent, PartnerEvent, ClockStepped)
        self._look_at(*self._monitor.world.inquiring)

    def stop(self) -> Deferred[None]:
        """Ask nothing more. Questions under way are called off, and asked again after a restart.

        Fires when all have ended, and answers that have come are in the log or `STOP_S` have passed.
        """
        self._running = False
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        for asking in tuple(self._open.values()):
            asking.call_off()
        ended = DeferredList([asking.task for asking in self._open.values()])
        ended.addTimeout(STOP_S, self._clock, lambda result, timeout: result)
        return ended.addCallback(lambda _: None)

    @property
    def under_way(self) -> int:
        """How many questions have no answer in the log yet."""
        return len(self._open)

    def overdue(self, now: int) -> int:
        """For how many microseconds the oldest question should have had its answer in the log; 0 if none should."""
        oldest = min((asking.since for asking in self._open.values()), default=now)
        return max(0, now - oldest - self._budget)

    # --- what is to be asked --------------------------------------------------------------------------------------

    def heard(self, entry: Entry, outcome: Outcome) -> None:
        """Follow what an entry did to inquiries."""
        if isinstance(entry.event, ClockStepped):
            for asking in self._open.values():
                asking.since += entry.event.by
        if outcome.site is not None:
            self._look_at(outcome.site.id)
        elif outcome.partner is not None:
            self._look_at(*self._current)  # the fold has settled the inquiries of one that is gone

    def _look_at(self, *sites: Id) -> None:
        """See after this turn of the reactor what became of these sites: what the same commit overtakes is not asked.

        Nearly all entries are about sites without an inquiry, then and now; these cost two lookups.
        """
        inquiring = self._monitor.world.inquiring
        self._changed |= {site: None for site in sites if site in inquiring or site in self._current}
        if self._changed and self._soon is None and self._running:
            self._soon = self._clock.callLater(0, self._go)

    def _go(self) -> None:
        self._soon = None
        changed, self._changed = self._changed, {}
        for site in changed:
            # One that breaks must not keep the others from being asked: their users wait.
            with self.log.failuresHandled("an error while seeing whom to ask about site {site}", site=site[:8]):
                self._follow(site)

    def _follow(self, id: Id) -> None:
        site = self._monitor.world.sites.get(id)
        inquiry = None if site is None else site.inquiry
        asking = self._current.get(id)
        if asking is not None and (inquiry is None or asking.question != inquiry.question.id):
            del self._current[id]
            asking.call_off()
        if inquiry is not None and inquiry.question.id not in self._open:
            self._begin(id, inquiry)

    def _begin(self, site: Id, inquiry: Inquiry) -> None:
        asking = _OpenInquiry(inquiry.question.id, self._monitor.now())
        self._current[site] = self._open[asking.question] = asking
        asking.task = Deferred.fromCoroutine(self._see_to(site, inquiry, asking))
        asking.task.addErrback(self._ended_badly, site).addBoth(self._ended, site, asking)

    def _ended_badly(self, failure: Failure, site: Id) -> None:
        if not failure.check(CancelledError):
            self.log.failure("an error while asking about site {site}", failure, site=site[:8])

    def _ended(self, _: object, site: Id, asking: _OpenInquiry) -> None:
        self._open.pop(asking.question, None)
        if self._current.get(site) is asking:
            del self._current[site]

    # --- one question ---------------------------------------------------------------------------------------------

    async def _see_to(self, site: Id, inquiry: Inquiry, asking: _OpenInquiry) -> None:
        """Ask, and log the answer."""
        began = self._monitor.time.steady()
        answer = await self._answer(inquiry, asking)
        took_ms = round((self._monitor.time.steady() - began) * 1000)
        with self.log.failuresHandled("an error while reporting an answer about site {site}", site=site[:8]):
            self._report(site, inquiry, answer)
        event = PartnerAnswered(inquiry.question.id, inquiry.partner, answer, took_ms)
        await self._places.run(self._logged, site, event)

    def _logged(self, site: Id, event: PartnerAnswered) -> Deferred[None]:
        what = f"a partner's answer about site {site[:8]}"
        return Deferred.fromCoroutine(submit_until_durable(self._monitor, self._clock, site, event, what))

    async def _answer(self, inquiry: Inquiry, asking: _OpenInquiry) -> PartnerAnswer:
        partner = self._monitor.world.partners.get(inquiry.partner)
        if partner is None:
            return GONE
        try:
            asking.waits_for = self._partners.ask(partner, inquiry.question)
            return await asking.waits_for
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 -- a bug, which must not keep the users from being told
            self.log.failure("an error while asking partner {slug}", slug=partner.spec.slug)
            return BROKEN

    # --- for the log ----------------------------------------------------------------------------------------------

    def _report(self, site: Id, inquiry: Inquiry, answer: PartnerAnswer) -> None:
        partner = self._monitor.world.partners.get(inquiry.partner)
        if partner is None:
            return
        slug = partner.spec.slug
        if answer.kind not in ODD:
            if partner.id in self._odd:
                self._odd.discard(partner.id)
                self.log.info("partner {slug} answers again", slug=slug)
        elif partner.id not in self._odd:
            self._odd.add(partner.id)
            self.log.warn(
                "partner {slug} gave no proper answer ({kind}: {detail}); users are told without it, and more such "
                "answers are not logged here",
                slug=slug,
                kind=answer.kind,
                detail=answer.detail,
            )
        if answer.until is not None:
            self._report_silence(site, inquiry, partner, answer.until)

    def _report_silence(self, site: Id, inquiry: Inquiry, partner: Partner, until: int) -> None:
        known = self._monitor.world.sites.get(site)
        silenced = inquiry.flip.new == "down" and partner.spec.suppress_users
        if silenced and known is not None and exhausted(known, partner, self._monitor.now()):
            self.log.warn(
                "partner {slug} has silenced the outage of site {site} for as long as it may; users are told, although "
                "it asks for silence until {until}",
                slug=partner.spec.slug,
                site=site[:8],
                until=seconds_text(until),
            )
            return
        self.log.info(
            "partner {slug} knows about site {site}: {what} until {until}",
            slug=partner.spec.slug,
            site=site[:8],
            what="users are not told" if silenced else "pingmon asks it no more",
            until=seconds_text(until),
        )


class _OpenInquiry:
    """A question that has no answer in the log yet. `since`: when it was taken up, microseconds since the epoch."""

    def __init__(self, question: str, since: int) -> None:
        self.question = question
        self.since = since
        self.waits_for: Deferred[PartnerAnswer] | None = None
        self.task: Deferred[None] = Deferred()

    def call_off(self) -> None:
        """End it, unless it has been answered."""
        if self.waits_for is not None:
            self.waits_for.cancel()  # does nothing to an answer that has come
