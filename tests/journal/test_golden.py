"""Every journal that some pingmon ever wrote can still be read. Golden journals are added, never edited."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from pingmon.cli.json_lines import line
from pingmon.core.flip import Flip
from pingmon.core.notify.channel_settings import ChannelSettings
from pingmon.core.notify.notification import Acknowledged, Delivery
from pingmon.core.partner.partner import Attribution
from pingmon.core.site.site import PartnerSilence
from pingmon.core.world.events import KINDS
from pingmon.core.world.fold import fold
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.snapshot_blocks import Block
from pingmon.core.world.world import World
from pingmon.journal import FlipRow, Retention
from pingmon.journal.pending_flips import Window
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.history_queries import read_flips
from pingmon.journal.sqlite.snapshot_table import read_state
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer

GOLDEN = Path(__file__).with_name("golden")
BEGIN = 1_767_225_600_000_000
CHECK = "22222222-2222-4222-8222-222222222222"
PROJECT = "11111111-1111-4111-8111-111111111111"
SITE = "77777777-7777-4777-8777-777777777777"
PAUSED = "88888888-8888-4888-8888-888888888888"
CHANNEL = "33333333-3333-4333-8333-333333333333"
OTHER = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
PARTNER = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"


@pytest.fixture(params=sorted(place.name for place in GOLDEN.iterdir() if place.name.startswith("format-")))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden journal."""
    shutil.copytree(GOLDEN / str(request.param), tmp_path / "golden")
    return tmp_path / "golden" / "journal.sqlite3"


def test_a_golden_journal_is_sound_and_exports_what_it_exported_then(golden: Path) -> None:
    assert verify(golden).damage == ()
    lines = [line(entry) for entry in SqliteFile(golden).entries_after(0)]
    assert lines == golden.with_name("export.jsonl").read_text("utf-8").splitlines()


def test_a_golden_journal_starts_and_goes_on(golden: Path) -> None:
    writer = Writer(golden, Retention(), lambda found: None)
    writer.open(BEGIN)
    db = writer.reader()
    replay = list(replayed(db, writer.meta))
    assert replay == [entry for entry in SqliteFile(golden).entries_after(0) if entry.seq > writer.meta.snapshot_seq]
    assert replay
    assert list(read_state(db, writer.meta))
    writer.touch((), BEGIN)
    writer.close()
    assert verify(golden).damage == ()


@pytest.mark.parametrize("name", ["format-1", "format-2"])
def test_a_format_keeps_its_state_flips_and_times(tmp_path: Path, name: str) -> None:
    path = shutil.copy(GOLDEN / name / "journal.sqlite3", tmp_path)
    writer = Writer(Path(path), Retention(), lambda found: None)
    writer.open(0)
    db = writer.reader()
    assert list(read_state(db, writer.meta)) == [
        Block(1, "check", b'[{"status":"down"}]'),
        Block(2, "project", '[{"name":"Café"}]'.encode()),
    ]
    assert read_flips(db, Window(CHECK, 99), None) == [
        FlipRow(15, CHECK, BEGIN + 4_200_000_000, b'{"old":"up","new":"down"}'),
        FlipRow(6, CHECK, BEGIN + 6_000_006, b'{"old":"new","new":"up"}'),
    ]
    assert (writer.meta.snapshot_seq, writer.meta.trim_mark, writer.log_end.last) == (13, 8, 23)
    assert writer.alive_at == BEGIN + 22_000_029
    writer.close()


def test_a_lot_of_places_that_was_put_in_by_half_in_format_2_hides_no_entry(tmp_path: Path) -> None:
    """Entries of one stream that have their place, that wait for the next part, and that came later."""
    path = Path(shutil.copy(GOLDEN / "format-2" / "journal.sqlite3", tmp_path))
    writer = Writer(path, Retention(), print)
    writer.open(BEGIN)
    assert (writer.meta.placed, writer.meta.lot, writer.meta.part.hex(), writer.log_end.last) == (14, 18, "30", 23)
    writer.abandon()
    entries = list(SqliteFile(path).entries_after(0))
    for stream in {entry.stream for entry in entries}:
        assert list(SqliteFile(path).entries_after(0, stream)) == [entry for entry in entries if entry.stream == stream]


def test_every_kind_of_event_stands_in_a_golden_journal(tmp_path: Path) -> None:
    """So none can change its shape unnoticed."""
    copy = shutil.copytree(GOLDEN, tmp_path / "golden")  # SQLite leaves files beside what it reads
    journals = [place / "journal.sqlite3" for place in copy.iterdir() if place.name.startswith("format-")]
    assert {KINDS[type(entry.event)] for path in journals for entry in SqliteFile(path).entries_after(0)} == set(
        KINDS.values()
    )


