"""Every journal that some pingmon ever wrote can still be read. Golden journals are added, never edited."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pingmon.journal import FlipRow, Retention
from pingmon.journal.derived import read_state
from pingmon.journal.lines import line
from pingmon.journal.offline import entries_after
from pingmon.journal.reading import read_flips, replayed
from pingmon.journal.values import Window
from pingmon.journal.verify import verify
from pingmon.journal.writer import Writer

GOLDEN = Path(__file__).with_name("golden")
BEGIN = 1_767_225_600_000_000
CHECK = "22222222-2222-4222-8222-222222222222"
PROJECT = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(params=sorted(place.name for place in GOLDEN.iterdir() if place.name.startswith("format-")))
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden journal."""
    shutil.copytree(GOLDEN / str(request.param), tmp_path / "golden")
    return tmp_path / "golden" / "journal.sqlite3"


def test_a_golden_journal_is_sound_and_exports_what_it_exported_then(golden: Path) -> None:
    assert verify(golden).damage == ()
    lines = [line(entry) for entry in entries_after(golden, 0)]
    assert lines == golden.with_name("export.jsonl").read_text("utf-8").splitlines()


def test_a_golden_journal_starts_and_goes_on(golden: Path) -> None:
    writer = Writer(golden, Retention(), lambda found: None)
    writer.open(BEGIN)
    db = writer.reader()
    replay = list(replayed(db, writer.meta))
    assert replay == [entry for entry in entries_after(golden, 0) if entry.seq > writer.meta.snapshot_seq]
    assert replay
    assert list(read_state(db, writer.meta))
    writer.touch((), BEGIN)
    writer.close()
    assert verify(golden).damage == ()


def test_format_1_keeps_its_state_flips_and_times(tmp_path: Path) -> None:
    path = shutil.copy(GOLDEN / "format-1" / "journal.sqlite3", tmp_path)
    writer = Writer(Path(path), Retention(), lambda found: None)
    writer.open(0)
    db = writer.reader()
    assert list(read_state(db, writer.meta)) == [
        ("check", CHECK, b'{"status":"down"}'),
        ("project", PROJECT, '{"name":"Café"}'.encode()),
    ]
    assert read_flips(db, Window(CHECK, 99), None) == [
        FlipRow(15, CHECK, BEGIN + 4_200_000_000, b'{"old":"up","new":"down"}'),
        FlipRow(6, CHECK, BEGIN + 6_000_006, b'{"old":"new","new":"up"}'),
    ]
    assert (writer.meta.snapshot_seq, writer.meta.trim_mark, writer.head.last) == (13, 8, 23)
    assert writer.alive_at == BEGIN + 22_000_029
    writer.close()
