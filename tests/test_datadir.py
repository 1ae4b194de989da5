"""The data directory: private, and one daemon at a time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pingmon.datadir import DataDir, DataDirError, FirstRun

MADE = FirstRun("p", "k", "hcw", "hcr", "hco", "http://localhost:8000")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """0700 for the directory, 0600 for what lies in it."""
    data = DataDir(tmp_path / "deep" / "data")
    assert mode(data.path) == 0o700
    assert mode(data.leave_first_run(MADE)) == 0o600
    assert mode(data.path / "lock") == 0o600
    data.release()


def test_the_keys_can_be_read_again(tmp_path: Path) -> None:
    """A first start that was cut short goes on with the same keys."""
    data = DataDir(tmp_path)
    assert data.first_run() is None
    data.leave_first_run(MADE)
    assert data.first_run() == MADE
    data.release()


def test_a_second_daemon_is_refused_and_told_who_has_the_directory(tmp_path: Path) -> None:
    """And may have it once the first has let go."""
    first = DataDir(tmp_path)
    with pytest.raises(DataDirError, match=rf"in use by another pingmon \(process {os.getpid()}\)"):
        DataDir(tmp_path)
    first.release()
    DataDir(tmp_path).release()


def test_a_path_that_cannot_be_a_directory_is_one_clear_line(tmp_path: Path) -> None:
    """With the path and the system's reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match=r"cannot use the data directory .*/file: File exists") as caught:
        DataDir(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_keys_that_cannot_be_read_or_written_are_said_so(tmp_path: Path) -> None:
    """The file is named."""
    data = DataDir(tmp_path)
    (tmp_path / "first-run.json").write_text("{}")
    with pytest.raises(DataDirError, match=r"cannot read .*first-run.json"):
        data.first_run()
    (tmp_path / "first-run.tmp").mkdir()
    with pytest.raises(DataDirError, match=r"cannot write .*first-run.json"):
        data.leave_first_run(MADE)
    data.release()
