"""The saved world on a real disk: whoever kills the daemon while it saves leaves the save before, or the new one."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from threading import Event as Alarm

import pytest

from pingmon.core.world.fold import fold
from pingmon.core.world.snapshot import Saver
from pingmon.core.world.world import World
from pingmon.journal import Retention
from pingmon.journal.sqlite.commit_chain import replayed
from pingmon.journal.sqlite.stored_journal import SqliteFile
from pingmon.journal.sqlite.verify import verify
from pingmon.journal.sqlite.writer import Writer
from tests.core.worlds import state


def loaded(path: Path) -> tuple[World, int]:
    """The world that the next daemon will have, and the entry at which it was saved."""
    writer, world = Writer(path, Retention(), print), World()
    writer.open(0)
    try:
        Saver(world).restore(writer.meta.snapshot_seq, writer.state())
        for entry in replayed(writer.reader(), writer.meta):
            fold(world, entry)
        return world, writer.meta.snapshot_seq
    finally:
        writer.abandon()


@pytest.mark.process
def test_killed_at_random_moments_of_saving_the_world_is_that_of_the_log(tmp_path: Path) -> None:
    """Rounds through thousands of checks go on from one life to the next; what was saved before the kill counts."""
    path = tmp_path / "journal.sqlite3"
    command = [sys.executable, str(Path(__file__).with_name("saved.py")), str(path)]
    for _ in range(6):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            saved = int(process.stdout.readline())
            Alarm().wait(random.uniform(0.0, 0.6))
            process.kill()
            saved = max(map(int, process.stdout.read().split()), default=saved)
        world, at = loaded(path)
        assert at >= saved
        folded = World()
        for entry in SqliteFile(path).entries_after(0):
            fold(folded, entry)
        assert state(world) == state(folded)
        assert verify(path).damage == ()
