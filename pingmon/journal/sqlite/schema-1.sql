-- The tables of a pingmon journal, format 1. Explained in docs/log-format.md.
-- This text never changes: another schema is another format. (application_id and user_version are set by schema.py.)

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,  -- place in the one order there is: 1, 2, 3 ...
    at      INTEGER NOT NULL,     -- when it happened: microseconds since the epoch, UTC
    stream  BLOB NOT NULL CHECK (length(stream) = 16),  -- id of the check, project, channel ... it is about
    kind    TEXT NOT NULL,        -- name of the event: 'ping_received', 'check_created' ...
    body    TEXT NOT NULL,        -- the event's fields as JSON; fields with their default are left out
    payload BLOB                  -- raw body of a ping's request; NULL: none was kept
) STRICT;

-- Serves history (newest first, per stream) and the rank of a ping among its check's pings, from the index alone.
CREATE INDEX event_by_stream ON event (stream, seq, kind);

CREATE TABLE batch (              -- one row per commit that added events and is above the trim mark
    last    INTEGER PRIMARY KEY,  -- seq of its last event
    count   INTEGER NOT NULL,     -- number of its events: their seqs are last-count+1 ... last
    at      INTEGER NOT NULL,     -- newest time of its events: microseconds since the epoch
    digest  BLOB NOT NULL,        -- sha256 of its events' canonical bytes
    chain   BLOB NOT NULL         -- sha256 of (chain of the batch before, first seq, last seq, at, digest)
) STRICT;

CREATE TABLE state (              -- the snapshot: the folded state of each thing, as it was at meta.snapshot_seq
    kind    TEXT NOT NULL,        -- what sort of thing: a check, a project ...
    id      TEXT NOT NULL,        -- its id
    body    TEXT NOT NULL,        -- its state as JSON
    crc     INTEGER NOT NULL,     -- CRC-32 of kind, LF, id, LF, body
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE flip (               -- changes of a check's status, derived from the events by the fold
    seq     INTEGER NOT NULL,     -- the event that caused it
    stream  BLOB NOT NULL CHECK (length(stream) = 16),  -- the check
    at      INTEGER NOT NULL,     -- when the status changed: microseconds since the epoch
    body    TEXT NOT NULL,        -- what it changed from and to, as JSON
    crc     INTEGER NOT NULL,     -- CRC-32 of seq, LF, stream as hex, LF, at, LF, body
    PRIMARY KEY (seq, stream)
) STRICT, WITHOUT ROWID;

CREATE INDEX flip_by_stream ON flip (stream, seq);

CREATE TABLE meta (               -- one row about the journal as a whole
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    format       INTEGER NOT NULL,  -- version of this format: 1
    created_at   INTEGER NOT NULL,  -- microseconds since the epoch
    alive_at     INTEGER,           -- last heartbeat or snapshot: microseconds since the epoch; NULL: none yet
    alive_seq    INTEGER NOT NULL,  -- last event when alive_at was written: newer batches are newer signs of life
    snapshot_seq INTEGER NOT NULL,  -- the snapshot is the state after this event; 0: there is none
    state_count  INTEGER NOT NULL,  -- number of rows in state
    state_sum    INTEGER NOT NULL,  -- sum of their crc
    flip_count   INTEGER NOT NULL,  -- number of rows in flip
    flip_sum     INTEGER NOT NULL,  -- sum of their crc
    trim_mark    INTEGER NOT NULL,  -- events up to here may be trimmed; the last event of some batch, or 0
    anchor       BLOB NOT NULL,     -- chain of the batch that ends at the mark; 32 zero bytes at 0
    kept_count   INTEGER NOT NULL,  -- number of events kept at or below the mark
    kept_sum     BLOB NOT NULL,     -- sum, modulo 2^256, of sha256(seq, canonical bytes) of each of them
    cursor       INTEGER NOT NULL,  -- where the retention's sweep goes on
    crc          INTEGER NOT NULL   -- CRC-32 of the columns above but `one`, as text, each followed by LF
) STRICT;

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: an event is never changed');
END;

CREATE TRIGGER event_is_kept BEFORE DELETE ON event
WHEN old.kind NOT IN ('ping_received', 'site_probed') OR old.seq > (SELECT trim_mark FROM meta)
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: only measurements (pings, probes) at or below the trim mark may go');
END;

CREATE TRIGGER batch_is_never_changed BEFORE UPDATE ON batch
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: a commit is never changed');
END;

CREATE TRIGGER batch_is_kept BEFORE DELETE ON batch
WHEN old.last > (SELECT trim_mark FROM meta)
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: only commits at or below the trim mark may go');
END;
