"""Listening: the ports of a service, bound at its start, closed at its end, and one line when that cannot be."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.logger import Logger

BACKLOG: Final = 4096
"""Connections that the kernel keeps until the daemon takes them; it lowers this to its own limit (`somaxconn`). With
Twisted's 50 a burst of callers overflows the queue, and each one left out waits a second before it tries again."""

PROXIED: Final = "haproxy:"
PLAIN: Final = ("tcp:", "tcp4:", "tcp6:", "unix:", "systemd:")
"""Endpoints without TLS."""


class Refused(SystemExit):
    """The daemon cannot do its work. The message is one line for the operator; the process exits with status 1."""


class Listener:
    """One endpoint that the daemon listens on; `description` is the string that the operator gave.

    A `backlog=` in it is kept, and so is that of a socket that systemd hands over; else it is `BACKLOG`.
    """

    def __init__(
        self, description: str, endpoint: IStreamServerEndpoint, program: str, *, behind_proxy: bool = False
    ) -> None:
        self.description = description
        self._behind_proxy = behind_proxy
        self._endpoint = endpoint
        self._program = program
        self.port: IListeningPort | None = None

    def listen(self, factory: Any) -> None:
        """Bind. Raises `Refused` if that is not possible."""
        if self._behind_proxy:
            factory = factory.behind_proxy()
        failed: list[BaseException] = []
        self._endpoint.listen(factory).addCallbacks(self._bound, lambda failure: failed.append(failure.value))
        if failed:
            raise Refused(f"{self._program}: cannot listen on {self.description}: {_reason(failed[0])}")

    def _bound(self, port: IListeningPort) -> None:
        self.port = port
        if (
            isinstance(port, Port)
            and "backlog=" not in self.description
            and not self.description.startswith("systemd:")
        ):
            port.socket.listen(BACKLOG)

    async def stop(self) -> None:
        """Accept no more connections."""
        port, self.port = self.port, None
        if port is not None:
            await maybe(port.stopListening())


def listener(reactor: Any, description: str, program: str = "pingmon") -> Listener:
    """The listener that an endpoint string of the operator's describes. Raises `Refused`."""
    try:
        endpoint = _after_proxy(description)
        return Listener(description, serverFromString(reactor, endpoint), program, behind_proxy=endpoint != description)
    except Exception as error:
        # Endpoint parsers are plugins and raise whatever they like at text that they cannot read.
        why = error or type(error).__name__
        raise Refused(f"{program}: cannot listen on {description}: {why}") from error


def _after_proxy(description: str) -> str:
    """The endpoint behind `haproxy:`, whose header is read by us (`http.proxied`). Raises ValueError."""
    endpoint = description.removeprefix(PROXIED)
    if endpoint != description and not endpoint.startswith(PLAIN):
        raise ValueError("a PROXY header comes before all else, so the proxy ends TLS; write haproxy:tcp:8000")
    return endpoint


class Listening(Service):
    """A service with ports. They are bound before all else, while the process may still be allowed to bind low ones."""

    log = Logger()

    def __init__(self, factory: IProtocolFactory, listeners: Sequence[Listener]) -> None:
        self._factory = factory
        self._listeners = listeners
        self._bound = False

    def privilegedStartService(self) -> None:
        """Bind the ports. Raises `Refused`."""
        for each in self._listeners:
            each.listen(self._factory)
        self._bound = True

    def startService(self) -> None:
        """Bind the ports if that has not been done: `twist` knows no privileged start."""
        super().startService()
        if not self._bound:
            self.privilegedStartService()

    async def close_ports(self) -> None:
        """Accept no more connections."""
        for each in reversed(self._listeners):
            with self.log.failuresHandled("while closing {endpoint}", endpoint=each.description):
                await each.stop()


def _reason(error: BaseException) -> str:
    if isinstance(error, CannotListenError):
        error = error.socketError
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def stopping_once(reactor: Any) -> None:
    """See to it that a signal to stop is obeyed once: Twisted answers the second one with a traceback in the log."""
    reactor.addSystemEventTrigger("before", "shutdown", _ignore_signals)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


async def maybe(result: Deferred[None] | None) -> None:
    """Wait for `result`, if it is something to wait for."""
    if result is not None:
        await result
