"""Asks partners, before the users are told, whether they know that a site of theirs is down.

The users wait for the answer, so there is one attempt, and `BUDGET_S` for all of it, the wait for its turn included. A
question whose turn has not come in half of that is not put any more: there would be no time left for the answer.
A partner is asked a few questions at a time. When a thousand more wait, whoever comes next is not asked; and once the
partner has said of one site that all its sites are known to be down, whoever waits has that answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from pingmon.core.partner.inquiry import PartnerAnswer, PartnerQuestion, judged
from pingmon.core.partner.partner import Partner
from pingmon.core.units import Id
from pingmon.outgoing.exchange import NoReply, exchange
from pingmon.outgoing.passage import Egress
from pingmon.timing.expiry import Expiry
from pingmon.wire.outgoing_request import Unsendable
from pingmon.wire.partner_webhook import BODY_MAX, read_reply, request

BUDGET_S: Final = 10.0
"""Seconds from the question to the end of the answer."""
PARALLEL: Final = 5
"""Questions that one partner is asked at a time."""
WAITING_MAX: Final = 1000
"""Questions to one partner that wait for their turn."""

log = Logger()


class Partners:
    """Asks them over `egress`. `now`: microseconds since the epoch."""

    def __init__(self, egress: Egress, now: Callable[[], int], *, budget_s: float = BUDGET_S) -> None:
        self.egress = egress
        self.now = now
        self.budget_s = budget_s
        self._lines: dict[Id, _Line] = {}

    def ask(self, partner: Partner, question: PartnerQuestion) -> Deferred[PartnerAnswer]:
        """What `partner` answers. Fires within the budget and never fails.

        Cancelling ends it at once with `CancelledError`, and aborts the connection if there is one.
        """
        line = self._lines.get(partner.id)
        if line is None:
            line = self._lines[partner.id] = _Line(lambda: self._lines.pop(partner.id, None))
        if len(line.waiting) >= WAITING_MAX:
            return succeed(PartnerAnswer("no answer", detail="too many questions wait for this partner"))
        asking = _WaitingQuestion(self, line, partner, question)
        line.waiting.append(asking)
        line.move_on()
        return asking.done

    @property
    def idle(self) -> bool:
        """Whether nobody is being asked."""
        return not self._lines

    async def exchanged(self, partner: Partner, question: PartnerQuestion) -> PartnerAnswer:
        """One attempt, without a deadline."""
        try:
            reply = await exchange(self.egress, request(partner, question, self.now()), BODY_MAX)
        except (NoReply, Unsendable) as error:
            return PartnerAnswer("no answer", detail=str(error))
        return judged(read_reply(reply.status, reply.body), self.now(), partner.spec.max_suppression)


class _Line:
    """The questions to one partner: those that wait, in order, and how many are on their way. `empty` when none is."""

    def __init__(self, empty: Callable[[], object]) -> None:
        self.on_their_way = 0
        self.waiting: deque[_WaitingQuestion] = deque()
        self._empty = empty
        self._held = False

    def move_on(self) -> None:
        """Send who is next. One that ends before it is away calls this again: the loop that runs sees to it."""
        if self._held:
            return
        self._held = True
        while self.waiting and self.on_their_way < PARALLEL:
            self.on_their_way += 1
            self.waiting.popleft().go()
        self._held = False
        if not self.on_their_way:
            self._empty()

    def share(self, until: int | None) -> None:
        """Whoever waits has this answer."""
        self._held = True
        for asking in tuple(self.waiting):
            asking.settle(PartnerAnswer("until", until, shared=True))
        self._held = False


class _WaitingQuestion:
    """One question: it waits in `line`, is on its way, and is over. `done` fires once."""

    def __init__(self, partners: Partners, line: _Line, partner: Partner, question: PartnerQuestion) -> None:
        self.done: Deferred[PartnerAnswer] = Deferred(self._cancelled)
        self._partners = partners
        self._line = line
        self._partner = partner
        self._question = question
        self._running: Deferred[PartnerAnswer] | None = None
        self._over = False
        self._reactor = partners.egress.reactor
        self._ends_s = self._reactor.seconds() + partners.budget_s
        self._timer = Expiry(self._reactor, partners.budget_s / 2, self._late)

    def go(self) -> None:
        """Be asked."""
        self._timer.cancel()
        self._timer = Expiry(self._reactor, max(0.0, self._ends_s - self._reactor.seconds()), self._late)
        self._running = Deferred.fromCoroutine(self._partners.exchanged(self._partner, self._question))
        self._running.addCallbacks(self.settle, self._broken)

    def settle(self, answer: PartnerAnswer) -> None:
        """This is the answer; what comes later is dropped."""
        if self._over:
            return
        self._end()
        if answer.kind == "until" and not answer.shared and self._partner.spec.scope == "partner":
            self._line.share(answer.until)
        self._line.move_on()
        self.done.callback(answer)

    def _end(self) -> None:
        """Leave the line, whether waiting or on its way."""
        self._over = True
        if self._timer.active():
            self._timer.cancel()
        if self._running is None:
            self._line.waiting.remove(self)
        else:
            self._line.on_their_way -= 1
            self._running.cancel()

    def _late(self) -> None:
        budget_s = self._partners.budget_s
        waited = self._running is None
        why = f"its turn did not come within {budget_s / 2:g} s" if waited else f"timed out after {budget_s:g} s"
        self.settle(PartnerAnswer("no answer", detail=why))

    def _broken(self, failure: Failure) -> None:
        if not self._over:
            log.failure("an error while asking partner {partner}", failure, partner=self._partner.spec.slug)
            self.settle(PartnerAnswer("no answer", detail="pingmon could not ask by its own fault; its log says more"))

    def _cancelled(self, _: Deferred[PartnerAnswer]) -> None:
        self._end()
        self._line.move_on()