def folded(path: Path, *, from_snapshot: bool) -> World:
    """The world that a journal gives, from its begin or from its snapshot on."""
    writer = Writer(path, Retention(), lambda found: None)
    writer.open(BEGIN)
    world = World()
    if from_snapshot:
        Saver(world).restore(writer.meta.snapshot_seq, read_state(writer.reader(), writer.meta))
    writer.close()
    for entry in SqliteFile(path).entries_after(world.seq):
        fold(world, entry)
    return world


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_the_sites_of_format_1_are_told_of_as_they_were(tmp_path: Path, from_snapshot: bool) -> None:
    """From the log and from the snapshot: one site that is back, and whose partner is to be asked so; one resumed."""
    path = Path(shutil.copy(GOLDEN / "format-1-sites" / "journal.sqlite3", tmp_path))
    world = folded(path, from_snapshot=from_snapshot)
    assert list(world.sites) == [SITE, PAUSED]
    assert list(world.partners) == [PARTNER]
    assert world.partners[PARTNER].answers == {"until": 1, "quoted": 1, "clamped": 1, "no answer": 1}
    shop = world.sites[SITE]
    assert (shop.status, shop.told, world.sites[PAUSED].status) == ("up", True, "new")
    assert shop.silence == PartnerSilence(PARTNER, BEGIN + 1_000_000_000)
    assert shop.hosting.found == Attribution("example", "cname", "hosts.example", "shop.hosts.example")
    assert shop.inquiry is not None
    assert (shop.inquiry.question.id, shop.inquiry.question.code) == (f"{SITE}_23", 204)
    assert (list(world.inquiring), world.owed) == ([SITE], {})


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_the_rounds_of_format_1_lead_to_what_they_did(tmp_path: Path, from_snapshot: bool) -> None:
    """Down by two rounds that agreed, up again, and down by what pingmon alone could see while its place was well."""
    path = Path(shutil.copy(GOLDEN / "format-1-rounds" / "journal.sqlite3", tmp_path))
    shop = folded(path, from_snapshot=from_snapshot).sites[SITE]
    assert (shop.status, shop.since, shop.failures, shop.last and shop.last.place) == ("down", shop.incident, 4, "well")
    writer = Writer(path, Retention(), print)
    writer.open(BEGIN)
    flips = [msgspec.json.decode(row.body, type=Flip) for row in read_flips(writer.reader(), Window(SITE, 99), None)]
    writer.close()
    assert [(flip.seq, flip.new, flip.place) for flip in reversed(flips)] == [
        (4, "up", ""),
        (5, "suspect", ""),
        (7, "down", ""),
        (8, "up", ""),
        (9, "suspect", ""),
        (12, "down", "well"),
    ]


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_the_methods_of_sites_of_format_1_are_what_they_were(tmp_path: Path, from_snapshot: bool) -> None:
    path = Path(shutil.copy(GOLDEN / "format-1-methods" / "journal.sqlite3", tmp_path))
    sites = folded(path, from_snapshot=from_snapshot).sites
    assert [(site.spec.method, site.spec.methods) for site in (sites[SITE], sites[PAUSED])] == [
        ("HEAD", ("HEAD", "GET")),
        ("GET", ("GET",)),
    ]


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_the_channels_of_format_1_stand_as_they_did(tmp_path: Path, from_snapshot: bool) -> None:
    """One that works again, with a secret of late; one that was told in its stead; and none that was deleted."""
    path = Path(shutil.copy(GOLDEN / "format-1-channels" / "journal.sqlite3", tmp_path))
    world = folded(path, from_snapshot=from_snapshot)
    ops, chat = world.channels[CHANNEL], world.channels[OTHER]
    assert list(world.channels) == [CHANNEL, OTHER]
    assert (ops.name, ops.secrets(BEGIN), ops.failing) == ("On call", ("whsec_BB==", "whsec_AA=="), None)
    assert chat.last_delivered == BEGIN + 164_000_001
    audience = world.checks[CHECK].audience
    assert audience is not None
    assert (audience.seq, audience.new, audience.owed) == (18, "down", (CHANNEL,))
    assert [owed.id for owed in world.owed.values()] == [f"{CHANNEL}.18"]


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_channels_are_told_what_they_were(tmp_path: Path, from_snapshot: bool) -> None:
    path = Path(shutil.copy(GOLDEN / "format-2-settings" / "journal.sqlite3", tmp_path))
    channels = folded(path, from_snapshot=from_snapshot).channels
    assert channels[CHANNEL].settings == ChannelSettings(up=False)
    night = ChannelSettings(True, False, "sat,sun 00:00-24:00", "Europe/Berlin", "page", 5)
    assert channels[OTHER].settings == night


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_a_digest_has_told_what_it_did(tmp_path: Path, from_snapshot: bool) -> None:
    """One way up that came while it was on its way, about a way down that it told."""
    path = Path(shutil.copy(GOLDEN / "format-2-digests" / "journal.sqlite3", tmp_path))
    (owed,) = folded(path, from_snapshot=from_snapshot).owed.values()
    assert (owed.flip.new, owed.owed_by, owed.down_from) == ("up", 7, None)


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_receivers_have_said_what_they_did(tmp_path: Path, from_snapshot: bool) -> None:
    """One who has unsubscribed, so that another is told in his stead, and one whose address is new."""
    path = Path(shutil.copy(GOLDEN / "format-2-consent" / "journal.sqlite3", tmp_path))
    world = folded(path, from_snapshot=from_snapshot)
    ops, chat, spare = world.channels.values()
    assert (ops.consent, chat.consent, spare.consent) == ("unsubscribed", "due", "")
    assert (chat.secret, chat.value, chat.last_error) == ("whsec_BB==", {"email": "b@example.org"}, "")
    assert [(owed.channel, owed.relays) for owed in world.owed.values()] == [(spare.id, ops.id)]


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_the_outages_of_format_2_are_told_as_they_were(tmp_path: Path, from_snapshot: bool) -> None:
    """Held by maintenance, told at its end, told to the next step, told again, and acknowledged."""
    path = Path(shutil.copy(GOLDEN / "format-2-outages" / "journal.sqlite3", tmp_path))
    world = folded(path, from_snapshot=from_snapshot)
    audience = world.checks[CHECK].audience
    assert audience is not None
    assert audience.acknowledged == Acknowledged(BEGIN + 3_700_000_001, "ada")
    assert (audience.owed, audience.escalated, audience.receipts) == ((CHANNEL,), (OTHER,), {CHANNEL: "m-1"})
    assert (audience.steps, audience.reminders, audience.held_until) == (1, 1, 0)
    assert (world.windows, world.owed) == ({}, {})


