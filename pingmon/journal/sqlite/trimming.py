"""Trimming: one bounded step of the sweep that deletes old measurements (pings and probes).

A cursor sweeps the log from its begin to the snapshot, and starts over there. A measurement goes if the rule of
`Retention` says so and it is at or below the trim mark. If one above the mark is due, the mark moves on first: whole
commits are checked against their hashes, counted into the tally of what is kept, and their rows in `batch` are dropped.
"""

from __future__ import annotations

import sqlite3
from typing import Final, TypeAlias

import msgspec

from pingmon.core.world.events import KINDS, Event
from pingmon.journal.codec import canonical
from pingmon.journal.hash_chain import Tally
from pingmon.journal.interface import Trimmed
from pingmon.journal.retention import MEASUREMENTS, Retention
from pingmon.journal.sqlite.commit_chain import EVENT, commit_fault, commits
from pingmon.journal.sqlite.meta_table import Meta, update_meta
from pingmon.journal.sqlite.schema import transaction

Series: TypeAlias = tuple[bytes, type[Event]]
"""The measurements of one kind in one stream."""

MAX_SEQ: Final = 2**63 - 1
WALK: Final = 50_000
"""Index rows that one step may walk over to find the ranks of measurements: about 5 ms."""
STEP_BYTES: Final = 1_000_000
"""Bytes of entries that one step reads to delete them or to check them: about 2 ms."""

_MEASURED: Final[dict[bytes, type[Event]]] = {KINDS[kind].encode(): kind for kind in MEASUREMENTS}


class TrimSweep:
    """The retention's memory between steps: for each series, the newest seq that its count lets go.

    A series' bound only grows, so a remembered one is never wrong, only late; it is forgotten after a round. `_stays`
    is the first measurement of each series that this round let stay: age alone removes none behind it, so that what is
    kept is always the newest, however wrong the clock once was. Ranks are counted among entries that have their place:
    what is due by them is due.
    """

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._bounds: dict[Series, tuple[int, int]] = {}
        self._stays: dict[Series, int] = {}
        self._begun = False

    def begins(self, meta: Meta) -> bool:
        """Whether the next step is the first of a sweep."""
        return not self._begun or meta.cursor == 0

    def step(self, db: sqlite3.Connection, meta: Meta, now: int, budget_rows: int) -> tuple[Meta, Trimmed]:
        """Scan up to `budget_rows` rows and delete what is due at `now` (microseconds since the epoch).

        Returns the meta after it, in which the cursor may be newer than on disk: a step that deletes nothing writes
        nothing. Raises ValueError, with nothing changed, if entries that should go are not what was written.
        """
        end = _end(db, meta)
        if not self._begun:
            self._begun = True
            meta = msgspec.structs.replace(meta, cursor=0)
        with transaction(db):
            due, scanned, seen = self._due(db, meta, now, budget_rows, end)
            if due and due[-1] > meta.trim_mark:
                meta = _advanced(db, meta, due[-1], budget_rows)
                if due[-1] > meta.trim_mark:
                    seen = meta.trim_mark
            meta, deleted, seen = _deleted(db, meta, [seq for seq in due if seq <= seen], seen)
            wrapped = seen >= end
            meta = msgspec.structs.replace(meta, cursor=0 if wrapped else seen)
            if deleted:
                update_meta(db, meta)
        if wrapped:
            self._bounds.clear()
            self._stays.clear()
        return meta, Trimmed(scanned, deleted, wrapped)

    def _due(self, db: sqlite3.Connection, meta: Meta, now: int, budget: int, end: int) -> tuple[list[int], int, int]:
        """The seqs that may go, the number of rows looked at, and the seq up to which all was looked at."""
        rows = db.execute(
            "SELECT seq, at, stream, kind FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (meta.cursor, end, budget),
        ).fetchall()
        due: list[int] = []
        walked = 0
        for scanned, (seq, at, stream, kind) in enumerate(rows):
            measured = _MEASURED.get(kind)
            if measured is None:
                continue
            series = stream, measured
            if series not in self._bounds:
                if walked > WALK:
                    return due, scanned, seq - 1
                self._bounds[series] = self._bound(db, *series)
                walked += self._retention.newest(measured)
            if self._may_go(seq, at, now, self._bounds[series]) and seq <= self._stays.get(series, seq):
                due.append(seq)
            else:
                self._stays.setdefault(series, seq)
        return due, len(rows), rows[-1][0] if len(rows) == budget else end

    def _bound(self, db: sqlite3.Connection, stream: bytes, measured: type[Event]) -> tuple[int, int]:
        """(the newest seq with enough newer ones, the newest seq of all) among the stream's measurements of a kind.

        Of a check or site that was deleted, all may go.
        """
        gone = "SELECT 1 FROM place WHERE stream = ? AND kind = ? LIMIT 1"
        if db.execute(gone, (stream, KINDS[MEASUREMENTS[measured]])).fetchone():
            return MAX_SEQ, MAX_SEQ
        sql = "SELECT seq FROM place WHERE stream = ? AND kind = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
        newest = db.execute(sql, (stream, KINDS[measured], 0)).fetchone()
        bound = db.execute(sql, (stream, KINDS[measured], self._retention.newest(measured))).fetchone()
        return (bound[0] if bound else 0), (newest[0] if newest else 0)

    def _may_go(self, seq: int, at: int, now: int, bounds: tuple[int, int]) -> bool:
        bound, newest = bounds
        return seq <= bound or (seq < newest and self._retention.too_old(at, now))


