"""Makes a golden journal: `make.py NEW-DIRECTORY` writes journal.sqlite3 and export.jsonl there.

Golden journals are added when the format or the events grow, never edited: each is what some pingmon once wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pingmon.core.events import (
    DAEMON,
    ChannelCreated,
    CheckChanged,
    CheckCreated,
    CheckDeleted,
    CheckExpired,
    CheckPaused,
    CheckResumed,
    CheckSpec,
    ClockStepped,
    Draft,
    Event,
    KeyCreated,
    ListeningEnded,
    ListeningResumed,
    NewCheck,
    NotificationAbandoned,
    NotificationDelivered,
    NotificationFailed,
    PingReceived,
    ProjectCreated,
    SpecChanges,
)
from pingmon.journal import FlipRow, Retention
from pingmon.journal.codec import encoded
from pingmon.journal.lines import line
from pingmon.journal.offline import entries_after
from pingmon.journal.writer import Writer

BEGIN = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
PROJECT = "11111111-1111-4111-8111-111111111111"
CHECK = "22222222-2222-4222-8222-222222222222"
CHANNEL = "33333333-3333-4333-8333-333333333333"
KEY = "44444444-4444-4444-8444-444444444444"
RUN = "55555555-5555-4555-8555-555555555555"
OTHER = "66666666-6666-4666-8666-666666666666"

SPEC = CheckSpec(
    name="Nightly backup ✓", slug="nightly-backup", tags="prod db", timeout=3600, grace=600, channels=(CHANNEL,)
)
WEBHOOK: dict[str, object] = {"url": "https://ops.example/h", "n": [1, None]}
CRON = CheckSpec(kind="cron", schedule="5 4 * * *", tz="Europe/Berlin", manual_resume=True, start_kw="START")

EVENTS: list[list[tuple[str, Event, bytes | None]]] = [
    [
        (PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1"), None),
        (PROJECT, KeyCreated(KEY, "rw", "abcdefgh", "73616c74", "64696765737400", "laptop"), None),
        (CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA=="), None),
        (CHECK, CheckCreated(PROJECT, SPEC, ("name", "tags")), None),
        (OTHER, CheckCreated(PROJECT, CRON), None),
    ],
    [(CHECK, PingReceived(), None)],
    [
        (CHECK, PingReceived("start", "POST", "https", "192.0.2.7", "curl/8", rid=RUN), b"begin"),
        (CHECK, CheckPaused(), None),
    ],
    [(CHECK, CheckResumed(), None)],
    [
        (CHECK, PingReceived("fail", "PUT", "http", "2001:db8::1", exitstatus=3, rid=RUN), "Übel\n".encode()),
        (CHECK, PingReceived("log", left_out=17), b"\xff\x00not text"),
        (OTHER, PingReceived("success", create=NewCheck(PROJECT, "made-by-ping")), b""),
        (CHECK, CheckChanged(SpecChanges(name="", tz="UTC", channels=())), None),
    ],
    [
        (CHECK, CheckExpired(BEGIN + 4_200_000_000, 11), None),
        (CHANNEL, NotificationFailed("12:webhook", 1500, "503 Service Unavailable", BEGIN + 4_260_000_000), None),
        (CHANNEL, NotificationDelivered("12:webhook", 80, 204), None),
        (CHANNEL, NotificationAbandoned("13:webhook", 5000, "timeout"), None),
    ],
    [
        (DAEMON, ListeningResumed(BEGIN + 4_300_000_000, BEGIN + 5_000_000_000, "suspended"), None),
        (DAEMON, ClockStepped(-250_000), None),
        (OTHER, CheckDeleted(), None),
        (CHECK, PingReceived("ign"), None),
        (DAEMON, ListeningEnded(), None),
    ],
]  # fmt: skip


def make(place: Path) -> None:
    """A journal with all kinds of events: the first pings trimmed, a snapshot, flips, and a tail after it."""
    place.mkdir(parents=True)
    path = place / "journal.sqlite3"
    writer = Writer(path, Retention(pings_per_check=3), lambda found: None)
    writer.open(BEGIN)
    at = BEGIN
    for number, commit in enumerate(EVENTS):
        drafts = []
        for stream, event, payload in commit:
            at += 1_000_001
            drafts.append(Draft(at, stream, event, payload))
        writer.commit((), [encoded(draft) for draft in drafts])
        if number == 4:
            writer.commit((), [encoded(Draft(at, CHECK, PingReceived()))])
            flips = [FlipRow(6, CHECK, BEGIN + 6_000_006, b'{"old":"new","new":"up"}')]
            state = [("check", CHECK, b'{"status":"down"}'), ("project", PROJECT, '{"name":"Café"}'.encode())]
            writer.snapshot(flips, 13, state, at + 1)
            while not writer.trim(at, 500).wrapped:
                pass
    writer.touch([FlipRow(15, CHECK, BEGIN + 4_200_000_000, b'{"old":"up","new":"down"}')], at + 7)
    writer.close()
    for rest in place.glob("*-lock"):
        rest.unlink()
    lines = "".join(line(entry) + "\n" for entry in entries_after(path, 0))
    (place / "export.jsonl").write_text(lines, "utf-8")
    for rest in [*place.glob("*-wal"), *place.glob("*-shm")]:
        rest.unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
