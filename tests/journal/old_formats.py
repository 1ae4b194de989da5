"""Journals of formats that pingmon no longer writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from zlib import crc32

from msgspec import Raw, json

from pingmon.core.units import DAEMON
from pingmon.core.world.events import Draft, PingReceived
from pingmon.core.world.snapshot_blocks import Block
from pingmon.journal import Retention
from pingmon.journal.codec import encoded, packed_id
from pingmon.journal.hash_chain import GENESIS, content_digest, link
from pingmon.journal.interface import FlipRow
from pingmon.journal.sqlite.flip_table import flip_crc
from pingmon.journal.sqlite.meta_table import Meta, insert_meta
from pingmon.journal.sqlite.schema import APPLICATION_ID, connect, schema_text
from pingmon.journal.sqlite.snapshot_table import read_state
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.writer import Writer

COMMIT = 64


def write_format_1(
    path: Path,
    drafts: Iterable[Draft],
    *,
    state: Sequence[tuple[str, str, bytes]] = (),
    snapshot_seq: int = 0,
    flips: Sequence[FlipRow] = (),
) -> None:
    """A journal of format 1 at `path` with these entries, `COMMIT` a commit, this snapshot and these flips.

    Made without the code that writes today's journals.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(schema_text(1))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN")
        last, chain = 0, GENESIS
        waiting = map(encoded, drafts)
        while commit := list(islice(waiting, COMMIT)):
            rows = [(last + n, row.at, row.stream, row.kind, row.body, row.payload) for n, row in enumerate(commit, 1)]
            db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", rows)
            at, digest = max(row.at for row in commit), content_digest(row.canon for row in commit)
            chain = link(chain, last + 1, last + len(rows), at, digest)
            last += len(rows)
            db.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?)", (last, len(rows), at, digest, chain))
        sums = [crc32(b"\n".join((kind.encode(), id.encode(), body))) for kind, id, body in state]
        states = [(kind, id, body.decode(), crc) for (kind, id, body), crc in zip(state, sums, strict=True)]
        db.executemany("INSERT INTO state VALUES (?, ?, ?, ?)", states)
        kept = [(f.seq, packed_id(f.stream), f.at, f.body) for f in flips]
        crcs = [flip_crc(*flip) for flip in kept]
        db.executemany(
            "INSERT INTO flip VALUES (?, ?, ?, CAST(? AS TEXT), ?)", [(*f, c) for f, c in zip(kept, crcs, strict=True)]
        )
        meta = Meta(1, 0, None, 0, snapshot_seq, len(states), sum(row[3] for row in states), len(kept), sum(crcs))
        insert_meta(db, meta)
        db.execute("COMMIT")


def rows(blocks: Iterable[Block]) -> list[tuple[str, str, bytes]]:
    """What blocks say, as format 1 kept it: one thing a row."""
    found: dict[tuple[str, str], bytes] = {}
    for block in blocks:
        for part in json.decode(block.parts, type=list[Raw]):
            found[block.kind, json.decode(part).get("id", DAEMON)] = bytes(part)
        for id in json.decode(block.gone):
            found.pop((block.kind, id), None)
    return [(kind, id, body) for (kind, id), body in found.items()]


def aged(path: Path, more: int) -> None:
    """Give the journal of a stopped daemon format 1, and the check that was pinged last so many more pings."""
    writer = Writer(path, Retention(), print)
    writer.open(0)
    state, snapshot_seq = rows(read_state(writer.reader(), writer.meta)), writer.meta.snapshot_seq
    writer.abandon()
    entries = list(SqliteFile(path).entries_after(0))
    pings = [entry for entry in entries if isinstance(entry.event, PingReceived)]
    drafts = [Draft(entry.at, entry.stream, entry.event, entry.payload) for entry in entries]
    drafts += [Draft(entries[-1].at + n, pings[-1].stream, PingReceived()) for n in range(1, more + 1)]
    for suffix in ("", "-wal", "-shm", "-lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    write_format_1(path, drafts, state=state, snapshot_seq=snapshot_seq)


def format_of(path: Path) -> int:
    """What the header of a journal says."""
    with closing(connect(path, write=False)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        return int(version)
