"""The body of a check's last ping, for messages that quote it."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from pingmon.core.check.check import Check
from pingmon.core.world.events import PingReceived
from pingmon.journal import History
from pingmon.wire.message.message import Letter


class LastBody:
    """Reads it: that of the newest ping up to the flip, which is the one that failed, if that is what happened."""

    log = Logger()

    def __init__(self, history: History) -> None:
        self._history = history

    async def __call__(self, letter: Letter) -> bytes:
        """Empty if there is none. It never fails: the message matters more than what it quotes."""
        check, upto = letter.subject, letter.owed.flip.seq
        if letter.test or not isinstance(check, Check):
            return b""
        try:
            newest = await self._history.events(check.id, PingReceived, upto=upto, limit=1)
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 -- see above
            self.log.failure("an error while reading the last ping of {check}", check=check.id)
            return b""
        return (newest[0].payload or b"") if newest else b""
