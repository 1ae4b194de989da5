"""Channels of kind `command`: a program of the operator's, which is given the message as JSON on its standard input.

Its environment is these variables and nothing else:

    PATH, LANG         /usr/local/bin:/usr/bin:/bin, C.UTF-8
    PINGMON_EVENT      "check.down" …, "digest" or "test", as in the JSON
    PINGMON_STATUS     "down" or "up"
    PINGMON_ID         of the message, the same in every attempt
    PINGMON_TEXT       the message in one line, or the begin of it

Exit status 0 is success. Of a failure the last line that the program has said is told. No shell is involved. When the
time for an attempt is over, the program and all that it has started in its process group are killed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from pingmon.core.world.outcome import Topic
from pingmon.delivery.attempt import Delivered, NotDelivered, Result
from pingmon.wire.api.command_channel import refusal
from pingmon.wire.message.digest import AnyMessage, Digest, digest_object
from pingmon.wire.message.message import Letter, object_of, printable
from pingmon.wire.message.service import cut, is_down

OUTPUT_MAX: Final = 1 << 20
"""Bytes that a program may say; one that says more is killed."""
TAIL: Final = 4096
"""Bytes of them that are kept, the last ones."""
LINGER_S: Final = 1.0
"""Seconds for which what a program has left behind may hold its output open, before it is killed."""
TEXT_MAX: Final = 4096
PATH: Final = "/usr/local/bin:/usr/bin:/bin"

_OWN_GROUP: Final = """
import os, signal, sys
os.setsid()
for number in signal.SIGPIPE, signal.SIGXFSZ:
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes of itself the program, in a process group of its own, and with the signals back that Python ignores. Twisted
would start it in pingmon's own group, which nobody may kill, and to move it later would be a race."""


class Command:
    """The kind. `allowed` are the programs that may be run; `shown` and `last_body` are those of `Webhook`."""

    def __init__(
        self,
        reactor: Any,
        allowed: Collection[str],
        shown: Callable[[Topic, int], Mapping[str, object]],
        last_body: Callable[[Letter], Awaitable[bytes]],
    ) -> None:
        self._reactor = reactor
        self._allowed = allowed
        self._shown = shown
        self._last_body = last_body

    async def __call__(self, message: AnyMessage) -> Result:
        """As `Deliver`."""
        program = str(message.channel.value["program"])
        if (refused := refusal(program, self._allowed)) is not None:
            return NotDelivered(refused)  # not for good: the operator may allow it
        said = digest_object(message) if isinstance(message, Digest) else await self._object(message)
        environment = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "PINGMON_EVENT": str(said["event"]),
            "PINGMON_STATUS": "down" if is_down(message) else "up",
            "PINGMON_ID": message.id,
            "PINGMON_TEXT": cut(str(said["text"]).replace("\0", " "), TEXT_MAX),
        }
        arguments = [sys.executable, "-I", "-S", "-c", _OWN_GROUP, program, *_texts(message.channel.value["arguments"])]
        run = _Run(self._reactor, msgspec.json.encode(said))
        self._reactor.spawnProcess(run, sys.executable, arguments, environment, "/")
        return await run.ended

    async def _object(self, letter: Letter) -> dict[str, object]:
        return object_of(letter, self._shown(letter.subject, letter.now), await self._last_body(letter))


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


class _Run(ProcessProtocol):
    """One run of a program. Cancelling `ended` kills it."""

    transport: Any

    def __init__(self, reactor: Any, said: bytes) -> None:
        self.ended: Deferred[Result] = Deferred(lambda _: self._kill())
        self._reactor = reactor
        self._said = said
        self._tail = b""
        self._count = 0
        self._lingering: IDelayedCall | None = None
        self._group = 0

    def connectionMade(self) -> None:
        self._group = self.transport.pid
        self.transport.write(self._said)
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._count += len(data)
        self._tail = (self._tail + data)[-TAIL:]
        if self._count > OUTPUT_MAX:
            self._finish(NotDelivered(f"it said more than {OUTPUT_MAX} bytes, and was killed"))
            self._kill()

    def processExited(self, reason: Failure) -> None:
        self._lingering = self._reactor.callLater(LINGER_S, self._kill)

    def processEnded(self, reason: Failure) -> None:
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
        self._finish(Delivered() if reason.check(ProcessDone) else NotDelivered(self._fault(reason.value)))

    def _fault(self, end: Any) -> str:
        how = f"signal {end.signal}" if end.signal else f"exit status {end.exitCode}"
        lines = [line.strip() for line in re.split(r"[\r\n]+", self._tail.decode("utf-8", "replace"))]
        said = next(filter(None, reversed(lines)), "")
        return f"{how}: {printable(said)}" if said else how

    def _finish(self, result: Result) -> None:
        if not self.ended.called:
            self.ended.callback(result)

    def _kill(self) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        with suppress(ProcessLookupError):  # it has not got so far as to have a group, or nobody is left in it
            os.killpg(self._group, signal.SIGKILL)
        self.transport.loseConnection()
