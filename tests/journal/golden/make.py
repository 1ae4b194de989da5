"""Makes a golden journal: `make.py NEW-DIRECTORY` writes journal.sqlite3 and export.jsonl there.

Which one the directory's name says. First the format, which must be the one that is written; `format-2` alone has all
that concerns checks, and a lot of places that is put in by half. Then `-sites` has sites and partners, `-ended` a
schedule that has run out, `-keys` what can become of projects and keys, and a daemon that was killed, `-channels`
channels, and what became of messages to them, `-rounds` rounds of verifiers that note how the daemon's own place was,
`-methods` sites that are asked with GET, `-projects` what can become of projects, and a check that moves,
`-digests` a digest, and what was overtaken while it was on its way, `-consent` receivers who say what they want,
`-settings` what channels are told and when, `-trouble` that of pingmon itself.
Golden journals are added when the format or the events grow, never edited: each is what some pingmon once wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import replace

from pingmon.cli.json_lines import line
from pingmon.core.check.settings import CheckChanges, CheckSpec
from pingmon.core.notify.alert_rules import EscalationStep
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.maintenance import WindowChanges, WindowSpec
from pingmon.core.partner.inquiry import PartnerAnswer
from pingmon.core.partner.partner import Attribution, HostRule, PartnerChanges, PartnerSpec
from pingmon.core.site.probe_result import Phases, ProbeResult
from pingmon.core.site.settings import SiteChanges, SiteSpec
from pingmon.core.units import DAEMON
from pingmon.core.world.events import (
    AnyEvent,
    ChannelChanged,
    ChannelConfirmed,
    ChannelCreated,
    ChannelDeleted,
    ChannelSecretRenewed,
    ChannelTested,
    ChannelUnsubscribed,
    CheckChanged,
    CheckCreated,
    CheckDeleted,
    CheckExpired,
    CheckMoved,
    CheckPaused,
    CheckResumed,
    ClockStepped,
    ConsentAsked,
    Draft,
    Entry,
    Hour,
    KeyCreated,
    KeyRetired,
    KeyRevoked,
    KeyUsed,
    ListeningEnded,
    ListeningResumed,
    NewCheck,
    NotificationAbandoned,
    NotificationDelivered,
    NotificationFailed,
    OutageAcknowledged,
    OutageReviewed,
    PartnerAnswered,
    PartnerChanged,
    PartnerCreated,
    PartnerDeleted,
    PingKeyRotated,
    PingReceived,
    ProjectAlertRulesChanged,
    ProjectCreated,
    ProjectDefaultsChanged,
    ProjectDeleted,
    ProjectRenamed,
    ScheduleEnded,
    SiteChanged,
    SiteCreated,
    SiteDeleted,
    SiteHostSeen,
    SitePaused,
    SiteProbed,
    SiteResumed,
    TroubleBegan,
    TroubleEnded,
    WindowChanged,
    WindowCreated,
    WindowDeleted,
)
from pingmon.core.world.fold import fold
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.snapshot_blocks import Block
from pingmon.core.world.world import World
from pingmon.journal import FlipRow, Retention
from pingmon.journal.codec import encoded
from pingmon.journal.sqlite.meta_table import FORMAT
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.writer import Writer
from pingmon.monitor import derived

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

EVENTS: list[list[tuple[str, AnyEvent, bytes | None]]] = [
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
        (CHECK, CheckChanged(CheckChanges(name="", tz="UTC", channels=())), None),
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


SITE = "77777777-7777-4777-8777-777777777777"
PAUSED = "88888888-8888-4888-8888-888888888888"
DELETED = "99999999-9999-4999-8999-999999999999"
PARTNER = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
RIVAL = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

HOST = PartnerSpec(
    slug="example",
    name="Example Hosting ✓",
    webhook="https://hooks.example/downtime",
    rules=(HostRule("cname", "hosts.example"), HostRule("prefix", "192.0.2.0/24"), HostRule("asn", "64500")),
    max_suppression=3600,
    secret="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
)
SHOP = SiteSpec(name="Shop", url="https://shop.example/ü?a=1", tags="prod eu", channels=(CHANNEL,))
BLOG = SiteSpec(url="http://blog.example", interval=60, timeout=5, host="example", head_only=True)
HERE = ProbeResult(
    "", BEGIN + 200_000_000, 503, "status", 61, "192.0.2.7", "503 Service Unavailable", Phases(1, 20, 20, 20)
)
BERLIN = ProbeResult(
    "berlin", BEGIN + 210_000_000, 0, "timeout", 10_000, "192.0.2.7", "timed out after 10 s while connecting"
)
TOKYO = ProbeResult("tokyo", BEGIN + 210_000_000, fault="void", detail="no answer within 15 s")
WELL = ProbeResult("", BEGIN + 100_000_000, 200, ms=45, address="2001:db8::7", phases=Phases(0, 15, 0, 30))
SILENT_UNTIL = BEGIN + 1_000_000_000
SILENCED = PartnerAnswer("until", SILENT_UNTIL, ("quoted", "clamped"))
BACK_AT = BEGIN + 1_999_000_000

NO_ANSWER = PartnerAnswer("no answer", detail="timed out after 10 s")

SITE_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (2, PARTNER, PartnerCreated(HOST)),
        (3, RIVAL, PartnerCreated(PartnerSpec(slug="rival", scope="partner", suppress_users=False))),
        (4, SITE, SiteCreated(PROJECT, SHOP)),
        (5, PAUSED, SiteCreated(PROJECT, BLOG, 10)),
        (6, DELETED, SiteCreated(PROJECT, BLOG)),
    ],
    [
        (100, SITE, SiteProbed((WELL,))),
        (101, SITE, SiteHostSeen(Attribution("example", "cname", "hosts.example", "shop.hosts.example"))),
        (102, SITE, SiteHostSeen(None, ("cname", "ns"))),
        (103, PAUSED, SiteProbed((WELL,))),
        (104, PAUSED, SitePaused()),
    ],
    [
        (200, SITE, SiteProbed((HERE,))),
        (210, SITE, SiteProbed((HERE, BERLIN, TOKYO), 2, 1)),
        (212, SITE, PartnerAnswered(f"{SITE}_14", PARTNER, SILENCED, 1500)),
        (300, PARTNER, PartnerChanged(PartnerChanges(name="Example", rules=HOST.rules[:1], max_suppression=7200))),
    ],
    [
        (400, SITE, SiteChanged(SiteChanges(name="", timeout=20, tags="prod"))),
        (401, PAUSED, SiteResumed()),
        (500, SITE, SiteProbed(hour=Hour(BEGIN, 12, 2, 1, 40, 45, 60, 61))),
        (1000, SITE, SiteProbed((replace(HERE, at=SILENT_UNTIL), replace(BERLIN, at=SILENT_UNTIL)), 1, 1)),
        (1010, SITE, PartnerAnswered(f"{SITE}_20", PARTNER, NO_ANSWER, 10_000)),
        (1011, CHANNEL, NotificationDelivered(f"{CHANNEL}.20", 80, 204)),
    ],
    [
        (2000, SITE, SiteProbed((replace(WELL, at=BACK_AT), ProbeResult("berlin", BACK_AT, 204)), 1, 1)),
        (2001, DELETED, SiteDeleted()),
        (2002, RIVAL, PartnerDeleted()),
    ],
]  # fmt: skip
ENDED_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (2, CHECK, CheckCreated(PROJECT, CheckSpec(kind="oncalendar", schedule="2026-01-02", channels=(CHANNEL,)))),
    ],
    [(86_400, CHECK, PingReceived())],
    [(86_401, CHECK, ScheduleEnded())],
]

LOST = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
KEY_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, PROJECT, KeyCreated(KEY, "rw", "hcw_abcd", "73616c74", "64696765737400", "laptop")),
        (2, DAEMON, KeyCreated(LOST, "operator", "hco_abcd", "73616c74", "64696765737400")),
    ],
    [(60, DAEMON, ListeningEnded(BEGIN + 30_000_000))],
    [(61, PROJECT, ProjectRenamed("Büro ✓")), (62, PROJECT, PingKeyRotated("pingkeypingkeypingkey2"))],
    [(63, DAEMON, KeyRevoked(LOST))],
]

OTHER = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
SPARE = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
CHANNEL_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (1, OTHER, ChannelCreated(PROJECT, "webhook", "Chat", WEBHOOK, "whsec_AA==")),
        (1, SPARE, ChannelCreated(PROJECT, "webhook", "Spare", WEBHOOK, "whsec_AA==")),
        (2, CHECK, CheckCreated(PROJECT, CheckSpec(slug="backup", channels=(CHANNEL,)))),
        (3, CHANNEL, ChannelChanged("On call", {**WEBHOOK, "method_up": "PUT"})),
        (4, CHANNEL, ChannelSecretRenewed("whsec_BB==", BEGIN + 86_400_000_000)),
        (5, CHANNEL, ChannelTested(30, 200)),
        (6, CHANNEL, ChannelTested(30, error="status 500")),
        (7, SPARE, ChannelDeleted()),
    ],
    [
        (100, CHECK, PingReceived("fail")),
        (101, CHANNEL, NotificationFailed(f"{CHANNEL}.11", 40, "status 503", BEGIN + 161_000_000, held=True)),
        (
            162,
            CHANNEL,
            NotificationFailed(f"{CHANNEL}.11", 41, "status 410", BEGIN + 200_000_000, False, BEGIN + 50_000_000),
        ),
        (
            163,
            CHANNEL,
            NotificationFailed(f"{CHANNEL}.11", 42, "status 410", BEGIN + 200_000_000, False, BEGIN + 120_000_000),
        ),
        (164, OTHER, NotificationDelivered(f"{CHANNEL}.11.{OTHER}", 80, 204)),
    ],
    [
        (200, CHECK, PingReceived()),
        (201, OTHER, NotificationDelivered(f"{OTHER}.16", 0, nothing=True)),
        (202, CHECK, PingReceived("fail")),
        (203, CHANNEL, NotificationDelivered(f"{CHANNEL}.16", 80, 204)),
    ],
]

ALONE = [replace(HERE, fault="timeout", code=0), replace(BERLIN, fault="void"), TOKYO]
ROUND_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (4, SITE, SiteCreated(PROJECT, SHOP)),
        (100, SITE, SiteProbed((WELL,))),
    ],
    [
        (200, SITE, SiteProbed((HERE,))),
        (210, SITE, SiteProbed((HERE, BERLIN, replace(WELL, node="tokyo")), 2, 1, place="unsure")),
    ],
    [
        (220, SITE, SiteProbed((HERE, BERLIN, replace(WELL, node="tokyo")), 2, 1, place="well")),
        (300, SITE, SiteProbed((WELL, replace(WELL, node="berlin")), 2, 1, place="unsure")),
        (400, SITE, SiteProbed((ALONE[0],))),
        *((410 + 10 * number, SITE, SiteProbed(tuple(ALONE), 2, 1, place="well")) for number in range(3)),
    ],
]

METHOD_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, SITE, SiteCreated(PROJECT, replace(SHOP, channels=(), method="GET"))),
        (2, PAUSED, SiteCreated(PROJECT, replace(SHOP, channels=()))),
    ],
    [(3, SITE, SiteChanged(SiteChanges(method="HEAD"))), (4, PAUSED, SiteChanged(SiteChanges(method="GET")))],
    [(5, SITE, SiteChanged(SiteChanges(interval=60)))],
]

DIGEST_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (2, CHECK, CheckCreated(PROJECT, CheckSpec(slug="backup", channels=(CHANNEL,)))),
        (3, OTHER, CheckCreated(PROJECT, CheckSpec(slug="mail", channels=(CHANNEL,)))),
    ],
    [(100, CHECK, PingReceived("fail")), (101, OTHER, PingReceived("fail"))],
    [
        (102, OTHER, PingReceived()),
        (103, CHANNEL, NotificationFailed(f"{CHANNEL}.6", 40, "status 503", BEGIN + 108_000_000, same_round=True)),
        (109, CHANNEL, NotificationDelivered(f"{CHANNEL}.digest.6", 80, 204, through=6)),
    ],
]

SETTINGS_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==", 0, ChannelSettings(up=False))),
        (2, OTHER, ChannelCreated(PROJECT, "webhook", "Chat", WEBHOOK, "whsec_AA==")),
    ],
    [
        (
            3,
            OTHER,
            ChannelChanged(settings=ChannelSettings(True, False, "sat,sun 00:00-24:00", "Europe/Berlin", "page", 5)),
        )
    ],
]

SHOP_PROJECT = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"
GONE_PROJECT = "ffffffff-ffff-4fff-8fff-ffffffffffff"
PROJECT_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, SHOP_PROJECT, ProjectCreated("Shop", "pingkeypingkeypingkey2")),
        (2, GONE_PROJECT, ProjectCreated("Gone", "pingkeypingkeypingkey3")),
        (3, CHANNEL, ChannelCreated(SHOP_PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (4, PROJECT, KeyCreated(KEY, "rw", "hcw_abcd", "73616c74", "64696765737400", "laptop")),
        (5, GONE_PROJECT, KeyCreated(LOST, "ro", "hcr_abcd", "73616c74", "64696765737400")),
        (6, PROJECT, ProjectDefaultsChanged(CheckChanges(kind="cron", schedule="0 5 * * *", tz="Europe/Berlin"))),
        (7, CHECK, PingReceived("start", create=NewCheck(PROJECT, "backup"))),
    ],
    [
        (60, PROJECT, KeyUsed(KEY)),
        (61, PROJECT, KeyRetired(KEY, BEGIN + 86_400_000_000)),
        (62, CHECK, CheckMoved(SHOP_PROJECT, 10)),
    ],
    [(120, CHECK, PingReceived()), (121, GONE_PROJECT, ProjectDeleted()), (122, PROJECT, ProjectDeleted())],
]

MAILED: dict[str, object] = {"email": "ops@example.org"}
CONSENT_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "email", "Ops", MAILED, "whsec_AA==", consent="due")),
        (1, OTHER, ChannelCreated(PROJECT, "email", "Chat", MAILED, "whsec_AA==", consent="due")),
        (1, SPARE, ChannelCreated(PROJECT, "webhook", "Spare", WEBHOOK, "whsec_AA==")),
        (2, CHECK, CheckCreated(PROJECT, CheckSpec(slug="backup", channels=(CHANNEL, OTHER)))),
        (3, CHANNEL, ConsentAsked(80, error="mail server: connection refused", retry_at=BEGIN + 8_000_000)),
        (8, CHANNEL, ConsentAsked(90, 250)),
        (9, OTHER, ConsentAsked(90, error="550 no such user")),
        (60, CHANNEL, ChannelConfirmed()),
    ],
    [(100, CHECK, PingReceived("fail")), (101, CHANNEL, ChannelUnsubscribed())],
    [(200, OTHER, ChannelChanged(value={"email": "b@example.org"}, consent="due", secret="whsec_BB=="))],
]

WINDOW = "abababab-abab-4bab-8bab-abababababab"
STEPS = (EscalationStep(600, (OTHER,)),)
OUTAGE_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (1, OTHER, ChannelCreated(PROJECT, "webhook", "Boss", WEBHOOK, "whsec_AA==")),
        (2, PROJECT, ProjectAlertRulesChanged(remind_every=3600, escalation=STEPS)),
        (3, CHECK, CheckCreated(PROJECT, CheckSpec(slug="backup", tags="db", channels=(CHANNEL,)))),
        (4, WINDOW, WindowCreated(PROJECT, WindowSpec(name="disks", tags="db", start=BEGIN, end=BEGIN + 90_000_000))),
        (5, WINDOW, WindowChanged(WindowChanges(end=BEGIN + 60_000_000))),
        (10, CHECK, PingReceived("fail")),
    ],
    [(60, CHECK, OutageReviewed()), (61, CHANNEL, NotificationDelivered(f"{CHANNEL}.8", 80, 204, receipt="m-1"))],
    [
        (660, CHECK, OutageReviewed()),
        (3660, CHECK, OutageReviewed()),
        (3700, CHECK, OutageAcknowledged("ada", 8)),
        (3800, WINDOW, WindowDeleted()),
    ],
]

TROUBLE = "edededed-eded-5ded-8ded-edededededed"
TROUBLE_EVENTS: list[list[tuple[int, str, AnyEvent]]] = [
    [
        (0, PROJECT, ProjectCreated("Servers", "pingkeypingkeypingkey1")),
        (1, CHANNEL, ChannelCreated(PROJECT, "webhook", "Ops", WEBHOOK, "whsec_AA==")),
        (100, TROUBLE, TroubleBegan("disk", "the disk is nearly full", "90 MiB left", (CHANNEL,), BEGIN + 40_000_000)),
        (101, CHANNEL, NotificationDelivered(f"{CHANNEL}.3", 80, 204)),
    ],
    [(200, TROUBLE, TroubleEnded(BEGIN + 140_000_000))],
    [(300, TROUBLE, TroubleBegan("disk", "the disk is nearly full", "80 MiB left", (CHANNEL,), BEGIN + 240_000_000))],
]

FOLDED = {
    "trouble": (TROUBLE_EVENTS, 1),
    "consent": (CONSENT_EVENTS, 1),
    "outages": (OUTAGE_EVENTS, 1),
    "projects": (PROJECT_EVENTS, 1),
    "methods": (METHOD_EVENTS, 1),
    "rounds": (ROUND_EVENTS, 1),
    "sites": (SITE_EVENTS, 2),
    "ended": (ENDED_EVENTS, 1),
    "keys": (KEY_EVENTS, 2),
    "channels": (CHANNEL_EVENTS, 1),
    "digests": (DIGEST_EVENTS, 1),
    "settings": (SETTINGS_EVENTS, 0),
}
"""What is folded, and after which commit a snapshot is saved."""


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
            state = [Block(1, "check", b'[{"status":"down"}]'), Block(2, "project", '[{"name":"Café"}]'.encode())]
            writer.snapshot(flips, 13, state, at + 1)
            while not writer.trim(at, 500).wrapped:
                pass
        if number == 5:
            for _ in range(3):
                writer.place(4)
    writer.touch([FlipRow(15, CHECK, BEGIN + 4_200_000_000, b'{"old":"up","new":"down"}')], at + 7)
    writer.close()
    exported(place)


def make_folded(place: Path, events: list[list[tuple[int, str, AnyEvent]]], snapshot_after: int) -> None:
    """A journal with the world and the flips that pingmon made of it: a snapshot and a tail."""
    place.mkdir(parents=True)
    writer = Writer(place / "journal.sqlite3", Retention(), lambda found: None)
    writer.open(BEGIN)
    world = World()
    saver = Saver(world)
    flips: list[FlipRow] = []
    for number, commit in enumerate(events):
        drafts = [Draft(BEGIN + after_s * 1_000_000 + 1, stream, event) for after_s, stream, event in commit]
        writer.commit((), [encoded(draft) for draft in drafts])
        for seq, draft in enumerate(drafts, world.seq + 1):
            flips += derived(fold(world, Entry(seq, draft.at, draft.stream, draft.event)))
        if number == snapshot_after:
            save = saver.save()
            writer.snapshot(flips, world.seq, save.blocks, drafts[-1].at, save.outdated)
            flips = []
    writer.touch(flips, drafts[-1].at)
    writer.close()
    exported(place)


def exported(place: Path) -> None:
    """Export the journal, and leave nothing but it and the export."""
    path = place / "journal.sqlite3"
    for rest in place.glob("*-lock"):
        rest.unlink()
    lines = "".join(line(entry) + "\n" for entry in SqliteFile(path).entries_after(0))
    (place / "export.jsonl").write_text(lines, "utf-8")
    for rest in [*place.glob("*-wal"), *place.glob("*-shm")]:
        rest.unlink()


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    written, _, topic = directory.name.removeprefix("format-").partition("-")
    assert int(written) == FORMAT, f"this pingmon writes format {FORMAT}"
    if topic:
        make_folded(directory, *FOLDED[topic])
    else:
        make(directory)
