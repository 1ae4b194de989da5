"""The first start, also when it is cut short."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from pingmon.api.credentials import find_key, new_ping_key
from pingmon.core.units import DAEMON
from pingmon.core.world.events import ProjectCreated
from pingmon.daemon.data_directory import DataDir, FirstRun
from pingmon.daemon.first_run import FirstStart, first_run, lost_keys
from pingmon.journal import JournalUnavailable
from pingmon.testing import Rig, result, uuid


@pytest.fixture
def rig() -> Rig:
    """A daemon without a project."""
    return Rig(project=False)


def run(rig: Rig, data: DataDir) -> None:
    result(Deferred.fromCoroutine(first_run(rig.monitor, data, "http://localhost:8000", os.urandom)))


def published(data: DataDir) -> FirstRun:
    return msgspec.json.decode((data.path / "first-run.json").read_bytes(), type=FirstRun)


def works(rig: Rig, made: FirstRun) -> bool:
    keys = [find_key(rig.world, key) for key in (made.api_key, made.api_key_readonly, made.operator_key)]
    roles = [key.role for key in keys if key is not None]
    return roles == ["rw", "ro", "operator"] and rig.world.ping_keys == {made.ping_key: made.project}


def test_it_makes_a_project_whose_keys_work(rig: Rig, tmp_path: Path) -> None:
    """Keys of three roles, a ping key, and no key in the clear in the log."""
    data = DataDir(tmp_path)
    run(rig, data)
    made = published(data)
    assert works(rig, made)
    log = b"".join(row.body.encode() for row in rig.memory.rows.values())
    assert not any(key.encode() in log for key in (made.api_key, made.api_key_readonly, made.operator_key))
    data.release()


def test_it_does_nothing_where_there_is_a_project(rig: Rig, tmp_path: Path) -> None:
    """The second start is no first start."""
    data = DataDir(tmp_path)
    run(rig, data)
    made, entries = published(data), len(rig.memory.rows)
    run(rig, data)
    assert (published(data), len(rig.memory.rows)) == (made, entries)
    data.release()


@pytest.mark.parametrize("writes", range(4))
def test_cut_short_anywhere_it_ends_with_keys_that_work(rig: Rig, tmp_path: Path, writes: int) -> None:
    """The next start makes the same keys real, each of them once."""
    data = DataDir(tmp_path)
    rig.journal.fail_next(after=writes)
    with pytest.raises(JournalUnavailable):
        run(rig, data)
    drafted = data.drafted()
    assert drafted is not None
    assert not (tmp_path / "first-run.json").exists()
    run(rig, data)
    assert published(data) == drafted
    assert works(rig, drafted)
    assert len([key for key in rig.world.keys.values() if key.project is None]) == 1
    data.release()


def test_cut_short_before_the_file_got_its_name_it_gets_it_later(rig: Rig, tmp_path: Path) -> None:
    """The project is there, the keys are still a draft."""
    data = DataDir(tmp_path)
    run(rig, data)
    (tmp_path / "first-run.json").rename(tmp_path / "first-run.draft")
    run(rig, data)
    assert works(rig, published(data))
    data.release()


def test_who_has_lost_the_keys_is_told_how_to_make_new_ones(rig: Rig, tmp_path: Path) -> None:
    """After a restore the file is missing, or is another journal's, or cannot be read; one key of it is enough."""
    data = DataDir(tmp_path / "my data")
    run(rig, data)
    assert lost_keys(rig.world, data) is None
    made, file = published(data), data.path / "first-run.json"
    command = f"To make new keys: pingmon key create --data '{data.path}'"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(made, api_key="x", api_key_readonly="x")))
    assert lost_keys(rig.world, data) is None
    file.write_bytes(msgspec.json.encode(FirstRun(*["x" * 32] * 6)))
    assert lost_keys(rig.world, data) == f"no key in first-run.json opens anything here. {command}"
    file.write_text("{")
    assert str(lost_keys(rig.world, data)).startswith(f"cannot read {file}: ")
    file.unlink()
    assert lost_keys(rig.world, data) == f"there is no first-run.json. {command}"
    data.release()


def test_a_first_start_says_how_to_ping_and_a_later_one_only_what_is_wrong(rig: Rig, tmp_path: Path) -> None:
    """A line to paste; nothing if there are keys; how to make new ones if there are none."""
    data = DataDir(tmp_path)

    def told() -> list[str | None]:
        start = FirstStart(rig.monitor, data, lambda: "http://x:1", lambda: "--unix-socket /x ", os.urandom)
        result(start.prepare())
        with capturedLogs() as logged:
            start.tell()
        return [formatEvent(event) for event in logged]

    assert told() == [
        f"first start: the keys are in {data.first_run}",
        f"try it: curl -fsS --unix-socket /x 'http://x:1/ping/{published(data).ping_key}/my-first-job?create=1'",
    ]
    assert told() == []
    data.first_run.unlink()
    assert told() == [lost_keys(rig.world, data)]
    data.release()


def test_a_project_made_meanwhile_takes_nothing_from_a_first_start_that_was_cut_short(rig: Rig, tmp_path: Path) -> None:
    """The draft's keys become real all the same."""
    data = DataDir(tmp_path)
    rig.journal.fail_next()
    with pytest.raises(JournalUnavailable):
        run(rig, data)
    rig.submit(uuid(1, "a"), ProjectCreated("other", "otherpingkey"))
    run(rig, data)
    made = published(data)
    assert rig.world.ping_keys == {"otherpingkey": uuid(1, "a"), made.ping_key: made.project}
    assert find_key(rig.world, made.operator_key) is not None
    data.release()


def test_ping_keys_are_22_lower_case_letters_and_digits() -> None:
    """Drawn evenly: bytes that would favour some characters are thrown away."""
    draws = iter([b"\xff" * 22, bytes(range(22)), bytes(range(22))])
    assert new_ping_key(lambda count: next(draws)) == "abcdefghijklmnopqrstuv"
    assert DAEMON not in new_ping_key(os.urandom)
