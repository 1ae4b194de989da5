"""Watchdog: this daemon pings another monitor as long as it does its work.

Who watches the monitor has to be elsewhere: a daemon that is dead tells nobody. So it is the silence of this one that
alarms, at another pingmon or at Healthchecks. While it can still tell, it says what is wrong:

    nothing is wrong                       a ping each `every_s` seconds, the first when the daemon has started
    something is, when a ping is due       silence: it may be over when the next is due
    something still is, whenever one is    a ping to `/fail`, with the reasons as its body

What counts as wrong is what keeps pings from being taken and alerts from being sent (`health_problems`), and not that
sites or verifiers cannot be reached. Nothing here ever waits for the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pingmon.outgoing.exchange import NoReply
from pingmon.timing.bounded_wait import within
from pingmon.timing.ticker import Ticker
from pingmon.verify.verifiers import Send
from pingmon.wire.api.status import Problem
from pingmon.wire.outgoing_request import USER_AGENT, OutgoingRequest, target

ANSWER_S: Final = 15.0
"""Seconds that the other monitor has to answer."""
LOOK_S: Final = 1.0
"""Seconds between two looks at whether a ping is due."""
BODY_MAX: Final = 1024
"""Bytes of an answer that are waited for."""


class Watchdog:
    """Pings by `send`, which asks no address policy, as the operator's configuration says whom. `wrong`: what is wrong.

    It pings nobody until `take` was called with a URL.
    """

    log = Logger()

    def __init__(
        self, send: Send, wrong: Callable[[], Sequence[Problem]], clock: IReactorTime, steady: Callable[[], float]
    ) -> None:
        self._send = send
        self._wrong = wrong
        self._clock = clock
        self._steady = steady
        self._url = ""
        self._every_s = 0.0
        self._last: float | None = None
        self._wrong_before = False
        self._trouble = ""
        self._under_way: Deferred[None] | None = None
        self._ticker = Ticker("pinging its watchdog", self._look, LOOK_S, clock, steady)

    def take(self, url: str, every_s: float) -> None:
        """Ping this URL from now on; none if it is empty. Raises `Unsendable`."""
        ascii_url = target(url)[0].rstrip("/") if url else ""
        if ascii_url != self._url:
            self._last, self._trouble = None, ""
        self._url, self._every_s = ascii_url, every_s

    def start(self) -> None:
        """Begin."""
        self._ticker.start()

    def stop(self) -> None:
        """Ping no more; a ping that is under way is given up."""
        self._ticker.stop()
        if self._under_way is not None:
            self._under_way.cancel()

    def _look(self) -> Deferred[None] | None:
        now = self._steady()
        if not self._url or (self._last is not None and now - self._last < self._every_s):
            return None
        self._last = now
        wrong, wrong_before = self._wrong(), self._wrong_before
        self._wrong_before = bool(wrong)
        if not wrong:
            return self._ping(self._url, "")
        if wrong_before:
            return self._ping(f"{self._url}/fail", "\n".join(f"{each.text} ({each.detail})" for each in wrong))
        return None

    def _ping(self, url: str, body: str) -> Deferred[None]:
        asked = OutgoingRequest("POST", url, (("User-Agent", USER_AGENT),), body.encode("utf-8", "replace"))
        sent = Deferred.fromCoroutine(self._sent(asked))
        bounded = within(ANSWER_S, sent, self._clock, lambda: f"no answer within {ANSWER_S:.0f} s")
        self._under_way = bounded.addCallbacks(self._answered, lambda failure: failure.trap(CancelledError) and None)
        return self._under_way

    async def _sent(self, asked: OutgoingRequest) -> str:
        """Why it was in vain; empty if it was not."""
        try:
            reply = await self._send(asked, BODY_MAX)
        except NoReply as error:
            return str(error)
        return "" if 200 <= reply.status < 300 else f"status {reply.status}"

    def _answered(self, trouble: str) -> None:
        if trouble and not self._trouble:
            self.log.warn("the watchdog cannot be pinged: {why}; pingmon goes on trying", why=trouble)
        elif self._trouble and not trouble:
            self.log.info("the watchdog can be pinged again")
        self._trouble = trouble
