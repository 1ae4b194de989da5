"""The name servers that this machine may ask, one after the other until one has an answer.

Servers that are silent may be silent about this name, because whoever serves it is, or altogether. These are different
things to a monitor, so silent servers are asked for something that every one of them knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.names import dns

from pingmon.probes.dns_query import Silent, ask
from pingmon.probes.lookups import CannotAsk, NoAnswer
from pingmon.probes.sharing import Shared

TRIES_S: Final = (1.0, 2.0, 4.0)
"""Seconds that each server gets, round after round."""
ALIVE_S: Final = 1.0
"""Seconds in which a silent server has to show that it is alive."""
FINAL: Final = frozenset({dns.OK, dns.ENAME})

Server: TypeAlias = tuple[str, int]


class NameServers:
    """Asks `servers`, as (address, port), beginning with the one that answered last. They may be replaced any time."""

    def __init__(self, reactor: Any, servers: Sequence[Server]) -> None:
        self._reactor = reactor
        self.servers = tuple(servers)
        self._last: Server | None = None
        self._checks: Shared[str, bool] = Shared()
        self.heard_s = float("-inf")
        """When any of them last replied to anything, by the reactor's clock."""

    async def ask(self, name: str, kind: int) -> Any:
        """The first reply (`dns.Message`) that settles the question, be it that there is no such name.

        Raises `NoAnswer`: the servers replied with an error or are silent about this name; `CannotAsk`: there are
        none, or none that replies to anything, or all of them refuse to be asked.
        """
        if not self.servers:
            raise CannotAsk("no name server is configured")
        began_s = self._reactor.seconds()
        for wait_s in TRIES_S:
            errors = []
            for server in self._order():
                try:
                    message = await self._ask(server, name, kind, wait_s)
                except Silent:
                    continue
                if message.rCode in FINAL:
                    self._last = server
                    return message
                errors.append(message.rCode)
            if dns.ESERVER in errors:
                raise NoAnswer("its name servers do not answer (SERVFAIL)")
            if errors:
                raise CannotAsk(f"the name servers refuse to be asked (code {errors[0]})")
            if self.heard_s < began_s and not await self._checks.get("", self._alive):
                raise CannotAsk("no name server answers")
        raise NoAnswer("its name servers do not answer (timed out)")

    def _order(self) -> tuple[Server, ...]:
        first = self.servers.index(self._last) if self._last in self.servers else 0
        return self.servers[first:] + self.servers[:first]

    async def _ask(self, server: Server, name: str, kind: int, wait_s: float) -> Any:
        message = await ask(self._reactor, server, name, kind, wait_s)
        self.heard_s = self._reactor.seconds()
        return message

    async def _alive(self) -> bool:
        """Whether any server replies to a question that each of them can answer: who serves the root?"""
        began_s = self._reactor.seconds()
        asking = [Deferred.fromCoroutine(self._ask(server, "", dns.NS, ALIVE_S)) for server in self.servers]
        results: Any = await DeferredList(asking, consumeErrors=True)
        if any(not replied and found.check(CancelledError) for replied, found in results):
            raise CancelledError  # which a DeferredList keeps to itself
        return bool(self.heard_s >= began_s)