def test_what_became_of_messages_is_read_from_format_1(tmp_path: Path) -> None:
    """It stands with the flips, under the channel."""
    path = Path(shutil.copy(GOLDEN / "format-1-channels" / "journal.sqlite3", tmp_path))
    writer = Writer(path, Retention(), print)
    writer.open(BEGIN)
    ended = {
        channel: [msgspec.json.decode(row.body, type=Delivery) for row in read_flips(writer.reader(), window, None)]
        for channel, window in ((CHANNEL, Window(CHANNEL, 99)), (OTHER, Window(OTHER, 99)))
    }
    writer.close()
    assert [(each.owed.flip.seq, each.became) for each in ended[CHANNEL]] == [(16, "delivered"), (11, "given up")]
    assert [attempt.error for attempt in ended[CHANNEL][1].owed.tried] == ["status 503", "status 410", "status 410"]
    assert [(each.owed.relays, each.became) for each in ended[OTHER]] == [
        (None, "nothing to send"),
        (CHANNEL, "delivered"),
    ]


def test_the_flips_of_format_1_of_sites_are_read(tmp_path: Path) -> None:
    """Who saw what is in them."""
    writer = Writer(Path(shutil.copy(GOLDEN / "format-1-sites" / "journal.sqlite3", tmp_path)), Retention(), print)
    writer.open(BEGIN)
    flips = [msgspec.json.decode(row.body, type=Flip) for row in read_flips(writer.reader(), Window(SITE, 99), None)]
    writer.close()
    assert [(flip.seq, flip.new, flip.code, len(flip.looks)) for flip in flips] == [
        (23, "up", 204, 2),
        (14, "down", 503, 3),
        (13, "suspect", 503, 1),
        (8, "up", 200, 1),
    ]


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_the_keys_of_format_1_open_what_they_opened(tmp_path: Path, from_snapshot: bool) -> None:
    """A revoked key and a ping key of before open nothing; since when a killed daemon was deaf is known."""
    world = folded(
        Path(shutil.copy(GOLDEN / "format-1-keys" / "journal.sqlite3", tmp_path)), from_snapshot=from_snapshot
    )
    assert world.ping_keys == {"pingkeypingkeypingkey2": PROJECT}
    assert world.projects[PROJECT].name == "Büro ✓"
    assert [key.name for key in world.keys.values()] == ["laptop"]
    assert world.daemon.ended == BEGIN + 30_000_000