def _end(db: sqlite3.Connection, meta: Meta) -> int:
    """Where the sweep turns: the last commit that the snapshot stands for as a whole; 0 if there is no snapshot.

    Never beyond the last entry that has its place.
    """
    if meta.snapshot_seq < meta.trim_mark:
        return 0
    (last,) = db.execute("SELECT max(last) FROM batch WHERE last <= ?", (meta.snapshot_seq,)).fetchone()
    return min(meta.trim_mark if last is None else int(last), meta.placed)


def _advanced(db: sqlite3.Connection, meta: Meta, target: int, budget: int) -> Meta:
    """The meta after the mark moved towards `target`, over one commit at least and as many as the budget allows."""
    mark, anchor, tally = meta.trim_mark, meta.anchor, meta.kept
    done = size = 0
    for batch, rows in commits(db, mark):
        if mark >= target or (done and (done >= budget or size > STEP_BYTES)):
            break
        if fault := commit_fault(mark, anchor, batch, rows):
            raise ValueError(fault)
        canons = [(row[0], canonical(*row[1:])) for row in rows]
        tally = tally.changed(added=canons)
        mark, anchor = batch[0], batch[4]
        done += len(rows)
        size += sum(len(canon) for _, canon in canons)
    moved = _with_tally(meta, tally, mark, anchor)
    update_meta(db, moved)  # before the deletion: the triggers read the mark
    db.execute("DELETE FROM batch WHERE last <= ?", (mark,))
    return moved


def _deleted(db: sqlite3.Connection, meta: Meta, seqs: list[int], seen: int) -> tuple[Meta, int, int]:
    """Delete these entries, as many as `STEP_BYTES` allows. Returns the meta, their number, the last seq dealt with."""
    removed: list[tuple[int, bytes]] = []
    size = 0
    for seq in seqs:
        if size > STEP_BYTES:
            seen = seq - 1
            break
        row = db.execute(f"SELECT {EVENT} FROM event WHERE seq = ?", (seq,)).fetchone()
        removed.append((seq, canonical(*row[1:])))
        size += len(removed[-1][1])
        db.execute("DELETE FROM event WHERE seq = ?", (seq,))
    if not removed:
        return meta, 0, seen
    return _with_tally(meta, meta.kept.changed(removed=removed), meta.trim_mark, meta.anchor), len(removed), seen


def _with_tally(meta: Meta, tally: Tally, mark: int, anchor: bytes) -> Meta:
    return msgspec.structs.replace(meta, trim_mark=mark, anchor=anchor, kept_count=tally.count, kept_sum=tally.total)
