"""The data directory: private, and one daemon at a time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pingmon.daemon.data_directory import DataDir, DataDirError, DataDirInUse, FirstRun

MADE = FirstRun("p", "k", "hcw", "hcr", "hco", "http://localhost:8000")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """0700 for the directory, 0600 for what lies in it."""
    data = DataDir(tmp_path / "deep" / "data")
    assert mode(data.path) == 0o700
    data.draft(MADE)
    data.publish()
    assert mode(data.first_run) == 0o600
    assert mode(data.path / "lock") == 0o600
    data.release()


def test_the_keys_of_a_first_start_that_was_cut_short_can_be_read_again(tmp_path: Path) -> None:
    """Once they are published they are for people only."""
    data = DataDir(tmp_path)
    assert data.drafted() is None
    data.draft(MADE)
    assert data.drafted() == MADE
    data.publish()
    assert data.drafted() is None
    data.release()


def test_a_second_daemon_is_refused_and_told_who_has_the_directory(tmp_path: Path) -> None:
    """And may have it once the first has let go."""
    first = DataDir(tmp_path)
    with pytest.raises(DataDirError, match=rf"in use by another pingmon \(process {os.getpid()}\)"):
        DataDir(tmp_path)
    first.release()
    DataDir(tmp_path).release()


def test_a_lock_file_that_somebody_deletes_lets_no_second_daemon_in(tmp_path: Path) -> None:
    """The directory is locked itself."""
    first = DataDir(tmp_path)
    (tmp_path / "lock").unlink()
    with pytest.raises(DataDirInUse):
        DataDir(tmp_path)
    first.release()
    DataDir(tmp_path).release()


def test_a_path_that_cannot_be_a_directory_is_one_clear_line(tmp_path: Path) -> None:
    """With the path and the system's reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match=r"cannot use the data directory .*/file: it is no directory") as caught:
        DataDir(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_keys_that_cannot_be_read_or_written_are_said_so(tmp_path: Path) -> None:
    """The file is named."""
    data = DataDir(tmp_path)
    with pytest.raises(DataDirError, match=r"cannot write .*first-run.json"):
        data.publish()
    (tmp_path / "first-run.draft").write_text("{}")
    with pytest.raises(DataDirError, match=r"cannot read .*first-run.draft"):
        data.drafted()
    (tmp_path / "first-run.draft").unlink()
    (tmp_path / "first-run.draft").mkdir()
    with pytest.raises(DataDirError, match=r"cannot write .*first-run.draft"):
        data.draft(MADE)
    data.release()


def test_a_directory_that_was_made_in_vain_goes_again(tmp_path: Path) -> None:
    """One that was there before stays, and so does one in which something lies by now."""
    DataDir(tmp_path / "new").abandon()
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    DataDir(tmp_path / "old").abandon()
    assert (tmp_path / "old").is_dir()
    used = DataDir(tmp_path / "used")
    used.draft(MADE)
    used.abandon()
    assert (tmp_path / "used" / "first-run.draft").exists()


def test_where_a_first_start_was_complete_there_must_be_a_journal(tmp_path: Path) -> None:
    """Keys that were only drafted may be made real by the next start; published ones never with another journal."""
    data = DataDir(tmp_path)
    data.draft(MADE)
    assert not data.begun
    data.publish()
    assert data.begun
    data.release()
