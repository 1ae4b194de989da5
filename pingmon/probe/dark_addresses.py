"""Remembers which addresses answer nobody, for those who would have to wait for a place there.

A look at an address that is black-holed holds its place for the whole time limit. With hundreds of sites at such an
address and a few places, most would wait in vain and say nothing. So those that have to wait are told what the others
found there, if those have tried for long enough and nobody has heard from the address since. Whoever finds a place
free never asks here: the only site at an address is always looked at for itself.

Only that nobody answers is shared. What is refused ends at once, and gives its place to the next. For whom that
speaks, and for how long, is up to `core.site.dark_address`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

from pingmon.core.site.dark_address import DarkAddress, is_dark, is_old, told_of

Port: TypeAlias = tuple[str, int]
"""An address and a port."""


class DarkAddresses:
    """Times are those of the caller's clock, in seconds. What it remembers is gone when it is old."""

    def __init__(self) -> None:
        self._dark: dict[Port, tuple[DarkAddress, ...]] = {}
        self._heard: dict[Port, float] = {}

    def __len__(self) -> int:
        return len(self._dark) + len(self._heard)

    def heard(self, address: str, port: int, now_s: float) -> None:
        """There is an answer, of whatever kind."""
        self._dark.pop((address, port), None)
        self._heard.pop((address, port), None)
        self._heard[address, port] = now_s
        self._forget(now_s)

    def tried(self, unanswered: Iterable[str], no_way: Iterable[str], port: int, since_s: float, now_s: float) -> None:
        """Since `since_s` nobody has answered at any of `unanswered`, and there is no way to those of `no_way`."""
        for told, addresses in ((True, unanswered), (False, no_way)):
            for address in addresses:
                if is_dark(since_s, self._heard.get((address, port))):
                    self._note(port, DarkAddress(address, now_s, now_s - since_s, told))
        self._forget(now_s)

    def found(self, addresses: Collection[str], port: int, wanted_s: float, now_s: float) -> DarkAddress | None:
        """The first of `addresses` if whoever would try for `wanted_s` finds them all dark; else None."""
        return told_of([self._known((address, port), wanted_s, now_s) for address in addresses])

    def _known(self, port: Port, wanted_s: float, now_s: float) -> DarkAddress | None:
        return next((each for each in self._dark.get(port, ()) if each.speaks_for(wanted_s, now_s)), None)

    def _note(self, number: int, dark: DarkAddress) -> None:
        """The newest goes first; of those before it, only who tried for longer has anything to add."""
        port = dark.address, number
        before = (each for each in self._dark.pop(port, ()) if each.tried_s > dark.tried_s)
        self._dark[port] = (dark, *(each for each in before if not is_old(each.at_s, dark.at_s)))

    def _forget(self, now_s: float) -> None:
        """Both are in the order of their times."""
        while self._dark and is_old(next(iter(self._dark.values()))[0].at_s, now_s):
            del self._dark[next(iter(self._dark))]
        while self._heard and is_old(next(iter(self._heard.values())), now_s):
            del self._heard[next(iter(self._heard))]
