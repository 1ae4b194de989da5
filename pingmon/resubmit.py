"""Puts into the log what happened outside, however often that has to be tried.

A message was sent, an answer was given: that cannot be undone, and if the log does not learn of it, it happens again.
So a disk that is full is waited for. Nothing is kept anywhere else: whoever is stopped while waiting has to repeat.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pingmon.core.units import Id
from pingmon.core.world.events import AnyEvent
from pingmon.journal import JournalFull, JournalUnavailable
from pingmon.monitor import Monitor

LOG_AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits between attempts to log a result; the last one repeats."""

log = Logger()


async def submit_until_durable(monitor: Monitor, clock: IReactorTime, stream: Id, event: AnyEvent, what: str) -> None:
    """Submit `event` until it is durable. `what` it is, in words for the log: "the result of a delivery".

    Cancelling ends it; what is on its way into the log then may still get there.
    """
    for wait in chain(LOG_AGAIN_S, repeat(LOG_AGAIN_S[-1])):
        try:
            await monitor.submit(stream, event)
        except CancelledError:
            raise
        except (JournalFull, JournalUnavailable) as error:
            log.warn(
                "pingmon could not log {what} and will try again in {wait:.0f} s: {why}",
                what=what,
                wait=wait,
                why=str(error),
            )
        except Exception:  # noqa: BLE001 -- a bug, which must not make it happen a second time
            log.failure("an error while logging {what}", what=what)
        else:
            return
        await deferLater(clock, wait)
