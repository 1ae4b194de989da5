"""Gathers from DNS what says who hosts a site. To be done while the site is healthy: an outage is the worst moment.

Lookups go one after the other, since nobody waits for them, and each is bounded in time. One that fails spoils no
other; it is named in the result, because what is not known must not be mistaken for what is not there. What the
signals mean is decided elsewhere (`core.partner`).
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Any, Final, Protocol, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pingmon.core.address_policy import unfit
from pingmon.core.domain_names import ancestors, folded
from pingmon.core.partner.partner import KINDS, VOID_BEHIND_CDN, Kind, Signals
from pingmon.dns.results import LookupFailed, NoSuchName, RecordKind, Resolved
from pingmon.timing.bounded_wait import within
from pingmon.wire.web_url import is_literal

T = TypeVar("T")

LOOKUP_S: Final = 5.0
"""Seconds that one lookup may take."""
ADDRESSES_MAX: Final = 4
"""Addresses of a site whose AS and names are looked up."""
NAMES_MAX: Final = 3
"""Names of one address that are confirmed."""
ZONES_MAX: Final = 6
"""Domains, from the site's registered one down, that are asked for name servers."""


class Resolver(Protocol):
    """Looks up names; the Deferreds fail with `LookupFailed`."""

    def addresses(self, name: str, /) -> Deferred[Resolved]: ...

    def records(self, name: str, kind: RecordKind, /) -> Deferred[tuple[str, ...]]: ...


class Origins(Protocol):
    """Knows which AS announces an address; fails as a resolver does."""

    def asns(self, address: str, /) -> Deferred[tuple[int, ...]]: ...


class HostLookup:
    """Looks up who hosts a site. `origins`: without it, nothing is known of AS numbers."""

    def __init__(self, resolver: Resolver, clock: IReactorTime, origins: Origins | None = None) -> None:
        self._resolver = resolver
        self._clock = clock
        self._origins = origins

    def signals(self, host: str, kinds: Collection[Kind] = KINDS) -> Deferred[Signals]:
        """What there is of the `kinds` for a site's host: a name in its written form, or an address.

        `kinds` are those that some rule uses; no others are looked up. Cancelling ends it with `CancelledError`; any
        other failure is a bug.
        """
        return Deferred.fromCoroutine(self._signals(host, kinds))

    async def _signals(self, host: str, kinds: Collection[Kind]) -> Signals:
        if not kinds:
            return Signals()
        failed: set[Kind] = set()
        chain: tuple[str, ...] = ()
        addresses = [host]
        if not is_literal(host):
            found = await self._found(host)
            if not found:
                return Signals(failed=tuple(kind for kind in KINDS if kind in kinds))
            chain, addresses = found
        asns: list[int] = []
        ptrs: list[str] = []
        for address in addresses[:ADDRESSES_MAX]:
            # Also without rules about AS numbers: they give away the CDNs.
            if self._origins is not None and VOID_BEHIND_CDN & set(kinds) and not unfit(ip_address(address)):
                numbers = await self._sure(self._origins.asns(address), ())
                _gather(asns, numbers, "asn", failed)
            if "ptr" in kinds:
                _gather(ptrs, await self._confirmed(address), "ptr", failed)
        nameservers: list[str] = []
        if "ns" in kinds and chain:
            _gather(nameservers, await self._nameservers(host, alias=len(chain) > 1), "ns", failed)
        return Signals(
            cnames=chain,
            addresses=tuple(addresses),
            asns=tuple(asns),
            ptrs=tuple(ptrs),
            nameservers=tuple(nameservers),
            failed=tuple(kind for kind in KINDS if kind in failed),
        )

    async def _found(self, name: str) -> tuple[tuple[str, ...], list[str]] | None:
        """The chain that begins with `name` and the addresses, in an order that does not change; None for none."""
        resolved = await self._sure(self._resolver.addresses(name), _NOWHERE)
        if resolved is None or not resolved.addresses:
            return None
        chain = tuple(dict.fromkeys(map(folded, (name, *resolved.chain))))
        # Servers answer in turns, and an answer that changes with each look would never be seen twice.
        return chain, sorted(resolved.addresses, key=lambda text: (ip_address(text).version, ip_address(text).packed))

    async def _confirmed(self, address: str) -> tuple[str, ...] | None:
        """The names of `address` that lead back to it: whoever holds an address can give it any name."""
        ip = ip_address(address)
        names = await self._sure(self._resolver.records(ip.reverse_pointer, "PTR"), ())
        if names is None:
            return None
        confirmed = []
        for name in sorted(map(folded, names))[:NAMES_MAX]:
            resolved = await self._sure(self._resolver.addresses(name), _NOWHERE)
            if resolved is None:
                return None
            if ip in map(ip_address, resolved.addresses):
                confirmed.append(name)
        return tuple(confirmed)

    async def _nameservers(self, name: str, *, alias: bool) -> tuple[str, ...] | None:
        """The name servers of the zone that `name` is in. An alias is no zone, and leads to somebody else's servers."""
        for zone in ancestors(name)[alias:][-ZONES_MAX:]:
            found = await self._sure(self._resolver.records(zone, "NS"), ())
            if found is None:
                return None
            if found:
                return tuple(sorted(map(folded, found)))
        return ()

    async def _sure(self, lookup: Deferred[T], nothing: T) -> T | None:
        """What the lookup found, `nothing` if there is no such name; None if that could not be found out in time."""
        bounded = within(LOOKUP_S, cast("Deferred[Any]", lookup), self._clock, lambda: _LATE)
        try:
            result = await bounded
        except NoSuchName:
            return nothing
        except LookupFailed:
            return None
        return None if result is _LATE else cast(T, result)


_NOWHERE: Final = Resolved(())
_LATE: Final = object()


def _gather(into: list[T], found: tuple[T, ...] | None, kind: Kind, failed: set[Kind]) -> None:
    if found is None:
        failed.add(kind)
    else:
        into.extend(thing for thing in found if thing not in into)
