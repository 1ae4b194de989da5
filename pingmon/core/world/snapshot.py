"""Saves a world in blocks of many parts, and restores it: a save costs what has changed, a start what there is.

A save writes blocks of the parts that have changed. What was saved of them before stays, because whole blocks would
have to be written to take it out. Instead all parts of a kind are walked through in *rounds*, oldest first: each save
also writes the next `SHARE` parts of the round for each one that has changed. Such blocks replace those of the round
before that go no further (`upto`: the birth of a block's youngest part), and the end of a round replaces all that was
written before it began. So from a fourth to a half of the parts of a kind lie there twice; a kind of few parts is
written whole each time.

    number  1      2      3   4   5      6
    round   1      1      -   -   5      5      1 is replaced, 2 to 6 are read in this order;
    upto    500    900    -   -   300    600    when the round that begins with 5 ends, 2, 3 and 4 are replaced

A number is never given twice. So a save that was reported as failed, and was kept all the same, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from pingmon.core.world.snapshot_blocks import Block, Outdated
from pingmon.core.world.snapshot_kinds import KINDS, Reader
from pingmon.core.world.world import World

BLOCK: Final = 500
"""Parts in one block: some 200 kB of checks."""
SHARE: Final = 4
"""Parts that a round goes on for each part that has changed."""

_encode: Final = msgspec.json.Encoder().encode


class Save(Struct, frozen=True):
    """What is to be written, and what that replaces.

    The parts are immutable, so `blocks` may be walked over, which encodes them, later and in another thread. Call
    `failed` if they could not be saved.
    """

    blocks: Iterator[Block]
    outdated: list[Outdated]
    failed: Callable[[], None]


class _Round(Struct, frozen=True):
    """A walk through all parts of a kind: the number of its first block, the parts' ids, and how many are behind it."""

    number: int
    ids: list[str]
    behind: int = 0


class _Lot(Struct, frozen=True):
    """Parts of one kind that go into blocks, the first of which has this number."""

    number: int
    kind: str
    parts: list[Any]
    gone: list[str]
    round: int | None = None

    def blocks(self, size: int) -> Iterator[Block]:
        """The blocks. New parts stand in them in the order of their birth, so that no start need sort them."""
        kind = KINDS[self.kind]
        parts = sorted(self.parts, key=kind.age)
        for number, some in enumerate(range(0, max(len(parts), len(self.gone)), size), self.number):
            lot, gone = parts[some : some + size], self.gone[some : some + size]
            upto = None if self.round is None else kind.born(lot[-1])
            yield Block(number, self.kind, _encode(lot), _encode(gone), self.round, upto)


class Saver:
    """Saves and restores one world, in blocks of `size` parts."""

    def __init__(self, world: World, size: int = BLOCK) -> None:
        self._world = world
        self._size = size
        self._number = 1
        self._rounds: dict[str, _Round] = {}
        self._broken_off: dict[str, tuple[int, int]] = {}
        """The rounds of the life before: their numbers, and how far they have come."""

    def save(self) -> Save:
        """What has changed since the last save. There is nothing to write if nothing has."""
        taken, rounds = self._world.take_changed(), dict(self._rounds)
        lots: list[_Lot] = []
        outdated: list[Outdated] = []
        for kind, changed in taken.items():
            kept = KINDS[kind].kept(self._world)
            left = changed.difference(self._step(kind, max(self._size, SHARE * len(changed)), lots, outdated))
            gone = [id for id in changed if id not in kept]
            self._add(lots, kind, list(filter(None, map(kept.get, left))), gone)

        def failed() -> None:
            self._world.count_as_changed(taken)
            self._rounds = rounds

        return Save((block for lot in lots for block in lot.blocks(self._size)), outdated, failed)

    def _step(self, kind: str, length: int, lots: list[_Lot], outdated: list[Outdated]) -> list[str]:
        """Go on with the round of a kind, or begin one. Returns the ids that are next in it."""
        walk = self._rounds.pop(kind, None) or self._begun(kind)
        end = walk.behind + length
        ids = walk.ids[walk.behind : end]
        parts = list(filter(None, map(KINDS[kind].kept(self._world).get, ids)))
        self._add(lots, kind, parts, [], walk.number)
        if end >= len(walk.ids):
            outdated.append(Outdated(kind, walk.number))
        else:
            self._rounds[kind] = _Round(walk.number, walk.ids, end)
            outdated += [Outdated(kind, walk.number, KINDS[kind].born(part)) for part in parts[-1:]]
        return ids

    def _begun(self, kind: str) -> _Round:
        """A new round, or the rest of one that the last stop of the process has broken off."""
        number, upto = self._broken_off.pop(kind, (0, 0))
        rest = KINDS[kind].born_after(self._world, upto) if number else []
        return _Round(number, rest) if rest else _Round(self._number, KINDS[kind].oldest_first(self._world))

    def _add(self, lots: list[_Lot], kind: str, parts: list[Any], gone: list[str], round: int | None = None) -> None:
        lots.append(_Lot(self._number, kind, parts, gone, round))
        self._number += -(-max(len(parts), len(gone)) // self._size)

    def restore(self, seq: int, blocks: Iterable[Block]) -> None:
        """Fill the world, which is empty, with what was saved at entry `seq`; `blocks` come in the order of numbers.

        `ValueError` if one is of a kind or a shape that this pingmon does not know. The world is then empty still, and
        so it is after whatever `blocks` raises.
        """
        try:
            self._take(blocks)
        except BaseException:
            self._world.clear()
            raise
        self._world.seq = seq

    def _take(self, blocks: Iterable[Block]) -> None:
        reader = Reader()
        found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        for block in blocks:
            parts = reader.parts(block.kind, block.parts)
            gone = msgspec.json.decode(block.gone, type=list[str])
            found[block.kind].update(zip(map(KINDS[block.kind].id, parts), parts, strict=True))
            for id in gone:
                found[block.kind].pop(id, None)
            self._number = block.number + 1
            if block.round is not None and block.upto is not None:
                self._broken_off[block.kind] = block.round, block.upto
        for name, kind in KINDS.items():
            parts = sorted(found.pop(name).values(), key=kind.age)
            if name == "check":
                self._world.put_saved(parts)
                continue
            for part in parts:
                kind.put(self._world, part)
        self._world.take_changed()
