"""Whose turn it is: the places that one look needs before it may connect, and gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from pingmon.probe.probe_timer import ProbeTimer
from pingmon.probe.slot_shortage import Limit, SlotWaits
from pingmon.probe.slots import Slots


class ProbeSlots:
    """One look's. `flight` bounds all looks, `targets` those at one address; `timer` is told when it has to wait.

    How long it had to is noted in `waits`, unless it gave up; `waits_for` is what for, and at which address.
    """

    def __init__(self, flight: Slots, targets: Slots, timer: ProbeTimer, waits: SlotWaits) -> None:
        self.waits_for: tuple[Limit, str] = ("in all", "")
        self._flight = flight
        self._targets = targets
        self._timer = timer
        self._waits = waits
        self._flying = False
        self._held: list[str] = []

    async def take_off(self) -> None:
        """Wait for a place among all looks."""
        if not self._flight.take():
            await self._wait("in all", "", self._flight.wait())
        self._flying = True

    async def queue(self, addresses: Iterable[str], crowded: Callable[[], None]) -> None:
        """Take a place at each address, in an order that all share, so that nobody waits in a circle.

        Who has to wait there lets others fly meanwhile, so that one slow address does not hold up all probes. And it
        asks (`crowded`) what others have found there, before it waits and after; what that raises is passed on.
        """
        for address in sorted(set(addresses)):
            if self._targets.take(address):
                self._held.append(address)
                continue
            crowded()
            place = self._targets.wait(address)
            if self._flying:
                self._flying = False
                self._flight.free()
            await self._wait("at one address", address, place)
            self._held.append(address)
            crowded()
        if not self._flying:
            await self.take_off()

    async def _wait(self, limit: Limit, address: str, place: Deferred[None]) -> None:
        began_s, self.waits_for = self._waits.steady(), (limit, address)
        self._timer.enter("wait")
        await place
        self._waits.note(limit, address, self._waits.steady() - began_s)

    def leave(self) -> None:
        """Give back all places."""
        while self._held:
            self._targets.free(self._held.pop())
        if self._flying:
            self._flying = False
            self._flight.free()
