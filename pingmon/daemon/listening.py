"""A service that listens: its ports, its certificates, SIGHUP, and the lines in the log that say so."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from pingmon import __version__
from pingmon.daemon.certificates import Certificates
from pingmon.daemon.log_level import LogFilter
from pingmon.daemon.ports import Listener
from pingmon.timing.ticker import Ticker

CERTIFICATES_EVERY_S: Final = 10.0
"""How often files are looked at; they are read when they have changed and then stayed the same for as long."""


class Listening(Service):
    """A service with ports. What else it begins with is `begin`'s, which subclasses have; `reload` is called at SIGHUP.

    `started` is called when all has begun. Certificates are read again when they have changed, and at SIGHUP.
    """

    log = Logger()

    def __init__(
        self,
        factory: IProtocolFactory,
        listeners: Sequence[Listener],
        *,
        reactor: Any,
        log_filter: LogFilter,
        started: Callable[[], object],
    ) -> None:
        self._log_filter = log_filter
        self._factory = factory
        self._listeners = listeners
        self._reactor = reactor
        self._started = started
        looking = "looking for new certificates"
        self._ticker = Ticker(looking, self._look, CERTIFICATES_EVERY_S, reactor, reactor.seconds)
        self._bound = False

    def begin(self) -> None:
        """Begin all that is needed to serve whoever connects. Raises `StartupRefused`."""

    def reload(self) -> None:
        """Read again what can be read again: certificates, and what subclasses have."""
        for certificates in self._certificates():
            certificates.reload()

    def _look(self) -> None:
        for certificates in self._certificates():
            certificates.look()

    def _certificates(self) -> Iterator[Certificates]:
        return (each.certificates for each in self._listeners if each.certificates is not None)

    def privilegedStartService(self) -> None:
        """Bind the ports. Raises `StartupRefused`."""
        self._log_filter.install()
        for each in self._listeners:
            each.bind(self._factory)
        self._bound = True

    def startService(self) -> None:
        """Begin, and open the ports last. Raises `StartupRefused`. (`twist` knows no privileged start.)"""
        self._log_filter.install()
        self._reactor.callWhenRunning(self._log_filter.install)  # `twist` begins its log only then
        self.log.info("{name} {version} is starting", name=self.name, version=__version__)
        signal.signal(signal.SIGHUP, lambda number, frame: self._reactor.callFromThread(self.reload))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        if not self._bound:
            self.privilegedStartService()
        self.begin()
        for each in self._listeners:
            each.open()
            where = f"{each.url} ({each.description})" if each.url else each.description
            self.log.info("listening on {where}", where=where)
        self._ticker.start()
        super().startService()
        self._started()

    def stopService(self) -> Deferred[None] | None:
        """Heed no SIGHUP any more. Subclasses close the ports in their turn."""
        super().stopService()
        self.log.info("{name} is stopping: it finishes what is under way", name=self.name)
        self._ticker.stop()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it would end what is still being finished
        return None

    async def close_ports(self) -> None:
        """Accept no more connections."""
        for each in reversed(self._listeners):
            with self.log.failuresHandled("an error while closing {endpoint}", endpoint=each.description):
                await each.stop()


def stopping_once(reactor: Any) -> None:
    """See to it that a signal to stop is obeyed once: Twisted answers the second one with a traceback in the log."""
    reactor.addSystemEventTrigger("before", "shutdown", _ignore_signals)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
