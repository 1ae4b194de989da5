"""The name servers that this machine may ask, one after the other until one has an answer.

Servers that are silent or answer with errors may do so about this name, because whoever serves it does, or altogether.
These are different things to a monitor, so such servers are asked for something that every one of them knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.names import dns

from pingmon.core.site.failures import DNS_ERROR, DNS_REFUSED, DNS_SERVFAIL, DNS_SILENT
from pingmon.dns.query import Silent, ask
from pingmon.dns.results import CannotAsk, NoAnswer
from pingmon.dns.shared_lookups import SharedLookups

TRIES_S: Final = (1.0, 2.0, 4.0)
"""Seconds that each server gets, round after round."""
ALIVE_S: Final = 1.0
"""Seconds in which a server in doubt has to show that it is sound."""
FINAL: Final = frozenset({dns.OK, dns.ENAME})

Server: TypeAlias = tuple[str, int]


class NameServers:
    """Asks `servers`, as (address, port), beginning with the one that answered last. They may be replaced any time."""

    def __init__(self, reactor: Any, servers: Sequence[Server]) -> None:
        self._reactor = reactor
        self.servers = tuple(servers)
        self._last: Server | None = None
        self._checks: SharedLookups[str, bool] = SharedLookups()
        self.sound_s = float("-inf")
        """When any of them last answered what each of them can, by the reactor's clock."""

    async def ask(self, name: str, kind: int) -> Any:
        """The first reply (`dns.Message`) that settles the question, be it that there is no such name.

        Raises `NoAnswer`: the servers replied with an error or are silent about this name; `CannotAsk`: there are
        none, or they do so about any name.
        """
        if not self.servers:
            raise CannotAsk("no name server is configured")
        began_s = self._reactor.seconds()
        for wait_s in TRIES_S:
            errors = []
            for server in self._order():
                try:
                    message = await ask(self._reactor, server, name, kind, wait_s)
                except Silent:
                    continue
                if message.rCode in FINAL:
                    self._last = server
                    return message
                errors.append(message.rCode)
            if self.sound_s < began_s and not await self.sound():
                raise CannotAsk("the name servers answer nothing but errors" if errors else "no name server answers")
            if errors:
                raise NoAnswer(_words(errors))
        raise NoAnswer(DNS_SILENT())

    def sound(self) -> Deferred[bool]:
        """Whether any server answers what each of them can: who serves the root? It gets `ALIVE_S`.

        That it answers another name would not do: a router whose line is down still knows those of its own network.
        """
        return self._checks.get("", self._answers)

    def _order(self) -> tuple[Server, ...]:
        first = self.servers.index(self._last) if self._last in self.servers else 0
        return self.servers[first:] + self.servers[:first]

    async def _answers(self) -> bool:
        began_s = self._reactor.seconds()
        asking = [Deferred.fromCoroutine(ask(self._reactor, server, "", dns.NS, ALIVE_S)) for server in self.servers]
        results: Any = await DeferredList(asking, consumeErrors=True)
        if any(not replied and found.check(CancelledError) for replied, found in results):
            raise CancelledError  # which a DeferredList keeps to itself
        if any(replied and found.rCode in FINAL for replied, found in results):
            self.sound_s = self._reactor.seconds()
        return bool(self.sound_s >= began_s)


def _words(errors: Sequence[int]) -> str:
    if dns.ESERVER in errors:
        return DNS_SERVFAIL()
    return DNS_REFUSED() if dns.EREFUSED in errors else DNS_ERROR(code=errors[0])
