"""One request for the head of an answer, over a connection of its own, which is always aborted.

No Agent: it costs three times as much, bounds no header bytes, and an orderly close of TLS waits for a peer that may
never agree (twisted#7926).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from OpenSSL.SSL import Error as OpenSslError
from OpenSSL.SSL import SysCallError
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from pingmon import __version__
from pingmon.core.site.failures import CLOSED, CUT_OFF
from pingmon.core.site.probe_result import Phase
from pingmon.probe.network_faults import ProbeFailed, failed, tls_failed
from pingmon.wire.probe.response_head import HeadReader, NotHttp, ResponseHead
from pingmon.wire.probe.target import Target

USER_AGENT: Final = f"pingmon/{__version__}"


def request(method: str, target: Target, cookie: str = "") -> bytes:
    """The request, complete. `cookie`: the value of that header; "" for none."""
    more = f"Cookie: {cookie}\r\n" if cookie else ""
    return (
        f"{method} {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nUser-Agent: {USER_AGENT}\r\n"
        f"Accept: */*\r\n{more}Connection: close\r\n\r\n"
    ).encode("ascii")


@implementer(IHandshakeListener)
class HeadProtocol(Protocol):
    """Sends `request` and calls `ended` once, with the head or why there is none; unless `abort` comes first.

    `entered` is told of each phase that begins. `secure`: wait for the handshake before anything is sent. `asked`: the
    request was sent.
    """

    def __init__(
        self,
        request: bytes,
        secure: bool,
        entered: Callable[[Phase], object],
        ended: Callable[[ResponseHead | ProbeFailed], object],
    ) -> None:
        self._request = request
        self._entered = entered
        self._ended: Callable[[ResponseHead | ProbeFailed], object] | None = ended
        self._reader = HeadReader()
        self._shaking = secure
        self._heard = False
        self.asked = False

    def connectionMade(self) -> None:
        """As `IProtocol`."""
        if self._shaking:
            self._entered("tls")
        else:
            self._ask()

    def handshakeCompleted(self) -> None:
        """As `IHandshakeListener`."""
        if self._ended is not None:
            self._shaking = False
            self._ask()

    def dataReceived(self, data: bytes) -> None:
        """As `IProtocol`."""
        if self._ended is None:
            return
        self._heard = True
        try:
            head = self._reader.feed(data)
        except NotHttp as error:
            self._end(ProbeFailed("protocol", str(error)))
        else:
            if head is not None:
                self._end(head)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """As `IProtocol`."""
        error, self.transport = reason.value, None
        assert error is not None
        if self._shaking or (isinstance(error, OpenSslError) and not isinstance(error, SysCallError)):
            self._end(tls_failed(error))
        elif self._heard:
            # Some servers end a header with the connection; when that was cut off, nobody knows what is missing.
            self._end((isinstance(error, ConnectionDone) and self._reader.ended()) or failed(CUT_OFF))
        else:
            self._end(failed(CLOSED))

    def abort(self) -> None:
        """End the connection; nothing will be told."""
        self._ended = None
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _ask(self) -> None:
        self.asked = True
        self._entered("answer")
        assert self.transport is not None
        self.transport.write(self._request)

    def _end(self, result: ResponseHead | ProbeFailed) -> None:
        ended = self._ended
        if ended is not None:
            self.abort()
            ended(result)
