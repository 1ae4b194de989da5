"""Journals of formats that pingmon no longer writes, made without the code that writes today's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from pingmon.core.events import Draft
from pingmon.core.parts import StateRow
from pingmon.journal.chain import GENESIS, content_digest, link
from pingmon.journal.codec import encoded, packed_id
from pingmon.journal.derived import flip_crc, state_crc
from pingmon.journal.meta import Meta, insert_meta
from pingmon.journal.schema import APPLICATION_ID, schema_text
from pingmon.journal.values import FlipRow

COMMIT = 64


def write_format_1(
    path: Path,
    drafts: Iterable[Draft],
    *,
    state: Sequence[StateRow] = (),
    snapshot_seq: int = 0,
    flips: Sequence[FlipRow] = (),
) -> None:
    """A journal of format 1 at `path` with these entries, `COMMIT` a commit, this snapshot and these flips."""
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
        states = [(k, i, body.decode(), state_crc(k.encode(), i.encode(), body)) for k, i, body in state if body]
        db.executemany("INSERT INTO state VALUES (?, ?, ?, ?)", states)
        kept = [(f.seq, packed_id(f.stream), f.at, f.body) for f in flips]
        crcs = [flip_crc(*flip) for flip in kept]
        db.executemany(
            "INSERT INTO flip VALUES (?, ?, ?, CAST(? AS TEXT), ?)", [(*f, c) for f, c in zip(kept, crcs, strict=True)]
        )
        meta = Meta(1, 0, None, 0, snapshot_seq, len(states), sum(row[3] for row in states), len(kept), sum(crcs))
        insert_meta(db, meta)
        db.execute("COMMIT")
