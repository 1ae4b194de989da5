"""Flips that were derived and are not written yet. Whoever reads flips must see them among those that are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from pingmon.core.units import Id
from pingmon.journal.interface import FlipRow


class PendingFlips:
    """What waits for the next write. A flip that is derived anew takes the place of one that waits."""

    def __init__(self) -> None:
        self._flips: dict[tuple[int, Id], FlipRow] = {}

    def add(self, flip: FlipRow) -> None:
        """One more waits."""
        self._flips[flip.seq, flip.stream] = flip

    def all(self) -> tuple[FlipRow, ...]:
        """Those that wait now."""
        return tuple(self._flips.values())

    def at(self, seqs: Collection[int]) -> list[FlipRow]:
        """Those under these entries."""
        return [flip for flip in self._flips.values() if flip.seq in seqs]

    def written(self, flips: Iterable[FlipRow]) -> None:
        """These wait no more, unless they were derived anew meanwhile."""
        for flip in flips:
            key = (flip.seq, flip.stream)
            if self._flips.get(key) is flip:
                del self._flips[key]


def together(written: Iterable[FlipRow], pending: Iterable[FlipRow]) -> list[FlipRow]:
    """Each once, by entry and stream; what is pending counts instead of what is written."""
    kept = {(flip.seq, flip.stream): flip for flip in (*written, *pending)}
    return [kept[key] for key in sorted(kept)]


def newest_seq(upto: int, before: int | None) -> int:
    """The newest entry that is <= `upto` and < `before` (None: no such bound); 0 if there can be none."""
    return upto if before is None else max(0, min(upto, before - 1))


class Window(Struct, frozen=True):
    """Which flips of a stream are asked for: seq <= `upto`, `start` <= at < `end` (microseconds; None: open)."""

    stream: Id
    upto: int
    start: int | None = None
    end: int | None = None

    def newest(self, flips: Iterable[FlipRow], limit: int | None) -> list[FlipRow]:
        """At most `limit` of those of `flips` that are within, newest first, each once."""
        within = {flip.seq: flip for flip in flips if self._holds(flip)}
        return [within[seq] for seq in sorted(within, reverse=True)][:limit]

    def _holds(self, flip: FlipRow) -> bool:
        return (
            flip.stream == self.stream
            and flip.seq <= self.upto
            and (self.start is None or flip.at >= self.start)
            and (self.end is None or flip.at < self.end)
        )
